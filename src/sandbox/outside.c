#include "sandbox/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_FDS_MAX 64

static void signals_reset(void)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

// The errno in place of its first message.
static _Noreturn void start_failed(int socket)
{
	int error = errno;
	_exit(send(socket, &error, sizeof(error), MSG_NOSIGNAL) < 0 ? 2 : 1);
}

static _Noreturn void program_in_child(int program, int socket, pid_t parent, char *const argv[])
{
	char *const environment[] = {NULL};
	signals_reset();
	setsid();
	// Where the caller had its standard descriptors closed, ours may have their numbers: out of the way first.
	program = fcntl(program, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	socket = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC), starter = (int)syscall(SYS_pidfd_open, parent, 0U);
	if (starter >= 0)
		starter = fcntl(starter, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (dup2(socket, STDIN_FILENO) < 0 || dup2(starter < 0 ? nowhere : starter, STDOUT_FILENO) < 0 ||
	    dup2(nowhere, STDERR_FILENO) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		start_failed(STDIN_FILENO);
	fd_close_range(STDERR_FILENO + 1, program - 1);
	fd_close_range(program + 1, INT_MAX);
	// The parent may have ended before that was set, and its number be another's.
	if (getppid() == parent)
		execveat(program, "", argv, environment, AT_EMPTY_PATH);
	start_failed(STDIN_FILENO);
}

int outside_start(const struct outside_program *program, char *const argv[], struct outside *out, struct err *err)
{
	_cleanup_fd_ int file = -1;
	int ends[2];
	int r = fd_program(program->name, span_of(program->start, program->bytes), program->name, &file, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pair of sockets for %s", program->name);
	_cleanup_fd_ int ours = ends[0];
	_cleanup_fd_ int its = ends[1];
	sigset_t all, before;
	sigfillset(&all);
	// A signal must not find the caller's handlers in the child.
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t parent = getpid(), pid = fork();
	int failure = errno;
	if (pid == 0)
		program_in_child(file, its, parent, argv);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set_errno(err, ERR_SYSTEM, failure, "cannot start a process for %s", program->name);
	*out = (struct outside){.pid = pid, .fd = TAKE_FD(ours)};
	return 0;
}

void outside_end(struct outside *outside)
{
	fd_close(&outside->fd);
	if (outside->pid <= 0)
		return;
	// Not where somebody has reaped it already: the number may be another's by now.
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)outside->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		kill(outside->pid, SIGKILL);
		process_reap(outside->pid);
	}
	outside->pid = 0;
}

int outside_receive(int fd, void *message, size_t bytes, int *fds, size_t max)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control;
	struct iovec part = {.iov_base = message, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				.msg_controllen = CMSG_SPACE(sizeof(int) * max)};
	ssize_t n;
	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	int error;
	if (n == (ssize_t)sizeof(error)) {
		memcpy(&error, message, sizeof(error));
		return -error;
	}
	if ((size_t)n != bytes)
		return -EPIPE;
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
		return 0;
	size_t len = rights->cmsg_len - CMSG_LEN(0);
	memcpy(fds, CMSG_DATA(rights), len);
	return (int)(len / sizeof(int));
}

int outside_send(int fd, const void *message, size_t bytes, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control = {0};
	union {
		const void *constant;
		void *borrowed; // sendmsg does not write to it
	} payload = {message};
	struct iovec part = {.iov_base = payload.borrowed, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				.msg_controllen = CMSG_SPACE(sizeof(int) * count)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
	ssize_t n;
	do
		n = sendmsg(fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? errno : 0;
}
