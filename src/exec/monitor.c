#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// What the monitor process itself knows.
struct watch {
	const struct monitor_plan *plan;
	int socket_fd;
	int child_fd;    // SIGCHLD
	int signal_fd;   // what is passed on; -1 where this is no process 1
	int terminal_fd; // -1: there is none, or the program has ended
	bool is_init;    // process 1 of a PID namespace
	bool has_ended;  // the program
	pid_t program;
	pid_t foreground; // the group that gets the pseudo-terminal next
};

// ------------------------------------------------------------------------------------------------- in the monitor

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

// A session's leader that ends hangs its terminal's foreground up, and what is done to a terminal from the background
// must not stop it: nothing but SIGKILL may end or stop this process before its time.
static void signals_settle(struct watch *watch)
{
	sigset_t all;
	sigset_t heard;
	for (int number = 1; number < NSIG; number++)
		if (number != SIGCHLD && number != SIGSEGV && number != SIGBUS && number != SIGILL && number != SIGFPE)
			signal(number, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&heard);
	sigaddset(&heard, SIGCHLD);
	watch->child_fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!watch->is_init)
		return;
	sigemptyset(&heard);
	for (size_t i = 0; i < ARRAY_COUNT(passed_on); i++) {
		signal(passed_on[i], SIG_DFL);
		sigaddset(&heard, passed_on[i]);
	}
	watch->signal_fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
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
	int kept[4 + STREAM_COUNT] = {watch->socket_fd, watch->child_fd, watch->signal_fd, watch->terminal_fd};
	memcpy(kept + 4, watch->plan->user_fds, sizeof(watch->plan->user_fds));
	qsort(kept, ARRAY_COUNT(kept), sizeof(kept[0]), number_compare);
	int first = 0;
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
		if (kept[i] < 0)
			continue;
		fd_close_range(first, kept[i] - 1);
		first = kept[i] + 1;
	}
	fd_close_range(first, INT32_MAX);
}

static int message_send(int fd, const struct msghdr *message)
{
	ssize_t n;
	do
		n = sendmsg(fd, message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? errno : 0;
}

static void event_send(const struct watch *watch, const struct monitor_event *event)
{
	// NOLINTNEXTLINE(performance-no-int-to-ptr): sendmsg(2) only reads it
	struct iovec part = {.iov_base = (void *)(uintptr_t)event, .iov_len = sizeof(*event)};
	message_send(watch->socket_fd, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1});
}

// The kernel translates the number that is in the credentials, and lets who is privileged in the PID namespace name
// others there than himself.
static int started_send(const struct watch *watch, struct monitor_event *event)
{
	_Alignas(struct cmsghdr) char block[CMSG_SPACE(sizeof(struct ucred))] = {0};
	struct iovec part = {.iov_base = event, .iov_len = sizeof(*event)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = block, .msg_controllen = sizeof(block)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	*head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
	head->cmsg_len = CMSG_LEN(sizeof(struct ucred));
	const struct ucred credentials = {.pid = watch->program, .uid = getuid(), .gid = getgid()};
	memcpy(CMSG_DATA(head), &credentials, sizeof(credentials));
	return message_send(watch->socket_fd, &message);
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
	watch->has_ended = true;
}

// Ends of adopted processes are taken note of and dropped. Those that come after the program's, when it stands before
// them, are left to the kernel: this process does not live much longer.
static void orphans_reap(const struct watch *watch)
{
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 && info.si_pid != watch->program) {
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		info.si_pid = 0;
	}
}

