// In which order the output of two streams comes out where they meet again.
#include "exec_scene.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define VALUE "correct-horse-battery"
#define ALTERNATING "i=0; while test $i -lt 10000; do echo out $i; echo err $i >&2; i=$((i + 1)); done"
#define TO_VARIABLE(n, v, s) {.name = (n), .variable = (v), .delivery = EXEC_TO_VARIABLE, .value = (s)}

// Two sockets, and one that gets what is written to either, each write by itself.
static int meeting_open(int theirs[2])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	int ours = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(ours, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
	assert_int_equal(getsockname(ours, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < 2; i++) {
		theirs[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(theirs[i], (struct sockaddr *)&address, len), 0);
	}
	return ours;
}

// Waits for text with `last` in it, or where that is NULL reads what is there.
static void meeting_read(int ours, char *text, size_t room, const char *last)
{
	size_t len = 0;
	ssize_t n = 1;
	while (n > 0 && !(last && len > 0 && strstr(text, last))) {
		n = recv(ours, text + len, room - 1 - len, last ? 0 : MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
		text[len] = 0;
	}
}

// A line whose end could begin a value: it is out before the other stream is looked at. envseal finds both at once.
static void test_short_lines_do_not_mix(void **state)
{
	(void)state;
	int theirs[2];
	char text[256];
	int ours = meeting_open(theirs);
	const struct scene scene = {
		.argv = SH("echo $$; read line; echo one; echo two >&2"),
		.std_fds = {0, theirs[0], theirs[1]},
		.secrets = {TO_VARIABLE("token", "TOKEN", SPAN_LITERAL("e\nand on the next line"))},
	};
	struct actor actor = scene_start(&scene);
	meeting_read(ours, text, sizeof(text), "\n");
	pid_t program = (pid_t)strtol(text, NULL, 10);
	kill(actor.pid, SIGSTOP);
	process_await_state(actor.pid, 'T');
	actor_say(&actor, "go\n");
	process_await_state(program, 'Z');
	kill(actor.pid, SIGCONT);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	meeting_read(ours, text, sizeof(text), NULL);
	assert_string_equal(text, "one\ntwo\n");
	close(ours);
	close(theirs[0]);
	close(theirs[1]);
}

// ------------------------------------------------------------------------------------------------------ one place

static void assert_alternating(struct span text)
{
	struct buf wanted = BUF_INIT(1u << 20);
	struct err err;
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&wanted, &err, "out %d\nerr %d\n", i, i), 0);
	for (size_t at = 0; at < text.len && at < wanted.len; at++)
		if (text.data[at] != wanted.data[at])
			fail_msg("the order is lost at byte %zu", at);
	assert_int_equal(text.len, wanted.len);
	buf_done(&wanted);
}

static struct scene scene_into(int out, int err, const char *const *argv)
{
	return (struct scene){
		.argv = argv,
		.environment = STRINGS("PATH=/usr/bin:/bin"),
		.std_fds = {0, out, err},
		.secrets = {TO_VARIABLE("token", "TOKEN", SPAN_LITERAL(VALUE))},
	};
}

// A pipe that both streams go to; what comes out of it is the stdout of the ending.
static struct actor start_into_pipe(const char *const *argv)
{
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct scene scene = scene_into(ends[1], ends[1], argv);
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	actor.std_fds[1] = ends[0];
	return actor;
}

static struct ending run_into_pipe(const char *const *argv)
{
	struct actor actor = start_into_pipe(argv);
	return actor_end(&actor);
}

static void test_one_pipe(void **state)
{
	(void)state;
	_cleanup_ending_ struct ending ending = run_into_pipe(SH(ALTERNATING));
	assert_status(ending, 0);
	assert_alternating(buf_span(&ending.out));
	assert_int_equal(ending.report.outcome.stdout_bytes, ending.out.len);
	assert_int_equal(ending.report.outcome.stderr_bytes, 0);
}

static void test_one_socket(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	const struct scene scene = scene_into(ends[1], ends[1], SH(ALTERNATING));
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	actor.std_fds[1] = ends[0];
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_alternating(buf_span(&ending.out));
}

