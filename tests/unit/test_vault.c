#include "vault_support.h"

static struct secret *passphrase_of(const char *text)
{
	struct secret *passphrase = NULL;
	assert_int_equal(secret_copy(span_text(text), &passphrase, &err), 0);
	return passphrase;
}

static void test_a_passphrase_opens_it(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *right = passphrase_of("the right passphrase");
	_cleanup_secret_ struct secret *wrong = passphrase_of("the right passphrasf");
	struct vault *vault = NULL;
	struct vault *second = NULL;
	assert_false(vault_exists(vault_dir));
	assert_int_equal(vault_open(vault_dir, &vault, &err), ERR_NO_VAULT);
	assert_int_equal(vault_create(vault_dir, right, PWHASH_INTERACTIVE, &vault, &err), 0);
	assert_true(vault_exists(vault_dir));
	assert_true(vault_is_unlocked(vault));
	store_one(vault, "A", "value of A");
	assert_int_equal(vault_create(vault_dir, right, PWHASH_INTERACTIVE, &second, &err), ERR_EXISTS);
	vault = vault_reopen(vault, false);
	assert_false(vault_is_unlocked(vault));
	assert_int_equal(reveal(vault, "A", 0), ERR_LOCKED);
	assert_int_equal(vault_unlock(vault, wrong, &err), ERR_PASSPHRASE);
	assert_false(vault_is_unlocked(vault));
	assert_int_equal(vault_unlock(vault, right, &err), 0);
	reveals(vault, "A", 0, "value of A");
	vault_close(vault);
}

static void test_the_root_key_is_handed_out(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret *right = passphrase_of("the right passphrase");
	_cleanup_secret_ struct secret *wrong = passphrase_of("the right passphrasf");
	_cleanup_secret_ struct secret *root = NULL, *other = root_of_test(3);
	struct vault *vault = NULL;
	assert_int_equal(vault_create(vault_dir, right, PWHASH_INTERACTIVE, &vault, &err), 0);
	store_one(vault, "A", "value of A");
	vault = vault_reopen(vault, false);
	assert_int_equal(vault_unlock_keeping(vault, wrong, &root, &err), ERR_PASSPHRASE);
	assert_null(root);
	assert_int_equal(vault_unlock_keeping(vault, right, &root, &err), 0);
	assert_true(vault_is_unlocked(vault));
	assert_int_equal(secret_len(root), KEY_BYTES);
	vault = vault_reopen(vault, false);
	assert_int_equal(vault_unlock_with_root_key(vault, other, &err), ERR_DAMAGED);
	assert_int_equal(vault_unlock_with_root_key(vault, root, &err), 0);
	reveals(vault, "A", 0, "value of A");
	vault_close(vault);
}

static void test_creating_leaves_nothing_on_failure(void **state)
{
	(void)state;
	struct vault *vault = NULL;
	_cleanup_secret_ struct secret *short_root = passphrase_of("too short for a root key");
	assert_int_equal(cipher_start(&err), 0);
	assert_int_equal(
	    vault_create_with_root_key(vault_dir, short_root, vault_id_of_test, SPAN_LITERAL("s"), &vault, &err),
	    ERR_DAMAGED);
	assert_int_equal(access(vault_dir, F_OK), -1);
	_cleanup_secret_ struct secret *root = root_of_test(0);
	file_store(vault_dir, SPAN_LITERAL("a file where the folder should be"));
	assert_int_equal(vault_create_with_root_key(vault_dir, root, vault_id_of_test, SPAN_LITERAL("s"), &vault, &err),
			 ERR_UNSAFE);
	assert_int_equal(unlink(vault_dir), 0);
	assert_int_equal(dir_count(dir), 0);
}

