#include "program/program_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

// A script's copy stays open in the script: out of the way of the numbers that scripts use for redirections.
#define COPY_FD_FIRST 512

static int memfd_new(const char *path, int *out_fd, struct err *err)
{
	char name[64];
	// The name shows in ps on kernels that derive it from the file; it has no other meaning.
	text_brief(span_text(path_base(path)), name, sizeof(name));
	int fd = fd_executable(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 && errno == EACCES)
		return err_set(err, ERR_NO_EXEC, "this kernel refuses executable memory files (sysctl "
						 "vm.memfd_noexec), so a program that you can change cannot be pinned; "
						 "run it with --by-path, unpinned");
	if (fd < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot make a memory file for a copy of the program");
	*out_fd = fd;
	return 0;
}

// The slow way, for file systems that do not take part in sendfile. Negative with errno set.
static ssize_t copy_block(int from, int to, off_t *offset)
{
	uint8_t block[BLOCK_BYTES];
	ssize_t n = pread(from, block, sizeof(block), *offset);
	for (ssize_t done = 0; done < n;) {
		ssize_t written = pwrite(to, block + done, (size_t)(n - done), *offset + done);
		if (written < 0)
			return -1;
		done += written;
	}
	*offset += n > 0 ? n : 0;
	return n;
}

// From offset 0 to the end, which may move meanwhile: what arrives is what counts. Does not move the descriptor's own
// offset. 0 or an errno; EFBIG beyond the limit.
static int copy_all(int from, int to)
{
	off_t offset = 0;
	bool slow = false;
	while (offset <= PROGRAM_COPY_BYTES_MAX) {
		size_t room = (size_t)(PROGRAM_COPY_BYTES_MAX - offset + 1);
		ssize_t n = slow ? copy_block(from, to, &offset) : sendfile(to, from, &offset, room);
		if (n == 0)
			return 0;
		bool retry = n < 0 && !slow && (errno == EINVAL || errno == ENOSYS);
		slow = slow || retry;
		if (n < 0 && !retry && errno != EINTR)
			return errno;
	}
	return EFBIG;
}

static int copy_seal(int copy)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	return fchmod(copy, 0555) < 0 || fcntl(copy, F_ADD_SEALS, seals) < 0 ? errno : 0;
}

int program_seal(int fd, const char *path, int *out_fd, struct err *err)
{
	char brief[BRIEF_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	_cleanup_fd_ int copy = -1;
	int r = memfd_new(path, &copy, err);
	if (r < 0)
		return r;
	int failure = copy_all(fd, copy);
	if (failure == 0)
		failure = copy_seal(copy);
	if (failure == EFBIG)
		return err_set(err, ERR_NO_EXEC, "%s is too large to be copied into memory (%llu MiB at most); run it "
						 "with --by-path",
			       brief, (unsigned long long)PROGRAM_COPY_BYTES_MAX >> 20);
	if (failure != 0)
		return err_set_errno(err, ERR_NO_EXEC, failure, "cannot make a sealed copy of %s", brief);
	int high = fcntl(copy, F_DUPFD_CLOEXEC, COPY_FD_FIRST);
	*out_fd = high >= 0 ? high : TAKE_FD(copy);
	return 0;
}
