// Programs on a terminal. Job control with a shell above is in tests/e2e.
#include "exec_screen.h"

#define VALUE "correct-horse-battery"
#define VALUE_SPAN SPAN_LITERAL(VALUE)
#define TO_VARIABLE(n, v, s) {.name = (n), .variable = (v), .delivery = EXEC_TO_VARIABLE, .value = (s)}

// ----------------------------------------------------------------------------------------------------------- streams

static void test_all_three_are_one_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("test -t 0 && test -t 1 && test -t 2 || exit 1\n"
							"test \"$(readlink /proc/self/fd/2)\" = \"$(tty)\" || exit 2\n"
							"stty size; stty size </dev/tty; echo error >&2; exit 7"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 7);
	assert_string_equal(buf_text(&screen.seen), "31 97\r\n31 97\r\nerror\r\n");
	assert_int_equal(ending.report.outcome.terminal_bytes, screen.seen.len);
	assert_int_equal(ending.report.outcome.stdout_bytes, 0);
	assert_false(ending.report.outcome.writers_ended);
	assert_restored(&screen);
}

static void test_it_is_another_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("tty; exec </dev/tty >/dev/tty; tty; cut -d' ' -f5,6,8 /proc/$$/stat"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 0);
	assert_null(strstr(buf_text(&screen.seen), ttyname(screen.terminal)));
}

static void test_a_pipe_stays_a_pipe(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct scene scene = scene_on(&screen, SH("test -t 0 && ! test -t 1 && test -t 2 || exit 1; echo out; echo tell >&2"));
	scene.std_fds[1] = 0;
	struct actor actor = scene_start(&scene);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	screen_await(&screen, "tell\r\n");
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "out\n");
	assert_string_equal(buf_text(&screen.seen), "tell\r\n");
}

static void test_two_terminals(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen first = screen_open();
	_cleanup_screen_ struct screen second = screen_open();
	struct scene scene = scene_on(&first, SH("test \"$(tty)\" != \"$(readlink /proc/self/fd/2)\" || exit 1\n"
						 "echo out; echo $TOKEN >&2"));
	scene.std_fds[2] = second.terminal;
	scene.secrets[0] = (struct scene_secret)TO_VARIABLE("token", "TOKEN", VALUE_SPAN);
	_cleanup_ending_ struct ending ending = screen_run(&first, &scene);
	screen_await(&second, "\n");
	assert_status(ending, 0);
	assert_string_equal(buf_text(&first.seen), "out\r\n");
	assert_string_equal(buf_text(&second.seen), "[ENVSEAL:REDACTED token]\r\n");
	assert_int_equal(ending.report.leaks[0].stream, 0);
	assert_restored(&first);
	assert_restored(&second);
}

// Every way to write that the program has ends in the filter.
static void test_nothing_goes_around_the_filter(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct scene scene = scene_on(&screen, SH("echo $TOKEN; echo $TOKEN >&2; echo $TOKEN >&0; echo $TOKEN >/dev/tty"));
	scene.secrets[0] = (struct scene_secret)TO_VARIABLE("token", "TOKEN", VALUE_SPAN);
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "[ENVSEAL:REDACTED token]\r\n[ENVSEAL:REDACTED token]\r\n"
						    "[ENVSEAL:REDACTED token]\r\n[ENVSEAL:REDACTED token]\r\n");
	assert_int_equal(ending.report.outcome.leaks.count, 1);
	assert_int_equal(ending.report.leaks[0].stream, 0);
	assert_int_equal(ending.report.leaks[0].count, 4);
	assert_int_equal(ending.report.leaks[0].first_offset, 0);
}

// The slave is closed in between, which is no end.
static void test_streams_closed_and_opened_again(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("exec <&- >&- 2>&-; for i in 1 2 3; do : | :; done; echo on >/dev/tty"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "on\r\n");
}

// ------------------------------------------------------------------------------------------------------------- input

static void test_typed_lines_and_the_end(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("echo ready; cat; echo end"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	assert_true(screen_is_raw(&screen));
	screen_type(&screen, "one\r");
	screen_await(&screen, "one\r\none\r\n");
	screen_type(&screen, "\004");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "ready\r\none\r\none\r\nend\r\n");
	assert_restored(&screen);
}

