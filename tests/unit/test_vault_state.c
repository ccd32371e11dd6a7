// Transactions, the state under its MAC, and several processes.
#include <sys/syscall.h>

#include "residue.h"
#include "vault_support.h"

static void test_transactions(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	uint64_t generation = vault_generation(vault);
	assert_int_equal(vault_put(vault, "A", SPAN_LITERAL("x"), NULL, false, false, &err), ERR_USAGE);
	assert_int_equal(vault_commit(vault, NULL, &err), ERR_USAGE);
	begin(vault);
	assert_int_equal(vault_begin(vault, &err), ERR_USAGE);
	put(vault, "A", "x");
	vault_rollback(vault);
	vault_rollback(vault);
	assert_int_equal(find_result(vault, "A"), ERR_NOT_FOUND);
	assert_int_equal(vault_generation(vault), generation);
	begin(vault);
	put(vault, "A", "x");
	vault = vault_reopen(vault, true);
	assert_int_equal(find_result(vault, "A"), ERR_NOT_FOUND);
	store_one(vault, "B", "y");
	assert_int_equal(vault_generation(vault), generation + 1);
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

static void test_anchor(void **state)
{
	(void)state;
	struct vault_anchor anchor = {.count = 12, .hash = {1, 2, 3}, .file_offset = 999};
	struct vault_anchor read;
	struct vault *vault = vault_make(0);
	assert_int_equal(vault_anchor_get(vault, &read, &err), 0);
	assert_int_equal(read.count, 0);
	begin(vault);
	assert_int_equal(vault_commit(vault, &anchor, &err), 0);
	store_one(vault, "A", "keeps the anchor");
	vault = vault_reopen(vault, false);
	assert_int_equal(vault_anchor_get(vault, &read, &err), 0);
	assert_memory_equal(&read, &anchor, sizeof(anchor));
	begin(vault);
	assert_int_equal(vault_commit(vault, &anchor, &err), ERR_LOCKED);
	vault_close(vault);
}

static int anchor_put(struct vault *vault, uint64_t count)
{
	begin(vault);
	return vault_commit(vault, &(struct vault_anchor){.count = count}, &err);
}

static unsigned waits; // for the disk

// In the place of the library's own, for the store too.
int fdatasync(int fd)
{
	waits++;
	return (int)syscall(SYS_fdatasync, fd);
}

static void test_an_anchor_alone_waits_for_nothing(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	assert_int_equal(anchor_put(vault, 1), 0);
	waits = 0;
	assert_int_equal(anchor_put(vault, 5), 0);
	assert_int_equal(waits, 0);
	begin(vault);
	assert_false(vault_is_changed(vault));
	put(vault, "A", "x");
	assert_true(vault_is_changed(vault));
	assert_int_equal(vault_commit(vault, &(struct vault_anchor){.count = 6}, &err), 0);
	assert_true(waits > 0);
	// A log that was begun anew.
	waits = 0;
	assert_int_equal(anchor_put(vault, 1), 0);
	assert_true(waits > 0);
	vault_close(vault);
}

static void test_settings(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(VAULT_SETTING_BYTES_MAX);
	_cleanup_free_ uint8_t *bytes = calloc(1, VAULT_SETTING_BYTES_MAX + 1);
	struct vault *vault = vault_make(0);
	begin(vault);
	assert_int_equal(vault_setting_get(vault, "count", &out, &err), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(vault_setting_put(vault, "count", SPAN_LITERAL("7"), &err), 0);
	assert_int_equal(vault_setting_put(vault, "count", SPAN_LITERAL("8"), &err), 0);
	assert_int_equal(vault_setting_put(vault, "big", span_of(bytes, VAULT_SETTING_BYTES_MAX), &err), 0);
	assert_int_equal(vault_setting_put(vault, "big", span_of(bytes, VAULT_SETTING_BYTES_MAX + 1), &err), ERR_LIMIT);
	assert_int_equal(vault_setting_put(vault, "gone", SPAN_LITERAL("x"), &err), 0);
	assert_int_equal(vault_setting_put(vault, "gone", SPAN_LITERAL(""), &err), 0);
	assert_int_equal(vault_setting_put(vault, "gone", SPAN_LITERAL(""), &err), 0);
	commit(vault);
	vault = vault_reopen(vault, true);
	assert_int_equal(vault_setting_get(vault, "count", &out, &err), 0);
	assert_string_equal(buf_text(&out), "8");
	assert_int_equal(check(vault), 0);
	vault = vault_reopen(vault, false);
	assert_int_equal(vault_setting_get(vault, "count", &out, &err), ERR_LOCKED);
	buf_done(&out);
	vault_close(vault);
}

// For settings that hold a key: the bytes are in secret memory and nowhere else, and narrowed too.
static void test_setting_revealed(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *value = NULL, *none = NULL, *bytes = NULL;
	struct vault *vault = vault_make(0);
	assert_int_equal(secret_new(40, SECRET_LOCK_REQUIRED, &bytes, &err), 0);
	rng_fill(secret_data(bytes), 40);
	begin(vault);
	assert_int_equal(vault_setting_put(vault, "key", secret_span(bytes), &err), 0);
	commit(vault);
	vault_narrow(vault);
	assert_int_equal(vault_setting_reveal(vault, "key", &value, &err), 0);
	assert_true(secret_is_equal(secret_span(value), secret_span(bytes)));
	assert_int_equal(vault_setting_reveal(vault, "other", &none, &err), 0);
	assert_null(none);
	assert_int_equal(check(vault), 0);
	value = secret_free(value);
	if (residue_is_countable())
		assert_int_equal(residue_count(bytes), 0);
	vault = vault_reopen(vault, false);
	assert_int_equal(vault_setting_reveal(vault, "key", &none, &err), ERR_LOCKED);
	assert_null(none);
	vault_close(vault);
}

static void test_narrowed(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	store_one(vault, "A", "x");
	vault_narrow(vault);
	assert_true(vault_is_unlocked(vault));
	assert_int_equal(reveal(vault, "A", 0), ERR_LOCKED);
	begin(vault);
	put(vault, "B", "y");
	assert_int_equal(vault_rename(vault, "A", "C", &err), ERR_LOCKED);
	commit(vault);
	assert_int_equal(check(vault), 0);
	vault = vault_reopen(vault, true);
	reveals(vault, "A", 0, "x");
	reveals(vault, "B", 0, "y");
	vault_close(vault);
}

// Of the root key and the message alone, as docs/format-vault.md says.
static void test_voucher(void **state)
{
	(void)state;
	uint8_t one[DIGEST_BYTES], other[DIGEST_BYTES], key[KEY_BYTES], untouched[DIGEST_BYTES] = {0};
	struct vault *vault = vault_make(0);
	_cleanup_secret_ struct secret *root = root_of_test(0), *wrong = root_of_test(1);
	struct span message = SPAN_LITERAL("a question and its answer");
	assert_int_equal(vault_voucher(vault, message, one, &err), 0);
	kdf_derive(secret_span(root).data, 5, "envseal1", key);
	mac_bytes(key, message, other);
	assert_memory_equal(one, other, DIGEST_BYTES);
	assert_int_equal(vault_voucher(vault, SPAN_LITERAL("a question and its answes"), other, &err), 0);
	assert_memory_not_equal(one, other, DIGEST_BYTES);
	kdf_derive(secret_span(wrong).data, 5, "envseal1", key);
	mac_bytes(key, message, other);
	assert_memory_not_equal(one, other, DIGEST_BYTES);
	vault = vault_reopen(vault, false);
	memset(other, 0, sizeof(other));
	assert_int_equal(vault_voucher(vault, message, other, &err), ERR_LOCKED);
	assert_memory_equal(other, untouched, DIGEST_BYTES);
	assert_int_equal(unlock(vault, 0), 0);
	assert_int_equal(vault_voucher(vault, message, other, &err), 0);
	assert_memory_equal(one, other, DIGEST_BYTES);
	vault_narrow(vault);
	assert_int_equal(vault_voucher(vault, message, other, &err), ERR_LOCKED);
	vault_close(vault);
}

#define WRITERS 32
#define WRITES 3

static int other_process(void *context)
{
	(void)context;
	struct vault *vault = NULL;
	if (vault_open(vault_dir, &vault, &err) < 0 || unlock(vault, 0) < 0 || vault_begin(vault, &err) < 0 ||
	    vault_put(vault, "A", SPAN_LITERAL("theirs"), NULL, false, true, &err) < 0 ||
	    vault_commit(vault, NULL, &err) < 0)
		return 1;
	vault_close(vault);
	return 0;
}

static void test_another_process_changes_it(void **state)
{
	(void)state;
	static struct vault
	    *vault; // static, so that the child's copy of it is still reachable when a leak checker looks
	vault = vault_make(0);
	store_one(vault, "A", "ours");
	assert_int_equal(child_run(other_process, NULL), 0);
	reveals(vault, "A", 0, "theirs");
	store_one(vault, "A", "ours again");
	reveals(vault, "A", 2, "theirs");
	assert_int_equal(find(vault, "A").version, 3);
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

// Each writer stores values under names of its own and one more version of a common name.
static int writer_body(int writer)
{
	struct vault *vault = NULL;
	char name[32];
	int r = vault_open(vault_dir, &vault, &err);
	if (r == 0)
		r = unlock(vault, 0);
	for (int i = 0; r == 0 && i < WRITES; i++) {
		snprintf(name, sizeof(name), "w%d/%d", writer, i);
		r = vault_begin(vault, &err);
		if (r == 0)
			r = vault_put(vault, name, span_text(name), NULL, false, false, &err);
		if (r == 0)
			r = vault_put(vault, "common", span_text(name), NULL, false, true, &err);
		if (r == 0)
			r = vault_commit(vault, NULL, &err);
	}
	vault_close(vault);
	if (r < 0)
		fprintf(stderr, "writer %d: %s\n", writer, err.text);
	return r < 0;
}

static void test_32_writers_lose_nothing(void **state)
{
	(void)state;
	pid_t pids[WRITERS];
	char name[32];
	vault_close(vault_make(0));
	fflush(NULL);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(writer_body(i));
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	struct vault *vault = vault_reopen(NULL, true);
	assert_int_equal(find(vault, "common").version, WRITERS * WRITES);
	for (int i = 0; i < WRITERS * WRITES; i++) {
		snprintf(name, sizeof(name), "w%d/%d", i / WRITES, i % WRITES);
		reveals(vault, name, 0, name);
	}
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_transactions),
	    DIR_TEST(test_anchor),
	    DIR_TEST(test_an_anchor_alone_waits_for_nothing),
	    DIR_TEST(test_settings),
	    DIR_TEST(test_setting_revealed),
	    DIR_TEST(test_narrowed),
	    DIR_TEST(test_voucher),
	    DIR_TEST(test_another_process_changes_it),
	    DIR_TEST(test_32_writers_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
