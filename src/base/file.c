#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Room for a path in an error sentence; longer ones are cut.
#define PATH_BRIEF_BYTES 200
// Room for it in a command that mends something; with the rest of the sentence it fits into ERR_TEXT_BYTES.
#define PATH_QUOTE_BYTES 420

bool path_is_below(const char *path, const char *folder)
{
	size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool path_is_folder(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int path_join(const char *dir, const char *name, char **out, struct err *err)
{
	size_t bytes = strlen(dir) + 1 + strlen(name) + 1;
	char *path = malloc(bytes);
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory for a path");
	snprintf(path, bytes, "%s/%s", dir, name);
	*out = path;
	return 0;
}

static const char *path_brief(const char *path, char out[PATH_BRIEF_BYTES])
{
	return text_brief(span_text(path), out, PATH_BRIEF_BYTES);
}

// Makes the folder and its missing parents, each 0700. Existing ones are left as they are.
static int dir_make(const char *path, struct err *err)
{
	_cleanup_free_ char *partial = strdup(path);
	if (!partial)
		return err_set(err, ERR_MEMORY, "out of memory for a path");
	for (char *at = partial + (partial[0] == '/');; at++) {
		char here = *at;
		if (here != '/' && here != 0)
			continue;
		*at = 0;
		if (mkdir(partial, 0700) < 0 && errno != EEXIST) {
			char brief[PATH_BRIEF_BYTES];
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot make the folder %s", path_brief(partial, brief));
		}
		*at = here;
		if (here == 0)
			return 0;
	}
}

// A copy without slashes at its end: with one, O_NOFOLLOW would follow a symbolic link after all. NULL without memory.
static char *path_trim(const char *path)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

static int dir_check_private(const struct stat *st, const char *path, struct err *err)
{
	char brief[PATH_BRIEF_BYTES], quoted[PATH_QUOTE_BYTES];
	path_brief(path, brief);
	path_quote(path, quoted, sizeof(quoted));
	if (st->st_uid != geteuid())
		return err_set(err, ERR_UNSAFE, "the folder %s belongs to another user (uid %u); mend it with: chown %u %s",
			       brief, (unsigned)st->st_uid, (unsigned)geteuid(), quoted);
	if (st->st_mode & 0077)
		return err_set(err, ERR_UNSAFE, "the folder %s is open to others (mode %04o); mend it with: chmod 700 %s",
			       brief, (unsigned)(st->st_mode & 07777), quoted);
	return 0;
}

int dir_open_private(const char *given, bool make, int *out_fd, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	_cleanup_free_ char *path = path_trim(given);
	if (!path)
		return err_set(err, ERR_MEMORY, "out of memory for a path");
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		int r = dir_make(path, err);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no folder %s", path_brief(path, brief));
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_set(err, ERR_UNSAFE, "%s is a symbolic link or no folder; put a real folder there, or set ENVSEAL_HOME",
			       path_brief(path, brief));
	int open_errno = errno;
	struct stat st;
	// A folder that may not be opened can still be asked why: usually it is somebody else's.
	if ((fd < 0 ? lstat(path, &st) : fstat(fd, &st)) < 0)
		return err_set_errno(err, ERR_SYSTEM, fd < 0 ? open_errno : errno, "cannot open the folder %s",
				     path_brief(path, brief));
	int r = dir_check_private(&st, path, err);
	if (r < 0)
		return r;
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, open_errno, "cannot open the folder %s", path_brief(path, brief));
	*out_fd = TAKE_FD(fd);
	return 0;
}

static int stat_check_private(const struct stat *st, const char *path, struct err *err)
{
	char brief[PATH_BRIEF_BYTES], quoted[PATH_QUOTE_BYTES];
	path_brief(path, brief);
	path_quote(path, quoted, sizeof(quoted));
	if (S_ISLNK(st->st_mode))
		return err_set(err, ERR_UNSAFE, "%s is a symbolic link; look where it leads, then remove it with: rm %s",
			       brief, quoted);
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_UNSAFE, "%s is not a regular file; move it away with: f=%s; mv \"$f\" \"$f.bad\"",
			       brief, quoted);
	if (st->st_uid != geteuid())
		return err_set(err, ERR_UNSAFE, "%s belongs to another user (uid %u); mend it with: chown %u %s",
			       brief, (unsigned)st->st_uid, (unsigned)geteuid(), quoted);
	if (st->st_mode & 0077)
		return err_set(err, ERR_UNSAFE, "%s is open to others (mode %04o); mend it with: chmod 600 %s", brief,
			       (unsigned)(st->st_mode & 07777), quoted);
	if (st->st_nlink != 1)
		return err_set(err, ERR_UNSAFE,
			       "%s has %lu names (hard links), so it can be changed from elsewhere; mend it with: "
			       "f=%s; cp -p \"$f\" \"$f.new\" && mv \"$f.new\" \"$f\"",
			       brief, (unsigned long)st->st_nlink, quoted);
	return 0;
}

int file_check_private(int fd, const char *path, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine %s", path_brief(path, brief));
	return stat_check_private(&st, path, err);
}

int file_open_private(int dir_fd, const char *dir_path, const char *name, int flags, int *out_fd, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	_cleanup_free_ char *path = NULL;
	int r = path_join(dir_path, name, &path, err);
	if (r < 0)
		return r;
	// O_NONBLOCK keeps the open of a FIFO from waiting for its other end; on a regular file it does nothing.
	_cleanup_fd_ int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no file %s", path_brief(path, brief));
	int open_errno = errno;
	struct stat st;
	// What cannot be opened can still be asked why: a link, a socket, a file that `sudo` left to root.
	if (fd < 0) {
		r = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : stat_check_private(&st, path, err);
		if (r < 0)
			return r;
		return err_set_errno(err, ERR_SYSTEM, open_errno, "cannot open %s", path_brief(path, brief));
	}
	r = file_check_private(fd, path, err);
	if (r < 0)
		return r;
	*out_fd = TAKE_FD(fd);
	return 0;
}

static int temporary_open(int dir_fd, const char *temporary, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, temporary, flags, mode);
	// One of the same name was left by a process that was killed and whose number came round again.
	if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, temporary, 0) == 0)
		fd = openat(dir_fd, temporary, flags, mode);
	return fd;
}

int file_replace(int dir_fd, const char *name, struct span content, mode_t mode, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	path_brief(name, brief);
	char temporary[NAME_MAX + 1];
	int len = snprintf(temporary, sizeof(temporary), ".%s.%d.new", name, (int)getpid());
	if (len < 0 || (size_t)len >= sizeof(temporary))
		return err_set(err, ERR_LIMIT, "the file name %s is too long; give a shorter one", brief);
	_cleanup_fd_ int fd = temporary_open(dir_fd, temporary, mode);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a temporary file beside %s", brief);
	int r = fd_write_all(fd, content, brief, err);
	// fchmod because the umask may have taken bits that the caller asked for.
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot write %s to disk", brief);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot put the new %s in place", brief);
	if (r < 0) {
		unlinkat(dir_fd, temporary, 0);
		return r;
	}
	if (fsync(dir_fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot write the folder of %s to disk", brief);
	return 0;
}

int file_read_text(const char *path, struct buf *out, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	path_brief(path, brief);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no file %s", brief);
	if (fd < 0)
		return err_set_errno(err, ERR_INPUT, errno, "cannot open %s", brief);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine %s", brief);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return err_set(err, ERR_INPUT, "%s is not a regular file", brief);
	return fd_read_all(fd, out, brief, err);
}
