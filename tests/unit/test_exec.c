// Deliveries, output and errors of exec. What happens over time (signals, survivors) is in test_exec_life.c.
#include "exec_scene.h"

#include <sys/stat.h>

#define VALUE "correct-horse-battery"
#define VALUE_SPAN SPAN_LITERAL(VALUE)
#define TO_VARIABLE(n, v, s) {.name = (n), .variable = (v), .delivery = EXEC_TO_VARIABLE, .value = (s)}

// ------------------------------------------------------------------------------------------------------ how it ends

static void test_statuses(void **state)
{
	(void)state;
	static const int statuses[] = {0, 1, 2, 3, 42, 64, 124, 125, 126, 127, 128, 130, 254, 255};
	for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
		char script[32];
		snprintf(script, sizeof(script), "exit %d", statuses[i]);
		_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = SH(script)});
		assert_status(ending, statuses[i]);
		assert_int_equal(ending.report.outcome.status, statuses[i]);
		assert_int_equal(ending.report.outcome.signal, 0);
		assert_false(ending.report.outcome.writers_ended);
	}
}

static void test_deaths(void **state)
{
	(void)state;
	static const int signals[] = {SIGHUP, SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGXFSZ, 40};
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		char script[32];
		snprintf(script, sizeof(script), "kill -%d $$", signals[i]);
		_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = SH(script)});
		assert_true(WIFSIGNALED(ending.wait_status));
		assert_int_equal(WTERMSIG(ending.wait_status), signals[i]);
		assert_int_equal(ending.report.outcome.signal, signals[i]);
		assert_int_equal(ending.report.outcome.status, 128 + signals[i]);
	}
}

static void test_end_like_runs_no_exit_handlers(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		printf("buffered");
		exec_end_like(&(struct exec_outcome){.status = 5});
	}
	int status;
	char byte;
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 5);
	close(ends[0]);
}

// ------------------------------------------------------------------------------------------------ what cannot start

static void test_argument_too_large(void **state)
{
	(void)state;
	char *argument = malloc(200001);
	memset(argument, 'x', 200000);
	argument[200000] = 0;
	const struct scene scene = {.argv = STRINGS("/bin/true", argument)};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	free(argument);
	assert_refused(&ending, ERR_NO_EXEC);
	assert_non_null(strstr(ending.report.text, "too large"));
}

// A program file in a folder of its own; returns its path.
static char *program_write(const char *dir, struct span content)
{
	char *path = NULL;
	struct err err;
	assert_int_equal(path_join(dir, "program", &path, &err), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content, "program", &err), 0);
	close(fd);
	return path;
}

static void assert_program_refused(struct span content, int code)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256];
	snprintf(dir, sizeof(dir), "%s/exec-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	char *path = program_write(dir, content);
	_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = STRINGS(path)});
	unlink(path);
	rmdir(dir);
	free(path);
	assert_refused(&ending, code);
}

static void test_not_executable(void **state)
{
	(void)state;
	assert_program_refused(SPAN_LITERAL("\177ELF, and nothing of the kind behind it"), ERR_NO_EXEC);
}

static void test_loader_missing(void **state)
{
	(void)state;
	struct buf program = BUF_INIT(64u << 20);
	struct err err;
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_all(fd, &program, "/bin/true", &err), 0);
	close(fd);
	char *loader = memmem(program.data, program.len, "/lib", 4);
	assert_non_null(loader);
	memcpy(loader, "/xxx", 4);
	assert_program_refused(buf_span(&program), ERR_NO_PROGRAM);
	buf_done(&program);
}

// ------------------------------------------------------------------------------------------------------- environment

static void test_environment(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("test \"$TOKEN\" = \"$WANTED\" || exit 1; test \"$TOKENS\" = more || exit 2\n"
			   "env | cut -d= -f1 | sort"),
		.environment = STRINGS("PATH=/usr/bin:/bin", "TOKEN=plain", "TOKENS=more", "WANTED=" VALUE),
		.secrets = {TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "PATH\nPWD\nTOKEN\nTOKENS\nWANTED\n");
	assert_int_equal(ending.report.outcome.leaks.total, 0);
}