static void test_two_pipes_stay_two(void **state)
{
	(void)state;
	const struct scene scene = {.argv = SH(ALTERNATING)};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_true(ending.out.len > 0 && ending.err.len > 0);
	assert_int_equal(ending.report.outcome.stdout_bytes, ending.out.len);
	assert_int_equal(ending.report.outcome.stderr_bytes, ending.err.len);
}

// ---------------------------------------------------------------------------------------------------------- one file

struct two_files {
	char path[256];
	int fds[2];
};

// Two open files of one new file.
static struct two_files files_open(int flags)
{
	struct two_files files;
	const char *tmp = getenv("TMPDIR");
	snprintf(files.path, sizeof(files.path), "%s/order-XXXXXX", tmp ? tmp : "/tmp");
	int made = mkstemp(files.path);
	assert_true(made >= 0);
	close(made);
	for (size_t i = 0; i < 2; i++)
		assert_true((files.fds[i] = open(files.path, O_RDWR | O_CLOEXEC | flags)) >= 0);
	return files;
}

static void files_close(struct two_files *files)
{
	close(files->fds[0]);
	close(files->fds[1]);
	unlink(files->path);
}

static void files_assert_alternating(const struct two_files *files)
{
	struct buf text = BUF_INIT(1u << 20);
	struct err err;
	assert_int_equal(lseek(files->fds[0], 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(files->fds[0], &text, files->path, &err), 0);
	assert_alternating(buf_span(&text));
	buf_done(&text);
}

static void test_one_file_to_append_to(void **state)
{
	(void)state;
	for (int other = 0; other < 2; other++) {
		struct two_files files = files_open(O_APPEND);
		const struct scene scene = scene_into(files.fds[0], files.fds[other], SH(ALTERNATING));
		_cleanup_ending_ struct ending ending = scene_run(&scene);
		assert_status(ending, 0);
		files_assert_alternating(&files);
		assert_int_equal(ending.report.outcome.stderr_bytes, 0);
		files_close(&files);
	}
}

static void test_one_open_file(void **state)
{
	(void)state;
	if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0) != 0) {
		print_message("kcmp is refused here: open files cannot be told apart\n");
		skip();
	}
	struct two_files files = files_open(0);
	const struct scene scene = scene_into(files.fds[0], files.fds[0], SH(ALTERNATING));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	files_assert_alternating(&files);
	assert_int_equal(ending.report.outcome.stderr_bytes, 0);
	files_close(&files);
}

// Each has a place of its own in the file, and so writes over the other, as without envseal.
static void test_a_file_that_is_opened_twice(void **state)
{
	(void)state;
	struct two_files files = files_open(0);
	const struct scene scene = scene_into(files.fds[0], files.fds[1], SH("echo longer; echo x >&2"));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	assert_int_equal(ending.report.outcome.stdout_bytes, 7);
	assert_int_equal(ending.report.outcome.stderr_bytes, 2);
	assert_int_equal(lseek(files.fds[0], 0, SEEK_CUR), 7);
	assert_int_equal(lseek(files.fds[1], 0, SEEK_CUR), 2);
	files_close(&files);
}

// ------------------------------------------------------------------------------------- what else follows from one pipe

static void test_a_value_from_both_streams(void **state)
{
	(void)state;
	_cleanup_ending_ struct ending ending =
		run_into_pipe(SH("printf '<%s' \"${TOKEN%-battery}\"; printf '%s>' -battery >&2; echo $TOKEN >&2"));
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "<[ENVSEAL:REDACTED token]>[ENVSEAL:REDACTED token]\n");
	assert_int_equal(ending.report.outcome.leaks.count, 1);
	assert_int_equal(ending.report.leaks[0].stream, 1);
	assert_int_equal(ending.report.leaks[0].count, 2);
}

