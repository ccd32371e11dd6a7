// `#!/usr/bin/env X`: X is the interpreter where env would do nothing but look it up and run it; and the names under
// which programs are found.
#include "program_scene.h"

static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);
	assert_non_null(real);
	return real;
}

// The interpreter, and "|" behind each of the words between it and the script.
static void assert_env(const char *line, const char *asked, const char *words)
{
	char whole[300] = "";
	file_write("script", span_text(line), 0755);
	_cleanup_program_ struct program *program = resolve("./script", SYSTEM_PATH);
	if (strcmp(program->interpreter->asked, asked) != 0)
		fail_msg("%s: '%s' instead of '%s'", line, program->interpreter->asked, asked);
	for (char **at = program->interpreter_arguments; at && *at; at++)
		snprintf(whole + strlen(whole), sizeof(whole) - strlen(whole), "%s|", *at);
	assert_string_equal(whole, words);
}

static void test_lines_that_name_the_interpreter(void **state)
{
	(void)state;
	assert_env("#!/usr/bin/env sh\n", "sh", "");
	assert_env("#!/bin/env sh\n", "sh", "");
	assert_env("#! /usr/bin/../bin/env \t sh \t\n", "sh", "");
	assert_env("#!/usr/bin/env -S sh\n", "sh", "");
	assert_env("#!/usr/bin/env -Ssh -e\n", "sh", "-e|");
	assert_env("#!/usr/bin/env -S sh -e -u\n", "sh", "-e|-u|");
	assert_env("#!/usr/bin/env -S \t sh  a=b\t--c=/d@e:%f \n", "sh", "a=b|--c=/d@e:%f|");
}

// Left to env, which pins nothing: a rule must be able to tell.
static void test_lines_that_are_left_to_env(void **state)
{
	(void)state;
	static const char *const arguments[] = {
		"-i", "-", "--", "-u X", "-i sh", "A=b", "A=b sh", "/bin/sh", "./sh", "-v", "-vS sh",
		"--split-string=sh",
		"-S", "-S -i sh", "-S -- sh", "-S A=b sh", "-S /bin/sh", "-S 'sh'", "-S \"sh\" -e", "-S sh \\_ -e",
		"-S ${SHELL}", "-S sh $X", "-S sh # -e", "-S sh\v-e", "-S sh\f-e", "-S sh -e \x01",
	};
	for (size_t i = 0; i < ARRAY_COUNT(arguments); i++) {
		char line[100], words[100];
		snprintf(line, sizeof(line), "#!/usr/bin/env %s\n", arguments[i]);
		snprintf(words, sizeof(words), "%s|", arguments[i]);
		assert_env(line, "/usr/bin/env", words);
	}
	assert_env("#!/usr/bin/env\n", "/usr/bin/env", "");
}

static void test_program_that_env_cannot_find(void **state)
{
	(void)state;
	script_write("script", "#!/usr/bin/env no-such-interpreter\n");
	const char *sentence = assert_refused("./script", SYSTEM_PATH, ERR_NO_EXEC);
	assert_says(sentence, "the interpreter of");
	assert_says(sentence, "no program 'no-such-interpreter' on the PATH");
	script_write("script", "#!/usr/bin/env -S no-such-interpreter -e\n");
	assert_says(assert_refused("./script", SYSTEM_PATH, ERR_NO_EXEC), "'no-such-interpreter'");
	script_write("script", "#!/usr/bin/env sh -e\n");
	assert_says(assert_refused("./script", SYSTEM_PATH, ERR_NO_EXEC), "'#!/usr/bin/env -S'");
	// Only absolute entries count.
	file_copy("/bin/sh", "a/shell");
	script_write("script", "#!/usr/bin/env shell\n");
	assert_refused("./script", "a:./a::.", ERR_NO_EXEC);
	file_copy("/bin/sh", "b/shell");
	assert_int_equal(chmod("b/shell", 04755), 0);
	assert_says(assert_refused("./script", scene_path("@/b"), ERR_NO_EXEC), "set-id");
}

// env would find a script, and the kernel its interpreter.
static void test_script_behind_env_is_left_to_env(void **state)
{
	(void)state;
	script_write("a/shim", "#!/bin/sh\nexec sh \"$@\"\n");
	script_write("script", "#!/usr/bin/env shim\n");
	_cleanup_program_ struct program *program = resolve("./script", scene_path("@/a:/usr/bin:/bin"));
	_cleanup_free_ char *env = real_path("/usr/bin/env");
	assert_string_equal(program->interpreter->path, env);
	assert_string_equal(program->interpreter_arguments[0], "shim");
	assert_null(program->interpreter_arguments[1]);
}

// Only the system's: what another env does is its own affair.
static void test_other_env(void **state)
{
	(void)state;
	char line[300];
	file_copy("/usr/bin/env", "a/env");
	snprintf(line, sizeof(line), "#!%s/a/env sh\n", scene);
	script_write("script", line);
	_cleanup_program_ struct program *program = resolve("./script", SYSTEM_PATH);
	assert_false(program->interpreter->is_system);
	assert_string_equal(program->interpreter_arguments[0], "sh");
	assert_true(program_path_is_env("/usr/bin/env"));
	assert_false(program_path_is_env("/usr/bin/printenv"));
	assert_false(program_path_is_env("/usr/bin/env/sh"));
}

