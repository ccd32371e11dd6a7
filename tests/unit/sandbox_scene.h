// A folder with a home, a working folder and something else in it, for the tests of which files a sandbox leaves.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/sandbox_internal.h"

struct sandbox_scene {
	char base[PATH_MAX / 2]; // real path
	char text[PATH_MAX];     // of the last scene_path
};

// Valid until the next one.
static inline const char *scene_path(struct sandbox_scene *scene, const char *name)
{
	snprintf(scene->text, sizeof(scene->text), "%s/%s", scene->base, name);
	return scene->text;
}

// A name that ends in '/' is a folder; any other a file of one byte. The folders above are made too.
static inline void scene_make(struct sandbox_scene *scene, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", scene->base, name);
	for (char *slash = strchr(path + strlen(scene->base) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
	if (path[strlen(path) - 1] == '/')
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static inline void scene_link(struct sandbox_scene *scene, const char *target, const char *name)
{
	char to[PATH_MAX];
	snprintf(to, sizeof(to), "%s", scene_path(scene, target));
	assert_int_equal(symlink(to, scene_path(scene, name)), 0);
}

static inline void scene_init(struct sandbox_scene *scene)
{
	char name[] = "/tmp/envseal-sandbox-XXXXXX";
	assert_non_null(mkdtemp(name));
	char real[PATH_MAX];
	assert_non_null(realpath(name, real));
	snprintf(scene->base, sizeof(scene->base), "%.1000s", real);
}

static inline int scene_remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void scene_done(struct sandbox_scene *scene)
{
	nftw(scene->base, scene_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void scene_list_add(struct text_list *list, const char *path)
{
	struct err err;
	assert_int_equal(text_list_add(list, path, &err), 0);
}