static void test_ten_secrets(void **state)
{
	(void)state;
	static char texts[10][3][32];
	struct scene scene = {
		.argv = SH("for i in 0 1 2 3 4 5 6 7 8 9; do eval echo \\$S$i; done"),
		.environment = STRINGS("PATH=/usr/bin:/bin"),
	};
	struct buf wanted = BUF_INIT(4096);
	struct err err;
	for (int i = 0; i < 10; i++) {
		snprintf(texts[i][0], 32, "name-%d", i);
		snprintf(texts[i][1], 32, "S%d", i);
		snprintf(texts[i][2], 32, "value-%d-of-ten-values", i * 7919);
		scene.secrets[i] = (struct scene_secret)TO_VARIABLE(texts[i][0], texts[i][1], span_text(texts[i][2]));
		assert_int_equal(buf_printf(&wanted, &err, "[ENVSEAL:REDACTED name-%d]\n", i), 0);
	}
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), buf_text(&wanted));
	assert_int_equal(ending.report.outcome.leaks.total, 10);
	assert_int_equal(ending.report.outcome.leaks.count, 10);
	buf_done(&wanted);
}

static void test_nul_refused(void **state)
{
	(void)state;
	struct scene scene = {
		.argv = SH("echo started"),
		.secrets = {TO_VARIABLE("binary", "TOKEN", SPAN_LITERAL("with a\0NUL byte"))},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_refused(&ending, ERR_INPUT);
	assert_non_null(strstr(ending.report.text, "-s binary=TOKEN:file"));
	assert_null(strstr(ending.report.text, "with a"));
	scene.is_replaced = true;
	_cleanup_ending_ struct ending replaced = scene_run(&scene);
	assert_refused(&replaced, ERR_INPUT);
}

static void test_value_size(void **state)
{
	(void)state;
	// The kernel takes strings of 32 pages with "TOKEN=" and the NUL.
	size_t max = 32 * (size_t)sysconf(_SC_PAGESIZE) - strlen("TOKEN=") - 1;
	char *value = malloc(max + 1);
	memset(value, 'v', max + 1);
	struct scene scene = {
		.argv = SH("test ${#TOKEN} -eq $WANTED"),
		.environment = STRINGS("PATH=/usr/bin:/bin", max == 131065 ? "WANTED=131065" : "WANTED=other pages"),
		.secrets = {TO_VARIABLE("big", "TOKEN", span_of(value, max))},
	};
	_cleanup_ending_ struct ending largest = scene_run(&scene);
	scene.secrets[0].value.len = max + 1;
	_cleanup_ending_ struct ending larger = scene_run(&scene);
	free(value);
	assert_status(largest, 0);
	assert_refused(&larger, ERR_LIMIT);
	assert_non_null(strstr(larger.report.text, "-s big=TOKEN:file"));
}

static void test_deliveries_that_clash(void **state)
{
	(void)state;
	const struct scene twice = {
		.argv = SH("echo started"),
		.secrets = {TO_VARIABLE("a", "TOKEN", VALUE_SPAN), {"b", "TOKEN", EXEC_TO_FILE, VALUE_SPAN}},
	};
	_cleanup_ending_ struct ending same_variable = scene_run(&twice);
	assert_refused(&same_variable, ERR_USAGE);
	const struct scene two_inputs = {
		.argv = SH("echo started"),
		.secrets = {{"a", NULL, EXEC_TO_STDIN, VALUE_SPAN}, {"b", NULL, EXEC_TO_STDIN, VALUE_SPAN}},
	};
	_cleanup_ending_ struct ending same_input = scene_run(&two_inputs);
	assert_refused(&same_input, ERR_USAGE);
	const struct scene no_name = {.argv = SH("echo started"), .secrets = {TO_VARIABLE("a", "9LIVES", VALUE_SPAN)}};
	_cleanup_ending_ struct ending bad_name = scene_run(&no_name);
	assert_refused(&bad_name, ERR_USAGE);
}

// ---------------------------------------------------------------------------------------------------- file and stdin

static void test_file_form(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("case $A in /proc/self/fd/*) ;; *) exit 1 ;; esac\n"
			   "test \"$A\" != \"$B\" || exit 2\n"
			   "test \"$(cat \"$A\")\" = \"$WANTED\" || exit 3\n"
			   "test \"$(cat \"$A\")\" = \"$WANTED\" || exit 4\n"
			   "test \"$(od -An -c \"$B\" | tr -d ' ')\" = 'one\\0two' || exit 5\n"
			   "(echo more >>\"$A\") 2>/dev/null && exit 6\n"
			   "(: >\"$A\") 2>/dev/null && exit 7\n"
			   "cat \"$A\""),
		.environment = STRINGS("PATH=/usr/bin:/bin", "WANTED=" VALUE),
		.secrets = {{"a", "A", EXEC_TO_FILE, VALUE_SPAN}, {"b", "B", EXEC_TO_FILE, SPAN_LITERAL("one\0two")}},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "[ENVSEAL:REDACTED a]");
}

