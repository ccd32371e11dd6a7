// Scripts: the first line, the interpreter, and the name by which the interpreter opens the script.
#include "program_scene.h"

// ---------------------------------------------------------------------------------------------------------- scripts

// `arguments` is one string a word, "|" between them; NULL for none.
static void assert_arguments(const struct program *program, const char *arguments)
{
	char whole[400] = "";
	if (!arguments) {
		assert_null(program->interpreter_arguments);
		return;
	}
	assert_non_null(program->interpreter_arguments);
	for (char **at = program->interpreter_arguments; *at; at++)
		snprintf(whole + strlen(whole), sizeof(whole) - strlen(whole), "%s%s", whole[0] ? "|" : "", *at);
	assert_string_equal(whole, arguments);
}

static void assert_interpreter(const char *line, const char *interpreter, const char *arguments)
{
	file_write("script", span_text(line), 0755);
	_cleanup_program_ struct program *program = resolve("./script", SYSTEM_PATH);
	assert_non_null(program->interpreter);
	assert_string_equal(program->interpreter->asked, interpreter);
	assert_true(program->interpreter->is_system);
	assert_arguments(program, arguments);
}

static void test_script_lines(void **state)
{
	(void)state;
	assert_interpreter("#!/bin/sh\n", "/bin/sh", NULL);
	assert_interpreter("#!/bin/sh", "/bin/sh", NULL);
	assert_interpreter("#! \t /bin/sh \t \nrest\n", "/bin/sh", NULL);
	assert_interpreter("#!/bin/sh -e\n", "/bin/sh", "-e");
	assert_interpreter("#!/bin/sh\t-e -u  x \t\n", "/bin/sh", "-e -u  x");
	assert_interpreter("#!/usr/bin/env sh", "sh", NULL);
	assert_interpreter("#!/bin/sh -e\nthe rest\r\n", "/bin/sh", "-e");
	assert_interpreter("#!/bin/../bin/sh\n", "/bin/../bin/sh", NULL);
}

static void assert_line_refused(struct span line, const char *words)
{
	file_write("script", line, 0755);
	assert_says(assert_refused("./script", SYSTEM_PATH, ERR_NO_EXEC), words);
}

