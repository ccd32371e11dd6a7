// Every bit of a small vault flipped and every truncation: the same data, or a defined error; never a crash (which
// would end this program) and never a wrong value. The ordinary run takes all of the file's header and a sample of the
// rest; `test_vault_flip full` takes everything (some minutes).
#include "vault_support.h"

#define SAMPLE_BITS 509  // prime, so that all bit positions of a byte are met
#define SAMPLE_BYTES 997 // for truncations
#define HEADER_BYTES 100 // of a SQLite file

static bool is_full;

struct tally {
	size_t same;    // all of it could be read
	size_t partly;  // some of it
	size_t refused; // nothing
};

static bool is_defined(int r)
{
	// ERR_SYSTEM: a flipped version in SQLite's own header makes it refuse to open or to write.
	return r == ERR_DAMAGED || r == ERR_SYSTEM;
}

// Returns whether the value could be read; then it must be the right one.
static bool value_survives(struct vault *vault, const char *name, uint32_t version, const char *value)
{
	_cleanup_secret_ struct secret *found = NULL;
	int r = vault_reveal(vault, name, version, &found, &err);
	if (r == 0 && !secret_is_equal(secret_span(found), span_text(value)))
		fail_msg("a wrong value came out for %s", name);
	if (r < 0 && !is_defined(r))
		fail_msg("reveal %s: %d %s", name, r, err.text);
	return r == 0;
}

static bool list_survives(struct vault *vault)
{
	struct names names;
	int r = list_result(vault, &names);
	if (r == 0 && vault_is_unlocked(vault) && strncmp(names.text, "A:2 B:1", 7) != 0)
		fail_msg("a wrong list came out: %s", names.text);
	if (r < 0 && !is_defined(r))
		fail_msg("list: %d %s", r, err.text);
	return r == 0;
}

static bool absence_survives(struct vault *vault)
{
	int r = find_result(vault, "C");
	if (r != ERR_NOT_FOUND && !is_defined(r))
		fail_msg("find what is not there: %d", r);
	return r == ERR_NOT_FOUND;
}

static void probe(struct span content, struct tally *tally)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
	char path[400];
	for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", vault_path, suffixes[i]);
		unlink(path);
	}
	file_store(vault_path, content);
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(vault_dir, &vault, &err);
	if (r == 0) {
		list_survives(vault);
		r = unlock(vault, 0);
	}
	if (r < 0) {
		if (!is_defined(r))
			fail_msg("open or unlock: %d %s", r, err.text);
		tally->refused++;
		return;
	}
	bool is_same = value_survives(vault, "A", 0, "the second value of A");
	is_same &= value_survives(vault, "A", 1, "the first value of A");
	is_same &= value_survives(vault, "B", 0, "bee");
	is_same &= list_survives(vault);
	is_same &= absence_survives(vault);
	r = check(vault);
	if (r < 0 && !is_defined(r))
		fail_msg("check: %d %s", r, err.text);
	if (r == 0 && !is_same)
		fail_msg("the check passes a vault that cannot be read");
	tally->same += is_same;
	tally->partly += !is_same;
}

static struct buf small_vault(void)
{
	struct vault *vault = vault_make(0);
	begin(vault);
	put(vault, "A", "the first value of A");
	put(vault, "A", "the second value of A");
	put(vault, "B", "bee");
	assert_int_equal(vault_setting_put(vault, "count", SPAN_LITERAL("7"), &err), 0);
	assert_int_equal(vault_deposit(vault, "W", SPAN_LITERAL("waits"), NULL, false, false, &err), 0);
	commit(vault);
	vault_close(vault);
	return file_load(vault_path);
}

static void tally_print(const char *what, const struct tally *tally)
{
	printf("%s: %zu same, %zu partly, %zu refused\n", what, tally->same, tally->partly, tally->refused);
}

static void test_flipped_bits(void **state)
{
	(void)state;
	struct tally tally = {0};
	_cleanup_buf_ struct buf content = small_vault();
	size_t step = 1;
	for (size_t bit = 0; bit < content.len * 8; bit += step) {
		content.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		probe(buf_span(&content), &tally);
		content.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		step = is_full || bit < (size_t)HEADER_BYTES * 8 ? 1 : SAMPLE_BITS;
	}
	tally_print("flips", &tally);
	assert_true(tally.refused > 0);
	assert_true(tally.same > 0);
}

static void test_truncations(void **state)
{
	(void)state;
	struct tally tally = {0};
	_cleanup_buf_ struct buf content = small_vault();
	for (size_t len = 0; len < content.len; len += is_full ? 1 : SAMPLE_BYTES)
		probe(span_of(content.data, len), &tally);
	for (size_t len = 4096; len < content.len; len += 4096)
		probe(span_of(content.data, len), &tally);
	tally_print("truncations", &tally);
	assert_int_equal(tally.same, 0);
}

static void test_bytes_appended(void **state)
{
	(void)state;
	struct tally tally = {0};
	_cleanup_buf_ struct buf content = small_vault();
	for (int i = 0; i < 4097; i++)
		assert_int_equal(buf_append_byte(&content, (uint8_t)i, &err), 0);
	probe(buf_span(&content), &tally);
	assert_int_equal(tally.same, 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_flipped_bits),
	    DIR_TEST(test_truncations),
	    DIR_TEST(test_bytes_appended),
	};
	is_full = argc > 1 && strcmp(argv[1], "full") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
