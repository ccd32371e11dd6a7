// The keeper's children: what workers have told by the time they end, and what they leave behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/keeper.h"

// However a test ends, nothing that it has started goes on for longer.
#define LIFE_SECONDS 60

static struct keeper *keeper;
static struct err err;

static int setup(void **state)
{
	(void)state;
	keeper = calloc(1, sizeof(*keeper));
	assert_non_null(keeper);
	*keeper = (struct keeper){.front = -1, .listen_fd = -1, .lock_fd = -1, .front_fd = -1, .signal_fd = -1, .clock_fd = -1,
				  .lifeline = {-1, -1}, .words = {-1, -1}};
	inbox_init(&keeper->inbox);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	return words_open(keeper, &err);
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < keeper->survivors.count; i++)
		kill(keeper->survivors.items[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	keeper_done(keeper);
	free(keeper);
	return 0;
}

static _Noreturn void linger(void)
{
	alarm(LIFE_SECONDS);
	for (;;)
		pause();
}

static void ended_wait(pid_t pid)
{
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static bool is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

// ------------------------------------------------------------------------------------------------------- what is left behind

struct family {
	pid_t worker, program, grandchild; // the grandchild in a session of its own
};

static _Noreturn void family_program(int tell_fd)
{
	struct family family = {.program = getpid()};
	family.grandchild = fork();
	if (family.grandchild == 0) {
		setsid();
		linger();
	}
	ssize_t n = write(tell_fd, &family, sizeof(family));
	(void)n;
	linger();
}

// A worker with a program. It ends with `status` when the program is there; -1: it does not end.
static struct family family_start(int status)
{
	int ends[2];
	struct family family;
	assert_int_equal(pipe(ends), 0);
	pid_t worker = fork();
	assert_true(worker >= 0);
	if (worker == 0) {
		if (fork() == 0)
			family_program(ends[1]);
		alarm(LIFE_SECONDS);
		ssize_t n = read(ends[0], &family, sizeof(family));
		n = write(ends[1], &family, n > 0 ? (size_t)n : 0);
		if (status < 0)
			linger();
		_exit(status);
	}
	assert_int_equal(pid_list_add(&keeper->workers, worker, &err), 0);
	if (status >= 0)
		ended_wait(worker);
	assert_int_equal(read(ends[0], &family, sizeof(family)), sizeof(family));
	close(ends[0]);
	close(ends[1]);
	family.worker = worker;
	return family;
}

static void worker_kill(const struct family *family)
{
	assert_int_equal(kill(family->worker, SIGKILL), 0);
	ended_wait(family->worker);
}

static void test_what_a_killed_worker_leaves_is_killed(void **state)
{
	(void)state;
	pid_t other = fork();
	if (other == 0)
		linger();
	assert_int_equal(pid_list_add(&keeper->workers, other, &err), 0);
	struct family family = family_start(-1);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->workers.count, 2);
	worker_kill(&family);
	assert_true(children_reap(keeper));
	assert_false(is_there(family.worker) || is_there(family.program) || is_there(family.grandchild));
	assert_int_equal(keeper->workers.count, 1);
	assert_true(pid_list_has(&keeper->workers, other) && is_there(other));
	assert_int_equal(kill(other, SIGKILL), 0);
}

static void test_so_is_what_a_failed_one_leaves(void **state)
{
	(void)state;
	struct family family = family_start(1);
	assert_true(children_reap(keeper));
	assert_false(is_there(family.program) || is_there(family.grandchild));
	assert_int_equal(keeper->survivors.count, 0);
}

static void test_survivors_go_on(void **state)
{
	(void)state;
	struct family family = family_start(WORKER_LEFT_SURVIVORS), killed = family_start(-1);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->survivors.count, 1);
	assert_true(pid_list_has(&keeper->survivors, family.program));
	worker_kill(&killed);
	assert_true(children_reap(keeper));
	assert_false(is_there(killed.program) || is_there(killed.grandchild));
	assert_true(is_there(family.program) && is_there(family.grandchild));
	// What a survivor leaves is one too.
	assert_int_equal(kill(family.program, SIGKILL), 0);
	ended_wait(family.program);
	assert_true(children_reap(keeper));
	assert_true(is_there(family.grandchild));
	assert_int_equal(keeper->survivors.count, 1);
	assert_true(pid_list_has(&keeper->survivors, family.grandchild));
}

static void test_the_front_ends(void **state)
{
	(void)state;
	keeper->front = fork();
	if (keeper->front == 0)
		_exit(0);
	pid_t front = keeper->front;
	ended_wait(front);
	assert_false(children_reap(keeper));
	assert_false(is_there(front));
	assert_int_equal(keeper->front, -1);
	assert_true(children_reap(keeper));
}

// -------------------------------------------------------------------------------------------------------------------- words

static struct rule_session session_own(void)
{
	struct process self;
	assert_true(process_read("/proc", getpid(), &self));
	return (struct rule_session){.pid = getpid(), .start = self.start};
}