static void test_stdin_form(void **state)
{
	(void)state;
	struct scene scene = {
		.argv = SH("test \"$(cat)\" = \"$WANTED\" || exit 1; env | grep -v WANTED"),
		.environment = STRINGS("PATH=/usr/bin:/bin", "WANTED=" VALUE),
		.secrets = {{"token", NULL, EXEC_TO_STDIN, VALUE_SPAN}},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_null(strstr(buf_text(&ending.out), "REDACTED"));
	scene.closed[0] = true;
	_cleanup_ending_ struct ending closed = scene_run(&scene);
	assert_status(closed, 0);
	scene.is_replaced = true;
	_cleanup_ending_ struct ending replaced = scene_run(&scene);
	assert_status(replaced, 0);
}

// ------------------------------------------------------------------------------------------------------- descriptors

static void test_closed_descriptors(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i++) {
		const struct scene scene = {
			.argv = SH("s=0; for i in 0 1 2; do test -e /proc/$$/fd/$i || s=$((s + (1 << i))); done\n"
				   "exit $s"),
			.closed = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0},
			.is_replaced = i >= 8,
		};
		_cleanup_ending_ struct ending ending = scene_run(&scene);
		assert_status(ending, i & 7);
	}
}

static void test_stray_descriptors(void **state)
{
	(void)state;
	struct scene scene = {
		.argv = SH("i=3; while test $i -lt 800; do test -e /proc/$$/fd/$i && echo $i; i=$((i + 1)); done\n"
			   "exit 0"),
		.secrets = {{"file", "FILE", EXEC_TO_FILE, VALUE_SPAN}},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "640\n");
	scene.is_replaced = true;
	_cleanup_ending_ struct ending replaced = scene_run(&scene);
	assert_status(replaced, 0);
	assert_string_equal(buf_text(&replaced.out), "640\n");
}

static void test_replace_keeps_the_process(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("test \"$TOKEN\" = \"$WANTED\" || exit 1; echo $$"),
		.environment = STRINGS("PATH=/usr/bin:/bin", "WANTED=" VALUE),
		.secrets = {TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
		.is_replaced = true,
	};
	struct actor actor = scene_start(&scene);
	assert_int_equal(actor_read_pid(&actor), actor.pid);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
}

// ------------------------------------------------------------------------------------------------------------ output

static void test_two_streams(void **state)
{
	(void)state;
	_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = SH("echo out; echo error >&2")});
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "out\n");
	assert_string_equal(buf_text(&ending.err), "error\n");
	assert_int_equal(ending.report.outcome.stdout_bytes, 4);
	assert_int_equal(ending.report.outcome.stderr_bytes, 6);
}