static void test_each_stream_may_be_closed(void **state)
{
	(void)state;
	_cleanup_ending_ struct ending out = run_into_pipe(SH("echo one; exec >&-; echo two >&2; exec 2>&-; exit 3"));
	assert_status(out, 3);
	assert_string_equal(buf_text(&out.out), "one\ntwo\n");
	_cleanup_ending_ struct ending err = run_into_pipe(SH("echo one >&2; exec 2>&-; echo two; exec >&-; exit 3"));
	assert_status(err, 3);
	assert_string_equal(buf_text(&err.out), "one\ntwo\n");
}

// Waits until a process's stdout is /dev/null.
static void await_let_go(pid_t pid)
{
	char path[48];
	char link[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pid);
	while (strcmp(link, "/dev/null") != 0) {
		ssize_t len = readlink(path, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = 0;
		sched_yield();
	}
}

// What is said after the run goes to stderr, so this must be left whole.
static void test_stderr_is_left_open(void **state)
{
	(void)state;
	int ends[2];
	char text[64] = {0};
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct scene scene = scene_into(ends[1], ends[1], SH("echo one; exec >&- 2>&-; read line; exit 3"));
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	assert_int_equal(read(ends[0], text, sizeof(text) - 1), 4);
	await_let_go(actor.pid);
	struct pollfd hangup = {.fd = ends[0]};
	assert_int_equal(poll(&hangup, 1, 0), 0);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 3);
	assert_int_equal(read(ends[0], text, sizeof(text)), 0);
	close(ends[0]);
}

static void test_the_reader_of_both_goes_away(void **state)
{
	(void)state;
	static const char *const scripts[] = {"echo begun; while :; do echo x; done",
					      "echo begun; while :; do echo x >&2; done"};
	for (size_t i = 0; i < ARRAY_COUNT(scripts); i++) {
		struct actor actor = start_into_pipe(SH(scripts[i]));
		actor_expect(&actor, 1, "begun\n");
		actor_close(&actor, 1);
		_cleanup_ending_ struct ending ending = actor_end(&actor);
		assert_true(WIFSIGNALED(ending.wait_status));
		assert_int_equal(WTERMSIG(ending.wait_status), SIGPIPE);
		assert_int_equal(ending.report.outcome.output_errno, 0);
	}
}

static void test_both_to_a_full_device(void **state)
{
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(full >= 0);
	const struct scene scene = scene_into(full, full, SH("trap '' PIPE; echo x >&2; read line; echo y; exit 3"));
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	close(full);
	assert_status(ending, 3);
	assert_int_equal(ending.report.outcome.output_errno, ENOSPC);
	assert_int_equal(ending.report.outcome.output_stream, 1);
}

static void test_a_survivor_with_stderr_alone_is_ended(void **state)
{
	(void)state;
	struct actor actor = start_into_pipe(SH("sleep 1000 >&- & echo $!; exit 3"));
	pid_t survivor = actor_read_pid(&actor);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 3);
	assert_true(ending.report.outcome.writers_ended);
	assert_true(process_state(survivor) == 0 || process_state(survivor) == 'Z');
}

static void test_a_leak_ends_the_program(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct scene scene = scene_into(ends[1], ends[1], SH("echo one; echo $TOKEN >&2; exec sleep 1000"));
	scene.on_leak = EXEC_LEAK_KILL;
	struct actor actor = scene_start(&scene);
	close(ends[1]);
	actor.std_fds[1] = ends[0];
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(ending.report.outcome.killed_for_leak);
	assert_string_equal(buf_text(&ending.out), "one\n[ENVSEAL:REDACTED token]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_short_lines_do_not_mix),
		scene_test(test_one_pipe),
		scene_test(test_one_socket),
		scene_test(test_two_pipes_stay_two),
		scene_test(test_one_file_to_append_to),
		scene_test(test_one_open_file),
		scene_test(test_a_file_that_is_opened_twice),
		scene_test(test_a_value_from_both_streams),
		scene_test(test_each_stream_may_be_closed),
		scene_test(test_stderr_is_left_open),
		scene_test(test_the_reader_of_both_goes_away),
		scene_test(test_both_to_a_full_device),
		scene_test(test_a_survivor_with_stderr_alone_is_ended),
		scene_test(test_a_leak_ends_the_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
