// Digests that are made later, and the cache of them.
#include "program_scene.h"

#include "program/digest_cache.h"

#define NOW 1800000000

static struct stat state_of(uint64_t inode)
{
	return (struct stat){.st_dev = 7, .st_ino = inode, .st_size = DIGEST_CACHE_FILE_BYTES_MIN,
			     .st_mtim = {NOW - 100, 5}, .st_ctim = {NOW - 50, 999999999}};
}

static const uint8_t *digest_of(uint8_t byte)
{
	static uint8_t digest[DIGEST_BYTES];
	memset(digest, byte, sizeof(digest));
	return digest;
}

static void add(struct digest_cache *cache, uint64_t inode)
{
	struct stat st = state_of(inode);
	digest_cache_add(cache, &st, NOW, digest_of((uint8_t)inode));
}

static bool has(struct digest_cache *cache, uint64_t inode)
{
	struct stat st = state_of(inode);
	const uint8_t *digest = digest_cache_find(cache, &st);
	if (digest)
		assert_memory_equal(digest, digest_of((uint8_t)inode), DIGEST_BYTES);
	return digest;
}

// ------------------------------------------------------------------------------------------------------------ cache

static void test_finds_what_was_added(void **state)
{
	(void)state;
	struct digest_cache cache = {0};
	assert_false(has(&cache, 1));
	assert_false(cache.is_changed);
	add(&cache, 1);
	add(&cache, 2);
	assert_true(cache.is_changed);
	assert_true(has(&cache, 1));
	assert_true(has(&cache, 2));
	assert_false(has(&cache, 3));
	assert_int_equal(cache.count, 2);
}

// Each part of the state alone.
static void test_other_state_is_unknown(void **state)
{
	(void)state;
	struct digest_cache cache = {0};
	add(&cache, 1);
	struct stat others[7];
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		others[i] = state_of(1);
	others[0].st_dev++;
	others[1].st_ino++;
	others[2].st_size++;
	others[3].st_mtim.tv_sec--;
	others[4].st_mtim.tv_nsec--;
	others[5].st_ctim.tv_sec--;
	others[6].st_ctim.tv_nsec--;
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_null(digest_cache_find(&cache, &others[i]));
	assert_true(has(&cache, 1));
}

static void test_changed_file_takes_its_place(void **state)
{
	(void)state;
	struct digest_cache cache = {0};
	add(&cache, 1);
	add(&cache, 2);
	struct stat changed = state_of(1);
	changed.st_ctim.tv_sec++;
	digest_cache_add(&cache, &changed, NOW, digest_of(9));
	assert_int_equal(cache.count, 2);
	assert_false(has(&cache, 1));
	assert_true(has(&cache, 2));
	assert_memory_equal(digest_cache_find(&cache, &changed), digest_of(9), DIGEST_BYTES);
}

static void test_oldest_used_goes(void **state)
{
	(void)state;
	struct digest_cache cache = {0};
	for (uint64_t i = 1; i <= DIGEST_CACHE_COUNT_MAX; i++)
		add(&cache, i);
	assert_true(has(&cache, 1));
	add(&cache, 100);
	assert_int_equal(cache.count, DIGEST_CACHE_COUNT_MAX);
	assert_true(has(&cache, 100));
	assert_false(has(&cache, 2));
	assert_true(has(&cache, 1));
	for (uint64_t i = 3; i <= DIGEST_CACHE_COUNT_MAX; i++)
		assert_true(has(&cache, i));
}

static void assert_not_taken(struct stat st)
{
	struct digest_cache cache = {0};
	digest_cache_add(&cache, &st, NOW, digest_of(1));
	assert_int_equal(cache.count, 0);
	assert_false(cache.is_changed);
}

static void test_small_and_young_files(void **state)
{
	(void)state;
	struct stat small = state_of(1), modified = state_of(1), changed = state_of(1), ahead = state_of(1);
	small.st_size--;
	assert_not_taken(small);
	modified.st_mtim = (struct timespec){NOW - 2, 0};
	assert_not_taken(modified);
	changed.st_ctim = (struct timespec){NOW - 2, 0};
	assert_not_taken(changed);
	ahead.st_ctim = (struct timespec){NOW + 1000, 0};
	assert_not_taken(ahead);
	struct digest_cache cache = {0};
	modified.st_mtim.tv_sec--;
	modified.st_ctim = modified.st_mtim;
	digest_cache_add(&cache, &modified, NOW, digest_of(1));
	assert_int_equal(cache.count, 1);
}

