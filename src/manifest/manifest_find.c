#include "manifest/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BRIEF_BYTES 200
#define PATH_QUOTE_BYTES 420

// By convention a user's private group has the user's number. Who else is in a group cannot be asked without NSS.
static bool group_is_own(const struct stat *st)
{
	return st->st_gid == getegid() && st->st_gid == geteuid();
}

static int manifest_check_owner(const struct stat *st, const char *path, struct err *err)
{
	char brief[PATH_BRIEF_BYTES], quoted[PATH_QUOTE_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	path_quote(path, quoted, sizeof(quoted));
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return err_set(
		    err, ERR_UNSAFE,
		    "the manifest %s belongs to another user (uid %u); read it, then mend it with: chown %u %s",
		    brief, (unsigned)st->st_uid, (unsigned)geteuid(), quoted);
	if ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && !group_is_own(st)))
		return err_set(
		    err, ERR_UNSAFE,
		    "others can change the manifest %s (mode %04o); read it, then mend it with: chmod go-w %s", brief,
		    (unsigned)(st->st_mode & 07777), quoted);
	return 0;
}

// Opens the folder's manifest and checks it. *ret_fd stays -1 when there is none, or something that is no regular file.
static int manifest_open(int dir_fd, const char *path, int *ret_fd, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	struct stat st;
	// Asked before it is opened, because opening a device can do something.
	if (fstatat(dir_fd, MANIFEST_FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot look for %s",
				     text_brief(span_text(path), brief, sizeof(brief)));
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	int r = manifest_check_owner(&st, path, err);
	if (r < 0)
		return r;
	_cleanup_fd_ int fd =
	    openat(dir_fd, MANIFEST_FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot open %s",
				     text_brief(span_text(path), brief, sizeof(brief)));
	// Asked again, because another file may have taken its place in between.
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_UNSAFE,
			       "%s is not a regular file any more; look at what replaces it, then try again",
			       text_brief(span_text(path), brief, sizeof(brief)));
	r = manifest_check_owner(&st, path, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

// Reads the manifest of one folder. *ret_found tells whether there was one; `out` is written only then.
static int manifest_read(int dir_fd, const char *dir_path, bool *ret_found, struct manifest *out, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	_cleanup_buf_ struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
	char brief[PATH_BRIEF_BYTES];
	int r = path_join(strcmp(dir_path, "/") == 0 ? "" : dir_path, MANIFEST_FILE_NAME, &path, err);
	if (r == 0)
		r = manifest_open(dir_fd, path, &fd, err);
	if (r < 0 || fd < 0)
		return r;
	r = fd_read_all(fd, &text, text_brief(span_text(path), brief, sizeof(brief)), err);
	if (r == 0)
		r = manifest_parse(buf_span(&text), path, out, err);
	if (r < 0)
		return r;
	out->path = TAKE_PTR(path);
	*ret_found = true;
	return 0;
}

static bool dir_is_same(int a, int b)
{
	struct stat st_a;
	struct stat st_b;
	return fstat(a, &st_a) == 0 && fstat(b, &st_b) == 0 && st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

// Cuts the last component off; "/" stays.
static void path_cut(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash)
		slash[slash == path ? 1 : 0] = 0;
}

// The walk goes from descriptor to descriptor by "..", so that a folder renamed meanwhile cannot lead it astray; the
// path beside it only serves sentences and is true as long as nobody renames.
static int manifest_walk(const char *start_dir, bool *ret_found, struct manifest *out, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	_cleanup_free_ char *path = realpath(start_dir, NULL);
	_cleanup_fd_ int dir_fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot open the folder %s",
				     text_brief(span_text(start_dir), brief, sizeof(brief)));
	for (;;) {
		int r = manifest_read(dir_fd, path, ret_found, out, err);
		if (r < 0 || *ret_found)
			return r;
		_cleanup_fd_ int parent_fd = openat(dir_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent_fd < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot open the folder above %s",
					     text_brief(span_text(path), brief, sizeof(brief)));
		if (dir_is_same(dir_fd, parent_fd))
			return 0;
		fd_close(&dir_fd);
		dir_fd = TAKE_FD(parent_fd);
		path_cut(path);
	}
}

static int manifest_read_home(const char *home_dir, bool *ret_found, struct manifest *out, struct err *err)
{
	_cleanup_fd_ int dir_fd = open(home_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	// A home folder that is not there holds no manifest.
	return dir_fd < 0 ? 0 : manifest_read(dir_fd, home_dir, ret_found, out, err);
}

int manifest_find(const char *start_dir, const char *home_dir, struct manifest *out, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	text_brief(span_text(start_dir), brief, sizeof(brief));
	if (start_dir[0] != '/')
		return err_set(err, ERR_USAGE, "the folder %s must be given from the root ('/')", brief);
	bool found = false;
	int r = manifest_walk(start_dir, &found, out, err);
	if (r == 0 && !found && home_dir && home_dir[0] == '/')
		r = manifest_read_home(home_dir, &found, out, err);
	if (r < 0 || found)
		return r;
	return err_set(
	    err, ERR_NOT_FOUND,
	    "there is no manifest: no regular file %s (symbolic links do not count) in %s, above it or at home; "
	    "name the secrets with -s NAME, or write one with: envseal import --rewrite FILE",
	    MANIFEST_FILE_NAME, brief);
}
