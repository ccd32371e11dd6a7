#include "broker/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "broker/front.h"

// For the front to tell who waits for the lock.
#define FRONT_END_MS 2000
// For the lock's record. Anybody of this user can keep the log locked.
#define RECORD_WAIT_MS 10000

// Whoever asks again and again makes no more notifications than this.
#define NOTIFY_PAUSE_MS 10000

static const int taken_signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

void keeper_done(struct keeper *keeper)
{
	fd_close(&keeper->listen_fd);
	fd_close(&keeper->lock_fd);
	fd_close(&keeper->front_fd);
	fd_close(&keeper->signal_fd);
	fd_close(&keeper->clock_fd);
	fd_close(&keeper->lifeline[0]);
	fd_close(&keeper->lifeline[1]);
	fd_close(&keeper->words[0]);
	fd_close(&keeper->words[1]);
	for (size_t i = 0; i < keeper->session_count; i++)
		fd_close(&keeper->sessions[i].pidfd);
	inbox_done(&keeper->inbox);
	pid_list_done(&keeper->workers);
	pid_list_done(&keeper->permitted);
	pid_list_done(&keeper->survivors);
}

// ------------------------------------------------------------------------------------------------------------ beginning

static void signals_take(struct keeper *keeper)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(taken_signals); i++) {
		sigaddset(&set, taken_signals[i]);
		signal(taken_signals[i], SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &set, NULL);
	keeper->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// A timer that never ends, and that the kernel cancels when it sets its clock: so it does behind a suspension.
static void clock_watch(struct keeper *keeper)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};
	if (keeper->clock_fd < 0)
		keeper->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (keeper->clock_fd >= 0)
		timerfd_settime(keeper->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

// In a child: what this process has open is none of its business; the end of the lifeline least of all.
static void descriptors_leave(struct keeper *keeper)
{
	fd_close(&keeper->front_fd);
	fd_close(&keeper->lock_fd);
	fd_close(&keeper->signal_fd);
	fd_close(&keeper->clock_fd);
	fd_close(&keeper->words[0]);
	fd_close(&keeper->lifeline[1]);
	for (size_t i = 0; i < keeper->session_count; i++)
		fd_close(&keeper->sessions[i].pidfd);
}

static void keeper_leave(struct keeper *keeper)
{
	sigset_t none;
	sigemptyset(&none);
	descriptors_leave(keeper);
	for (size_t i = 0; i < ARRAY_COUNT(taken_signals); i++)
		signal(taken_signals[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void front_child(struct keeper *keeper, pid_t keeper_pid, int front_fd)
{
	struct err err;
	struct stat folder = {0};
	const struct broker_setup *setup = keeper->setup;
	keeper_leave(keeper);
	fd_close(&keeper->lifeline[0]);
	fd_close(&keeper->words[1]);
	stat(engine_home(setup->engine)->data_dir, &folder);
	engine_forget(setup->engine);
	struct front_setup front = {
		.listen_fd = keeper->listen_fd,
		.keeper_fd = front_fd,
		.device = folder.st_dev,
		.inode = folder.st_ino,
		.status = {.state = BROKER_UNLOCKED,
			   .pid = keeper_pid,
			   .since = clock_now(),
			   .until = clock_now() + setup->for_seconds,
			   .idle_seconds = setup->idle_seconds},
	};
	front_run(&front, &err);
	_exit(1);
}

static int front_start(struct keeper *keeper, struct err *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
	_cleanup_fd_ int theirs = ends[1];
	pid_t self = getpid();
	keeper->front_fd = ends[0];
	keeper->front = fork();
	if (keeper->front < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	if (keeper->front == 0)
		front_child(keeper, self, theirs);
	fd_close(&keeper->listen_fd);
	return 0;
}

// A worker would otherwise be the only one that has the vault open, and make and clear away its log of changes each
// time. This process cannot: a vault that is open does not go through a fork (vault.h).
static void anchor_start(struct keeper *keeper)
{
	struct err err;
	keeper->anchor = fork();
	if (keeper->anchor != 0)
		return;
	keeper_leave(keeper);
	fd_close(&keeper->listen_fd);
	fd_close(&keeper->words[1]);
	engine_forget(keeper->setup->engine);
	setsid();
	prctl(PR_SET_NAME, "envseal-anchor", 0, 0, 0);
	_exit(engine_keep_open(keeper->setup->engine, keeper->lifeline[0], &err) < 0 ? 1 : 0);
}

static int keeper_begin(struct keeper *keeper, struct err *err)
{
	prctl(PR_SET_NAME, "envseal-keeper", 0, 0, 0);
	if (pipe2(keeper->lifeline, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	int r = words_open(keeper, err);
	if (r < 0)
		return r;
	// What loses its parent comes here, where it is found.
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot look after the programs that are started");
	signals_take(keeper);
	if (keeper->signal_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot watch for signals");
	clock_watch(keeper);
	keeper->hold = hold_begin(keeper->setup->for_seconds * 1000, keeper->setup->idle_seconds * 1000, clock_boottime_ms(),
				  clock_monotonic_ms());
	anchor_start(keeper);
	return front_start(keeper, err);
}

// --------------------------------------------------------------------------------------------------------------- ending

// False: it has not ended in that time.
static bool child_await(pid_t pid, int wait_ms)
{
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	return pidfd_await(pidfd, clock_monotonic_ms() + wait_ms);
}

// Signals stay blocked: whoever ends all of these processes at once ends it too, and is to be recorded.
static _Noreturn void record_child(struct keeper *keeper, const char *reason)
{
	struct err err;
	descriptors_leave(keeper);
	setsid();
	if (engine_release(keeper->setup->engine, reason, &err) < 0)
		engine_tell(keeper->setup->engine, err.text);
	_exit(0);
}

// The record is made with the key, and may have to wait for others, the key's end may not: in a process of its own,
// which ends with that time.
static void key_end(struct keeper *keeper, const char *reason)
{
	pid_t pid = fork();
	if (pid == 0)
		record_child(keeper, reason);
	bool has_ended = pid > 0 && child_await(pid, RECORD_WAIT_MS);
	if (pid > 0)
		kill(pid, SIGKILL);
	engine_wipe(keeper->setup->engine);
	if (!has_ended)
		engine_tell(keeper->setup->engine, "why the vault was locked could not be recorded in the audit log");
}

// The key first, whatever else there is to do. The front tells those who asked for it when its line to here ends.
static void keeper_lock(struct keeper *keeper, const char *reason)
{
	if (keeper->reason)
		return;
	keeper->reason = reason;
	service_tell("STOPPING=1");
	key_end(keeper, reason);
	socket_remove(engine_home(keeper->setup->engine), &keeper->name);
	fd_close(&keeper->front_fd);
	fd_close(&keeper->lock_fd);
}

// Without a front nobody hears of the programs that run on: they end, as with this process. One that ends because it
// was told to does so behind the lock.
static void front_lost(struct keeper *keeper)
{
	if (keeper->reason)
		return;
	keeper->is_terminated = true;
	keeper_lock(keeper, "failed");
}

static void keeper_judge(struct keeper *keeper)
{
	bool is_running = keeper->permitted.count > 0;
	enum hold_end end = hold_judge(&keeper->hold, clock_boottime_ms(), clock_monotonic_ms(), is_running);
	if (end != HOLD_ON)
		keeper_lock(keeper, hold_end_reason(end));
}

// It is killed when this process ends, and there may still be somebody who has to be told.
static void front_await(const struct keeper *keeper)
{
	if (keeper->front >= 0)
		child_await(keeper->front, FRONT_END_MS);
}

// -------------------------------------------------------------------------------------------------------------- workers

// One that is not known would be taken for something left behind.
static void worker_note(struct keeper *keeper, pid_t pid)
{
	struct err err;
	if (pid > 0 && pid_list_add(&keeper->workers, pid, &err) < 0)
		kill(pid, SIGKILL);
}

static void worker_start(struct keeper *keeper, struct message *message)
{
	_cleanup_fd_ int client_fd = message->fd_count == 2 ? TAKE_FD(message->fds[0]) : -1;
	_cleanup_fd_ int desk_fd = message->fd_count == 2 ? TAKE_FD(message->fds[1]) : -1;
	pid_t pid = desk_fd < 0 ? -1 : fork();
	if (pid == 0) {
		keeper_leave(keeper);
		worker_run(&(struct worker_setup){.engine = keeper->setup->engine, .work = keeper->setup->work,
						  .client_fd = client_fd, .desk_fd = desk_fd,
						  .lifeline_fd = keeper->lifeline[0], .words_fd = keeper->words[1]});
	}
	worker_note(keeper, pid);
}

// ------------------------------------------------------------------------------------------------------------- sessions

static _Noreturn void sessions_tidy(struct keeper *keeper)
{
	struct err err;
	size_t count = 0;
	keeper_leave(keeper);
	setsid();
	engine_sessions_tidy(keeper->setup->engine, &count, &err);
	_exit(0);
}

static void session_ended(struct keeper *keeper, size_t index)
{
	fd_close(&keeper->sessions[index].pidfd);
	keeper->sessions[index] = keeper->sessions[--keeper->session_count];
	pid_t pid = fork();
	if (pid == 0)
		sessions_tidy(keeper);
	worker_note(keeper, pid);
}

// ----------------------------------------------------------------------------------------------------------------- loop

static void message_serve(struct keeper *keeper, struct message *message)
{
	if (message->kind == MESSAGE_WORKER)
		worker_start(keeper, message);
	if (message->kind == MESSAGE_LOCK)
		keeper_lock(keeper, "asked");
	if (message->kind == MESSAGE_NOTIFY && clock_monotonic_ms() >= keeper->notify_next_ms) {
		keeper->notify_next_ms = clock_monotonic_ms() + NOTIFY_PAUSE_MS;
		service_notify_human();
	}
}

static void front_serve(struct keeper *keeper)
{
	struct err err;
	while (keeper->front_fd >= 0) {
		int r = inbox_read(&keeper->inbox, keeper->front_fd, KEEPER_FRONT, &err);
		if (r == INBOX_MORE)
			return;
		if (r != INBOX_MESSAGE) {
			front_lost(keeper);
			return;
		}
		message_serve(keeper, &keeper->inbox.message);
	}
}

static void signals_serve(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	while (read(keeper->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		keeper->is_terminated = true;
		keeper_lock(keeper, "terminated");
	}
	if (!children_reap(keeper))
		front_lost(keeper);
}

static void clock_serve(struct keeper *keeper)
{
	uint64_t count;
	if (read(keeper->clock_fd, &count, sizeof(count)) < 0 && errno == ECANCELED)
		clock_watch(keeper);
}

static int wait_ms(const struct keeper *keeper)
{
	if (keeper->reason)
		return -1;
	int64_t wait = hold_wait_ms(&keeper->hold, clock_boottime_ms(), keeper->permitted.count > 0);
	return wait > 60 * 1000 ? 60 * 1000 : (int)wait;
}

enum { POLL_FRONT, POLL_SIGNALS, POLL_CLOCK, POLL_WORDS, POLL_SESSIONS };

static void keeper_step(struct keeper *keeper)
{
	struct pollfd fds[POLL_SESSIONS + KEEPER_SESSIONS_MAX] = {
		[POLL_FRONT] = {.fd = keeper->front_fd, .events = POLLIN},
		[POLL_SIGNALS] = {.fd = keeper->signal_fd, .events = POLLIN},
		[POLL_CLOCK] = {.fd = keeper->clock_fd, .events = POLLIN},
		[POLL_WORDS] = {.fd = keeper->words[0], .events = POLLIN},
	};
	size_t session_count = keeper->reason ? 0 : keeper->session_count;
	for (size_t i = 0; i < session_count; i++)
		fds[POLL_SESSIONS + i] = (struct pollfd){.fd = keeper->sessions[i].pidfd, .events = POLLIN};
	if (poll(fds, POLL_SESSIONS + session_count, wait_ms(keeper)) < 0)
		return;
	if (fds[POLL_CLOCK].revents)
		clock_serve(keeper);
	if (fds[POLL_WORDS].revents)
		words_take(keeper);
	// Before anything is served: behind a suspension nobody gets anything.
	if (!keeper->reason)
		keeper_judge(keeper);
	if (fds[POLL_SIGNALS].revents)
		signals_serve(keeper);
	for (size_t i = session_count; i > 0 && !keeper->reason; i--)
		if (fds[POLL_SESSIONS + i - 1].revents)
			session_ended(keeper, i - 1);
	if (fds[POLL_FRONT].revents && keeper->front_fd >= 0)
		front_serve(keeper);
}

int keeper_run(struct keeper *keeper, void (*ready)(void *context), void *context, struct err *err)
{
	int r = keeper_begin(keeper, err);
	if (r < 0)
		return r;
	ready(context);
	service_tell("READY=1");
	while (!keeper->reason || (keeper->workers.count > 0 && !keeper->is_terminated))
		keeper_step(keeper);
	front_await(keeper);
	return 0;
}
