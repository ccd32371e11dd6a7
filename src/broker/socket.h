// broker/socket: where the broker listens, and who is at the other end.
#pragma once

#include "broker/broker.h"

#define SOCKET_NAME "broker.sock"

// Listens in home->run_dir, which is made (0700) or must be this user's own; the socket is 0600. One that nobody listens on is replaced.
// ERR_EXISTS when a broker listens there; ERR_UNSAFE for a folder or file that is not as it must be. Paths of any length (sun_path has 108
// bytes: the folder is gone through by /proc/self/fd, or by chdir and back where there is no /proc).
int socket_listen(const struct home *home, int *out_fd, struct err *err);
// Removes it, if it is still the one that was made: `inode` as fstatat saw it behind the listen.
struct socket_name {
	dev_t device;
	ino_t inode;
};
int socket_name_read(const struct home *home, struct socket_name *out, struct err *err);
void socket_remove(const struct home *home, const struct socket_name *name);
// Connects to it. ERR_NOT_FOUND when nothing listens there (no folder, no socket, a stale one); ERR_UNSAFE. Does not block on a listener
// whose queue is full for longer than `wait_ms`: ERR_SYSTEM.
int socket_connect(const struct home *home, int wait_ms, int *out_fd, struct err *err);

// Who made the connection, as it was then: of a client for the server, and of the listener for the client.
struct peer {
	pid_t pid;
	uid_t uid;
	int pidfd;      // of that very process (SO_PEERPIDFD, Linux 6.5; before, pidfd_open and a look at its start time)
	uint64_t start; // clock ticks after boot, of that process
};
#define PEER_NONE ((struct peer){.pidfd = -1})
// ERR_DENIED when it is another user's; ERR_NOT_FOUND when that process has ended. The kernel must have pidfds: ERR_SYSTEM.
int peer_find(int fd, struct peer *out, struct err *err);
bool peer_is_alive(const struct peer *peer);
void peer_done(struct peer *peer);
#define _cleanup_peer_ _cleanup_(peer_done)
