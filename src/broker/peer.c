#include "broker/socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 6.5; the headers of this system may be older.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

void peer_done(struct peer *peer)
{
	fd_close(&peer->pidfd);
	*peer = PEER_NONE;
}

bool peer_is_alive(const struct peer *peer)
{
	struct pollfd ended = {peer->pidfd, POLLIN, 0};
	return peer->pidfd >= 0 && poll(&ended, 1, 0) == 0;
}

// The kernel keeps the maker's own for the socket, so that a number that came round again does not matter; -1 with errno.
static int pidfd_find(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0U) : -1;
}

int peer_find(int fd, struct peer *out, struct err *err)
{
	struct ucred made;
	socklen_t len = sizeof(made);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &made, &len) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot find out who is at the other end of a connection");
	if (made.uid != geteuid())
		return err_set(err, ERR_DENIED, "the other end of the connection belongs to another user (uid %u)",
			       (unsigned)made.uid);
	if (made.pid <= 0)
		return err_set(err, ERR_DENIED, "the process at the other end of the connection is not seen from here");
	_cleanup_peer_ struct peer peer = {.pid = made.pid, .uid = made.uid, .pidfd = pidfd_find(fd, made.pid)};
	int find_errno = errno;
	// EINVAL is what kernels before 6.16 say of one that was waited for.
	if (peer.pidfd < 0 && find_errno != ESRCH && find_errno != EINVAL && find_errno != ENODATA)
		return err_set_errno(err, ERR_SYSTEM, find_errno, "cannot hold process %d, at the other end of a connection",
				     (int)made.pid);
	struct process process;
	if (peer.pidfd >= 0 && process_read("/proc", peer.pid, &process))
		peer.start = process.start;
	// Alive behind the reading: what was read is of the process that the descriptor holds.
	if (!peer_is_alive(&peer))
		return err_set(err, ERR_NOT_FOUND, "process %d, at the other end of a connection, has ended", (int)made.pid);
	*out = peer;
	peer.pidfd = -1;
	return 0;
}
