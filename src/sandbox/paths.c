// From what is asked for, and where, to the lists of a plan: hidden, shown, writable.
#include "sandbox/sandbox_internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Working space of paths_fill, off the stack.
struct paths {
	const struct sandbox_wish *wish;
	const struct sandbox_place *place;
	struct sandbox_plan *plan;
	struct sandbox_list own; // as names, and as real paths
	char name[PATH_MAX];
	char real[PATH_MAX];
};

int list_add(struct sandbox_list *list, const char *text, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return 0;
	char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	list->items = items;
	list->items[list->count] = strdup(text);
	if (!list->items[list->count])
		return err_set(err, ERR_MEMORY, "out of memory");
	list->count++;
	return 0;
}

void list_done(struct sandbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct sandbox_list){0};
}

bool path_is_below(const char *path, const char *folder)
{
	size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

// Length of the longest item that the path is, or is below; 0: none.
static size_t list_cover(const struct sandbox_list *list, const char *path)
{
	size_t longest = 0;
	for (size_t i = 0; i < list->count; i++) {
		size_t length = strlen(list->items[i]);
		if (length > longest && path_is_below(path, list->items[i]))
			longest = length;
	}
	return longest;
}

bool path_is_hidden(const struct sandbox_plan *plan, const char *path)
{
	return list_cover(&plan->hidden, path) > list_cover(&plan->shown, path);
}

static int path_text(char *out, const char *folder, const char *name, struct err *err)
{
	int length = snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
	if (length < 0 || length >= PATH_MAX)
		return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", folder);
	return 0;
}

// The real path; of what does not exist, that of the folder above it which does, and the rest as it is named. `out` has
// room for PATH_MAX.
static int path_real(const char *path, char *out, struct err *err)
{
	if (realpath(path, out))
		return 0;
	_cleanup_free_ char *known = strdup(path);
	if (!known)
		return err_set(err, ERR_MEMORY, "out of memory");
	_cleanup_free_ char *resolved = NULL;
	size_t length = strlen(known);
	while (!resolved) {
		while (length > 1 && known[length - 1] == '/')
			length--;
		while (length > 1 && known[length - 1] != '/')
			length--;
		known[length] = '\0';
		resolved = realpath(known, NULL);
		if (!resolved && length <= 1)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot find the folders above %s", path);
	}
	int r = path_text(out, resolved, path + length, err);
	for (size_t end = r == 0 ? strlen(out) : 0; end > 1 && out[end - 1] == '/'; end--)
		out[end - 1] = '\0';
	return r;
}

static int path_check_absolute(const char *path, struct err *err)
{
	char brief[128];
	if (path[0] == '/')
		return 0;
	return err_set(err, ERR_USAGE, "%s: a path for the sandbox must begin with /",
		       text_brief(span_text(path), brief, sizeof(brief)));
}

// A name, and the place it leads to.
static int hidden_add(struct paths *paths, const char *name, struct err *err)
{
	int r = path_real(name, paths->real, err);
	if (r == 0)
		r = list_add(&paths->plan->hidden, name, err);
	return r < 0 ? r : list_add(&paths->plan->hidden, paths->real, err);
}

// All names in the folder of the pattern, which ends in '*', that begin like it.
static int hidden_add_matches(struct paths *paths, const char *pattern, struct err *err)
{
	const char *prefix = strrchr(pattern, '/') + 1;
	size_t length = strlen(prefix) - 1;
	_cleanup_free_ char *folder = strndup(pattern, (size_t)(prefix - pattern));
	if (!folder)
		return err_set(err, ERR_MEMORY, "out of memory");
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOMEM ? err_set(err, ERR_MEMORY, "out of memory") : 0;
	folder[prefix - pattern - 1] = '\0';
	int r = 0;
	const struct dirent *entry;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, prefix, length) != 0)
			continue;
		r = path_text(paths->name, folder, entry->d_name, err);
		if (r == 0)
			r = hidden_add(paths, paths->name, err);
	}
	closedir(dir);
	return r;
}

static int hidden_add_row(struct paths *paths, const char *home, const char *row, struct err *err)
{
	int r = path_text(paths->name, home, row, err);
	size_t length = strlen(paths->name);
	if (r < 0 || paths->name[length - 1] != '*')
		return r < 0 ? r : hidden_add(paths, paths->name, err);
	_cleanup_free_ char *pattern = strdup(paths->name);
	if (!pattern)
		return err_set(err, ERR_MEMORY, "out of memory");
	paths->name[length - 1] = '\0';
	r = hidden_add(paths, paths->name, err);
	return r < 0 ? r : hidden_add_matches(paths, pattern, err);
}

static int hidden_fill_home(struct paths *paths, struct err *err)
{
	if (!paths->place->home)
		return 0;
	int r = path_check_absolute(paths->place->home, err);
	if (r < 0)
		return err_prefix(err, "the home folder");
	r = path_real(paths->place->home, paths->real, err);
	_cleanup_free_ char *home = r == 0 ? strdup(paths->real) : NULL;
	if (r < 0 || !home)
		return r < 0 ? r : err_set(err, ERR_MEMORY, "out of memory");
	size_t count;
	const struct hidden_row *rows = hidden_rows(&count);
	for (size_t i = 0; i < count && r == 0; i++)
		r = hidden_add_row(paths, home, rows[i].path, err);
	return r;
}

