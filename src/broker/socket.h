// broker/socket: where the broker listens, and who is at the other end.
#pragma once

#include "broker/broker.h"

#define SOCKET_NAME "broker.sock"
#define SOCKET_LOCK_NAME "broker.lock"
// How long one that is ending may take to let go of lock and socket.
#define SOCKET_LOCK_MS 1000

// One broker at a time for a run_dir: an exclusive lock on a file in it, held as long as any copy of the descriptor is
// open. It is to be the keeper's alone: what it forks closes its copy first of all, so that the lock, like the key,
// ends with the keeper.
//
// Takes the lock and listens in home->run_dir, which is made (0700) or must be this user's own; the socket is 0600
// under any umask, and non-blocking. One that nobody listens on is replaced. ERR_EXISTS when a broker listens there or
// holds the lock; ERR_UNSAFE for a folder or file that is not as it must be. Paths of any length (sun_path has 108
// bytes: the folder is gone through by /proc/self/fd, or by chdir and back where there is no /proc). Clients find the
// process that calls this as their peer: it is to be the keeper itself, after its forks into the background.
int socket_listen(const struct home *home, int *out_fd, int *out_lock_fd, struct err *err);
// The same with a socket that is there already (sd_listen_fds(3)): takes the lock, and makes this process the peer that
// clients find. ERR_UNSAFE when `fd` is no listening stream socket of AF_UNIX. `fd` stays the caller's.
int socket_take_over(const struct home *home, int fd, int *out_lock_fd, struct err *err);
// Removes it, if it is still the one that was made: `inode` as fstatat saw it behind the listen. While the lock is
// held: then nobody makes another one in between.
struct socket_name {
	dev_t device;
	ino_t inode;
};
int socket_name_read(const struct home *home, struct socket_name *out, struct err *err);
void socket_remove(const struct home *home, const struct socket_name *name);
// Connects to it. ERR_NOT_FOUND when nothing listens there (no folder, no socket, a stale one); ERR_UNSAFE. Does not
// block on a listener whose queue is full for longer than `wait_ms`: ERR_SYSTEM.
int socket_connect(const struct home *home, int wait_ms, int *out_fd, struct err *err);

// Who made the connection, as it was then: of a client for the server, and of the listener for the client.
struct peer {
	pid_t pid;
	uid_t uid;
	int pidfd;      // of that very process by SO_PEERPIDFD (Linux 6.5). Before, by pidfd_open: where the maker has ended before peer_find
			// and its number came round again, of the process that has it now
	uint64_t start; // clock ticks after boot, of the process that pidfd holds; 0 where /proc does not show it
};
#define PEER_NONE ((struct peer){.pidfd = -1})
// ERR_DENIED when it is another user's, or of a PID namespace that is not seen from here; ERR_NOT_FOUND when that
// process has ended, also where others hold its end. The kernel must have pidfds: ERR_SYSTEM.
int peer_find(int fd, struct peer *out, struct err *err);
bool peer_is_alive(const struct peer *peer);
void peer_done(struct peer *peer);
#define _cleanup_peer_ _cleanup_(peer_done)