static void program_look(struct watch *watch)
{
	struct signalfd_siginfo ignored;
	while (read(watch->child_fd, &ignored, sizeof(ignored)) > 0)
		;
	orphans_reap(watch);
	while (!watch->has_ended) {
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

// Senders outside have no number in here. Those inside are the program's own, and what the kernel says of the terminal its
// group hears too.
static void signals_pass_on(const struct watch *watch)
{
	struct signalfd_siginfo info;
	while (read(watch->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_pid == 0 && info.ssi_code <= 0 && !watch->has_ended)
			kill(-watch->program, (int)info.ssi_signo);
}

// envseal is gone without a word: killed.
static _Noreturn void watch_clear(const struct watch *watch)
{
	for (size_t i = 0; i < STREAM_COUNT && watch->plan->guards; i++)
		console_guard_restore(&watch->plan->guards[i], watch->plan->user_fds[i]);
	// The kernel kills all others.
	if (watch->is_init)
		_exit(0);
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
	}
}

static _Noreturn void watch_run(struct watch *watch)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = watch->socket_fd, .events = POLLIN},
			{.fd = watch->child_fd, .events = POLLIN},
			{.fd = watch->signal_fd, .events = POLLIN},
		};
		if (poll(fds, ARRAY_COUNT(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			program_look(watch);
		if (fds[2].revents)
			signals_pass_on(watch);
		if (fds[0].revents)
			request_serve(watch);
	}
}

static int session_begin(struct watch *watch, struct err *err)
{
	signals_settle(watch);
	// Where there is a terminal this process outlives envseal, to put it right.
	if (watch->terminal_fd < 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (watch->child_fd < 0 || (watch->is_init && watch->signal_fd < 0) || setsid() < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a session");
	if (watch->terminal_fd >= 0 && ioctl(watch->terminal_fd, TIOCSCTTY, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a session on a pseudo-terminal");
	return 0;
}

static int program_start(struct watch *watch, struct err *err)
{
	struct launch *launch = watch->plan->launch;
	struct sandbox_failure failure = sandbox_settle(launch->sandbox, watch->terminal_fd);
	if (failure.error != 0)
		return sandbox_failure_say(launch->plan->program->path, failure, err);
	launch->child_fd = watch->child_fd;
	int r = launch_start(launch, &watch->program, err);
	if (r < 0)
		return r;
	failure = sandbox_started(launch->sandbox, watch->program, &launch->plan->inherited->mask);
	if (failure.error == 0)
		return 0;
	kill(watch->program, SIGKILL);
	return sandbox_failure_say(launch->plan->program->path, failure, err);
}

static _Noreturn void watch_start(const struct monitor_plan *plan, int socket_fd)
{
	struct watch watch = {.plan = plan, .socket_fd = socket_fd, .child_fd = -1, .signal_fd = -1,
			      .terminal_fd = plan->terminal_fd, .is_init = sandbox_has_init(plan->launch->sandbox)};
	struct monitor_event event = {.kind = MONITOR_STARTED};
	int r = session_begin(&watch, &event.err);
	if (r == 0)
		r = program_start(&watch, &event.err);
	event.program = watch.program;
	if (r == 0 && watch.is_init) {
		int error = started_send(&watch, &event);
		r = error == 0 ? 0 : err_set_errno(&event.err, ERR_SYSTEM, error, "cannot tell of the program");
	} else if (r == 0) {
		event_send(&watch, &event);
	}
	if (r < 0) {
		event.kind = MONITOR_FAILED;
		event.code = r;
		event_send(&watch, &event);
		_exit(0);
	}
	sandbox_lower(plan->launch->sandbox);
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

// The first event, with the program's number as this process sees it.
static void started_receive(const struct monitor *monitor, bool is_init, struct monitor_event *out)
{
	_Alignas(struct cmsghdr) char block[CMSG_SPACE(sizeof(struct ucred))] = {0};
	struct iovec part = {.iov_base = out, .iov_len = sizeof(*out)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = block, .msg_controllen = sizeof(block)};
	struct ucred credentials = {0};
	ssize_t n;
	do
		n = recvmsg(monitor->socket_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*out))
		*out = (struct monitor_event){.kind = MONITOR_ENDED};
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (!is_init || !head || head->cmsg_type != SCM_CREDENTIALS)
		return;
	memcpy(&credentials, CMSG_DATA(head), sizeof(credentials));
	out->program = credentials.pid;
}

static int monitor_fork(struct monitor *monitor, const struct monitor_plan *plan, int ends[2], struct err *err)
{
	monitor->socket_fd = ends[0];
	int r = setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0
			? err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket")
			: sandbox_fork(plan->launch->sandbox, &monitor->pid, err);
	if (r == 0 && monitor->pid == 0) {
		fd_close(&monitor->socket_fd);
		watch_start(plan, ends[1]);
	}
	if (r < 0)
		fd_close(&monitor->socket_fd);
	return r;
}

static int monitor_try(struct monitor *monitor, const struct monitor_plan *plan, struct err *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
	int r = monitor_fork(monitor, plan, ends, err);
	close(ends[1]);
	if (r < 0)
		return r;
	struct monitor_event event;
	started_receive(monitor, sandbox_has_init(plan->launch->sandbox), &event);
	if (event.kind == MONITOR_FAILED) {
		*err = event.err;
		return event.code;
	}
	if (event.kind != MONITOR_STARTED)
		return err_set(err, ERR_SYSTEM, "the process that watches the program was killed");
	monitor->program = event.program;
	return 0;
}

int monitor_start(struct monitor *monitor, const struct monitor_plan *plan, struct err *err)
{
	int r = monitor_try(monitor, plan, err);
	while (r < 0 && sandbox_retry(plan->launch->sandbox)) {
		monitor_done(monitor);
		r = monitor_try(monitor, plan, err);
	}
	return r;
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
	// It cannot be late, nor stopped, and touches nothing. -1 would be every process of the user.
	if (monitor->pid > 0) {
		kill(monitor->pid, SIGKILL);
		waitpid(monitor->pid, NULL, 0);
	}
	fd_close(&monitor->socket_fd);
	*monitor = MONITOR_INIT;
}
