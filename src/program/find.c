#include "program/program_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BRIEF_BYTES 200

static int refuse(const char *path, const char *why, struct err *err)
{
	char brief[BRIEF_BYTES];
	return err_set(err, ERR_NO_EXEC, "%s cannot be executed: %s", text_brief(span_text(path), brief, sizeof(brief)), why);
}

// A set-id program, or one with file capabilities, changes who it is as it starts: the kernel would give it rights that its
// caller lacks, or (no_new_privs) quietly not, and neither is what was approved.
static int candidate_check(int fd, const char *path, struct err *err)
{
	struct stat st;
	char brief[BRIEF_BYTES];
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot examine %s", text_brief(span_text(path), brief, sizeof(brief)));
	if (S_ISDIR(st.st_mode))
		return refuse(path, "it is a folder", err);
	if (!S_ISREG(st.st_mode))
		return refuse(path, "it is not a regular file", err);
	if (faccessat(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) < 0)
		return refuse(path, "it has no execute permission (chmod +x)", err);
	if (st.st_mode & (S_ISUID | S_ISGID))
		return refuse(path, "it is a set-id program, which would run as somebody else", err);
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(path, "it has file capabilities, which would give it rights that you lack", err);
	return 0;
}

// The path by which the opened file is reached without symlinks, and a check that it is still that file.
static int real_path(int fd, const char *path, char **out, struct err *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct stat by_path, by_fd;
	if (!real || stat(real, &by_path) < 0 || fstat(fd, &by_fd) < 0)
		return refuse(path, "its real path cannot be found", err);
	if (by_path.st_dev != by_fd.st_dev || by_path.st_ino != by_fd.st_ino)
		return refuse(path, "it was replaced while it was looked at", err);
	*out = TAKE_PTR(real);
	return 0;
}

static int candidate_open(const char *path, int *out_fd, char **out_path, struct err *err)
{
	char brief[BRIEF_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	// O_NONBLOCK: the open of a FIFO must not wait for its other end.
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ERR_NO_PROGRAM, "there is no program %s", brief);
	if (fd < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot read %s, and what cannot be read cannot be pinned", brief);
	int r = candidate_check(fd, path, err);
	if (r == 0)
		r = real_path(fd, path, out_path, err);
	if (r == 0)
		*out_fd = TAKE_FD(fd);
	return r;
}

int program_open(const char *asked, const char *path_list, int *out_fd, char **out_path, struct err *err)
{
	if (strchr(asked, '/'))
		return candidate_open(asked, out_fd, out_path, err);
	// As execvp: the first that can be executed; else the first that could not.
	char brief[BRIEF_BYTES];
	struct err refused = {0};
	_cleanup_free_ char *entries = strdup(path_list ? path_list : "");
	if (!entries)
		return err_set(err, ERR_MEMORY, "out of memory");
	char *rest = entries, *entry;
	while (asked[0] && (entry = strsep(&rest, ":"))) {
		_cleanup_free_ char *candidate = NULL;
		if (entry[0] != '/')
			continue;
		int r = path_join(entry, asked, &candidate, err);
		if (r == 0)
			r = candidate_open(candidate, out_fd, out_path, err);
		if (r != ERR_NO_EXEC && r != ERR_NO_PROGRAM)
			return r;
		if (r == ERR_NO_EXEC && refused.code == 0)
			refused = *err;
	}
	if (refused.code != 0) {
		*err = refused;
		return err->code;
	}
	return err_set(err, ERR_NO_PROGRAM, "there is no program %s on the PATH",
		       text_brief(span_text(asked), brief, sizeof(brief)));
}
