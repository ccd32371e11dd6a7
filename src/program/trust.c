// Who could change what a path leads to.
#include "program/program_internal.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

// As the kernel's own limit (path_resolution(7)).
#define LINKS_MAX 40

// A walk along a path, one component after the other, as the kernel does it. Every folder up to `at` was found to be
// root's own, so what stands there cannot be changed by others between one look and the next.
struct walk {
	char at[PATH_MAX];   // "" is the root folder
	char path[PATH_MAX]; // with the targets of links in their place
	const char *rest;    // of it, what is still to be walked
	int links;
	dev_t root_device;
};

// Whoever mounts a file system by FUSE answers for it and can claim that root owns what is in it. Unless all of it is
// so, as in some containers: then it is the machine that we have.
static bool is_mounted_by_user(const struct walk *walk, const char *path, const struct stat *st)
{
	struct statfs fs;
	return st->st_dev != walk->root_device && (statfs(path, &fs) < 0 || fs.f_type == FUSE_SUPER_MAGIC);
}

static bool is_roots_own(const struct walk *walk, const char *path, const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 && !is_mounted_by_user(walk, path, st);
}

// Takes the first component off `rest`; false when there is none.
static bool walk_next(struct walk *walk, char out[PATH_MAX])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(start, "/");
	memcpy(out, start, len);
	out[len] = 0;
	walk->rest = start + len;
	return len > 0;
}

static bool walk_link(struct walk *walk, const char *link)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);
	if (len <= 0 || ++walk->links > LINKS_MAX)
		return false;
	target[len] = 0;
	if (target[0] == '/')
		walk->at[0] = 0;
	int bytes = snprintf(path, sizeof(path), "%s/%s", target, walk->rest);
	if (bytes < 0 || (size_t)bytes >= sizeof(path))
		return false;
	memcpy(walk->path, path, (size_t)bytes + 1);
	walk->rest = walk->path;
	return true;
}

static void walk_up(struct walk *walk)
{
	char *slash = strrchr(walk->at, '/');
	if (slash)
		*slash = 0;
}

// One component. False: not root's own, or not there. *ret_file is set at a file.
static bool walk_step(struct walk *walk, const char *component, bool *ret_file, struct stat *ret_st)
{
	if (strcmp(component, ".") == 0)
		return true;
	if (strcmp(component, "..") == 0) {
		walk_up(walk);
		return true;
	}
	char path[PATH_MAX];
	int bytes = snprintf(path, sizeof(path), "%s/%s", walk->at, component);
	if (bytes < 0 || (size_t)bytes >= sizeof(path) || lstat(path, ret_st) < 0)
		return false;
	// A link belongs to the folder it stands in: nobody can change it without writing there.
	if (S_ISLNK(ret_st->st_mode))
		return walk_link(walk, path);
	memcpy(walk->at, path, (size_t)bytes + 1);
	*ret_file = !S_ISDIR(ret_st->st_mode);
	return is_roots_own(walk, path, ret_st);
}

bool path_is_system(const char *path, int fd)
{
	struct walk walk = {0};
	struct stat opened, st;
	size_t len = strlen(path);
	if (path[0] != '/' || len >= sizeof(walk.path) || fstat(fd, &opened) < 0 || lstat("/", &st) < 0)
		return false;
	walk.root_device = st.st_dev;
	memcpy(walk.path, path, len + 1);
	walk.rest = walk.path;
	if (!is_roots_own(&walk, "/", &st))
		return false;
	char component[PATH_MAX];
	bool is_file = false;
	while (!is_file && walk_next(&walk, component))
		if (!walk_step(&walk, component, &is_file, &st))
			return false;
	bool is_same = st.st_dev == opened.st_dev && st.st_ino == opened.st_ino;
	return is_same && walk.rest[strspn(walk.rest, "/")] == 0;
}