static void test_put_and_versions(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	begin(vault);
	assert_int_equal(vault_put(vault, "db/url", SPAN_LITERAL("one"), NULL, false, false, &err), 0);
	assert_int_equal(vault_put(vault, "db/url", SPAN_LITERAL("two!"), NULL, false, false, &err), ERR_EXISTS);
	assert_int_equal(vault_put(vault, "db/url", SPAN_LITERAL("two!"), NULL, true, true, &err), 0);
	assert_int_equal(vault_put(vault, "bad name", SPAN_LITERAL("x"), NULL, false, false, &err), ERR_USAGE);
	reveals(vault, "db/url", 0, "two!");
	commit(vault);
	vault = vault_reopen(vault, true);
	struct vault_entry entry = find(vault, "db/url");
	assert_int_equal(entry.version, 2);
	assert_int_equal(entry.version_count, 2);
	assert_int_equal(entry.value_bytes, 4);
	assert_true(entry.is_weak);
	assert_false(entry.is_pending);
	assert_true(entry.created > 0 && entry.changed >= entry.created);
	reveals(vault, "db/url", 1, "one");
	reveals(vault, "db/url", 2, "two!");
	assert_int_equal(reveal(vault, "db/url", 3), ERR_NOT_FOUND);
	assert_int_equal(reveal(vault, "nobody", 0), ERR_NOT_FOUND);
	assert_int_equal(find_result(vault, "nobody"), ERR_NOT_FOUND);
	assert_int_equal(find_result(vault, "not a name"), ERR_USAGE);
	vault_close(vault);
}

