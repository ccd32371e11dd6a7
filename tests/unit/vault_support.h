// A vault with a known root key, so that tests need not pay for a passphrase, and short forms of its calls.
#pragma once

#include "vault_fixture.h"

#include "vault/vault_internal.h"

static const uint8_t vault_id_of_test[VAULT_ID_BYTES] = "vault-of-a-test";

static inline struct secret *root_of_test(uint8_t seed)
{
	uint8_t bytes[KEY_BYTES];
	struct secret *root = NULL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 11 + seed);
	assert_int_equal(secret_copy(span_of(bytes, sizeof(bytes)), &root, &err), 0);
	return root;
}

// Makes a vault and returns it unlocked.
static inline struct vault *vault_make(uint8_t seed)
{
	struct vault *vault = NULL;
	_cleanup_secret_ struct secret *root = root_of_test(seed);
	assert_int_equal(cipher_start(&err), 0);
	assert_int_equal(
	    vault_create_with_root_key(vault_dir, root, vault_id_of_test, SPAN_LITERAL("no slot"), &vault, &err), 0);
	return vault;
}

static inline int unlock(struct vault *vault, uint8_t seed)
{
	_cleanup_secret_ struct secret *root = root_of_test(seed);
	return vault_unlock_with_root_key(vault, root, &err);
}

static inline struct vault *vault_reopen(struct vault *vault, bool is_unlocked)
{
	vault_close(vault);
	struct vault *again = NULL;
	assert_int_equal(vault_open(vault_dir, &again, &err), 0);
	if (is_unlocked)
		assert_int_equal(unlock(again, 0), 0);
	return again;
}

static inline void begin(struct vault *vault)
{
	if (vault_begin(vault, &err) < 0)
		fail_msg("begin: %s", err.text);
}

static inline void commit(struct vault *vault)
{
	if (vault_commit(vault, NULL, &err) < 0)
		fail_msg("commit: %s", err.text);
}

static inline void put(struct vault *vault, const char *name, const char *value)
{
	if (vault_put(vault, name, span_text(value), NULL, false, true, &err) < 0)
		fail_msg("put: %s", err.text);
}

// One change in a transaction of its own.
static inline void store_one(struct vault *vault, const char *name, const char *value)
{
	begin(vault);
	put(vault, name, value);
	commit(vault);
}

static inline int reveal(struct vault *vault, const char *name, uint32_t version)
{
	_cleanup_secret_ struct secret *value = NULL;
	return vault_reveal(vault, name, version, &value, &err);
}

static inline void reveals(struct vault *vault, const char *name, uint32_t version, const char *expected)
{
	_cleanup_secret_ struct secret *value = NULL;
	if (vault_reveal(vault, name, version, &value, &err) < 0)
		fail_msg("reveal: %s", err.text);
	assert_true(secret_is_equal(secret_span(value), span_text(expected)));
}

static inline struct vault_entry find(struct vault *vault, const char *name)
{
	struct vault_entry entry;
	if (vault_find(vault, name, &entry, &err) < 0)
		fail_msg("find: %s", err.text);
	return entry;
}

static inline int find_result(struct vault *vault, const char *name)
{
	struct vault_entry entry;
	return vault_find(vault, name, &entry, &err);
}

static inline int check(struct vault *vault)
{
	uint64_t rows = 0;
	return vault_check(vault, &rows, &err);
}

struct names {
	char text[1024];
};

static inline int names_add(void *context, const struct vault_entry *entry)
{
	struct names *names = context;
	size_t used = strlen(names->text);
	snprintf(names->text + used, sizeof(names->text) - used, "%s:%u%s ", entry->name, entry->version,
		 entry->is_pending ? "?" : "");
	return 0;
}

static inline int list_result(struct vault *vault, struct names *names)
{
	*names = (struct names){0};
	return vault_list(vault, names_add, names, &err);
}

static inline void expect_list(struct vault *vault, const char *expected)
{
	struct names names;
	if (list_result(vault, &names) < 0)
		fail_msg("list: %s", err.text);
	assert_string_equal(names.text, expected);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)
