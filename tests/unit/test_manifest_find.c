#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct tree {
	char root[PATH_MAX]; // real path; holds home/, home/a/b/
};

static char *tree_path(const struct tree *tree, const char *name, char out[PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s/%s", tree->root, name);
	assert_in_range(len, 1, PATH_MAX - 1);
	return out;
}

static int tree_setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	char path[PATH_MAX];
	const char *tmp = getenv("TMPDIR");
	char made[256];
	snprintf(made, sizeof(made), "%s/manifest.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	assert_non_null(mkdtemp(made));
	// What manifest_find reports is the real path.
	assert_non_null(realpath(made, tree->root));
	static const char *const folders[] = {"home", "home/a", "home/a/b"};
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
		assert_int_equal(mkdir(tree_path(tree, folders[i], path), 0700), 0);
	*state = tree;
	return 0;
}

static int tree_teardown(void **state)
{
	struct tree *tree = *state;
	char path[PATH_MAX];
	static const char *const names[] = {".envseal", "home/.envseal", "home/a/.envseal", "home/a/b/.envseal",
					    "other",    "home/a/b",      "home/a",          "home"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		remove(tree_path(tree, names[i], path));
	int r = rmdir(tree->root);
	free(tree);
	return r;
}

static void tree_write(const struct tree *tree, const char *name, mode_t mode, const char *text)
{
	char path[PATH_MAX];
	int fd = open(tree_path(tree, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int find(const struct tree *tree, const char *start, const char *home, struct manifest *out, struct err *err)
{
	char start_path[PATH_MAX];
	char home_path[PATH_MAX];
	return manifest_find(tree_path(tree, start, start_path), home ? tree_path(tree, home, home_path) : NULL, out,
			     err);
}

static void assert_found(const struct tree *tree, const char *start, const char *home, const char *name)
{
	_cleanup_manifest_ struct manifest m = {0};
	struct err err = {0};
	char path[PATH_MAX];
	if (find(tree, start, home, &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(m.path, tree_path(tree, name, path));
}

static void assert_find_fails(const struct tree *tree, const char *start, const char *home, int code, const char *part)
{
	struct manifest m = {0};
	struct err err = {0};
	assert_int_equal(find(tree, start, home, &m, &err), code);
	assert_null(m.path);
	assert_null(m.entries);
	if (!strstr(err.text, part))
		fail_msg("%s", err.text);
}

static void test_find_the_nearest(void **state)
{
	const struct tree *tree = *state;
	assert_find_fails(tree, "home/a/b", NULL, ERR_NOT_FOUND, "there is no manifest");
	assert_find_fails(tree, "home/a/b", "home", ERR_NOT_FOUND, "there is no manifest");
	assert_find_fails(tree, "home/a/b", "nowhere", ERR_NOT_FOUND, "there is no manifest");
	tree_write(tree, ".envseal", 0644, "A=a\n");
	assert_found(tree, "home/a/b", NULL, ".envseal");
	tree_write(tree, "home/a/.envseal", 0600, "A=a\n");
	assert_found(tree, "home/a/b", NULL, "home/a/.envseal");
	assert_found(tree, "home/a", NULL, "home/a/.envseal");
	assert_found(tree, "home", NULL, ".envseal");
	tree_write(tree, "home/a/b/.envseal", 0444, "A=a\n");
	assert_found(tree, "home/a/b", NULL, "home/a/b/.envseal");
	assert_found(tree, "home/../home/a/./b/", NULL, "home/a/b/.envseal");
}

static void test_find_the_global_one_last(void **state)
{
	const struct tree *tree = *state;
	tree_write(tree, "home/a/.envseal", 0644, "A=a\n");
	assert_found(tree, "home", "home/a", "home/a/.envseal");
	assert_found(tree, "home/a/b", "home/a", "home/a/.envseal");
	tree_write(tree, "home/.envseal", 0644, "A=a\n");
	assert_found(tree, "home", "home/a", "home/.envseal");
}

static void test_find_passes_over_what_is_no_file(void **state)
{
	const struct tree *tree = *state;
	char path[PATH_MAX];
	tree_write(tree, "home/.envseal", 0644, "A=a\n");
	tree_write(tree, "other", 0644, "B=b\n");
	assert_int_equal(symlink("../../../other", tree_path(tree, "home/a/b/.envseal", path)), 0);
	assert_int_equal(mkfifo(tree_path(tree, "home/a/.envseal", path), 0600), 0);
	assert_found(tree, "home/a/b", NULL, "home/.envseal");
	assert_int_equal(unlink(tree_path(tree, "home/a/.envseal", path)), 0);
	assert_int_equal(mkdir(tree_path(tree, "home/a/.envseal", path), 0700), 0);
	assert_found(tree, "home/a/b", NULL, "home/.envseal");
	assert_int_equal(unlink(tree_path(tree, "home/.envseal", path)), 0);
	assert_find_fails(tree, "home/a/b", "home/a/b", ERR_NOT_FOUND, "symbolic links do not count");
}

static void test_find_walks_real_parents(void **state)
{
	const struct tree *tree = *state;
	char path[PATH_MAX];
	tree_write(tree, "home/a/.envseal", 0644, "A=a\n");
	tree_write(tree, ".envseal", 0644, "A=a\n");
	assert_int_equal(symlink("home/a/b", tree_path(tree, "other", path)), 0);
	assert_found(tree, "other", NULL, "home/a/.envseal");
}

static void test_find_refuses_what_others_can_write(void **state)
{
	const struct tree *tree = *state;
	tree_write(tree, "home/.envseal", 0644, "A=a\n");
	tree_write(tree, "home/a/.envseal", 0646, "A=a\n");
	assert_find_fails(tree, "home/a/b", NULL, ERR_UNSAFE, "chmod go-w '");
	tree_write(tree, "home/a/.envseal", 0664, "A=a\n");
	if (getegid() == geteuid())
		assert_found(tree, "home/a/b", NULL, "home/a/.envseal");
	else
		assert_find_fails(tree, "home/a/b", NULL, ERR_UNSAFE, "chmod go-w '");
	assert_found(tree, "home", NULL, "home/.envseal");
}

static void test_find_checks_the_global_one_too(void **state)
{
	const struct tree *tree = *state;
	tree_write(tree, "home/a/.envseal", 0646, "A=a\n");
	assert_find_fails(tree, "home", "home/a", ERR_UNSAFE, "chmod go-w '");
}

static void test_find_refuses_other_owners(void **state)
{
	const struct tree *tree = *state;
	char path[PATH_MAX];
	if (geteuid() != 0)
		skip(); // only root can give a file away
	tree_write(tree, "home/a/.envseal", 0644, "A=a\n");
	assert_int_equal(chown(tree_path(tree, "home/a/.envseal", path), 12345, 0), 0);
	assert_find_fails(tree, "home/a/b", NULL, ERR_UNSAFE, "belongs to another user (uid 12345)");
	assert_int_equal(chown(path, 0, 12345), 0);
	assert_found(tree, "home/a/b", NULL, "home/a/.envseal");
	assert_int_equal(chmod(path, 0664), 0);
	assert_find_fails(tree, "home/a/b", NULL, ERR_UNSAFE, "chmod go-w '");
}

// What root installed is read by everybody.
static void test_find_takes_files_of_root(void **state)
{
	const struct tree *tree = *state;
	char path[PATH_MAX];
	if (geteuid() != 0)
		skip(); // only root can make one and then be somebody else
	tree_write(tree, "home/a/.envseal", 0644, "A=a\n");
	static const char *const folders[] = {"", "home", "home/a"};
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
		assert_int_equal(chmod(tree_path(tree, folders[i], path), 0755), 0);
	_cleanup_manifest_ struct manifest m = {0};
	struct err err = {0};
	tree_path(tree, "home/a", path);
	assert_int_equal(seteuid(12345), 0);
	int r = manifest_find(path, NULL, &m, &err);
	assert_int_equal(seteuid(0), 0);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(m.count, 1);
}

static void test_find_reports_bad_manifests(void **state)
{
	const struct tree *tree = *state;
	tree_write(tree, ".envseal", 0644, "A=a\n");
	tree_write(tree, "home/.envseal", 0644, "A=a\nB=\x1b[2J\n");
	assert_find_fails(tree, "home/a/b", NULL, ERR_INPUT, "home/.envseal, line 2, column 3: ");
	_cleanup_free_ char *large = malloc(MANIFEST_BYTES_MAX + 2);
	memset(large, '#', MANIFEST_BYTES_MAX + 1);
	large[MANIFEST_BYTES_MAX + 1] = 0;
	tree_write(tree, "home/.envseal", 0644, large);
	assert_find_fails(tree, "home/a/b", NULL, ERR_LIMIT, "home/.envseal");
	assert_find_fails(tree, "nowhere", NULL, ERR_SYSTEM, "cannot open the folder");
	struct manifest m = {0};
	struct err err = {0};
	assert_int_equal(manifest_find("relative", NULL, &m, &err), ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_find_the_nearest, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_the_global_one_last, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_passes_over_what_is_no_file, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_walks_real_parents, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_refuses_what_others_can_write, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_checks_the_global_one_too, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_refuses_other_owners, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_takes_files_of_root, tree_setup, tree_teardown),
	    cmocka_unit_test_setup_teardown(test_find_reports_bad_manifests, tree_setup, tree_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
