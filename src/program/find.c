#include "program/program_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

void found_done(struct found *found)
{
	fd_close(&found->fd);
	free(found->path);
	free(found->name);
	*found = FOUND_INIT;
}

// What '..' leads to depends on links, so it stays.
static void name_tidy(char *name)
{
	char *to = name;
	for (const char *at = name; *at;) {
		at += strspn(at, "/");
		size_t len = strcspn(at, "/");
		bool is_kept = len > 0 && !(len == 1 && at[0] == '.');
		if (is_kept) {
			*to++ = '/';
			memmove(to, at, len);
			to += len;
		}
		at += len;
	}
	*to = 0;
}

int name_absolute(const char *found, char **out, struct err *err)
{
	_cleanup_free_ char *directory = found[0] == '/' ? strdup("") : getcwd(NULL, 0);
	_cleanup_free_ char *name = NULL;
	if (!directory)
		return err_set_errno(err, ERR_SYSTEM, errno, "the working directory cannot be named; go to one that "
							     "exists");
	int r = path_join(directory, found, &name, err);
	if (r < 0)
		return r;
	name_tidy(name);
	*out = TAKE_PTR(name);
	return 0;
}

int program_refuse(const char *path, const char *why, struct err *err)
{
	char brief[BRIEF_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	return err_set(err, ERR_NO_EXEC, "%s cannot be executed: %s", brief, why);
}

static int kind_check(const char *path, const struct stat *st, struct err *err)
{
	if (S_ISDIR(st->st_mode))
		return program_refuse(path, "it is a folder", err);
	if (!S_ISREG(st->st_mode))
		return program_refuse(path, "it is not a regular file", err);
	return 0;
}

// What execve itself would answer ENOENT or EACCES to. Before the open, because opening a device can have effects.
static int candidate_look(const char *path, struct err *err)
{
	char brief[BRIEF_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	struct stat st;
	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? err_set(err, ERR_NO_PROGRAM, "there is no program %s", brief)
			       : err_set_errno(err, ERR_NO_EXEC, errno, "cannot look at %s", brief);
	int r = kind_check(path, &st, err);
	if (r == 0 && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return program_refuse(path, "you have no execute permission (chmod +x), or its file system is mounted "
					    "noexec", err);
	return r;
}

// A set-id program, or one with file capabilities, changes who it is as it starts: the kernel would give it rights that
// its caller lacks, or (no_new_privs) quietly not, and neither is what was approved.
static int rights_check(const char *path, int fd, const struct stat *st, struct err *err)
{
	if (st->st_mode & (S_ISUID | S_ISGID))
		return program_refuse(path, "it is a set-id program, which would run as somebody else", err);
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return program_refuse(path, "it has file capabilities, which would give it rights that you lack", err);
	return 0;
}

// The opened file under the path without symbolic links that leads to it.
static int candidate_open(const char *path, struct found *out, struct err *err)
{
	char brief[BRIEF_BYTES];
	text_brief(span_text(path), brief, sizeof(brief));
	_cleanup_found_ struct found found = FOUND_INIT;
	found.name = strdup(path);
	found.path = realpath(path, NULL);
	if (!found.name)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (!found.path)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot find the real path of %s", brief);
	// O_NONBLOCK: what became a FIFO since it was looked at must not wait for its other end.
	found.fd = open(found.path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (found.fd < 0)
		return err_set_errno(err, ERR_NO_EXEC, errno, "cannot read %s, and what cannot be read cannot be "
							      "pinned", brief);
	struct stat opened, there;
	if (fstat(found.fd, &opened) < 0 || stat(path, &there) < 0 || opened.st_dev != there.st_dev ||
	    opened.st_ino != there.st_ino)
		return program_refuse(path, "it was replaced while it was looked at; try again", err);
	int r = kind_check(path, &opened, err);
	if (r == 0)
		r = rights_check(path, found.fd, &opened, err);
	if (r < 0)
		return r;
	*out = found;
	found = FOUND_INIT;
	return 0;
}

// As execvp: the first that can be executed counts, and is not passed over when it is refused for another reason. If
// there is none, the first that could not be executed is what is reported.
static int path_search(const char *asked, const char *path_list, char **out, struct err *err)
{
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
			r = candidate_look(candidate, err);
		if (r == 0)
			*out = TAKE_PTR(candidate);
		if (r != ERR_NO_EXEC && r != ERR_NO_PROGRAM)
			return r;
		if (r == ERR_NO_EXEC && refused.code == 0)
			refused = *err;
	}
	if (refused.code != 0) {
		*err = refused;
		return err->code;
	}
	return err_set(err, ERR_NO_PROGRAM, "there is no program '%s' on the PATH; give its path if it is elsewhere",
		       text_brief(span_text(asked), brief, sizeof(brief)));
}

int program_find(const char *asked, const char *path_list, struct found *out, struct err *err)
{
	_cleanup_free_ char *candidate = NULL;
	if (strchr(asked, '/')) {
		int r = candidate_look(asked, err);
		return r < 0 ? r : candidate_open(asked, out, err);
	}
	int r = path_search(asked, path_list, &candidate, err);
	return r < 0 ? r : candidate_open(candidate, out, err);
}
