#include "broker/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// What the kernel allows at most, as it comes (net.core.somaxconn).
#define BACKLOG 4096
#define LOCK_TRY_NANOSECONDS 20000000L
// Room for a path in a sentence, and in the command that mends what it names.
#define PATH_BRIEF_BYTES 200
#define PATH_QUOTE_BYTES 420

typedef int socket_act_fn(int fd, const struct sockaddr *address, socklen_t len);

// Binds or connects to the socket in the folder, whose path may be longer than an address. 0, or -1 with errno.
static int socket_at(int dir_fd, int fd, socket_act_fn *act)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char link[32];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	if (access(link, F_OK) == 0) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", link, SOCKET_NAME);
		return act(fd, (const struct sockaddr *)&address, sizeof(address));
	}
	_cleanup_fd_ int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || fchdir(dir_fd) < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", SOCKET_NAME);
	int r = act(fd, (const struct sockaddr *)&address, sizeof(address));
	int act_errno = errno;
	if (fchdir(back) < 0)
		return -1;
	errno = act_errno;
	return r;
}

static int socket_make(int *out_fd, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a socket");
	*out_fd = fd;
	return 0;
}

// What stands in the folder by that name must be a socket of this user's alone. ERR_NOT_FOUND when there is nothing.
static int socket_check(int dir_fd, const char *dir, struct err *err)
{
	char brief[PATH_BRIEF_BYTES], quoted[PATH_QUOTE_BYTES];
	_cleanup_free_ char *path = NULL;
	int r = path_join(dir, SOCKET_NAME, &path, err);
	if (r < 0)
		return r;
	text_brief(span_text(path), brief, sizeof(brief));
	path_quote(path, quoted, sizeof(quoted));
	struct stat st;
	if (fstatat(dir_fd, SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno, "cannot examine %s", brief);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_UNSAFE, "%s is not a socket; look what it is, then remove it with: rm %s", brief, quoted);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_UNSAFE, "the socket %s belongs to another user (uid %u); remove it with: rm %s", brief,
			       (unsigned)st.st_uid, quoted);
	if (st.st_mode & 0077)
		return err_set(err, ERR_UNSAFE, "the socket %s is open to others (mode %04o); mend it with: chmod 600 %s", brief,
			       (unsigned)(st.st_mode & 07777), quoted);
	return 0;
}

// ERR_NOT_FOUND when nobody listens, ERR_SYSTEM (EAGAIN) when the queue of one that does is still full after that time.
static int socket_try(int dir_fd, const char *dir, int fd, int wait_ms, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	text_brief(span_text(dir), brief, sizeof(brief));
	int64_t left = wait_ms, deadline = clock_monotonic_ms() + wait_ms;
	int connect_errno = EINTR;
	while (connect_errno == EINTR) {
		// Of this socket alone there is no poll; and 0 would be for ever.
		const struct timeval limit = {left / 1000, left % 1000 * 1000 + 1};
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot limit how long to wait for %s", brief);
		connect_errno = socket_at(dir_fd, fd, connect) < 0 ? errno : 0;
		left = deadline - clock_monotonic_ms();
		left = left < 0 ? 0 : left;
	}
	if (connect_errno == ECONNREFUSED || connect_errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "nobody listens on %s in %s", SOCKET_NAME, brief);
	if (connect_errno == EPROTOTYPE)
		return err_set(err, ERR_UNSAFE, "%s in %s is a socket of another kind; remove it", SOCKET_NAME, brief);
	if (connect_errno != 0)
		return err_set_errno(err, ERR_SYSTEM, connect_errno, "cannot connect to %s in %s", SOCKET_NAME, brief);
	const struct timeval none = {0};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot set up the connection to %s", brief);
	return 0;
}

int socket_connect(const struct home *home, int wait_ms, int *out_fd, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1, fd = -1;
	int r = dir_open_private(home->run_dir, false, &dir_fd, err);
	if (r == 0)
		r = socket_check(dir_fd, home->run_dir, err);
	if (r == 0)
		r = socket_make(&fd, err);
	if (r == 0)
		r = socket_try(dir_fd, home->run_dir, fd, wait_ms, err);
	if (r == 0)
		*out_fd = TAKE_FD(fd);
	return r;
}

// ------------------------------------------------------------------------------------------------------------- listening

static void umask_restore(const mode_t *before)
{
	umask(*before);
}
#define _cleanup_umask_ _cleanup_(umask_restore) __attribute__((unused))

static int probe(int dir_fd, const char *dir, bool *out_is_live, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = socket_check(dir_fd, dir, err);
	if (r == 0)
		r = socket_make(&fd, err);
	if (r == 0)
		r = socket_try(dir_fd, dir, fd, 0, err);
	bool is_live = r == 0 || (r == ERR_SYSTEM && err->sys_errno == EAGAIN);
	if (!is_live && r != ERR_NOT_FOUND)
		return r;
	*out_is_live = is_live;
	return 0;
}

