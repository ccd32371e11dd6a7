// Programs in the place of another process.
#include "exec_caller.h"

#include <sys/resource.h>
#include <sys/stat.h>

// ------------------------------------------------------------------------------------------------- without a terminal

static void test_signals_are_passed_on(void **state)
{
	(void)state;
	struct client client;
	struct scene scene = {
		.argv = SH("trap 'echo usr1' USR1; trap 'echo cont' CONT; trap 'echo term; exit 4' TERM\n"
			   "echo ready; until read line; do :; done; while :; do read line; done"),
	};
	client_start(&client, -1);
	struct actor worker = client_scene(&client, &scene);
	actor_expect(&worker, 1, "ready\n");
	kill(client.pid, SIGUSR1);
	actor_expect(&worker, 1, "usr1\n");
	kill(client.pid, SIGCONT);
	actor_expect(&worker, 1, "cont\n");
	kill(client.pid, SIGTERM);
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	client_end(&client, 0);
	assert_status(ending, 4);
	assert_string_equal(buf_text(&ending.out), "term\n");
	assert_false(ending.report.outcome.caller_gone);
	assert_nobody_left();
}

static void test_stops_and_goes_on_with_the_client(void **state)
{
	(void)state;
	struct client client;
	struct scene scene = {.argv = SH("echo $$; read line; kill -STOP $$; echo on; read line; exit 6")};
	client_start(&client, -1);
	struct actor worker = client_scene(&client, &scene);
	pid_t program = actor_read_pid(&worker);
	kill(client.pid, SIGTSTP);
	client_await_stop(&client, SIGTSTP);
	process_await_state(program, 'T');
	client_continue(&client, 'f');
	actor_say(&worker, "line\n");
	client_await_stop(&client, SIGSTOP);
	client_continue(&client, 'f');
	actor_expect(&worker, 1, "on\n");
	actor_say(&worker, "line\n");
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	client_end(&client, 0);
	assert_status(ending, 6);
	assert_nobody_left();
}

// A client that is not what it should be: the test itself.
static void test_no_other_signals_are_passed_on(void **state)
{
	(void)state;
	static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGALRM, SIGCHLD, SIGTTIN, SIGHUP, 0, -1, 40, 4711};
	int ends[2];
	struct word word;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	struct link link = {.fd = ends[0]};
	const struct exec_caller caller = link_caller(&link, getpid());
	const struct scene scene = {
		.argv = SH("trap 'exit 5' USR1; trap 'exit 6' ALRM TTIN CHLD; echo ready; while :; do read line; done"),
		.ignored = SIGHUP,
		.caller = &caller,
	};
	struct actor worker = scene_start(&scene);
	close(ends[0]);
	assert_true(word_hear(ends[1], 0, &word) && word.kind == BEGIN && word.first == 0);
	word_say(ends[1], BEGUN, 0, 0);
	actor_expect(&worker, 1, "ready\n");
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		word_say(ends[1], SIGNAL, others[i], 0);
	word_say(ends[1], SIGNAL, SIGUSR1, 0);
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	close(ends[1]);
	assert_status(ending, 5);
	assert_nobody_left();
}

// ------------------------------------------------------------------------------------------------------- on a terminal

static void test_status_and_size(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("trap 'stty size; exit 7' WINCH; stty size; while :; do read line; done"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "31 97\r\n");
	const struct winsize size = {.ws_row = 12, .ws_col = 34};
	assert_int_equal(ioctl(screen.leader, TIOCSWINSZ, &size), 0);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 7);
	assert_string_equal(buf_text(&screen.seen), "31 97\r\n12 34\r\n");
	assert_restored(&screen);
	assert_nobody_left();
}