static void test_runs_as_env_would(void **state)
{
	(void)state;
	script_write("script", "#!/usr/bin/env -S sh -u\ntr '\\0' ' ' </proc/$$/cmdline\n");
	_cleanup_program_ struct program *program = resolve("./script", SYSTEM_PATH);
	_cleanup_free_ char *shell = real_path("/bin/sh");
	assert_string_equal(program->interpreter->path, shell);
	assert_string_equal(program->interpreter->name, "/usr/bin/sh");
	assert_digest_of_file(program->interpreter, shell);
	char expected[100];
	snprintf(expected, sizeof(expected), "sh -u /proc/self/fd/%d x y ", program->fd);
	assert_string_equal(run(program, STRINGS("script", "x", "y"), 0), expected);
	struct program_argv argv;
	struct err err;
	assert_int_equal(program_argv_build(program, mutable(STRINGS("script", "x")), &argv, &err), 0);
	assert_string_equal(argv.argv[3], "x");
	assert_null(argv.argv[4]);
	program_argv_done(&argv);
}

// The first on the PATH, pinned by a copy when it is not the system's.
static void test_own_program_behind_env_is_pinned(void **state)
{
	(void)state;
	skip_under_valgrind();
	file_copy("/bin/sh", "b/shell");
	script_write("script", "#!/usr/bin/env shell\necho \"$1\"\n");
	_cleanup_program_ struct program *program = resolve("./script", scene_path("@/a:@/b:/usr/bin"));
	assert_false(program->interpreter->is_system);
	assert_string_equal(program->interpreter->name, scene_path("@/b/shell"));
	assert_digest_of_file(program->interpreter, "/bin/sh");
	script_write("b/shell", "not the one any more");
	assert_string_equal(run(program, STRINGS("script", "hello"), 0), "hello\n");
}

// ------------------------------------------------------------------------------------------------------------ names

static void assert_name(const char *asked, const char *path_list, const char *name)
{
	_cleanup_program_ struct program *program = resolve(asked, path_list);
	assert_string_equal(program->name, name);
}

static void test_names(void **state)
{
	(void)state;
	_cleanup_free_ char *here = getcwd(NULL, 0);
	char name[600], list[600];
	script_write("a/tool", "#!/bin/sh\n");
	assert_int_equal(symlink("a/tool", "link"), 0);
	assert_int_equal(symlink("a", "folder"), 0);
	static const char *const given[][2] = {
		{"./link", "link"}, {"a/tool", "a/tool"}, {"folder/tool", "folder/tool"}, {"././/a/.//tool", "a/tool"},
		{"./b/../link", "b/../link"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(given); i++) {
		snprintf(name, sizeof(name), "%s/%s", here, given[i][1]);
		assert_name(given[i][0], NULL, name);
	}
	snprintf(name, sizeof(name), "%s/folder/tool", here);
	assert_name(name, NULL, name);
	snprintf(list, sizeof(list), "%s/./folder//", here);
	assert_name("tool", list, name);
}

// The python of a venv: the link is the user's, what runs is the system's and goes by the name.
static void test_interpreter_by_a_link(void **state)
{
	(void)state;
	char line[400];
	assert_int_equal(symlink("/bin/sh", "a/venv-sh"), 0);
	snprintf(line, sizeof(line), "#!%s/a/venv-sh\ntr '\\0' ' ' </proc/$$/cmdline\n", scene);
	script_write("script", line);
	_cleanup_program_ struct program *program = resolve("./script", NULL);
	_cleanup_free_ char *shell = real_path("/bin/sh");
	assert_true(program->interpreter->is_system);
	assert_string_equal(program->interpreter->path, shell);
	assert_string_equal(program->interpreter->name, scene_path("@/a/venv-sh"));
	char expected[400];
	snprintf(expected, sizeof(expected), "%s/a/venv-sh /proc/self/fd/%d ", scene, program->fd);
	assert_string_equal(run(program, STRINGS("script"), 0), expected);
}

static void assert_has_open_ended(const char *asked, bool expected)
{
	_cleanup_program_ struct program *program = resolve(asked, SYSTEM_PATH);
	assert_int_equal(program_has_open_ended(program), expected);
}

static void test_open_ended_by_path_or_name(void **state)
{
	(void)state;
	assert_int_equal(symlink("/bin/sh", "report"), 0);
	assert_int_equal(symlink("/bin/true", "bash"), 0);
	script_write("deploy", "#!/bin/sh\n");
	script_write("a/python3", "#!/bin/sh\n");
	assert_has_open_ended("sh", true);
	assert_has_open_ended("./report", true);
	assert_has_open_ended("./bash", true);
	assert_has_open_ended("a/python3", true);
	assert_has_open_ended("true", false);
	assert_has_open_ended("./deploy", false);
	char path[] = "/usr/bin/sh";
	assert_true(program_has_open_ended(&(struct program){.path = path}));
}

int main(void)
{
	struct err err;
	if (cipher_start(&err) < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		scene_test(test_lines_that_name_the_interpreter),
		scene_test(test_lines_that_are_left_to_env),
		scene_test(test_program_that_env_cannot_find),
		scene_test(test_script_behind_env_is_left_to_env),
		scene_test(test_other_env),
		scene_test(test_runs_as_env_would),
		scene_test(test_own_program_behind_env_is_pinned),
		scene_test(test_names),
		scene_test(test_interpreter_by_a_link),
		scene_test(test_open_ended_by_path_or_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