static void test_what_was_typed_ahead(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	screen_type(&screen, "one\rtwo\004\004");
	const struct scene scene = scene_on(&screen, STRINGS("/bin/cat"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_status(ending, 0);
	// Echoed once, by the terminal that it was typed into.
	assert_string_equal(buf_text(&screen.seen), "one\r\ntwoone\r\ntwo");
}

static void test_large_paste(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("stty -echo; echo ready; head -c 100000 | cksum"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	for (size_t at = 0; at < 100000;) {
		char line[101];
		snprintf(line, sizeof(line), "%099zu\n", at);
		struct pollfd room = {.fd = screen.leader, .events = POLLOUT};
		assert_true(poll(&room, 1, 60000) > 0);
		ssize_t n = write(screen.leader, line + at % 100, 100 - at % 100);
		at += n > 0 ? (size_t)n : 0;
		screen_take(&screen);
	}
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), " 100000\r\n"));
}

static void test_interrupt_key(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("trap 'n=$((n + 1)); echo got $n' INT; echo ready; read line; read line\n"
							"echo all $n"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	screen_type(&screen, "\003");
	screen_await(&screen, "got 1\r\n");
	screen_type(&screen, "x\ry\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), "all 1\r\n"));
}

static void test_no_program_on_the_other_end(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, STRINGS("/bin/sleep", "1000"));
	struct actor actor = scene_start(&scene);
	while (!screen_is_raw(&screen))
		sched_yield();
	screen_type(&screen, "\003");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(WTERMSIG(ending.wait_status), SIGINT);
	assert_string_equal(buf_text(&screen.seen), "^C");
	assert_restored(&screen);
}

// Beside a pipe to somebody of its own group, the program gets the terminal when it reads there, and not before.
static void test_pipeline_waits_for_a_read(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct scene scene = scene_on(&screen, SH("echo first >&2; read go; read line </dev/tty; echo $line; echo last >&2"));
	int go[2];
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	scene.std_fds[0] = go[0];
	scene.leads_terminal = false;
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "first\r\n");
	assert_int_equal(write(go[1], "go\n", 3), 3);
	screen_type(&screen, "typed\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "first\r\ntyped\r\ntyped\r\nlast\r\n");
	assert_restored(&screen);
	close(go[0]);
	close(go[1]);
}

// --------------------------------------------------------------------------------------------------------- the window

static void test_resize(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("trap 'stty size; exit 0' WINCH; echo ready; while :; do read line; done"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	const struct winsize size = {.ws_row = 12, .ws_col = 34};
	assert_int_equal(ioctl(screen.leader, TIOCSWINSZ, &size), 0);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "ready\r\n12 34\r\n");
}

static void test_hang_up(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("echo ready; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	close(screen.leader);
	screen.leader = -1;
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(WTERMSIG(ending.wait_status), SIGHUP);
}

// A program that ignores the signal finds its terminal gone.
static void test_hang_up_ignored(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct scene scene = scene_on(&screen, SH("echo ready; while read line; do :; done; exit 5"));
	scene.ignored = SIGHUP;
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "ready\r\n");
	close(screen.leader);
	screen.leader = -1;
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 5);
	assert_int_equal(ending.report.outcome.output_errno, 0);
}

// ------------------------------------------------------------------------------------------------------------- deaths

static pid_t process_parent(pid_t pid)
{
	char path[48];
	char text[512] = {0};
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (pid_t)strtol(strrchr(text, ')') + strlen(") S"), NULL, 10);
}

static void test_killed_supervisor(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("(setsid sleep 1000 & echo $!; wait) & echo raw; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	screen_await(&screen, "raw\r\n");
	while (!screen_is_raw(&screen))
		sched_yield();
	kill(actor.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	// The monitor, the program and what it has started come to the test, and end.
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
	assert_restored(&screen);
}

static void test_killed_monitor(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("echo $$; echo up; exec sleep 1000"));
	struct actor actor = scene_start(&scene);
	pid_t program = screen_read_pid(&screen, "up");
	pid_t monitor = process_parent(program);
	assert_true(monitor != actor.pid);
	assert_int_equal(getsid(program), monitor);
	assert_int_equal(getpgid(program), program);
	kill(monitor, SIGKILL);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(WTERMSIG(ending.wait_status), SIGKILL);
	assert_int_equal(ending.report.outcome.status, 128 + SIGKILL);
	assert_restored(&screen);
}

static void test_status_and_signal(void **state)
{
	(void)state;
	static const int signals[] = {SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM};
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		_cleanup_screen_ struct screen screen = screen_open();
		char script[32];
		snprintf(script, sizeof(script), "kill -%d $$", signals[i]);
		const struct scene scene = scene_on(&screen, SH(script));
		_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
		assert_true(WIFSIGNALED(ending.wait_status));
		assert_int_equal(WTERMSIG(ending.wait_status), signals[i]);
		assert_int_equal(ending.report.outcome.status, 128 + signals[i]);
		assert_restored(&screen);
	}
}

