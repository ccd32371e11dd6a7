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
	struct text_list own;     // as names, and as real paths
	struct text_list links;   // hidden names that lead elsewhere,
	struct text_list targets; // and, in the same order, where to
	char name[PATH_MAX];
	char real[PATH_MAX];
};

// Length of the longest item that the path is, or is below; 0: none.
static size_t list_cover(const struct text_list *list, const char *path)
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

// A name, and where it is, or is below, a symbolic link, the place it leads to.
static int hidden_add(struct paths *paths, const char *name, struct err *err)
{
	int r = path_real(name, paths->real, err);
	if (r == 0)
		r = text_list_add(&paths->plan->hidden, name, err);
	if (r < 0 || strcmp(name, paths->real) == 0)
		return r;
	r = text_list_append(&paths->links, name, err);
	if (r == 0)
		r = text_list_append(&paths->targets, paths->real, err);
	return r < 0 ? r : text_list_add(&paths->plan->hidden, paths->real, err);
}

// Whether a row of the table, which may end in '*', names that.
static bool row_has(const char *row, const char *name)
{
	size_t i = 0;
	while (row[i] != '\0' && row[i] != '*' && row[i] == name[i])
		i++;
	return row[i] == '*' || (row[i] == '\0' && name[i] == '\0');
}

// What is there by those names: for rows with '*' each, for others the symbolic links.
static int hidden_add_present(struct paths *paths, const char *folder, const struct hidden_row *rows, size_t count,
			      struct err *err)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOMEM ? err_set(err, ERR_MEMORY, "out of memory") : 0;
	int r = 0;
	const struct dirent *entry;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		size_t i = 0;
		while (i < count && !row_has(rows[i].name, entry->d_name))
			i++;
		if (i == count)
			continue;
		// What is no link and has a row of its own is in the list by that.
		if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN && !strchr(rows[i].name, '*'))
			continue;
		r = path_text(paths->name, folder, entry->d_name, err);
		if (r == 0)
			r = hidden_add(paths, paths->name, err);
	}
	closedir(dir);
	return r;
}

// Rows of one folder, all by their names, whether they are there or not. Each is there once, so they are not compared.
static int hidden_add_rows(struct paths *paths, const char *folder, bool exists, const struct hidden_row *rows, size_t count,
			   struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		r = path_text(paths->name, folder, rows[i].name, err);
		size_t length = r == 0 ? strlen(paths->name) : 0;
		if (length > 0 && paths->name[length - 1] == '*')
			paths->name[length - 1] = '\0';
		if (r == 0)
			r = text_list_append(&paths->plan->hidden, paths->name, err);
	}
	return r < 0 || !exists ? r : hidden_add_present(paths, folder, rows, count, err);
}

// Is no part of the path behind `length`, which exists or not, a symbolic link? Quicker than realpath, which begins at "/".
static bool path_is_plain(char *path, size_t length, bool *ret_exists)
{
	char byte;
	*ret_exists = false;
	while (path[length] != '\0') {
		size_t end = length + 1 + strcspn(path + length + 1, "/");
		char after = path[end];
		path[end] = '\0';
		bool is_link = readlink(path, &byte, 1) >= 0;
		bool is_other = !is_link && errno == EINVAL;
		path[end] = after;
		if (!is_other)
			return !is_link && errno == ENOENT;
		length = end;
	}
	*ret_exists = true;
	return true;
}

// By the folder's name, and where that leads to another place, there too.
static int hidden_add_folder(struct paths *paths, const char *home, const struct hidden_row *rows, size_t count,
			     struct err *err)
{
	if (rows[0].folder[0] == '\0')
		return hidden_add_rows(paths, home, true, rows, count, err);
	bool exists = true;
	int r = path_text(paths->name, home, rows[0].folder, err);
	bool is_plain = r == 0 && path_is_plain(paths->name, strcmp(home, "/") == 0 ? 0 : strlen(home), &exists);
	if (r == 0 && !is_plain)
		r = path_real(paths->name, paths->real, err);
	if (r < 0)
		return r;
	_cleanup_free_ char *named = strdup(paths->name);
	_cleanup_free_ char *real = strdup(is_plain ? paths->name : paths->real);
	if (!named || !real)
		return err_set(err, ERR_MEMORY, "out of memory");
	exists = exists || !is_plain;
	r = hidden_add_rows(paths, named, exists, rows, count, err);
	return r < 0 || strcmp(named, real) == 0 ? r : hidden_add_rows(paths, real, exists, rows, count, err);
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
	for (size_t first = 0, end = 0; first < count && r == 0; first = end) {
		while (end < count && strcmp(rows[end].folder, rows[first].folder) == 0)
			end++;
		r = hidden_add_folder(paths, home, rows + first, end - first, err);
	}
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
			r = text_list_add(&paths->own, *own, err);
		if (r == 0)
			r = text_list_add(&paths->own, paths->real, err);
	}
	return r;
}

static int own_refuse(const struct paths *paths, const char *path, const char *real, struct err *err)
{
	if (list_cover(&paths->own, path) == 0 && list_cover(&paths->own, real) == 0)
		return 0;
	return err_set(err, ERR_USAGE, "%s belongs to envseal itself, and no program may see it; leave it out", path);
}

static void list_take_out(struct text_list *list, const char *text)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			free(list->items[i]);
		else
			list->items[kept++] = list->items[i];
	list->count = kept;
}

// Takes out what is that path, and names that lead to it. Returns whether there was any.
static bool hidden_take_out(struct paths *paths, const char *path, const char *real)
{
	struct text_list *hidden = &paths->plan->hidden;
	size_t before = hidden->count;
	list_take_out(hidden, path);
	list_take_out(hidden, real);
	for (size_t i = 0; i < paths->links.count; i++)
		if (strcmp(paths->targets.items[i], real) == 0)
			list_take_out(hidden, paths->links.items[i]);
	return hidden->count < before;
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
	bool was_hidden = hidden_take_out(paths, path, paths->real);
	if (path_is_hidden(plan, paths->real)) {
		if (access(paths->real, F_OK) < 0)
			return err_set_errno(err, ERR_NOT_FOUND, errno, "cannot show %s", path);
		return text_list_add(&plan->shown, paths->real, err);
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
	return text_list_add(&paths->plan->writable, paths->real, err);
}

// Whoever may write a home as a whole has what its shells read at their next start, outside. Not for its being asked for.
static bool is_home_in(struct paths *paths, const char *folder)
{
	const char *home = paths->place->home;
	_cleanup_free_ char *real = home ? realpath(home, NULL) : NULL;
	return real && path_is_below(real, folder);
}

static int directory_offer(struct paths *paths, struct err *err)
{
	const char *directory = paths->place->directory;
	return directory && is_home_in(paths, directory) ? 0 : writable_offer(paths, directory, err);
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
	return text_list_add(&paths->plan->writable, paths->real, err);
}

static int lists_fill(struct paths *paths, struct err *err)
{
	const struct sandbox_wish *wish = paths->wish;
	const char *const offered[] = {"/tmp", "/var/tmp", "/dev/shm", paths->place->temporary};
	// First: records name as many as have room.
	int r = hidden_fill_own(paths, err);
	if (r == 0)
		r = hidden_fill_home(paths, err);
	for (size_t i = 0; i < wish->readable_count && r == 0; i++)
		r = readable_add(paths, wish->readable[i], err);
	if (r == 0)
		r = directory_offer(paths, err);
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
	text_list_done(&paths->own);
	text_list_done(&paths->links);
	text_list_done(&paths->targets);
	free(paths);
	return r;
}
