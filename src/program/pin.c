#include "program/program_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define COPY_STEP_BYTES (1u << 30)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static bool is_roots_own(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool path_is_system(const char *real_path, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !is_roots_own(&st))
		return false;
	_cleanup_free_ char *folder = strdup(real_path);
	if (!folder)
		return false;
	for (char *slash; (slash = strrchr(folder, '/')); ) {
		// The last round is for the root folder itself.
		slash[slash == folder ? 1 : 0] = 0;
		if (lstat(folder, &st) < 0 || !is_roots_own(&st))
			return false;
		if (slash == folder)
			return true;
	}
	return false;
}

static int memfd_new(const char *path, int *out_fd, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char name[64];
	// The name shows in ps on kernels that derive it from the file; it has no other meaning.
	text_brief(span_text(slash ? slash + 1 : path), name, sizeof(name));
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_EXEC);
	// Kernels before 6.3 do not know MFD_EXEC, and give what it asks for.
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0 && errno == EACCES)
		return err_set(err, ERR_NO_EXEC, "this kernel refuses executable memory files (sysctl vm.memfd_noexec), so a program "
						 "that you can change cannot be pinned; run it with --by-path, unpinned");
	if (fd < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot make a memory file for a copy of the program");
	*out_fd = fd;
	return 0;
}

// From offset 0 to the end, without moving the descriptor's own offset.
static int copy_all(int from, int to)
{
	off_t offset = 0;
	for (;;) {
		ssize_t n = sendfile(to, from, &offset, COPY_STEP_BYTES);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
	}
}

int program_seal(int fd, const char *path, int *out_fd, struct err *err)
{
	char brief[200];
	_cleanup_fd_ int copy = -1;
	int r = memfd_new(path, &copy, err);
	if (r < 0)
		return r;
	int failure = copy_all(fd, copy);
	if (failure == 0 && fchmod(copy, 0555) < 0)
		failure = errno;
	if (failure == 0 && fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		failure = errno;
	if (failure != 0)
		return err_set_errno(err, ERR_NO_EXEC, failure, "cannot make a sealed copy of %s",
				     text_brief(span_text(path), brief, sizeof(brief)));
	*out_fd = TAKE_FD(copy);
	return 0;
}