// ----------------------------------------------------------------------------------------------------------- format

static void test_format(void **state)
{
	(void)state;
	static const uint8_t expected[] = {
		1, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
	};
	_cleanup_buf_ struct buf bytes = BUF_INIT(DIGEST_CACHE_BYTES_MAX);
	struct digest_cache cache = {0}, read;
	struct err err;
	add(&cache, 0x1234);
	assert_int_equal(digest_cache_format(&cache, &bytes, &err), 0);
	assert_int_equal(bytes.len, 2 + 72);
	assert_memory_equal(bytes.data, expected, sizeof(expected));
	assert_memory_equal(bytes.data + bytes.len - DIGEST_BYTES, digest_of(0x34), DIGEST_BYTES);
	assert_int_equal(digest_cache_parse(buf_span(&bytes), &read, &err), 0);
	assert_int_equal(read.count, 1);
	assert_false(read.is_changed);
	assert_true(has(&read, 0x1234));
}

static void test_format_keeps_the_order(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf bytes = BUF_INIT(DIGEST_CACHE_BYTES_MAX);
	struct digest_cache cache = {0}, read;
	struct err err;
	for (uint64_t i = 1; i <= DIGEST_CACHE_COUNT_MAX; i++)
		add(&cache, i);
	assert_int_equal(digest_cache_format(&cache, &bytes, &err), 0);
	assert_int_equal(bytes.len, DIGEST_CACHE_BYTES_MAX);
	assert_int_equal(digest_cache_parse(buf_span(&bytes), &read, &err), 0);
	add(&read, 100);
	assert_false(has(&read, 1));
	assert_true(has(&read, 2));
	_cleanup_buf_ struct buf none = BUF_INIT(DIGEST_CACHE_BYTES_MAX);
	assert_int_equal(digest_cache_format(&(struct digest_cache){0}, &none, &err), 0);
	assert_int_equal(digest_cache_parse(buf_span(&none), &read, &err), 0);
	assert_int_equal(read.count, 0);
}

static void assert_damaged(struct span bytes)
{
	struct digest_cache read = {.count = 3};
	struct err err = {0};
	assert_int_equal(digest_cache_parse(bytes, &read, &err), ERR_DAMAGED);
	assert_int_equal(err.code, ERR_DAMAGED);
	assert_int_equal(read.count, 3);
}

static void test_damaged(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf bytes = BUF_INIT(2 * DIGEST_CACHE_BYTES_MAX);
	struct digest_cache cache = {0};
	struct err err;
	add(&cache, 1);
	add(&cache, 2);
	assert_int_equal(digest_cache_format(&cache, &bytes, &err), 0);
	for (size_t len = 0; len < bytes.len; len++)
		assert_damaged(span_of(bytes.data, len));
	assert_int_equal(buf_append_byte(&bytes, 0, &err), 0);
	assert_damaged(buf_span(&bytes));
	bytes.len--;
	bytes.data[0] = 2;
	assert_damaged(buf_span(&bytes));
	bytes.data[0] = 1;
	bytes.data[1] = 255;
	assert_damaged(buf_span(&bytes));
	bytes.data[1] = 1;
	assert_damaged(buf_span(&bytes));
	bytes.data[1] = 2;
	// One file twice; a file that is too small to be here.
	memcpy(bytes.data + 2 + 72, bytes.data + 2, 72);
	assert_damaged(buf_span(&bytes));
	bytes.data[2 + 72 + 8]++;
	struct digest_cache read;
	assert_int_equal(digest_cache_parse(buf_span(&bytes), &read, &err), 0);
	memset(bytes.data + 2 + 16, 0, 8);
	assert_damaged(buf_span(&bytes));
}

// --------------------------------------------------------------------------------------------------------- programs

static struct program *resolve_later(const char *asked)
{
	struct program *program = NULL;
	struct err err = {0};
	struct program_options options = {.path_list = SYSTEM_PATH, .digest_later = true};
	if (program_resolve(asked, &options, &program, &err) != 0)
		fail_msg("%s: %s", asked, err.text);
	return program;
}

