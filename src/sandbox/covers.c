// Which paths are covered in a tree of mounts: what is hidden; and where something in it is shown, all around that, as it is
// now. A cover over the whole would need a place for what is shown in an empty folder, and who makes such folders knows of
// no paths.
#include "sandbox/sandbox_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool has_shown_below(const struct sandbox_plan *plan, const char *folder)
{
	for (size_t i = 0; i < plan->shown.count; i++)
		if (path_is_below(plan->shown.items[i], folder))
			return true;
	return false;
}

static bool is_shown(const struct sandbox_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->shown.count; i++)
		if (strcmp(plan->shown.items[i], path) == 0)
			return true;
	return false;
}

struct walk {
	const struct sandbox_plan *plan;
	struct text_list *covers;
	struct err err;
};

static int cover_add(struct walk *walk, const char *path);

static int child_add(struct walk *walk, const char *folder, const char *name)
{
	_cleanup_free_ char *path = NULL;
	return asprintf(&path, "%s/%s", folder, name) < 0 ? ENOMEM : cover_add(walk, path);
}

static int folder_open_up(struct walk *walk, const char *folder)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	int error = 0;
	const struct dirent *entry;
	while (error == 0 && (entry = readdir(dir))) {
		// What a link leads to is hidden where it lies, or not at all.
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && entry->d_type != DT_LNK)
			error = child_add(walk, folder, entry->d_name);
	}
	closedir(dir);
	return error;
}

// As deep as what is shown lies.
static int cover_add(struct walk *walk, const char *path)
{
	if (is_shown(walk->plan, path))
		return 0;
	if (has_shown_below(walk->plan, path))
		return folder_open_up(walk, path);
	return text_list_add(walk->covers, path, &walk->err) < 0 ? ENOMEM : 0;
}

int covers_list(const struct sandbox_plan *plan, struct text_list *covers)
{
	struct walk walk = {.plan = plan, .covers = covers};
	int error = 0;
	for (size_t i = 0; error == 0 && i < plan->hidden.count; i++)
		error = cover_add(&walk, plan->hidden.items[i]);
	return error;
}