static pid_t worker_start(void (*say)(int fd), bool ends)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (say)
			say(keeper->words[1]);
		if (ends)
			_exit(0);
		linger();
	}
	assert_int_equal(pid_list_add(&keeper->workers, pid, &err), 0);
	if (ends)
		ended_wait(pid);
	return pid;
}

static void say_permitted(int fd)
{
	word_send(fd, &(struct worker_word){.pid = getpid(), .kind = WORD_PERMITTED});
}

static void say_granted(int fd)
{
	struct process self, parent;
	if (process_read("/proc", getpid(), &self) && process_read("/proc", self.parent, &parent))
		word_send(fd, &(struct worker_word){.pid = getpid(), .kind = WORD_GRANTED,
						    .session = {.pid = self.parent, .start = parent.start}});
}

static void test_a_permitted_run_goes_on_until_its_worker_ends(void **state)
{
	(void)state;
	pid_t silent = worker_start(NULL, false), permitted = worker_start(NULL, false);
	int64_t begin_ms = clock_boottime_ms();
	words_take(keeper);
	assert_int_equal(keeper->permitted.count, 0);
	assert_int_equal(keeper->hold.active_ms, 0);
	struct worker_word word = {.pid = permitted, .kind = WORD_PERMITTED};
	word_send(keeper->words[1], &word);
	word_send(keeper->words[1], &word);
	words_take(keeper);
	assert_int_equal(keeper->permitted.count, 1);
	assert_true(pid_list_has(&keeper->permitted, permitted));
	assert_true(keeper->hold.active_ms >= begin_ms);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->permitted.count, 1);
	keeper->hold.active_ms = 0;
	assert_int_equal(kill(silent, SIGKILL), 0);
	ended_wait(silent);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->permitted.count, 1);
	assert_int_equal(keeper->hold.active_ms, 0);
	assert_int_equal(kill(permitted, SIGKILL), 0);
	ended_wait(permitted);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->permitted.count, 0);
	assert_true(keeper->hold.active_ms >= begin_ms);
}

static void test_what_a_worker_said_is_heard_though_it_has_ended(void **state)
{
	(void)state;
	worker_start(say_permitted, true);
	worker_start(say_granted, true);
	assert_true(children_reap(keeper));
	assert_int_equal(keeper->workers.count, 0);
	assert_int_equal(keeper->permitted.count, 0);
	assert_true(keeper->hold.active_ms > 0);
	assert_int_equal(keeper->session_count, 1);
	struct rule_session own = session_own();
	assert_true(keeper->sessions[0].session.pid == own.pid && keeper->sessions[0].session.start == own.start);
	assert_true(keeper->sessions[0].pidfd >= 0);
}

static void test_others_have_no_word(void **state)
{
	(void)state;
	struct worker_word word = {.pid = getpid(), .kind = WORD_PERMITTED, .session = session_own()};
	word_send(keeper->words[1], &word);
	word.kind = WORD_GRANTED;
	word_send(keeper->words[1], &word);
	word.pid = worker_start(NULL, true);
	assert_true(children_reap(keeper));
	word_send(keeper->words[1], &word); // of one that is known no more
	words_take(keeper);
	assert_int_equal(keeper->permitted.count, 0);
	assert_int_equal(keeper->session_count, 0);
	assert_int_equal(keeper->hold.active_ms, 0);
}

static void test_a_session_is_watched_once_and_only_while_it_is_there(void **state)
{
	(void)state;
	struct worker_word word = {.pid = worker_start(NULL, false), .kind = WORD_GRANTED, .session = session_own()};
	word_send(keeper->words[1], &word);
	word_send(keeper->words[1], &word);
	word.session.start++; // an earlier process of this number
	word_send(keeper->words[1], &word);
	word.session = (struct rule_session){0};
	word_send(keeper->words[1], &word);
	words_take(keeper);
	assert_int_equal(keeper->session_count, 1);
	assert_int_equal(keeper->permitted.count, 0);
	assert_int_equal(kill(word.pid, SIGKILL), 0);
}

static void test_a_word_that_nobody_reads_is_lost(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fd_close(&keeper->words[0]);
	word_send(keeper->words[1], &(struct worker_word){.pid = getpid(), .kind = WORD_PERMITTED});
	signal(SIGPIPE, SIG_DFL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_a_killed_worker_leaves_is_killed),
		CASE(test_so_is_what_a_failed_one_leaves),
		CASE(test_survivors_go_on),
		CASE(test_the_front_ends),
		CASE(test_a_permitted_run_goes_on_until_its_worker_ends),
		CASE(test_what_a_worker_said_is_heard_though_it_has_ended),
		CASE(test_others_have_no_word),
		CASE(test_a_session_is_watched_once_and_only_while_it_is_there),
		CASE(test_a_word_that_nobody_reads_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