static int lock_open(const struct home *home, int *out_dir_fd, int *out_lock_fd, struct err *err)
{
	_cleanup_umask_ mode_t before = umask(0077);
	_cleanup_fd_ int dir_fd = -1, lock_fd = -1;
	int r = dir_open_private(home->run_dir, true, &dir_fd, err);
	if (r == 0)
		r = file_open_private(dir_fd, home->run_dir, SOCKET_LOCK_NAME, O_RDWR | O_CREAT, &lock_fd, err);
	if (r < 0)
		return r;
	*out_dir_fd = TAKE_FD(dir_fd);
	*out_lock_fd = TAKE_FD(lock_fd);
	return 0;
}

// Takes the lock where nobody listens, or without a look at that.
static int lock_take(const struct home *home, bool is_silent, int *out_dir_fd, int *out_lock_fd, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1, lock_fd = -1;
	int r = lock_open(home, &dir_fd, &lock_fd, err);
	if (r < 0)
		return r;
	int64_t deadline = clock_monotonic_ms() + SOCKET_LOCK_MS;
	for (;;) {
		bool is_locked = flock(lock_fd, LOCK_EX | LOCK_NB) == 0, is_live = false;
		if (!is_locked && errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot lock %s", SOCKET_LOCK_NAME);
		r = is_silent ? probe(dir_fd, home->run_dir, &is_live, err) : 0;
		if (r < 0)
			return r;
		if (is_locked && !is_live)
			break;
		// One of the two alone is of a broker that is ending, or of what only looks like one.
		if ((!is_locked && is_live) || clock_monotonic_ms() >= deadline)
			return err_set(err, ERR_EXISTS, "a broker runs already; end it first, with: envseal lock");
		nanosleep(&(struct timespec){.tv_nsec = LOCK_TRY_NANOSECONDS}, NULL);
	}
	*out_dir_fd = TAKE_FD(dir_fd);
	*out_lock_fd = TAKE_FD(lock_fd);
	return 0;
}

// In a loop that polls, a connection that went away again must not make accept wait.
static int listen_on(int fd)
{
	return listen(fd, BACKLOG) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -1 : 0;
}

static int socket_bind(int dir_fd, const char *dir, int fd, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	text_brief(span_text(dir), brief, sizeof(brief));
	if (unlinkat(dir_fd, SOCKET_NAME, 0) < 0 && errno != ENOENT)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot remove the old %s in %s", SOCKET_NAME, brief);
	// The mode is there from the first moment on: 0600.
	_cleanup_umask_ mode_t before = umask(0177);
	if (socket_at(dir_fd, fd, bind) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make %s in %s", SOCKET_NAME, brief);
	if (listen_on(fd) == 0)
		return 0;
	int r = err_set_errno(err, ERR_SYSTEM, errno, "cannot listen on %s in %s", SOCKET_NAME, brief);
	unlinkat(dir_fd, SOCKET_NAME, 0);
	return r;
}

int socket_listen(const struct home *home, int *out_fd, int *out_lock_fd, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1, lock_fd = -1, fd = -1;
	int r = lock_take(home, true, &dir_fd, &lock_fd, err);
	if (r == 0)
		r = socket_make(&fd, err);
	if (r == 0)
		r = socket_bind(dir_fd, home->run_dir, fd, err);
	if (r < 0)
		return r;
	*out_fd = TAKE_FD(fd);
	*out_lock_fd = TAKE_FD(lock_fd);
	return 0;
}

static bool socket_is(int fd, int option, int value)
{
	int got = -1;
	socklen_t len = sizeof(got);
	return getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 && got == value;
}

int socket_take_over(const struct home *home, int fd, int *out_lock_fd, struct err *err)
{
	if (!socket_is(fd, SO_DOMAIN, AF_UNIX) || !socket_is(fd, SO_TYPE, SOCK_STREAM) || !socket_is(fd, SO_ACCEPTCONN, 1))
		return err_set(err, ERR_UNSAFE, "what was handed on is no listening stream socket; see envseal.socket");
	_cleanup_fd_ int dir_fd = -1, lock_fd = -1;
	int r = lock_take(home, false, &dir_fd, &lock_fd, err);
	if (r < 0)
		return r;
	// The kernel notes anew who listens.
	if (listen_on(fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot listen on the socket that was handed on");
	*out_lock_fd = TAKE_FD(lock_fd);
	return 0;
}

int socket_name_read(const struct home *home, struct socket_name *out, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1;
	int r = dir_open_private(home->run_dir, false, &dir_fd, err);
	if (r < 0)
		return r;
	struct stat st;
	if (fstatat(dir_fd, SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno, "cannot examine %s", SOCKET_NAME);
	*out = (struct socket_name){st.st_dev, st.st_ino};
	return 0;
}

void socket_remove(const struct home *home, const struct socket_name *name)
{
	_cleanup_fd_ int dir_fd = -1;
	struct err ignored;
	struct stat st;
	if (dir_open_private(home->run_dir, false, &dir_fd, &ignored) == 0 &&
	    fstatat(dir_fd, SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == name->device && st.st_ino == name->inode)
		unlinkat(dir_fd, SOCKET_NAME, 0);
}
