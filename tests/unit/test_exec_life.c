// What happens to exec over time: signals, stops, readers that go away or are slow, processes that outlive the program.
#include "exec_scene.h"

// ----------------------------------------------------------------------------------------------------------- signals

static void test_signal_is_passed_on_once(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("trap 'echo got' USR1; trap 'echo end; exit 7' TERM; echo $$\n"
			   "while :; do sleep 1000 >/dev/null 2>&1 & wait $!; done"),
	};
	struct actor actor = scene_start(&scene);
	pid_t program = actor_read_pid(&actor);
	for (int i = 0; i < 5; i++) {
		kill(actor.pid, SIGUSR1);
		actor_expect(&actor, 1, "got\n");
	}
	kill(actor.pid, SIGTERM);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	// A sleep that was just being started may have missed the signal; it holds no output and so is left.
	kill(-program, SIGKILL);
	assert_status(ending, 7);
	assert_string_equal(buf_text(&ending.out), "end\n");
}

static void test_each_signal_ends_both(void **state)
{
	(void)state;
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		struct actor actor = scene_start(&(struct scene){.argv = SH("echo ready; exec sleep 1000")});
		actor_expect(&actor, 1, "ready\n");
		kill(actor.pid, signals[i]);
		_cleanup_ending_ struct ending ending = actor_end(&actor);
		assert_true(WIFSIGNALED(ending.wait_status));
		assert_int_equal(WTERMSIG(ending.wait_status), signals[i]);
	}
}

static void test_program_that_ignores_term(void **state)
{
	(void)state;
	const struct scene scene = {.argv = SH("trap '' TERM; echo ready; read line; echo $line; exit 4")};
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	kill(actor.pid, SIGTERM);
	kill(actor.pid, SIGTERM);
	actor_say(&actor, "done\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 4);
	assert_string_equal(buf_text(&ending.out), "done\n");
}

static void test_ignored_stays_ignored(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("kill -HUP $$; kill -HUP $PPID; echo ready; read line; echo $line"),
		.ignored = SIGHUP,
	};
	struct actor actor = scene_start(&scene);
	actor_expect(&actor, 1, "ready\n");
	kill(actor.pid, SIGHUP);
	actor_say(&actor, "still here\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_string_equal(buf_text(&ending.out), "still here\n");
}

// Asked of grep itself: a shell changes both for its own ends.
// The set in a line of /proc/self/status. Without signals 32 and 33, which are the C library's own: its posix_spawn leaves
// them ignored, and make uses that.
static unsigned long long signals_of(const struct buf *status, const char *label)
{
	const char *line = strstr(buf_text(status), label);
	assert_non_null(line);
	return strtoull(line + strlen(label), NULL, 16) & 0x7fffffff;
}

static void test_dispositions_and_mask(void **state)
{
	(void)state;
	static const int ignored[] = {0, SIGHUP, SIGPIPE, SIGCHLD};
	for (size_t i = 0; i < 2 * ARRAY_COUNT(ignored); i++) {
		int number = ignored[i / 2];
		const struct scene scene = {
			.argv = STRINGS("/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"),
			.ignored = number,
			.blocked = SIGUSR2,
			.is_replaced = i % 2 == 1,
		};
		_cleanup_ending_ struct ending ending = scene_run(&scene);
		assert_status(ending, 0);
		assert_int_equal(signals_of(&ending.out, "SigBlk:\t"), 1u << (SIGUSR2 - 1));
		assert_int_equal(signals_of(&ending.out, "SigIgn:\t"), number ? 1u << (number - 1) : 0);
	}
}

// ------------------------------------------------------------------------------------------------------------- stops

static void test_program_stops_itself(void **state)
{
	(void)state;
	assert_stops_with_its_program((struct scene){0});
}

static void test_terminal_stop(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("trap 'echo continued' CONT; echo $$; until read line; do :; done; echo $line"),
	};
	struct actor actor = scene_start(&scene);
	pid_t program = actor_read_pid(&actor);
	kill(actor.pid, SIGTSTP);
	actor_await_stop(&actor, SIGTSTP);
	process_await_state(program, 'T');
	kill(actor.pid, SIGCONT);
	actor_say(&actor, "line\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_non_null(strstr(buf_text(&ending.out), "line\n"));
	const char *first = strstr(buf_text(&ending.out), "continued");
	assert_non_null(first);
	assert_null(strstr(first + 1, "continued"));
}

// ------------------------------------------------------------------------------------------------------------ deaths

static void test_killed_supervisor(void **state)
{
	(void)state;
	int status;
	struct actor actor = scene_start(&(struct scene){.argv = SH("echo $$; exec sleep 1000")});
	pid_t program = actor_read_pid(&actor);
	kill(actor.pid, SIGKILL);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(waitpid(program, &status, 0), program);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_program_leads_its_session(void **state)
{
	(void)state;
	struct actor actor = scene_start(&(struct scene){.argv = SH("echo $$; read line")});
	pid_t program = actor_read_pid(&actor);
	assert_int_equal(getsid(program), program);
	assert_int_equal(getpgid(program), program);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_int_equal(ending.report.code, 0);
}

static void test_output_closed_early(void **state)
{
	(void)state;
	struct actor actor = scene_start(&(struct scene){.argv = SH("echo $$; exec >&- 2>&-; read line; exit 7")});
	pid_t program = actor_read_pid(&actor);
	assert_int_equal(kill(program, 0), 0);
	actor_say(&actor, "on\n");
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 7);
}

// ----------------------------------------------------------------------------------------------------------- readers

static void test_reader_gone(void **state)
{
	(void)state;
	struct actor actor = scene_start(&(struct scene){.argv = STRINGS("/usr/bin/yes")});
	actor_expect(&actor, 1, "y\n");
	actor_close(&actor, 1);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_true(WIFSIGNALED(ending.wait_status));
	assert_int_equal(WTERMSIG(ending.wait_status), SIGPIPE);
	assert_int_equal(ending.report.outcome.output_errno, 0);
}

static void test_reader_of_one_stream_gone(void **state)
{
	(void)state;
	const struct scene scene = {.argv = SH("trap '' PIPE; read line; echo lost; echo kept >&2; exit 3")};
	struct actor actor = scene_start(&scene);
	actor_close(&actor, 1);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 3);
	assert_string_equal(buf_text(&ending.err), "kept\n");
}

