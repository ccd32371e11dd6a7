#include "broker/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FD_FIRST 3

static bool is_listening_unix(int fd)
{
	int domain = 0, type = 0, listens = 0;
	socklen_t len = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

int service_socket(void)
{
	uint64_t pid = 0, count = 0;
	struct err err;
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	if (!pid_text || !count_text || text_parse_u64(pid_text, "LISTEN_PID", 1, INT32_MAX, &pid, &err) < 0 ||
	    text_parse_u64(count_text, "LISTEN_FDS", 1, 1, &count, &err) < 0 || (pid_t)pid != getpid() ||
	    !is_listening_unix(LISTEN_FD_FIRST))
		return -1;
	fcntl(LISTEN_FD_FIRST, F_SETFD, FD_CLOEXEC);
	return LISTEN_FD_FIRST;
}

void service_tell(const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	// An address without a file begins with a NUL.
	if (path[0] == '@')
		to.sun_path[0] = 0;
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

// The program is root's, as everything there; what it is told is always the same.
void service_notify_human(void)
{
	static const char program[] = "/usr/bin/notify-send";
	if (access(program, X_OK) < 0 || (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")))
		return;
	pid_t pid = fork();
	if (pid != 0)
		return;
	static const char *const keys[] = {"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"};
	char *environment[ARRAY_COUNT(keys) + 1] = {NULL};
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (getenv(keys[i]) && asprintf(&environment[count], "%s=%s", keys[i], getenv(keys[i])) >= 0)
			count++;
	char words[][48] = {"notify-send", "-a", "envseal", "envseal", "a request waits for approval: envseal approve"};
	char *const argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
	closefrom(3);
	setsid();
	// The keeper's signals are blocked, and those of its program must not be.
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(program, argv, environment);
	_exit(127);
}