static int hidden_fill_own(struct paths *paths, struct err *err)
{
	int r = 0;
	for (const char *const *own = paths->place->own; own && *own && r == 0; own++) {
		r = path_check_absolute(*own, err);
		if (r == 0)
			r = hidden_add(paths, *own, err);
		if (r == 0)
			r = list_add(&paths->own, *own, err);
		if (r == 0)
			r = list_add(&paths->own, paths->real, err);
	}
	return r;
}

static int own_refuse(const struct paths *paths, const char *path, const char *real, struct err *err)
{
	if (list_cover(&paths->own, path) == 0 && list_cover(&paths->own, real) == 0)
		return 0;
	return err_set(err, ERR_USAGE, "%s belongs to envseal itself, and no program may see it; leave it out", path);
}

// Takes out what is that path, by any name. Returns whether there was any.
static bool hidden_take_out(struct paths *paths, const char *path, const char *real, char *scratch)
{
	struct sandbox_list *hidden = &paths->plan->hidden;
	size_t kept = 0, before = hidden->count;
	struct err err;
	for (size_t i = 0; i < before; i++) {
		char *item = hidden->items[i];
		bool is_same = strcmp(item, path) == 0 || strcmp(item, real) == 0 ||
			       (path_real(item, scratch, &err) == 0 && strcmp(scratch, real) == 0);
		if (is_same)
			free(item);
		else
			hidden->items[kept++] = item;
	}
	hidden->count = kept;
	return kept < before;
}

// What is hidden below that path; NULL: nothing.
static const char *hidden_below(const struct sandbox_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->hidden.count; i++)
		if (path_is_below(plan->hidden.items[i], path))
			return plan->hidden.items[i];
	return NULL;
}

static int readable_add(struct paths *paths, const char *path, struct err *err)
{
	struct sandbox_plan *plan = paths->plan;
	int r = path_check_absolute(path, err);
	if (r == 0)
		r = path_real(path, paths->real, err);
	if (r == 0)
		r = own_refuse(paths, path, paths->real, err);
	if (r < 0)
		return r;
	if (path_is_below(paths->real, "/dev") && !path_is_below(paths->real, "/dev/shm"))
		return err_set(err, ERR_USAGE, "%s is a device; ask for it to be writable instead", path);
	bool was_hidden = hidden_take_out(paths, path, paths->real, paths->name);
	if (path_is_hidden(plan, paths->real)) {
		if (access(paths->real, F_OK) < 0)
			return err_set_errno(err, ERR_NOT_FOUND, errno, "cannot show %s", path);
		return list_add(&plan->shown, paths->real, err);
	}
	const char *below = was_hidden ? NULL : hidden_below(plan, paths->real);
	if (!below)
		return 0;
	return err_set(err, ERR_USAGE,
		       "%s can be read already, but for what is hidden in it; name what is to be shown, such as %s", path, below);
}

// A path that is there to be written without being asked for.
static int writable_offer(struct paths *paths, const char *path, struct err *err)
{
	if (!path || path[0] != '/' || !realpath(path, paths->real))
		return 0;
	if (strcmp(paths->real, "/") == 0 || path_is_hidden(paths->plan, paths->real))
		return 0;
	return list_add(&paths->plan->writable, paths->real, err);
}

static int writable_add(struct paths *paths, const char *path, struct err *err)
{
	int r = path_check_absolute(path, err);
	if (r < 0)
		return r;
	if (!realpath(path, paths->real)) {
		bool is_missing = errno == ENOENT || errno == ENOTDIR;
		return err_set_errno(err, is_missing ? ERR_NOT_FOUND : ERR_SYSTEM, errno, "cannot make %s writable", path);
	}
	r = own_refuse(paths, path, paths->real, err);
	if (r < 0)
		return r;
	if (strcmp(paths->real, "/") == 0)
		return err_set(err, ERR_USAGE, "%s cannot be writable as a whole; name the folders", path);
	if (path_is_hidden(paths->plan, paths->real))
		return err_set(err, ERR_USAGE, "%s is hidden; to have it written, ask for it to be readable too", path);
	return list_add(&paths->plan->writable, paths->real, err);
}

static int lists_fill(struct paths *paths, struct err *err)
{
	const struct sandbox_wish *wish = paths->wish;
	const char *const offered[] = {paths->place->directory, "/tmp", "/var/tmp", "/dev/shm", paths->place->temporary};
	int r = hidden_fill_home(paths, err);
	if (r == 0)
		r = hidden_fill_own(paths, err);
	for (size_t i = 0; i < wish->readable_count && r == 0; i++)
		r = readable_add(paths, wish->readable[i], err);
	for (size_t i = 0; i < ARRAY_COUNT(offered) && r == 0; i++)
		r = writable_offer(paths, offered[i], err);
	for (size_t i = 0; i < wish->writable_count && r == 0; i++)
		r = writable_add(paths, wish->writable[i], err);
	return r;
}

int paths_fill(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *plan,
	       struct err *err)
{
	if (wish->tier == SANDBOX_STANDARD)
		return 0;
	if (wish->readable_count > SANDBOX_PATHS_MAX || wish->writable_count > SANDBOX_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "at most %d paths can be shown, and as many be writable", SANDBOX_PATHS_MAX);
	struct paths *paths = calloc(1, sizeof(*paths));
	if (!paths)
		return err_set(err, ERR_MEMORY, "out of memory");
	paths->wish = wish;
	paths->place = place;
	paths->plan = plan;
	int r = lists_fill(paths, err);
	list_done(&paths->own);
	free(paths);
	return r;
}