static void pipe_await_full(int fd)
{
	for (int held = 0; held < 65536;) {
		assert_int_equal(ioctl(fd, FIONREAD, &held), 0);
		sched_yield();
	}
}

static void test_slow_reader_holds_one_stream(void **state)
{
	(void)state;
	const struct scene scene = {
		.argv = SH("head -c 4000000 /dev/zero & while read line; do echo $line >&2; done; wait"),
	};
	struct actor actor = scene_start(&scene);
	pipe_await_full(actor.std_fds[1]);
	for (int i = 0; i < 3; i++) {
		actor_say(&actor, "ping\n");
		actor_expect(&actor, 2, "ping\n");
	}
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_int_equal(ending.out.len, 4000000);
	assert_int_equal(ending.report.outcome.stdout_bytes, 4000000);
}

// The program is over, its output waits for a reader.
static struct actor actor_with_rest(void)
{
	struct actor actor = scene_start(&(struct scene){.argv = SH("echo $$; exec head -c 500000 /dev/zero")});
	pid_t program = actor_read_pid(&actor);
	process_await_state(program, 'Z');
	return actor;
}

static void test_rest_waits_for_the_reader(void **state)
{
	(void)state;
	struct actor actor = actor_with_rest();
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
	assert_int_equal(ending.out.len, 500000);
	assert_false(ending.report.outcome.writers_ended);
}

static void test_rest_is_dropped_with_its_reader(void **state)
{
	(void)state;
	struct actor actor = actor_with_rest();
	actor_close(&actor, 1);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 0);
}