static void test_sizes_of_values(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	_cleanup_free_ uint8_t *bytes = malloc(SECRET_VALUE_BYTES_MAX + 1);
	for (size_t i = 0; i <= SECRET_VALUE_BYTES_MAX; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	begin(vault);
	assert_int_equal(vault_put(vault, "A", span_of(bytes, 0), NULL, false, false, &err), ERR_LIMIT);
	assert_int_equal(vault_put(vault, "A", span_of(bytes, SECRET_VALUE_BYTES_MAX + 1), NULL, false, false, &err),
			 ERR_LIMIT);
	assert_int_equal(vault_put(vault, "one", span_of(bytes, 1), NULL, false, false, &err), 0);
	assert_int_equal(vault_put(vault, "all", span_of(bytes, SECRET_VALUE_BYTES_MAX), NULL, false, false, &err), 0);
	assert_int_equal(vault_rename(vault, "all", "every", &err), 0);
	assert_int_equal(
	    vault_deposit(vault, "later", span_of(bytes, SECRET_VALUE_BYTES_MAX), NULL, false, false, &err), 0);
	commit(vault);
	_cleanup_secret_ struct secret *value = NULL;
	assert_int_equal(vault_reveal(vault, "every", 0, &value, &err), 0);
	assert_true(secret_is_equal(secret_span(value), span_of(bytes, SECRET_VALUE_BYTES_MAX)));
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

static void test_metadata(void **state)
{
	(void)state;
	const char *tags[] = {"prod", "db", "prod"};
	const char *empty[] = {""};
	const char *many[VAULT_TAGS_MAX + 1];
	char numbers[VAULT_TAGS_MAX + 1][4];
	char note[VAULT_NOTE_BYTES_MAX + 2];
	memset(note, 'n', sizeof(note) - 1);
	note[sizeof(note) - 1] = 0;
	for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%zu", i);
		many[i] = numbers[i];
	}
	struct vault *vault = vault_make(0);
	begin(vault);
	struct vault_meta meta = {.note = "a note", .tags = tags, .tag_count = 3, .expires = 4000000000};
	assert_int_equal(vault_put(vault, "A", SPAN_LITERAL("v"), &meta, false, false, &err), 0);
	assert_int_equal(vault_put(vault, "A", SPAN_LITERAL("w"), &VAULT_META_UNCHANGED, false, true, &err), 0);
	struct vault_entry entry = find(vault, "A");
	assert_string_equal(entry.note, "a note");
	assert_int_equal(entry.tag_count, 2);
	assert_string_equal(entry.tags[1], "db");
	assert_int_equal(entry.expires, 4000000000);
	meta = (struct vault_meta){.note = "", .tags = many, .tag_count = VAULT_TAGS_MAX, .expires = 0};
	assert_int_equal(vault_set_meta(vault, "A", &meta, &err), 0);
	meta.tag_count++;
	assert_int_equal(vault_set_meta(vault, "A", &meta, &err), ERR_LIMIT);
	meta = (struct vault_meta){.tags = empty, .tag_count = 1, .expires = -1};
	assert_int_equal(vault_set_meta(vault, "A", &meta, &err), ERR_INPUT);
	meta = (struct vault_meta){.note = note, .expires = -1};
	assert_int_equal(vault_set_meta(vault, "A", &meta, &err), ERR_LIMIT);
	note[VAULT_NOTE_BYTES_MAX] = 0;
	assert_int_equal(vault_set_meta(vault, "B", &meta, &err), ERR_NOT_FOUND);
	commit(vault);
	vault = vault_reopen(vault, false);
	entry = find(vault, "A");
	assert_string_equal(entry.note, "");
	assert_int_equal(entry.tag_count, VAULT_TAGS_MAX);
	assert_string_equal(entry.tags[31], "31");
	assert_int_equal(entry.expires, 0);
	assert_int_equal(entry.version, 2);
	vault_close(vault);
}

static void test_rename_copy_remove(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	begin(vault);
	put(vault, "A", "one");
	put(vault, "A", "two");
	put(vault, "B", "other");
	assert_int_equal(vault_rename(vault, "A", "B", &err), ERR_EXISTS);
	assert_int_equal(vault_rename(vault, "A", "A", &err), ERR_EXISTS);
	assert_int_equal(vault_rename(vault, "none", "C", &err), ERR_NOT_FOUND);
	assert_int_equal(vault_rename(vault, "A", "no name", &err), ERR_USAGE);
	assert_int_equal(vault_rename(vault, "A", "C", &err), 0);
	assert_int_equal(vault_copy(vault, "C", "B", &err), ERR_EXISTS);
	assert_int_equal(vault_copy(vault, "C", "D", &err), 0);
	assert_int_equal(vault_remove(vault, "B", &err), 0);
	assert_int_equal(vault_remove(vault, "B", &err), ERR_NOT_FOUND);
	commit(vault);
	vault = vault_reopen(vault, true);
	expect_list(vault, "C:2 D:1 ");
	reveals(vault, "C", 1, "one");
	reveals(vault, "C", 0, "two");
	reveals(vault, "D", 0, "two");
	assert_int_equal(find_result(vault, "A"), ERR_NOT_FOUND);
	assert_memory_not_equal(find(vault, "C").id, find(vault, "D").id, 16);
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

static int history_add(void *context, const struct vault_version *version)
{
	char *text = context;
	snprintf(text + strlen(text), 64, "%u/%u%s ", version->version, (unsigned)version->value_bytes,
		 version->is_current ? "*" : "");
	return version->stored > 0 ? 0 : 1;
}

static void test_history_and_rollback(void **state)
{
	(void)state;
	char text[256] = "";
	struct vault *vault = vault_make(0);
	begin(vault);
	assert_int_equal(vault_put(vault, "A", SPAN_LITERAL("1"), NULL, true, false, &err), 0);
	put(vault, "A", "22");
	assert_int_equal(vault_rollback_to(vault, "A", 2, &err), ERR_EXISTS);
	assert_int_equal(vault_rollback_to(vault, "A", 3, &err), ERR_NOT_FOUND);
	assert_int_equal(vault_rollback_to(vault, "A", 0, &err), ERR_NOT_FOUND);
	assert_false(find(vault, "A").is_weak);
	assert_int_equal(vault_rollback_to(vault, "A", 1, &err), 0);
	assert_true(find(vault, "A").is_weak);
	commit(vault);
	reveals(vault, "A", 0, "1");
	assert_int_equal(vault_history(vault, "A", history_add, text, &err), 0);
	assert_string_equal(text, "1/1 2/2 3/1* ");
	assert_int_equal(vault_history(vault, "B", history_add, text, &err), ERR_NOT_FOUND);
	vault_close(vault);
}

static void test_deposits(void **state)
{
	(void)state;
	const char *tags[] = {"ci"};
	struct vault_meta meta = {.note = "from the agent", .tags = tags, .tag_count = 1, .expires = -1};
	struct vault *vault = vault_make(0);
	begin(vault);
	struct vault_meta old_meta = {.note = "old", .expires = 77};
	assert_int_equal(vault_put(vault, "B", SPAN_LITERAL("old"), &old_meta, false, false, &err), 0);
	commit(vault);
	uint64_t generation = vault_generation(vault);
	vault = vault_reopen(vault, false);
	begin(vault);
	assert_int_equal(vault_deposit(vault, "A", SPAN_LITERAL("waiting"), &meta, true, false, &err), 0);
	assert_int_equal(vault_deposit(vault, "A", SPAN_LITERAL("again"), &meta, true, false, &err), ERR_EXISTS);
	assert_int_equal(vault_deposit(vault, "B", SPAN_LITERAL("new"), &meta, false, false, &err), ERR_EXISTS);
	assert_int_equal(vault_deposit(vault, "B", SPAN_LITERAL("new"), &meta, false, true, &err), 0);
	assert_int_equal(vault_deposit(vault, "C", SPAN_LITERAL("x"), NULL, false, false, &err), 0);
	assert_int_equal(vault_put(vault, "D", SPAN_LITERAL("x"), NULL, false, false, &err), ERR_LOCKED);
	assert_int_equal(vault_confirm(vault, "A", &err), ERR_LOCKED);
	assert_int_equal(vault_remove(vault, "B", &err), ERR_LOCKED);
	assert_int_equal(vault_commit(vault, NULL, &err), 0);
	expect_list(vault, "A:0? B:1? C:0? ");
	vault = vault_reopen(vault, true);
	assert_int_equal(vault_generation(vault), generation);
	expect_list(vault, "A:0? B:1? C:0? ");
	assert_string_equal(find(vault, "A").note, "from the agent");
	assert_true(find(vault, "A").pending_since > 0);
	assert_int_equal(reveal(vault, "A", 0), ERR_DENIED);
	reveals(vault, "B", 0, "old");
	begin(vault);
	assert_int_equal(vault_rename(vault, "B", "Z", &err), ERR_DENIED);
	assert_int_equal(vault_rename(vault, "A", "Z", &err), ERR_DENIED);
	assert_int_equal(vault_copy(vault, "B", "A", &err), ERR_EXISTS);
	assert_int_equal(vault_confirm(vault, "A", &err), 0);
	assert_int_equal(vault_confirm(vault, "B", &err), 0);
	assert_int_equal(vault_confirm(vault, "B", &err), ERR_NOT_FOUND);
	uint8_t digest[DIGEST_BYTES] = {0}, again[DIGEST_BYTES] = {0};
	assert_int_equal(vault_deposit_digest(vault, "C", digest, &err), 0);
	assert_int_equal(vault_deposit(vault, "C", SPAN_LITERAL("x"), NULL, false, true, &err), 0);
	assert_int_equal(vault_deposit_digest(vault, "C", again, &err), 0);
	assert_memory_not_equal(digest, again, sizeof(digest));
	assert_int_equal(vault_discard(vault, "C", &err), 0);
	assert_int_equal(vault_discard(vault, "C", &err), ERR_NOT_FOUND);
	assert_int_equal(vault_deposit_digest(vault, "C", again, &err), ERR_NOT_FOUND);
	commit(vault);
	expect_list(vault, "A:1 B:2 ");
	reveals(vault, "A", 0, "waiting");
	reveals(vault, "B", 0, "new");
	struct vault_entry a = find(vault, "A");
	assert_true(a.is_weak);
	assert_string_equal(a.tags[0], "ci");
	struct vault_entry b = find(vault, "B");
	assert_string_equal(b.note, "from the agent");
	assert_int_equal(b.expires, 77);
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

static void test_removing_takes_the_deposit_too(void **state)
{
	(void)state;
	struct vault *vault = vault_make(0);
	begin(vault);
	put(vault, "A", "x");
	assert_int_equal(vault_deposit(vault, "A", SPAN_LITERAL("y"), NULL, false, true, &err), 0);
	assert_int_equal(vault_deposit(vault, "only", SPAN_LITERAL("y"), NULL, false, false, &err), 0);
	assert_int_equal(vault_remove(vault, "A", &err), 0);
	assert_int_equal(vault_remove(vault, "only", &err), 0);
	commit(vault);
	expect_list(vault, "");
	assert_int_equal(check(vault), 0);
	vault_close(vault);
}

static int stop_at_once(void *context, const struct vault_entry *entry)
{
	int *calls = context;
	(void)entry;
	(*calls)++;
	return 42;
}

static void test_lists(void **state)
{
	(void)state;
	int calls = 0;
	struct vault *vault = vault_make(0);
	expect_list(vault, "");
	begin(vault);
	static const char *const names[] = {"b", "a/c", "a", "Z", "a.b", "10", "9"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		put(vault, names[i], "x");
	assert_int_equal(vault_deposit(vault, "a-waits", SPAN_LITERAL("x"), NULL, false, false, &err), 0);
	assert_int_equal(vault_deposit(vault, "zz", SPAN_LITERAL("x"), NULL, false, false, &err), 0);
	expect_list(vault, "10:1 9:1 Z:1 a:1 a-waits:0? a.b:1 a/c:1 b:1 zz:0? ");
	commit(vault);
	expect_list(vault, "10:1 9:1 Z:1 a:1 a-waits:0? a.b:1 a/c:1 b:1 zz:0? ");
	assert_int_equal(vault_list(vault, stop_at_once, &calls, &err), 42);
	assert_int_equal(calls, 1);
	vault_close(vault);
}

static void test_failures_are_counted_while_locked(void **state)
{
	(void)state;
	struct vault *vault = vault_reopen(vault_make(0), false);
	struct vault_failures wanted = {.count = 3, .first = 1000, .last = 2000, .boot_id = "boot of a test", .boottime_ms = 77};
	struct vault_failures got = {.count = 9};
	assert_int_equal(vault_failures_get(vault, &got, &err), 0);
	assert_int_equal(got.count, 0);
	assert_int_equal(vault_failures_put(vault, &wanted, &err), ERR_USAGE);
	begin(vault);
	assert_int_equal(vault_failures_put(vault, &wanted, &err), 0);
	commit(vault);
	vault = vault_reopen(vault, true);
	assert_int_equal(vault_failures_get(vault, &got, &err), 0);
	assert_int_equal(got.count, wanted.count);
	assert_int_equal(got.first, wanted.first);
	assert_int_equal(got.last, wanted.last);
	assert_memory_equal(got.boot_id, wanted.boot_id, sizeof(got.boot_id));
	assert_int_equal(got.boottime_ms, wanted.boottime_ms);
	assert_int_equal(check(vault), 0);
	begin(vault);
	assert_int_equal(vault_failures_put(vault, &(struct vault_failures){0}, &err), 0);
	assert_int_equal(vault_failures_put(vault, &(struct vault_failures){0}, &err), 0);
	commit(vault);
	assert_int_equal(vault_failures_get(vault, &got, &err), 0);
	assert_int_equal(got.count, 0);
	vault_close(vault);
}

static void test_failures_that_do_not_parse(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"x''", "x'01'", "x'01030000'", "zeroblob(45)", "x'02' || x'01000000' || zeroblob(40)", "x'01' || zeroblob(44)",
		"x'0101000000' || zeroblob(39)", "x'0101000000' || zeroblob(41)", "x'0101000000' || x'00000000000000ff' || zeroblob(32)",
		"x'0101000000' || zeroblob(32) || x'00000000000000ff'",
	};
	struct vault *vault = vault_make(0);
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		char sql[256];
		struct vault_failures got = {.count = 9};
		snprintf(sql, sizeof(sql), "REPLACE INTO row VALUES (8, CAST('failures' AS BLOB), NULL, NULL, CAST(%s AS BLOB))",
			 bodies[i]);
		vault_close(vault);
		sql_run(sql);
		assert_int_equal(vault_open(vault_dir, &vault, &err), 0);
		assert_int_equal(vault_failures_get(vault, &got, &err), ERR_DAMAGED);
		assert_int_equal(got.count, 0);
		assert_int_equal(unlock(vault, 0), 0);
		assert_int_equal(check(vault), ERR_DAMAGED);
		begin(vault);
		assert_int_equal(vault_failures_put(vault, &(struct vault_failures){.count = 1}, &err), 0);
		commit(vault);
		assert_int_equal(check(vault), 0);
	}
	vault_close(vault);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_a_passphrase_opens_it),
	    DIR_TEST(test_the_root_key_is_handed_out),
	    DIR_TEST(test_creating_leaves_nothing_on_failure),
	    DIR_TEST(test_put_and_versions),
	    DIR_TEST(test_sizes_of_values),
	    DIR_TEST(test_metadata),
	    DIR_TEST(test_rename_copy_remove),
	    DIR_TEST(test_history_and_rollback),
	    DIR_TEST(test_deposits),
	    DIR_TEST(test_removing_takes_the_deposit_too),
	    DIR_TEST(test_lists),
	    DIR_TEST(test_failures_are_counted_while_locked),
	    DIR_TEST(test_failures_that_do_not_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
