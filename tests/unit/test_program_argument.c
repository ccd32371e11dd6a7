// The file that the arguments of an open-ended program name or imply.
#include "program_scene.h"

static int find(const char *program_path, const char *name, const char *const argv[], const char *directory,
		struct program_script *out)
{
	struct err err;
	_cleanup_free_ char *path_copy = strdup(program_path), *name_copy = name ? strdup(name) : NULL;
	const struct program program = {.path = path_copy, .name = name_copy, .is_system = true};
	return program_script_find(&program, mutable(argv), directory, out, &err);
}

// NULL for none. Files hold their own path.
static void assert_script_by(const char *program, const char *name, const char *const argv[], const char *directory,
			     const char *expected)
{
	_cleanup_program_script_ struct program_script script;
	assert_int_equal(find(program, name, argv, directory, &script), 0);
	assert_false(script.is_unread);
	if (!expected) {
		if (script.path)
			fail_msg("%s: %s", program, script.path);
		return;
	}
	_cleanup_free_ char *real = realpath(expected, NULL);
	assert_non_null(real);
	if (!script.path)
		fail_msg("%s: nothing instead of %s", program, expected);
	assert_string_equal(script.path, real);
	uint8_t digest[DIGEST_BYTES];
	digest_bytes(span_text(expected), digest);
	assert_memory_equal(script.digest, digest, DIGEST_BYTES);
	assert_false(script.is_system);
}
#define assert_script(program, argv, expected) assert_script_by(program, NULL, argv, scene, expected)

static void assert_unread(const char *program, const char *const argv[])
{
	_cleanup_program_script_ struct program_script script;
	assert_int_equal(find(program, NULL, argv, scene, &script), 0);
	assert_true(script.is_unread);
	assert_null(script.path);
}

// Its content is its path.
static void put(const char *path)
{
	file_write(path, span_text(path), 0644);
}

// ---------------------------------------------------------------------------------------------------- named by argv

static void test_first_file(void **state)
{
	(void)state;
	put("deploy.py");
	put("a/x.sh");
	put("-e");
	assert_int_equal(symlink("../deploy.py", "b/link"), 0);
	const char *python = "/usr/bin/python3.11", *bash = "/usr/bin/bash";
	assert_script(python, STRINGS("python3", "deploy.py"), "deploy.py");
	assert_script(bash, STRINGS("bash", "-e", "-o", "pipefail", "a/x.sh", "deploy.py"), "a/x.sh");
	assert_script("/usr/bin/env", STRINGS("env", "A=b", "python3", "./deploy.py"), "deploy.py");
	assert_script_by(python, NULL, STRINGS("python3", "link"), scene_path("@/b"), "deploy.py");
	assert_script_by(bash, NULL, STRINGS("bash", "../deploy.py"), scene_path("@/b"), "deploy.py");
	char absolute[400];
	snprintf(absolute, sizeof(absolute), "%s/a/x.sh", scene);
	assert_script_by(bash, NULL, STRINGS("bash", absolute), "/", "a/x.sh");
	assert_script(python, STRINGS("python3", "-c", "import sys", "deploy.py"), "deploy.py");
}

static void test_no_file(void **state)
{
	(void)state;
	put("deploy.py");
	put("-e");
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	static const char *const arguments[] = {"a", "no-such", "fifo", "dangling", "/dev/null", "", "-e", "-",
						"deploy.py/", "/", "."};
	for (size_t i = 0; i < ARRAY_COUNT(arguments); i++)
		assert_script("/usr/bin/bash", STRINGS("bash", arguments[i]), NULL);
	assert_script("/usr/bin/python3", STRINGS("python3", "-m", "http.server"), NULL);
	assert_script("/usr/bin/bash", STRINGS("bash"), NULL);
	assert_script("/usr/bin/bash", STRINGS("deploy.py", "-x"), NULL);
	assert_script_by("/usr/bin/bash", NULL, (const char *const[]){NULL}, scene, NULL);
}

static void test_only_open_ended_programs(void **state)
{
	(void)state;
	put("deploy.py");
	put("Makefile");
	assert_script("/usr/bin/ls", STRINGS("ls", "deploy.py"), NULL);
	assert_script_by("/usr/bin/multi", "/usr/bin/ls", STRINGS("ls", "deploy.py"), scene, NULL);
	assert_script_by("/usr/bin/multi", "/usr/bin/bash", STRINGS("bash", "deploy.py"), scene, "deploy.py");
	assert_script_by("/usr/bin/bash", "/home/u/report", STRINGS("report", "deploy.py"), scene, "deploy.py");
	assert_script("/usr/bin/remake", STRINGS("remake"), NULL);
}

static void test_system_file(void **state)
{
	(void)state;
	_cleanup_program_script_ struct program_script script;
	assert_int_equal(find("/usr/bin/cat", NULL, STRINGS("cat", "/etc/passwd"), scene, &script), 0);
	assert_string_equal(script.path, "/etc/passwd");
	assert_true(script.is_system);
	assert_false(script.is_unread);
	program_script_done(&script);
	assert_null(script.path);
}