static void test_dripped_value(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("printf 'it is '; v=$TOKEN\n"
			   "while test -n \"$v\"; do printf %s \"${v%\"${v#?}\"}\"; v=${v#?}; done; echo ."),
		.environment = STRINGS("PATH=/usr/bin:/bin"),
		.secrets = {TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	// When the machine is slow, a pause after the first letters may let them through: three at most.
	const char *out = buf_text(&ending.out);
	assert_non_null(strstr(out, "[ENVSEAL:REDACTED token].\n"));
	assert_null(strstr(out, "corr"));
	assert_null(strstr(out, "tery"));
	assert_int_equal(ending.report.outcome.leaks.total, 1);
}

static void test_leaks_are_counted(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("echo $TOKEN; echo $TOKEN; printf %s $TOKEN | od -An -v -tx1 | tr -d ' \\n' >&2"),
		.environment = STRINGS("PATH=/usr/bin:/bin"),
		.secrets = {TO_VARIABLE("other", "OTHER", SPAN_LITERAL("never printed")),
			    TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "[ENVSEAL:REDACTED token]\n[ENVSEAL:REDACTED token]\n");
	assert_string_equal(buf_text(&ending.err), "[ENVSEAL:REDACTED token hex]");
	assert_int_equal(ending.report.outcome.leaks.total, 3);
	assert_int_equal(ending.report.outcome.leaks.count, 2);
	const struct exec_leak *leaks = ending.report.leaks;
	const struct exec_leak *raw = leaks[0].stream == 1 ? &leaks[0] : &leaks[1];
	const struct exec_leak *hex = leaks[0].stream == 1 ? &leaks[1] : &leaks[0];
	assert_int_equal(raw->secret_index, 1);
	assert_int_equal(raw->form, REDACT_FORM_RAW);
	assert_int_equal(raw->count, 2);
	assert_int_equal(raw->first_offset, 0);
	assert_int_equal(hex->secret_index, 1);
	assert_int_equal(hex->form, REDACT_FORM_HEX);
	assert_int_equal(hex->stream, 2);
	assert_int_equal(hex->count, 1);
}

// What `seq 1 N` prints, so that nothing has to be kept to compare with.
static size_t seq_check(const struct buf *out)
{
	size_t line = 0;
	for (size_t at = 0; at < out->len;) {
		char wanted[16];
		int len = snprintf(wanted, sizeof(wanted), "%zu\n", ++line);
		if (out->len - at < (size_t)len || memcmp(out->data + at, wanted, (size_t)len) != 0)
			fail_msg("line %zu differs", line);
		at += (size_t)len;
	}
	return line;
}

static void test_large_output(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = STRINGS("/usr/bin/seq", "1", "6600000"),
		.secrets = {TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_true(ending.out.len > 50000000);
	assert_int_equal(ending.report.outcome.stdout_bytes, ending.out.len);
	assert_int_equal(seq_check(&ending.out), 6600000);
}

// A two-byte value between word boundaries: the output is many times the input.
static void test_output_much_longer_than_input(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("yes \"$TOKEN\" | head -n 100000"),
		.environment = STRINGS("PATH=/usr/bin:/bin"),
		.secrets = {TO_VARIABLE("a-secret-with-a-long-name", "TOKEN", SPAN_LITERAL("xy"))},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	static const char mask[] = "[ENVSEAL:REDACTED a-secret-with-a-long-name]\n";
	assert_status(ending, 0);
	assert_int_equal(ending.out.len, 100000 * strlen(mask));
	for (size_t at = 0; at < ending.out.len; at += strlen(mask))
		assert_memory_equal(ending.out.data + at, mask, strlen(mask));
	assert_int_equal(ending.report.outcome.leaks.total, 100000);
	assert_int_equal(ending.report.outcome.leaks.count, 1);
}

static void test_socket_output(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	const struct scene scene = {
		.argv = STRINGS("/usr/bin/seq", "1", "200000"),
		.std_fds = {0, ends[1]},
	};
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	actor.std_fds[1] = ends[0];
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_int_equal(seq_check(&ending.out), 200000);
}

static void test_device_full(void **state)
{
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	const struct scene scene = {
		.argv = SH("trap '' PIPE; read line; echo x; echo on >&2; exit 3"),
		.std_fds = {0, full},
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	close(full);
	assert_status(ending, 3);
	assert_string_equal(buf_text(&ending.err), "on\n");
	assert_int_equal(ending.report.outcome.output_errno, ENOSPC);
	assert_int_equal(ending.report.outcome.output_stream, 1);
}

static void test_callers_flags_are_left(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct scene scene = {.argv = SH("echo ready; read line; exit 0"), .std_fds = {0, ends[1]}};
	struct actor actor = scene_start(&scene);
	actor.std_fds[1] = ends[0];
	actor_expect(&actor, 1, "ready\n");
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close(ends[1]);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_statuses),
		scene_test(test_deaths),
		scene_test(test_end_like_runs_no_exit_handlers),
		scene_test(test_argument_too_large),
		scene_test(test_not_executable),
		scene_test(test_loader_missing),
		scene_test(test_environment),
		scene_test(test_ten_secrets),
		scene_test(test_nul_refused),
		scene_test(test_value_size),
		scene_test(test_deliveries_that_clash),
		scene_test(test_file_form),
		scene_test(test_stdin_form),
		scene_test(test_closed_descriptors),
		scene_test(test_stray_descriptors),
		scene_test(test_replace_keeps_the_process),
		scene_test(test_two_streams),
		scene_test(test_dripped_value),
		scene_test(test_leaks_are_counted),
		scene_test(test_large_output),
		scene_test(test_output_much_longer_than_input),
		scene_test(test_socket_output),
		scene_test(test_device_full),
		scene_test(test_callers_flags_are_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
