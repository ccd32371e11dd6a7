#include "policy/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_owner_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

// Where users have a group of their own with their own number, it is nobody else's.
static bool is_writable_by_others(const struct stat *st)
{
	if (st->st_mode & S_IWOTH)
		return true;
	return (st->st_mode & S_IWGRP) && (st->st_gid != getegid() || getegid() != geteuid());
}

// In a sticky folder others can make names and cannot change those of root and the user: bad where programs are looked
// for, harmless above it.
static bool folder_is_safe(const char *path, bool is_last)
{
	struct stat st;
	if (lstat(path, &st) < 0 || !is_owner_trusted(&st))
		return false;
	if (S_ISLNK(st.st_mode) && (stat(path, &st) < 0 || !is_owner_trusted(&st)))
		return false;
	if (!S_ISDIR(st.st_mode))
		return false;
	return !is_writable_by_others(&st) || (!is_last && (st.st_mode & S_ISVTX));
}

// Every folder that the path names. `path` is used up.
static bool folders_are_safe(char *path)
{
	if (!folder_is_safe(path, true))
		return false;
	for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
		*slash = 0;
		if (path[0] && !folder_is_safe(path, false))
			return false;
	}
	return folder_is_safe("/", false);
}

bool path_entry_is_safe(struct span entry)
{
	char path[PATH_MAX];
	if (entry.len == 0 || entry.len >= sizeof(path) || entry.data[0] != '/' || memchr(entry.data, 0, entry.len))
		return false;
	memcpy(path, entry.data, entry.len);
	path[entry.len] = 0;
	// Both as it is written and as it is without links: each may pass through folders that the other does not.
	_cleanup_free_ char *real = realpath(path, NULL);
	if (!real || (strcmp(real, path) != 0 && !folders_are_safe(path)))
		return false;
	return folders_are_safe(real);
}