static void test_script_lines_refused(void **state)
{
	(void)state;
	assert_line_refused(SPAN_LITERAL("#!/bin/sh\r\n"), "carriage return");
	assert_line_refused(SPAN_LITERAL("#!/bin/sh -e\r\nx"), "carriage return");
	assert_line_refused(SPAN_LITERAL("#!"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#!\n/bin/sh"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#! \t \n"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#!sh\n"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#!bin/sh\n"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#!./sh\n"), "absolute path");
	assert_line_refused(SPAN_LITERAL("#!/bin/sh\0\n"), "NUL byte");
	assert_line_refused(SPAN_LITERAL("#!/no/such/interpreter\n"), "there is no program /no/such/interpreter");
	assert_line_refused(SPAN_LITERAL("#!/usr\n"), "folder");
}

static void test_script_line_length(void **state)
{
	(void)state;
	char line[300];
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/bin/sh ", 10);
	line[PROGRAM_SCRIPT_LINE_BYTES_MAX] = '\n';
	file_write("script", span_of(line, sizeof(line)), 0755);
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	assert_int_equal(strlen(program->interpreter_arguments[0]), PROGRAM_SCRIPT_LINE_BYTES_MAX - 10);
	// The same without anything behind it.
	line[PROGRAM_SCRIPT_LINE_BYTES_MAX] = 'x';
	file_write("script", span_of(line, PROGRAM_SCRIPT_LINE_BYTES_MAX), 0755);
	_cleanup_program_ struct program *bare = resolve("./script", NULL);
	assert_string_equal(bare->interpreter_arguments[0], program->interpreter_arguments[0]);
	line[PROGRAM_SCRIPT_LINE_BYTES_MAX + 1] = '\n';
	assert_line_refused(span_of(line, sizeof(line)), "longer than 255");
	assert_line_refused(span_of(line, PROGRAM_SCRIPT_LINE_BYTES_MAX + 1), "longer than 255");
}

static void test_nested_script(void **state)
{
	(void)state;
	script_write("inner", "#!/bin/sh\n");
	char line[300];
	snprintf(line, sizeof(line), "#!%s/inner\n", scene);
	assert_line_refused(span_text(line), "itself a script");
}

static void test_script_runs(void **state)
{
	(void)state;
	script_write("script", "#!/bin/sh -u\nprintf '%s|' \"$0\" \"$@\" \"$-\"\ncat \"$0\" >/dev/null\nexit 3\n");
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	assert_false(program->is_system);
	struct program_argv argv;
	struct err err;
	assert_int_equal(program_argv_build(program, mutable(STRINGS("as given", "x y", "", "z")), &argv, &err), 0);
	char expected[64];
	snprintf(expected, sizeof(expected), "/proc/self/fd/%d", program->fd);
	assert_int_equal(argv.script_fd, program->fd);
	assert_string_equal(argv.script_path, expected);
	const char *const whole[] = {"/bin/sh", "-u", expected, "x y", "", "z"};
	for (size_t i = 0; i < ARRAY_COUNT(whole); i++)
		assert_string_equal(argv.argv[i], whole[i]);
	assert_null(argv.argv[ARRAY_COUNT(whole)]);
	program_argv_done(&argv);
	program_argv_done(&argv);
	script_write("script", "#!/bin/sh\nexit 1\n");
	const char *out = run(program, STRINGS("as given", "x y", "", "z"), 3);
	snprintf(expected, sizeof(expected), "/proc/self/fd/%d|x y||z|u|", program->fd);
	assert_string_equal(out, expected);
}

// An interpreter that is not the system's is pinned too, and gets argv[0] as the script names it.
static void test_own_interpreter(void **state)
{
	(void)state;
	skip_under_valgrind();
	file_copy("/bin/sh", "a/interpreter");
	char text[400];
	snprintf(text, sizeof(text), "#!%s/a/interpreter\ncat /proc/$$/cmdline | tr '\\0' ' '\n", scene);
	script_write("script", text);
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	assert_false(program->interpreter->is_system);
	assert_digest_of_file(program->interpreter, "/bin/sh");
	script_write("a/interpreter", "not the one any more");
	snprintf(text, sizeof(text), "%s/a/interpreter /proc/self/fd/%d x ", scene, program->fd);
	assert_string_equal(run(program, STRINGS("script", "x"), 0), text);
}

static void test_nothing_behind_argv0(void **state)
{
	(void)state;
	script_write("script", "#!/bin/sh\necho $#\n");
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	assert_string_equal(run(program, (const char *const[]){NULL}, 0), "0\n");
}

// ---------------------------------------------------------------------------------------------------- system scripts

// A script of the C library's package, on every Debian system.
#define SYSTEM_SCRIPT "/usr/bin/ldd"

static struct program *resolve_system_script(const char *asked)
{
	if (access(SYSTEM_SCRIPT, X_OK) < 0) {
		print_message("there is no %s\n", SYSTEM_SCRIPT);
		skip();
	}
	struct program *program = resolve(asked, "/bin:/usr/bin");
	assert_string_equal(program->path, SYSTEM_SCRIPT);
	assert_true(program->is_system);
	assert_non_null(program->interpreter);
	return program;
}

static void assert_script_path(const struct program *program, const char *path)
{
	struct program_argv argv;
	struct err err;
	assert_int_equal(program_argv_build(program, mutable(STRINGS("ldd", "--version")), &argv, &err), 0);
	assert_string_equal(argv.script_path, path);
	assert_int_equal(argv.script_fd, -1);
	program_argv_done(&argv);
}

static void test_system_script_keeps_its_name(void **state)
{
	(void)state;
	struct stat st;
	bool merged = lstat("/bin", &st) == 0 && S_ISLNK(st.st_mode);
	_cleanup_program_ struct program *program = resolve_system_script("ldd");
	assert_script_path(program, merged ? "/bin/ldd" : SYSTEM_SCRIPT);
	assert_int_equal(chdir("/usr"), 0);
	_cleanup_program_ struct program *relative = resolve_system_script("./bin/../bin/ldd");
	assert_script_path(relative, "./bin/../bin/ldd");
	assert_non_null(strstr(run(program, STRINGS("ldd", "--version"), 0), "ldd"));
}

// The interpreter opens it by that name, after the approval.
static void test_system_script_by_a_name_of_others(void **state)
{
	(void)state;
	assert_int_equal(symlink(SYSTEM_SCRIPT, "link"), 0);
	assert_int_equal(symlink("/usr/bin", "folder"), 0);
	static const char *const names[] = {"./link", "folder/ldd", "a/../folder/ldd"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		_cleanup_program_ struct program *program = resolve_system_script(names[i]);
		assert_script_path(program, SYSTEM_SCRIPT);
	}
	_cleanup_program_ struct program *absolute = resolve_system_script(scene_path("@/folder/ldd"));
	assert_script_path(absolute, SYSTEM_SCRIPT);
}

static void test_hard_link_is_no_system_file(void **state)
{
	(void)state;
	// Also for root: the folder is not root's own.
	if (link("/usr/bin/true", "true") < 0)
		file_copy("/usr/bin/true", "true");
	_cleanup_program_ struct program *program = resolve("./true", NULL);
	assert_false(program->is_system);
}

int main(void)
{
	struct err err;
	if (cipher_start(&err) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		scene_test(test_script_lines),
		scene_test(test_script_lines_refused),
		scene_test(test_script_line_length),
		scene_test(test_nested_script),
		scene_test(test_script_runs),
		scene_test(test_own_interpreter),
		scene_test(test_nothing_behind_argv0),
		scene_test(test_system_script_keeps_its_name),
		scene_test(test_system_script_by_a_name_of_others),
		scene_test(test_hard_link_is_no_system_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