static void test_interrupt_key_reaches_the_group(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("trap 'echo got' INT; echo ready; until read line; do :; done; echo $line"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	screen_type(&screen, "\003");
	screen_await(&screen, "got\r\n");
	process_await_state(client.companion, 'Z');
	screen_type(&screen, "end\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), "end\r\nend\r\n"));
	// Once: what the client has sent its group itself is not passed on.
	assert_null(strstr(strstr(buf_text(&screen.seen), "got") + 1, "got"));
	assert_restored(&screen);
	assert_nobody_left();
}

static void test_stop_key_and_foreground(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	// One process: a shell that has just made a child by vfork(2) cannot stop before that child goes on.
	struct scene scene = worker_on(&screen, SH("echo ready; exec cat"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	screen_type(&screen, "\032");
	client_await_stop(&client, SIGTSTP);
	process_await_state(client.companion, 'T');
	assert_restored(&screen);
	client_continue(&client, 'f');
	while (!screen_is_raw(&screen))
		sched_yield();
	screen_type(&screen, "one\r");
	screen_await(&screen, "one\r\none\r\n");
	screen_type(&screen, "\004");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_restored(&screen);
	assert_nobody_left();
}

// Each end of a line is "\r\n", and that alone; but of one, whose "\r" was the last that the terminal took while it was raw.
static void assert_lines_are_whole(const struct screen *screen)
{
	struct span seen = buf_span(&screen->seen);
	size_t doubled = 0;
	for (size_t i = 0; i < seen.len; i++) {
		if (seen.data[i] != '\n')
			continue;
		if (i == 0 || seen.data[i - 1] != '\r')
			fail_msg("a line that ends otherwise, at %zu of %zu", i, seen.len);
		doubled += i > 1 && seen.data[i - 2] == '\r';
	}
	assert_in_range(doubled, 0, 1);
}

// What a slow terminal has not taken when the program is stopped is written when that is in the background, and the terminal
// another's to set.
static void test_output_that_waits_during_a_stop(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("echo $$; echo ready; exec seq 1 100000"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	pid_t program = screen_read_pid(&screen, "ready");
	process_await_state(program, 'S');
	screen_type(&screen, "\032");
	client_await_stop(&client, SIGTSTP);
	client_continue(&client, 'b');
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), "\r\n100000\r\n"));
	assert_lines_are_whole(&screen);
	assert_restored(&screen);
	assert_nobody_left();
}

// The terminal is the shell's: the test takes from it what was typed there.
static void assert_typed_for_the_shell(const struct screen *screen, const char *text)
{
	char got[64] = {0};
	assert_int_equal(read(screen->terminal, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void test_read_from_the_background(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("echo ready; read line; echo got $line"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	screen_type(&screen, "\032");
	client_await_stop(&client, SIGTSTP);
	client_continue(&client, 'b');
	client_await_stop(&client, SIGTTIN);
	assert_restored(&screen);
	screen_type(&screen, "ls\r");
	assert_typed_for_the_shell(&screen, "ls\n");
	client_continue(&client, 'f');
	screen_type(&screen, "line\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), "got line\r\n"));
	assert_restored(&screen);
	assert_nobody_left();
}

// The worker is not stopped with a client that gets SIGSTOP, and must not read what is typed for the shell.
static void test_terminal_is_left_to_the_shell(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("echo ready; read line; echo got $line"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	while (!screen_is_raw(&screen))
		sched_yield();
	kill(client.pid, SIGSTOP);
	client_await_stop(&client, SIGSTOP);
	screen_type(&screen, "x");
	while (screen_is_raw(&screen))
		sched_yield();
	assert_restored(&screen);
	assert_typed_for_the_shell(&screen, "x");
	client_continue(&client, 'f');
	while (!screen_is_raw(&screen))
		sched_yield();
	screen_type(&screen, "line\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&screen.seen), "got line\r\n"));
	assert_nobody_left();
}

// What the worker takes in while it waits for the client to go on is not forgotten.
static void test_signal_during_a_stop(void **state)
{
	(void)state;
	int ends[2];
	struct word word;
	_cleanup_screen_ struct screen screen = screen_open();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	struct link link = {.fd = ends[0]};
	const struct exec_caller caller = link_caller(&link, getpid());
	struct scene scene = worker_on(&screen, SH("trap 'exit 5' USR1; kill -TSTP $$; while :; do read line; done"));
	scene.caller = &caller;
	struct actor worker = scene_start(&scene);
	close(ends[0]);
	assert_true(word_hear(ends[1], 0, &word) && word.kind == BEGIN && word.first == 1);
	word_say(ends[1], BEGUN, 0, 0);
	assert_true(word_hear(ends[1], 0, &word) && word.kind == STOP && word.first == SIGTSTP);
	word_say(ends[1], SIGNAL, SIGUSR1, 0);
	word_say(ends[1], CONTINUED, 1, 0);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	close(ends[1]);
	assert_status(ending, 5);
	assert_restored(&screen);
	assert_nobody_left();
}

// In the worker: the master of the program's pseudo-terminal.
static int master_find(void)
{
	unsigned number;
	for (int fd = 3; fd < 256; fd++)
		if (ioctl(fd, TIOCGPTN, &number) == 0)
			return fd;
	_exit(SCENE_FAILED);
}

#define GO_PATH "/tmp/envseal-test-go-XXXXXX"
static char go_folder[sizeof(GO_PATH)];
static char go_path[sizeof(GO_PATH) + 8];

// So much in one read that another one follows at once (TERMINAL_FULL_BYTES).
#define MUCH_BYTES 3000

static void program_let_go(short until)
{
	struct pollfd master = {.fd = master_find(), .events = POLLIN};
	int len = 0;
	int fd = open(go_path, O_WRONLY | O_CLOEXEC);
	scene_require(fd >= 0);
	close(fd);
	while ((master.revents & until) == 0 || len < MUCH_BYTES)
		scene_require(poll(&master, 1, -1) > 0 && ioctl(master.fd, FIONREAD, &len) == 0);
}

// The user's terminal takes nothing more, until the test reads it.
static void terminal_fill(void)
{
	static const char block[512] = {[0 ... 511] = '.'};
	int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	scene_require(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	scene_require(errno == EAGAIN);
	close(fd);
}

// Asked twice in the middle of a step: the program prints something in the first, which the next step finds, and ends in
// the second, when that step has looked already whether it has.
static bool next_at_the_end(void *context, struct exec_event *out)
{
	static int turn;
	const struct link *link = context;
	struct pollfd ready = {.fd = link->fd, .events = POLLIN};
	if (turn == 2 || poll(&ready, 1, 0) <= 0)
		return turn == 2 && link_next(context, out);
	turn++;
	if (turn == 2)
		terminal_fill();
	program_let_go(turn == 1 ? POLLIN : POLLHUP);
	return false;
}

static void test_end_is_seen_on_the_terminal_first(void **state)
{
	(void)state;
	int ends[2];
	struct word word;
	struct termios now;
	char script[256];
	_cleanup_screen_ struct screen screen = screen_open();
	strcpy(go_folder, GO_PATH);
	assert_non_null(mkdtemp(go_folder));
	snprintf(go_path, sizeof(go_path), "%s/go", go_folder);
	assert_int_equal(mkfifo(go_path, 0600), 0);
	snprintf(script, sizeof(script), "stty erase ^H; echo ready; read go <%s; printf '%%0%dd\\nend\\n' 0; read go <%s",
		 go_path, MUCH_BYTES, go_path);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	struct link link = {.fd = ends[0]};
	struct exec_caller caller = link_caller(&link, getpid());
	caller.next = next_at_the_end;
	struct scene scene = worker_on(&screen, SH(script));
	scene.caller = &caller;
	struct actor worker = scene_start(&scene);
	close(ends[0]);
	assert_true(word_hear(ends[1], 0, &word) && word.kind == BEGIN);
	word_say(ends[1], BEGUN, 0, 0);
	screen_await(&screen, "ready\r\n");
	word_say(ends[1], SIGNAL, SIGUSR1, 0);
	while (screen_is_raw(&screen))
		sched_yield();
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	close(ends[1]);
	assert_true(WIFEXITED(ending.wait_status));
	// What the program has printed is as it has printed it, and what it has set stays.
	assert_non_null(strstr(buf_text(&screen.seen), "0\r\nend\r\n"));
	assert_int_equal(tcgetattr(screen.terminal, &now), 0);
	assert_int_equal(now.c_cc[VERASE], 8);
	assert_int_equal(now.c_oflag, screen.before.c_oflag);
	unlink(go_path);
	rmdir(go_folder);
	assert_nobody_left();
}

// The client's group has another member, which may be the one that reads the terminal.
static void test_pipeline_waits_for_a_read(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	int go[2];
	struct scene scene = worker_on(&screen, SH("echo first >&2; read go; read line </dev/tty; echo $line"));
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	scene.std_fds[0] = go[0];
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "first\r\n");
	assert_false(screen_is_raw(&screen));
	assert_int_equal(write(go[1], "go\n", 3), 3);
	screen_type(&screen, "typed\r");
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, 0);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&screen.seen), "first\r\ntyped\r\ntyped\r\n");
	assert_restored(&screen);
	close(go[0]);
	close(go[1]);
	assert_nobody_left();
}

// -------------------------------------------------------------------------------------------------------------- deaths

// The shell is hung up, and by its end the client.
static void test_hang_up(void **state)
{
	(void)state;
	int status;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("echo ready; exec sleep 1000"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	close(screen.leader);
	screen.leader = -1;
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	assert_int_equal(waitpid(client.shell, &status, 0), client.shell);
	close(client.shell_fd);
	assert_int_equal(ending.report.outcome.signal, SIGHUP);
	assert_false(ending.report.outcome.caller_gone);
	assert_nobody_left();
}

#define FAMILY "trap '' HUP TERM; sleep 1000 & setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 & "

static void test_killed_client_on_a_terminal(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH(FAMILY "echo ready; exec sleep 1000"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	while (!screen_is_raw(&screen))
		sched_yield();
	kill(client.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, SIGKILL);
	assert_int_equal(ending.report.code, 0);
	assert_true(ending.report.outcome.caller_gone);
	assert_int_equal(ending.report.outcome.signal, SIGKILL);
	assert_restored(&screen);
	assert_nobody_left();
}

static void test_killed_client_without_a_terminal(void **state)
{
	(void)state;
	struct client client;
	struct scene scene = {.argv = SH(FAMILY "echo ready; exec sleep 1000")};
	client_start(&client, -1);
	struct actor worker = client_scene(&client, &scene);
	actor_expect(&worker, 1, "ready\n");
	kill(client.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	client_end(&client, SIGKILL);
	assert_true(ending.report.outcome.caller_gone);
	assert_int_equal(ending.report.outcome.signal, SIGKILL);
	assert_nobody_left();
}

// The program is stopped, and so is the client, whose end continues nobody.
static void test_killed_while_stopped(void **state)
{
	(void)state;
	_cleanup_screen_ struct screen screen = screen_open();
	struct client client;
	struct scene scene = worker_on(&screen, SH("echo ready; exec sleep 1000"));
	client_start(&client, screen.terminal);
	struct actor worker = client_scene(&client, &scene);
	screen_await(&screen, "ready\r\n");
	screen_type(&screen, "\032");
	client_await_stop(&client, SIGTSTP);
	kill(client.pid, SIGKILL);
	client_continue(&client, 'b');
	_cleanup_ending_ struct ending ending = screen_end(&screen, &worker);
	client_end(&client, SIGKILL);
	assert_true(ending.report.outcome.caller_gone);
	assert_int_equal(ending.report.outcome.signal, SIGKILL);
	assert_restored(&screen);
	assert_nobody_left();
}

// The program has ended; one holds its output and one does not, and nobody takes what it printed.
static void test_killed_after_the_end(void **state)
{
	(void)state;
	struct client client;
	struct scene scene = {
		.argv = SH("trap '' TERM; sleep 1000 & setsid sleep 1000 >/dev/null 2>&1 & echo $$; head -c 500000 /dev/zero; exit 3"),
	};
	client_start(&client, -1);
	struct actor worker = client_scene(&client, &scene);
	pid_t program = actor_read_pid(&worker);
	process_await_state(program, 'Z');
	kill(client.pid, SIGKILL);
	process_await_state(worker.pid, 'Z');
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	client_end(&client, SIGKILL);
	assert_true(ending.report.outcome.caller_gone);
	assert_status(ending, 3);
	assert_true(ending.out.len < 500000);
	assert_nobody_left();
}

static void test_gone_before_the_start(void **state)
{
	(void)state;
	int ends[2];
	struct word word;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	struct link link = {.fd = ends[0]};
	const struct exec_caller caller = link_caller(&link, getpid());
	const struct scene scene = {.argv = SH("echo started"), .caller = &caller};
	struct actor worker = scene_start(&scene);
	close(ends[0]);
	assert_true(word_hear(ends[1], 0, &word) && word.kind == BEGIN);
	close(ends[1]);
	_cleanup_ending_ struct ending ending = actor_end(&worker);
	assert_refused(&ending, ERR_INTERRUPTED);
	assert_nobody_left();
}

// -------------------------------------------------------------------------------------------------------------- limits

static struct exec_limits limits_now(void)
{
	struct exec_limits limits = {.umask = 022};
	for (int i = 0; i < RLIM_NLIMITS; i++)
		assert_int_equal(getrlimit(i, &limits.rows[i]), 0);
	return limits;
}

static void test_limits_and_umask(void **state)
{
	(void)state;
	struct exec_limits limits = limits_now();
	limits.umask = 027;
	limits.rows[RLIMIT_NOFILE] = (struct rlimit){123, 234};
	limits.rows[RLIMIT_CPU] = (struct rlimit){RLIM_INFINITY, 5000};
	const struct scene scene = {
		.argv = SH("ulimit -n; ulimit -Hn; ulimit -t; ulimit -Ht; umask"),
		.limits = &limits,
	};
	_cleanup_ending_ struct ending ending = scene_run(&scene);
	assert_status(ending, 0);
	// A soft limit above its hard one is cut too.
	assert_string_equal(buf_text(&ending.out), "123\n234\n5000\n5000\n0027\n");
}

static void test_limits_are_cut_to_ones_own(void **state)
{
	(void)state;
	char expected[64];
	struct rlimit before;
	struct exec_limits limits = limits_now();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	const struct rlimit own = {before.rlim_max < 512 ? before.rlim_max : 512, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &own), 0);
	limits.rows[RLIMIT_NOFILE] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = SH("ulimit -n; ulimit -Hn"), .limits = &limits});
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	snprintf(expected, sizeof(expected), "%llu\n%llu\n", (unsigned long long)own.rlim_max, (unsigned long long)own.rlim_max);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), expected);
}

static void test_limits_are_this_ones_own_without(void **state)
{
	(void)state;
	mode_t before = umask(051);
	_cleanup_ending_ struct ending ending = scene_run(&(struct scene){.argv = SH("umask")});
	umask(before);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "0051\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_signals_are_passed_on),
		scene_test(test_stops_and_goes_on_with_the_client),
		scene_test(test_no_other_signals_are_passed_on),
		scene_test(test_status_and_size),
		scene_test(test_interrupt_key_reaches_the_group),
		scene_test(test_stop_key_and_foreground),
		scene_test(test_output_that_waits_during_a_stop),
		scene_test(test_read_from_the_background),
		scene_test(test_terminal_is_left_to_the_shell),
		scene_test(test_signal_during_a_stop),
		scene_test(test_end_is_seen_on_the_terminal_first),
		scene_test(test_pipeline_waits_for_a_read),
		scene_test(test_hang_up),
		scene_test(test_killed_client_on_a_terminal),
		scene_test(test_killed_client_without_a_terminal),
		scene_test(test_killed_while_stopped),
		scene_test(test_killed_after_the_end),
		scene_test(test_gone_before_the_start),
		scene_test(test_limits_and_umask),
		scene_test(test_limits_are_cut_to_ones_own),
		scene_test(test_limits_are_this_ones_own_without),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
