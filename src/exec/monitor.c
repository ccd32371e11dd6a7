#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Where a process's descriptor limit is "infinity", numbers beyond this are not tried one by one.
#define DESCRIPTORS_MAX (1 << 20)

// What the monitor process itself knows.
struct watch {
	const struct monitor_plan *plan;
	int socket_fd;
	int signal_fd;
	int terminal_fd; // -1 when the program has ended
	pid_t program;
	pid_t foreground; // the group that gets the pseudo-terminal next
};

// ------------------------------------------------------------------------------------------------- in the monitor

// A session's leader that ends hangs its terminal's foreground up, and what is done to a terminal from the background
// must not stop it: nothing but SIGKILL may end or stop this process before its time.
static void signals_settle(struct watch *watch)
{
	sigset_t all;
	sigset_t child;
	for (int number = 1; number < NSIG; number++)
		if (number != SIGCHLD && number != SIGSEGV && number != SIGBUS && number != SIGILL && number != SIGFPE)
			signal(number, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	watch->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void range_close(int first, int last)
{
	if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
		return;
	struct rlimit limit = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
	getrlimit(RLIMIT_NOFILE, &limit);
	int end = limit.rlim_cur < DESCRIPTORS_MAX ? (int)limit.rlim_cur : DESCRIPTORS_MAX;
	for (int fd = first; fd <= last && fd < end; fd++)
		close(fd);
}

static int number_compare(const void *a, const void *b)
{
	const int *left = a;
	const int *right = b;
	return (*left > *right) - (*left < *right);
}

// Everything but what the monitor works with: a pipe that it held open would have no end for its reader, and no file of
// the vault is its business.
static void descriptors_leave(const struct watch *watch)
{
	int kept[3 + STREAM_COUNT] = {watch->socket_fd, watch->signal_fd, watch->terminal_fd};
	memcpy(kept + 3, watch->plan->user_fds, sizeof(watch->plan->user_fds));
	qsort(kept, ARRAY_COUNT(kept), sizeof(kept[0]), number_compare);
	int first = 0;
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
		if (kept[i] < 0)
			continue;
		range_close(first, kept[i] - 1);
		first = kept[i] + 1;
	}
	range_close(first, INT32_MAX);
}

static void event_send(const struct watch *watch, const struct monitor_event *event)
{
	ssize_t n;
	do
		n = send(watch->socket_fd, event, sizeof(*event), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

static void foreground_give(struct watch *watch)
{
	if (watch->terminal_fd < 0 || tcgetpgrp(watch->terminal_fd) != getpgrp())
		return;
	// The group that had it may be gone, or the program may have moved to another one.
	if (watch->foreground <= 0 || tcsetpgrp(watch->terminal_fd, watch->foreground) < 0)
		tcsetpgrp(watch->terminal_fd, getpgid(watch->program));
}

static void foreground_take(struct watch *watch)
{
	if (watch->terminal_fd < 0)
		return;
	pid_t now = tcgetpgrp(watch->terminal_fd);
	if (now > 0 && now != getpgrp())
		watch->foreground = now;
	tcsetpgrp(watch->terminal_fd, getpgrp());
}

// Stays a zombie until this process ends, which keeps its number, and that of its group, from being given to another.
static void program_ended(struct watch *watch, const siginfo_t *info)
{
	// What it left behind goes on without the terminal's foreground, as with a shell, and is not hung up when this
	// process ends.
	foreground_take(watch);
	const struct monitor_event event = {.kind = MONITOR_ENDED, .code = info->si_code, .status = info->si_status};
	event_send(watch, &event);
	// Afterwards, so that the end of the terminal is known to be the program's.
	fd_close(&watch->terminal_fd);
}

static void program_look(struct watch *watch)
{
	struct signalfd_siginfo ignored;
	while (read(watch->signal_fd, &ignored, sizeof(ignored)) > 0)
		;
	while (watch->terminal_fd >= 0) {
		siginfo_t info = {0};
		const int asked = WEXITED | WSTOPPED | WNOHANG | WNOWAIT;
		if (waitid(P_PID, (id_t)watch->program, &info, asked) < 0 || info.si_pid == 0)
			return;
		if (info.si_code != CLD_STOPPED) {
			program_ended(watch, &info);
			return;
		}
		waitid(P_PID, (id_t)watch->program, &info, WSTOPPED | WNOHANG);
		// It wants the terminal itself, whoever of its children has it now: it gets it next.
		if (info.si_status == SIGTTIN || info.si_status == SIGTTOU) {
			foreground_take(watch);
			watch->foreground = getpgid(watch->program);
		}
		event_send(watch, &(struct monitor_event){.kind = MONITOR_STOPPED, .status = info.si_status});
	}
}

// envseal is gone without a word: killed.
static _Noreturn void watch_clear(const struct watch *watch)
{
	for (size_t i = 0; i < STREAM_COUNT; i++)
		console_guard_restore(&watch->plan->guards[i], watch->plan->user_fds[i]);
	// envseal adopts nobody any more. What loses its parent by the killing comes here, where it is found.
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	kill(watch->program, SIGKILL);
	survivors_kill(getpid(), getpid());
	_exit(0);
}

static void request_serve(struct watch *watch)
{
	uint8_t request = 0;
	ssize_t n = recv(watch->socket_fd, &request, sizeof(request), MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		watch_clear(watch);
	switch ((enum monitor_request)request) {
	case MONITOR_FOREGROUND:
		foreground_give(watch);
		break;
	case MONITOR_BACKGROUND:
		foreground_take(watch);
		break;
	case MONITOR_CONTINUE:
		kill(-watch->program, SIGCONT);
		break;
	case MONITOR_LEAVE:
		_exit(0);
	}
}

static _Noreturn void watch_run(struct watch *watch)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = watch->socket_fd, .events = POLLIN},
			{.fd = watch->signal_fd, .events = POLLIN},
		};
		if (poll(fds, ARRAY_COUNT(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			program_look(watch);
		if (fds[0].revents)
			request_serve(watch);
	}
}

static _Noreturn void watch_start(const struct monitor_plan *plan, int socket_fd)
{
	struct watch watch = {.plan = plan, .socket_fd = socket_fd, .terminal_fd = plan->terminal_fd};
	struct monitor_event event = {.kind = MONITOR_STARTED};
	int r = 0;
	signals_settle(&watch);
	if (watch.signal_fd < 0 || setsid() < 0 || ioctl(watch.terminal_fd, TIOCSCTTY, 0) < 0)
		r = err_set_errno(&event.err, ERR_SYSTEM, errno, "cannot make a session on a pseudo-terminal");
	if (r == 0)
		r = launch_start(plan->launch, &watch.program, &event.err);
	event.program = watch.program;
	event.code = r;
	if (r < 0)
		event.kind = MONITOR_FAILED;
	event_send(&watch, &event);
	if (r < 0)
		_exit(0);
	descriptors_leave(&watch);
	watch_run(&watch);
}

// ------------------------------------------------------------------------------------------------------ in envseal

static bool event_receive(const struct monitor *monitor, struct monitor_event *out, int flags)
{
	ssize_t n;
	do
		n = recv(monitor->socket_fd, out, sizeof(*out), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != (ssize_t)sizeof(*out))
		*out = (struct monitor_event){.kind = MONITOR_ENDED, .code = CLD_KILLED, .status = SIGKILL};
	return true;
}

int monitor_start(struct monitor *monitor, const struct monitor_plan *plan, struct err *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
	_cleanup_fd_ int theirs = ends[1];
	monitor->socket_fd = ends[0];
	monitor->pid = fork();
	if (monitor->pid < 0) {
		fd_close(&monitor->socket_fd);
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	}
	if (monitor->pid == 0) {
		fd_close(&monitor->socket_fd);
		watch_start(plan, theirs);
	}
	fd_close(&theirs);
	struct monitor_event event;
	event_receive(monitor, &event, 0);
	if (event.kind == MONITOR_FAILED) {
		*err = event.err;
		return event.code;
	}
	if (event.kind != MONITOR_STARTED)
		return err_set(err, ERR_SYSTEM, "the process that watches the program was killed");
	monitor->program = event.program;
	return 0;
}

void monitor_ask(const struct monitor *monitor, enum monitor_request request)
{
	uint8_t byte = (uint8_t)request;
	ssize_t n;
	do
		n = send(monitor->socket_fd, &byte, sizeof(byte), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

bool monitor_next(struct monitor *monitor, struct monitor_event *out)
{
	return event_receive(monitor, out, MSG_DONTWAIT);
}

void monitor_done(struct monitor *monitor)
{
	if (monitor->socket_fd < 0)
		return;
	monitor_ask(monitor, MONITOR_LEAVE);
	fd_close(&monitor->socket_fd);
	waitpid(monitor->pid, NULL, 0);
	*monitor = MONITOR_INIT;
}
