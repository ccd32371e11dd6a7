#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 6.3.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

// The machine's limit of a process's descriptors (fs.nr_open), as kernels have it by themselves.
#define DESCRIPTORS_MAX (1 << 20)

void fd_close(int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno;
	// Not retried on EINTR: on Linux the descriptor is gone by then, and a second close could hit somebody else's.
	close(*fd);
	errno = saved;
	*fd = -1;
}

int fd_write_all(int fd, struct span bytes, const char *what, struct err *err)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot write %s", what);
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

int fd_executable(const char *name, unsigned flags)
{
	int fd = memfd_create(name, flags | MFD_EXEC);
	// Kernels before 6.3 do not know MFD_EXEC, and give what it asks for.
	return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

int fd_program(const char *name, struct span image, const char *what, int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = fd_executable(name, MFD_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a memory file for %s (sysctl vm.memfd_noexec may refuse it)",
				     what);
	int r = fd_write_all(fd, image, what, err);
	if (r == 0 && fchmod(fd, 0111) < 0)
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot close %s to others", what);
	if (r == 0)
		*out_fd = TAKE_FD(fd);
	return r;
}

int fd_read_all(int fd, struct buf *out, const char *what, struct err *err)
{
	uint8_t block[16384];
	for (;;) {
		ssize_t n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read %s", what);
		if (n == 0)
			return 0;
		if (buf_append(out, span_of(block, (size_t)n), err) < 0)
			return err_prefix(err, "%s", what);
	}
}

static void descriptor_close(int fd)
{
	close(fd);
}

static void descriptor_mark(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int number_parse(const char *text)
{
	int number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	return *text == 0 ? number : -1;
}

static bool listed_apply(int first, int last, void (*apply)(int))
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	_Alignas(struct dirent64) char block[4096];
	ssize_t len;
	while ((len = getdents64(dir, block, sizeof(block))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *entry = (const void *)(block + at);
			int fd = number_parse(entry->d_name);
			if (fd >= first && fd <= last && fd != dir)
				apply(fd);
			at += entry->d_reclen;
		}
	}
	close(dir);
	return len == 0;
}

// Not by RLIMIT_NOFILE: what was open before the limit was lowered is still open.
static void range_apply(int first, int last, void (*apply)(int))
{
	if (listed_apply(first, last, apply))
		return;
	for (int fd = first; fd <= last && fd < DESCRIPTORS_MAX; fd++)
		apply(fd);
}

void fd_close_range(int first, int last)
{
	if (first <= last && syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) != 0)
		range_apply(first, last, descriptor_close);
}

void fd_mark_range(int first, int last)
{
	if (first <= last && syscall(SYS_close_range, (unsigned)first, (unsigned)last, CLOSE_RANGE_CLOEXEC) != 0)
		range_apply(first, last, descriptor_mark);
}