static void test_system_files_are_digested_later(void **state)
{
	(void)state;
	static const uint8_t zeros[DIGEST_BYTES];
	struct err err;
	_cleanup_program_ struct program *program = resolve_later("true");
	assert_false(program->has_digest);
	assert_memory_equal(program->digest, zeros, DIGEST_BYTES);
	assert_true(program->size > 0);
	assert_int_equal(program_digest(program, NULL, &err), 0);
	assert_true(program->has_digest);
	assert_digest_of_file(program, "/usr/bin/true");
	_cleanup_program_ struct program *now = resolve("true", SYSTEM_PATH);
	assert_true(now->has_digest);
	assert_int_equal(program_digest(now, NULL, &err), 0);
	assert_digest_of_file(now, "/usr/bin/true");
}

// A copy's digest is there at once: it is what the copy is for.
static void test_other_files_are_not(void **state)
{
	(void)state;
	struct err err;
	script_write("script", "#!/bin/sh\n");
	_cleanup_program_ struct program *program = resolve_later("./script");
	assert_true(program->has_digest);
	assert_digest_of_file(program, "script");
	assert_false(program->interpreter->has_digest);
	struct digest_cache cache = {0};
	assert_int_equal(program_digest(program, &cache, &err), 0);
	assert_true(program->interpreter->has_digest);
	assert_digest_of_file(program->interpreter, "/bin/sh");
}

static const char *large_system_file(void)
{
	static const char *const paths[] = {"/usr/bin/perl", "/usr/bin/bash", "/usr/bin/python3", "/usr/bin/gdb"};
	struct stat st;
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++)
		if (stat(paths[i], &st) == 0 && st.st_size >= (off_t)DIGEST_CACHE_FILE_BYTES_MIN &&
		    st.st_ctim.tv_sec < clock_now() - 60 && st.st_mtim.tv_sec < clock_now() - 60)
			return paths[i];
	print_message("there is no system program of 1 MiB\n");
	skip();
	return NULL;
}

static void test_large_system_file_is_kept(void **state)
{
	(void)state;
	const char *path = large_system_file();
	struct digest_cache cache = {0};
	struct err err;
	_cleanup_program_ struct program *first = resolve_later(path);
	assert_true(first->is_system);
	assert_int_equal(program_digest(first, &cache, &err), 0);
	assert_digest_of_file(first, path);
	assert_int_equal(cache.count, 1);
	assert_true(cache.is_changed);
	// What the cache says is believed: the file is not read.
	cache.is_changed = false;
	memset(cache.entries[0].digest, 7, DIGEST_BYTES);
	_cleanup_program_ struct program *second = resolve_later(path);
	assert_int_equal(program_digest(second, &cache, &err), 0);
	assert_true(second->has_digest);
	assert_memory_equal(second->digest, digest_of(7), DIGEST_BYTES);
	assert_false(cache.is_changed);
	// Another state of the file, and it is read again.
	cache.entries[0].ctime_ns--;
	_cleanup_program_ struct program *third = resolve_later(path);
	assert_int_equal(program_digest(third, &cache, &err), 0);
	assert_digest_of_file(third, path);
	assert_int_equal(cache.count, 1);
	assert_true(cache.is_changed);
}

// Whoever can write a file can set it back to what it was, but for its ctime; and a copy is made of it anyway.
static void test_only_system_files_are_kept(void **state)
{
	(void)state;
	struct digest_cache cache = {0};
	struct err err;
	file_copy(large_system_file(), "program");
	_cleanup_program_ struct program *program = resolve_later("./program");
	assert_int_equal(program_digest(program, &cache, &err), 0);
	assert_true(program->has_digest);
	assert_int_equal(cache.count, 0);
	assert_false(cache.is_changed);
}

int main(void)
{
	struct err err;
	if (cipher_start(&err) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_what_was_added),
		cmocka_unit_test(test_other_state_is_unknown),
		cmocka_unit_test(test_changed_file_takes_its_place),
		cmocka_unit_test(test_oldest_used_goes),
		cmocka_unit_test(test_small_and_young_files),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_keeps_the_order),
		cmocka_unit_test(test_damaged),
		scene_test(test_system_files_are_digested_later),
		scene_test(test_other_files_are_not),
		scene_test(test_large_system_file_is_kept),
		scene_test(test_only_system_files_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
