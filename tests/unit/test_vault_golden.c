// tests/golden/vault-1.db must stay readable, and each defect of tests/vectors/vault must be answered as its file says.
#include "vault_support.h"

#include "tree.h"

#define PASSPHRASE "golden vault passphrase 1"

static struct secret *golden_root; // unwrapped once: each derivation takes a tenth of a second

static void golden_copy(void)
{
	char path[600];
	assert_true(tests_path("golden/vault-1.db", path, sizeof(path)));
	_cleanup_buf_ struct buf content = file_load(path);
	if (access(vault_dir, F_OK) < 0)
		assert_int_equal(mkdir(vault_dir, 0700), 0);
	dir_empty(vault_dir, true);
	file_store(vault_path, buf_span(&content));
}

static struct secret *passphrase_of(const char *text)
{
	struct secret *passphrase = NULL;
	assert_int_equal(secret_copy(span_text(text), &passphrase, &err), 0);
	return passphrase;
}

static void expect_bytes(struct vault *vault, const char *name, struct span expected)
{
	_cleanup_secret_ struct secret *value = NULL;
	if (vault_reveal(vault, name, 0, &value, &err) < 0)
		fail_msg("reveal %s: %s", name, err.text);
	assert_true(secret_is_equal(secret_span(value), expected));
}

static void expect_values(struct vault *vault)
{
	uint8_t all[256], large[5000];
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7);
	expect_bytes(vault, "binary", span_of(all, sizeof(all)));
	expect_bytes(vault, "large", span_of(large, sizeof(large)));
	expect_bytes(vault, "KEY.PEM", SPAN_LITERAL("line one\nline two\n"));
	reveals(vault, "weak", 0, "hunter2");
	reveals(vault, "api/token", 1, "first-token");
	reveals(vault, "api/token", 2, "second-token");
	reveals(vault, "api/token", 0, "first-token");
	assert_int_equal(find_result(vault, "gone"), ERR_NOT_FOUND);
	assert_int_equal(find_result(vault, "before"), ERR_NOT_FOUND);
}

static void test_the_golden_vault_is_readable(void **state)
{
	(void)state;
	golden_copy();
	_cleanup_vault_ struct vault *vault = NULL;
	_cleanup_secret_ struct secret *right = passphrase_of(PASSPHRASE);
	assert_int_equal(vault_open(vault_dir, &vault, &err), 0);
	expect_list(vault, "KEY.PEM:1 api/token:3 binary:1 ci/deploy-key:0? large:1 weak:1? ");
	assert_int_equal(vault_unlock(vault, right, &err), 0);
	expect_list(vault, "KEY.PEM:1 api/token:3 binary:1 ci/deploy-key:0? large:1 weak:1? ");
	expect_values(vault);
	struct vault_entry entry = find(vault, "api/token");
	assert_string_equal(entry.note, "for the build");
	assert_string_equal(entry.tags[1], "prod");
	assert_int_equal(entry.expires, 4102444800);
	assert_true(entry.is_weak);
	struct vault_anchor anchor;
	assert_int_equal(vault_anchor_get(vault, &anchor, &err), 0);
	assert_int_equal(anchor.count, 42);
	assert_int_equal(anchor.hash[31], 32);
	assert_int_equal(anchor.file_offset, 12345);
	assert_int_equal(vault_generation(vault), 3);
	assert_int_equal(check(vault), 0);
	begin(vault);
	assert_int_equal(vault_confirm(vault, "ci/deploy-key", &err), 0);
	assert_int_equal(vault_confirm(vault, "weak", &err), 0);
	commit(vault);
	reveals(vault, "ci/deploy-key", 0, "deposited");
	reveals(vault, "weak", 0, "a much better value");
	_cleanup_buf_ struct buf setting = BUF_INIT(64);
	assert_int_equal(vault_setting_get(vault, "counter/verify", &setting, &err), 0);
	assert_string_equal(buf_text(&setting), "3");
}

// The slot of the golden vault, opened with its passphrase.
static int golden_root_get(struct vault *vault)
{
	_cleanup_secret_ struct secret *right = passphrase_of(PASSPHRASE);
	_cleanup_buf_ struct buf slot = BUF_INIT(VAULT_SLOT_BYTES_MAX);
	uint8_t key[4] = {0};
	int r = store_row_get(vault->store, KIND_SLOT, span_of(key, sizeof(key)), &slot, &err);
	return r < 0 ? r : seal_passphrase_unwrap(buf_span(&slot), right, vault->id, &golden_root, &err);
}

// Does what the line says to the copy; what a vector expects is kept in *word and *stage.
static void vector_line(char *line, char word[32], char stage[32])
{
	unsigned long offset = 0;
	unsigned value = 0;
	if (strncmp(line, "sql ", 4) == 0)
		sql_run(line + 4);
	else if (sscanf(line, "truncate %lu", &offset) == 1)
		assert_int_equal(truncate(vault_path, (off_t)offset), 0);
	else if (sscanf(line, "poke %lu %x", &offset, &value) == 2) {
		_cleanup_buf_ struct buf content = file_load(vault_path);
		content.data[offset] = (uint8_t)value;
		file_store(vault_path, buf_span(&content));
	} else if (sscanf(line, "expect %31s %31s", word, stage) != 2)
		fail_msg("a line of a vector is not understood: %s", line);
}

// A slot must be opened with the passphrase where the defect is in the slots; elsewhere the root key is enough.
static int vector_unlock(struct vault *vault, const char *name)
{
	_cleanup_secret_ struct secret *right = passphrase_of(PASSPHRASE);
	if (strncmp(name, "slot-", 5) == 0)
		return vault_unlock(vault, right, &err);
	return vault_unlock_with_root_key(vault, golden_root, &err);
}

static void vector_run(const char *name, const char *path)
{
	char word[32] = "", stage[32] = "";
	const char *found = "open";
	golden_copy();
	_cleanup_buf_ struct buf text = file_load(path);
	for (char *at = (char *)text.data, *line; (line = strsep(&at, "\n"));)
		if (*line)
			vector_line(line, word, stage);
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(vault_dir, &vault, &err);
	if (r == 0) {
		found = "unlock";
		r = vector_unlock(vault, name);
	}
	if (r == 0) {
		found = "check";
		r = check(vault);
	}
	if (strcmp(err_name(r), word) != 0 || strcmp(found, stage) != 0)
		fail_msg("%s: %s at %s (%s), not %s at %s", name, err_name(r), found, r < 0 ? err.text : "", word,
			 stage);
}

static void test_each_vector_is_answered_as_it_says(void **state)
{
	(void)state;
	char folder[600], path[1200];
	size_t count = 0;
	golden_copy();
	struct vault *vault = NULL;
	assert_int_equal(vault_open(vault_dir, &vault, &err), 0);
	assert_int_equal(golden_root_get(vault), 0);
	vault_close(vault);
	assert_true(tests_path("vectors/vault", folder, sizeof(folder)));
	DIR *stream = opendir(folder);
	assert_non_null(stream);
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (!strstr(entry->d_name, ".txt"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		vector_run(entry->d_name, path);
		count++;
	}
	closedir(stream);
	golden_root = secret_free(golden_root);
	assert_true(count >= 60);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    DIR_TEST(test_the_golden_vault_is_readable),
	    DIR_TEST(test_each_vector_is_answered_as_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