static void test_unread(void **state)
{
	(void)state;
	put("fits");
	put("large");
	assert_int_equal(truncate("fits", PROGRAM_SCRIPT_BYTES_MAX), 0);
	assert_int_equal(truncate("large", PROGRAM_SCRIPT_BYTES_MAX + 1), 0);
	assert_unread("/usr/bin/bash", STRINGS("bash", "large", "fits"));
	_cleanup_program_script_ struct program_script script;
	assert_int_equal(find("/usr/bin/bash", NULL, STRINGS("bash", "fits"), scene, &script), 0);
	assert_non_null(script.path);
	assert_unread("/usr/bin/make", STRINGS("make", "-f", "no-such"));
	assert_unread("/usr/bin/make", STRINGS("make", "-f", "-"));
	assert_unread("/usr/bin/make", STRINGS("make", "-f", "a"));
	assert_unread("/usr/bin/make", STRINGS("make", "-f"));
	assert_unread("/usr/bin/make", STRINGS("make", "--file="));
}

static void test_file_without_read_permission(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		print_message("root may read everything\n");
		skip();
	}
	put("closed");
	assert_int_equal(chmod("closed", 0), 0);
	assert_unread("/usr/bin/bash", STRINGS("bash", "closed"));
}

// ---------------------------------------------------------------------------------------------------------- implied

static void test_package_json(void **state)
{
	(void)state;
	const char *npm = "/usr/lib/node_modules/npm/bin/npm-cli.js";
	assert_int_equal(mkdir("a/c", 0755), 0);
	assert_script(npm, STRINGS("npm", "test"), NULL);
	put("package.json");
	static const char *const names[] = {"npm", "npx", "yarn", "yarnpkg", "pnpm", "bun", "npm-cli.js", "yarn.js",
					    "pnpm.cjs"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char path[100];
		snprintf(path, sizeof(path), "/usr/bin/%s", names[i]);
		assert_script_by("/usr/bin/node", path, STRINGS(names[i], "test"), scene_path("@/a/c"), "package.json");
		assert_script_by(path, NULL, STRINGS(names[i]), scene, "package.json");
	}
	put("a/package.json");
	assert_script_by(npm, "/usr/bin/npm", STRINGS("npm", "test"), scene_path("@/a/c"), "a/package.json");
	assert_script(npm, STRINGS("npm", "--prefix", "a/c", "test"), "a/package.json");
	assert_script(npm, STRINGS("npm", "--prefix=a", "test"), "a/package.json");
	assert_script("/usr/bin/pnpm", STRINGS("pnpm", "-C", "a", "test"), "a/package.json");
	assert_script(npm, STRINGS("npm", "test", "--", "--prefix=a"), "package.json");
	// node itself implies nothing.
	assert_script("/usr/bin/node", STRINGS("node"), NULL);
}

// Whoever makes a file `test` must not turn the look away from package.json.
static void test_word_and_script(void **state)
{
	(void)state;
	put("package.json");
	put("test");
	put("deploy.ts");
	assert_script("/usr/bin/npm", STRINGS("npm", "test"), "package.json");
	assert_script("/usr/bin/npx", STRINGS("npx", "tsx", "deploy.ts"), "deploy.ts");
	assert_script("/usr/bin/bun", STRINGS("bun", "run", "./test"), "test");
}

static void test_makefile(void **state)
{
	(void)state;
	const char *make = "/usr/bin/make";
	put("deploy");
	put("a/x.mk");
	assert_script(make, STRINGS("make", "deploy"), NULL);
	put("Makefile");
	// A target is a product, no script.
	assert_script(make, STRINGS("make", "deploy"), "Makefile");
	put("makefile");
	assert_script(make, STRINGS("make"), "makefile");
	put("GNUmakefile");
	assert_script("/usr/bin/gmake", STRINGS("gmake"), "GNUmakefile");
	assert_script(make, STRINGS("make", "-f", "a/x.mk"), "a/x.mk");
	assert_script(make, STRINGS("make", "-fa/x.mk"), "a/x.mk");
	assert_script(make, STRINGS("make", "deploy", "--file=a/x.mk"), "a/x.mk");
	assert_script(make, STRINGS("make", "--makefile", "a/x.mk"), "a/x.mk");
	// Not upward, and where -C says.
	assert_script_by(make, NULL, STRINGS("make"), scene_path("@/b"), NULL);
	assert_script(make, STRINGS("make", "-C", "b"), NULL);
	put("b/Makefile");
	assert_script(make, STRINGS("make", "-Cb", "deploy"), "b/Makefile");
	assert_script(make, STRINGS("make", "-C", "no-such"), NULL);
}

static void test_cargo(void **state)
{
	(void)state;
	put("Cargo.toml");
	put("a/Other.toml");
	put("data.txt");
	assert_script_by("/home/u/.cargo/bin/rustup", "/home/u/.cargo/bin/cargo", STRINGS("cargo", "run", "data.txt"),
			 scene_path("@/a"), "Cargo.toml");
	assert_script("/usr/bin/cargo", STRINGS("cargo", "run", "--manifest-path", "a/Other.toml"), "a/Other.toml");
	// Under its own name rustup implies nothing.
	assert_script("/home/u/.cargo/bin/rustup", STRINGS("rustup", "update"), NULL);
}

int main(void)
{
	struct err err;
	if (cipher_start(&err) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		scene_test(test_first_file),
		scene_test(test_no_file),
		scene_test(test_only_open_ended_programs),
		scene_test(test_system_file),
		scene_test(test_unread),
		scene_test(test_file_without_read_permission),
		scene_test(test_package_json),
		scene_test(test_word_and_script),
		scene_test(test_makefile),
		scene_test(test_cargo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
