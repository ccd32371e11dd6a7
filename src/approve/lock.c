#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "approve/approve.h"

#define LOCK_NAME "approval.lock"
#define LOCK_TRY_NANOSECONDS 100000000L

int approval_lock(int state_dir_fd, const char *state_dir, int seconds, int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = file_open_private(state_dir_fd, state_dir, LOCK_NAME, O_RDWR | O_CREAT, &fd, err);
	if (r < 0)
		return r;
	int64_t end = clock_monotonic_ms() + (int64_t)seconds * 1000;
	// There is no lock with a time limit; a timer's signal would reach into the whole process.
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot lock %s", LOCK_NAME);
		if (clock_monotonic_ms() >= end)
			return err_set(err, ERR_DENIED, "another question is open; answer that one first, and try again");
		nanosleep(&(struct timespec){.tv_nsec = LOCK_TRY_NANOSECONDS}, NULL);
	}
	*out_fd = TAKE_FD(fd);
	return 0;
}