static void test_rest_is_dropped_by_a_signal(void **state)
{
	(void)state;
	struct actor actor = actor_with_rest();
	int stdout_fd = actor.std_fds[1];
	actor.std_fds[1] = -1;
	// One that comes before the supervisor knows of the end still counts as the program's.
	while (process_state(actor.pid) != 'Z') {
		kill(actor.pid, SIGINT);
		sched_yield();
	}
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	close(stdout_fd);
	assert_status(ending, 0);
}

// --------------------------------------------------------------------------------------------------------- survivors

static bool process_is_alive(pid_t pid)
{
	char state = process_state(pid);
	return state != 0 && state != 'Z';
}

// Waits for the end of a process that is the supervisor's or, after it, the test's child.
static void process_await_end(pid_t pid)
{
	int status;
	if (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, ECHILD);
	assert_int_equal(process_state(pid), 0);
}

static void test_survivor_without_output_is_left(void **state)
{
	(void)state;
	struct actor actor = scene_start(&(struct scene){.argv = SH("sleep 1000 >/dev/null 2>&1 & echo $!; exit 2")});
	pid_t survivor = actor_read_pid(&actor);
	_cleanup_ending_ struct ending ending = actor_end(&actor);
	assert_status(ending, 2);
	assert_false(ending.report.outcome.writers_ended);
	assert_true(process_is_alive(survivor));
	kill(survivor, SIGKILL);
	process_await_end(survivor);
}

// Side by side, since each takes EXEC_DRAIN_MS: a plain one; one in a session of its own, beside one without output;
// one that ignores SIGTERM and floods.
static void test_survivors_with_output_are_ended(void **state)
{
	(void)state;
	struct actor plain = scene_start(&(struct scene){.argv = SH("sleep 1000 & echo $!; exit 3")});
	struct actor apart = scene_start(&(struct scene){
		.argv = SH("sleep 1000 >/dev/null 2>&1 & echo $!\n"
			   "setsid sh -c 'echo $$; exec sleep 1000' & read line; exit 4"),
	});
	struct actor flood = scene_start(&(struct scene){
		.argv = SH("(trap '' TERM; while echo flood >&2; do :; done) & echo $!; exit 5"),
	});
	pid_t sleeper = actor_read_pid(&plain);
	pid_t silent = actor_read_pid(&apart);
	pid_t loner = actor_read_pid(&apart);
	pid_t flooder = actor_read_pid(&flood);
	_cleanup_ending_ struct ending flood_ending = actor_end(&flood);
	_cleanup_ending_ struct ending plain_ending = actor_end(&plain);
	_cleanup_ending_ struct ending apart_ending = actor_end(&apart);
	assert_status(plain_ending, 3);
	assert_status(apart_ending, 4);
	assert_status(flood_ending, 5);
	assert_true(plain_ending.report.outcome.writers_ended);
	assert_true(apart_ending.report.outcome.writers_ended);
	assert_true(flood_ending.report.outcome.writers_ended);
	process_await_end(sleeper);
	process_await_end(loner);
	process_await_end(flooder);
	assert_true(process_is_alive(silent));
	kill(silent, SIGKILL);
	process_await_end(silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_signal_is_passed_on_once),
		scene_test(test_each_signal_ends_both),
		scene_test(test_program_that_ignores_term),
		scene_test(test_ignored_stays_ignored),
		scene_test(test_dispositions_and_mask),
		scene_test(test_program_stops_itself),
		scene_test(test_terminal_stop),
		scene_test(test_killed_supervisor),
		scene_test(test_program_leads_its_session),
		scene_test(test_output_closed_early),
		scene_test(test_reader_gone),
		scene_test(test_reader_of_one_stream_gone),
		scene_test(test_slow_reader_holds_one_stream),
		scene_test(test_rest_waits_for_the_reader),
		scene_test(test_rest_is_dropped_with_its_reader),
		scene_test(test_rest_is_dropped_by_a_signal),
		scene_test(test_survivor_without_output_is_left),
		scene_test(test_survivors_with_output_are_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