static void test_cannot_start(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	static char argument[200001];
	memset(argument, 'x', sizeof(argument) - 1);
	const struct scene scene = scene_on(&screen, STRINGS("/bin/true", argument));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_refused(&ending, ERR_NO_EXEC);
	assert_non_null(strstr(ending.report.text, "too large"));
	assert_restored(&screen);
}

static void test_settings_left_behind(void **state)
{
	(void)state;
	struct termios now;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene raw = scene_on(&screen, SH("stty raw -echo"));
	_cleanup_ending_ struct ending left_raw = screen_run(&screen, &raw);
	assert_status(left_raw, 0);
	assert_restored(&screen);
	const struct scene chosen = scene_on(&screen, SH("stty erase ^H"));
	_cleanup_ending_ struct ending left_chosen = screen_run(&screen, &chosen);
	assert_status(left_chosen, 0);
	assert_int_equal(tcgetattr(screen.terminal, &now), 0);
	assert_int_equal(now.c_cc[VERASE], 8);
}

static void test_survivor_on_the_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	const struct scene scene = scene_on(&screen, SH("sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; echo up\n"
							"sleep 1000 & setsid sleep 1000 & exit 3"));
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	pid_t silent = (pid_t)strtol(buf_text(&screen.seen), NULL, 10);
	assert_status(ending, 3);
	assert_true(ending.report.outcome.writers_ended);
	// The one without the terminal was neither ended nor hung up.
	assert_int_equal(kill(silent, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(silent, &status, 0), silent);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

// -------------------------------------------------------------------------------------------------------------- leaks

static void test_leak_kills(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct scene scene = scene_on(&screen, SH("sleep 1000 & setsid sleep 1000 & echo $TOKEN; sleep 1000; echo on"));
	scene.secrets[0] = (struct scene_secret)TO_VARIABLE("token", "TOKEN", VALUE_SPAN);
	scene.on_leak = EXEC_LEAK_KILL;
	_cleanup_ending_ struct ending ending = screen_run(&screen, &scene);
	assert_true(ending.report.outcome.killed_for_leak);
	assert_int_equal(ending.report.outcome.signal, SIGKILL);
	assert_int_equal(ending.report.outcome.leaks.total, 1);
	assert_memory_equal(screen.seen.data, "[ENVSEAL:REDACTED token]", strlen("[ENVSEAL:REDACTED token]"));
	assert_restored(&screen);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void test_leak_kills_without_a_terminal(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("sleep 1000 & setsid sleep 1000 & echo $TOKEN; sleep 1000; echo on"),
		.environment = STRINGS("PATH=/usr/bin:/bin"),
		.secrets = {TO_VARIABLE("token", "TOKEN", VALUE_SPAN)},
		.on_leak = EXEC_LEAK_KILL,
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_true(ending.report.outcome.killed_for_leak);
	assert_int_equal(ending.report.outcome.signal, SIGKILL);
	assert_string_equal(buf_text(&ending.out), "[ENVSEAL:REDACTED token]\n");
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_all_three_are_one_terminal),
		scene_test(test_it_is_another_terminal),
		scene_test(test_a_pipe_stays_a_pipe),
		scene_test(test_two_terminals),
		scene_test(test_nothing_goes_around_the_filter),
		scene_test(test_streams_closed_and_opened_again),
		scene_test(test_typed_lines_and_the_end),
		scene_test(test_what_was_typed_ahead),
		scene_test(test_large_paste),
		scene_test(test_interrupt_key),
		scene_test(test_no_program_on_the_other_end),
		scene_test(test_pipeline_waits_for_a_read),
		scene_test(test_resize),
		scene_test(test_hang_up),
		scene_test(test_hang_up_ignored),
		scene_test(test_killed_supervisor),
		scene_test(test_killed_monitor),
		scene_test(test_status_and_signal),
		scene_test(test_cannot_start),
		scene_test(test_settings_left_behind),
		scene_test(test_survivor_on_the_terminal),
		scene_test(test_leak_kills),
		scene_test(test_leak_kills_without_a_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
