// From a plan's lists to hierarchies with rights.
#include "sandbox/sandbox_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
				      "/dev/random", "/dev/urandom", "/dev/tty"};

struct walk {
	const char **hidden; // of borrowed paths; sorted so that what is below a folder follows it directly
	bool *seen;          // of each: the child that it is at or below was seen where it is listed
	size_t count;
	struct access_list *list;
	unsigned rights;
	char path[PATH_MAX]; // where it is; "" for "/"
	_Alignas(struct dirent64) char block[8192];
};

// A folder that is opened up, and what is hidden below it: [first, end).
struct opened {
	size_t length; // of its path
	size_t first;
	size_t end;
	bool is_listed; // all its children were seen
};

int access_list_add(struct access_list *list, const char *path, unsigned rights, struct err *err)
{
	if (list->count == ACCESS_MAX)
		return err_set(err, ERR_LIMIT,
			       "more than %d files lie beside those that the sandbox hides, the last is %s; start the program in a "
			       "folder below",
			       ACCESS_MAX, path);
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		struct access *items = reallocarray(list->items, capacity, sizeof(*items));
		if (!items)
			return err_set(err, ERR_MEMORY, "out of memory");
		list->items = items;
		list->capacity = capacity;
	}
	char *copy = strdup(path);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory");
	list->items[list->count++] = (struct access){.path = copy, .rights = rights};
	return 0;
}

void access_list_done(struct access_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct access_list){0};
}

// The end of the text first, then '/', then other bytes: "/a", "/a/b", "/a-b".
static int path_rank(char byte)
{
	if (byte == '\0')
		return 0;
	return byte == '/' ? 1 : (unsigned char)byte + 1;
}

static int path_compare(const void *a, const void *b)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;
	while (*left && *left == *right) {
		left++;
		right++;
	}
	return path_rank(*left) - path_rank(*right);
}

// How the name stands to the component at `at`.
static int component_compare(const char *name, const char *at)
{
	while (*name && *name == *at) {
		name++;
		at++;
	}
	return path_rank(*name) - (*at == '/' ? 0 : path_rank(*at));
}

// Narrows the range to what is hidden at, or below, that child.
static void range_narrow(const struct walk *walk, const struct opened *at, const char *name, size_t *ret_first,
			 size_t *ret_end)
{
	size_t low = at->first, high = at->end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (component_compare(name, walk->hidden[middle] + at->length + 1) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_first = low;
	while (low < at->end && component_compare(name, walk->hidden[low] + at->length + 1) == 0)
		low++;
	*ret_end = low;
}

static int devices_add(struct walk *walk, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(devices) && r == 0; i++)
		r = access_list_add(walk->list, devices[i], ACCESS_DEVICE, err);
	return r < 0 ? r : access_list_add(walk->list, "/dev/shm", walk->rights, err);
}

// Makes the child the place where the walk is; `length` is its path's. False: the path would be too long to be named.
static bool walk_step(struct walk *walk, const struct opened *at, const char *name, size_t name_length, size_t *ret_length)
{
	*ret_length = at->length + 1 + name_length;
	if (*ret_length >= sizeof(walk->path))
		return false;
	walk->path[at->length] = '/';
	memcpy(walk->path + at->length + 1, name, name_length);
	walk->path[*ret_length] = '\0';
	return true;
}

// A child in whose way nothing hidden lies. `type` is one of dirent's.
static int child_add(struct walk *walk, const struct opened *at, const char *name, unsigned char type, struct err *err)
{
	size_t first, end, length;
	range_narrow(walk, at, name, &first, &end);
	for (size_t i = first; i < end; i++)
		walk->seen[i] = true;
	if (first < end || !walk_step(walk, at, name, strlen(name), &length))
		return 0;
	if (strcmp(walk->path, "/dev") == 0)
		return 0;
	int r = access_list_add(walk->list, walk->path, walk->rights, err);
	if (r == 0)
		walk->list->items[walk->list->count - 1].is_file = type != DT_DIR && type != DT_UNKNOWN;
	return r;
}

static int child_look(struct walk *walk, const struct opened *at, int fd, const struct dirent64 *entry, struct err *err)
{
	unsigned char type = entry->d_type;
	struct stat status;
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (type == DT_UNKNOWN && fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		type = (unsigned char)IFTODT(status.st_mode);
	return type == DT_LNK || type == DT_CHR || type == DT_BLK ? 0 : child_add(walk, at, entry->d_name, type, err);
}

// Not by readdir(3), which takes three more calls and memory for each folder.
static int children_list(struct walk *walk, struct opened *at, int fd, struct err *err)
{
	int r = 0;
	ssize_t len;
	while ((len = getdents64(fd, walk->block, sizeof(walk->block))) > 0)
		for (ssize_t i = 0; i < len && r == 0;) {
			const struct dirent64 *entry = (const void *)(walk->block + i);
			r = child_look(walk, at, fd, entry, err);
			i += entry->d_reclen;
		}
	at->is_listed = len == 0;
	return r;
}

static int folder_open_up(struct walk *walk, struct opened *folder, struct err *err);

// Opens up each child that something hidden is below of. They are known by name, where the folder cannot be listed.
static int children_open_up(struct walk *walk, const struct opened *at, struct err *err)
{
	int r = 0;
	struct opened child = {.first = at->first};
	for (; child.first < at->end && r == 0; child.first = child.end) {
		const char *name = walk->hidden[child.first] + at->length + 1;
		size_t name_length = strcspn(name, "/");
		child.end = child.first + 1;
		while (child.end < at->end && strncmp(walk->hidden[child.end] + at->length + 1, name, name_length) == 0 &&
		       path_rank(walk->hidden[child.end][at->length + 1 + name_length]) <= 1)
			child.end++;
		bool is_passed = name[name_length] == '\0' || (at->is_listed && !walk->seen[child.first]);
		if (!is_passed && walk_step(walk, at, name, name_length, &child.length) && strcmp(walk->path, "/dev") != 0)
			r = folder_open_up(walk, &child, err);
	}
	return r;
}

// The folder where the walk is. One that does not exist, or is a symbolic link, gives nothing.
static int folder_open_up(struct walk *walk, struct opened *folder, struct err *err)
{
	int r = 0;
	int fd = open(folder->length == 0 ? "/" : walk->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != EACCES)
		return 0;
	memset(walk->seen + folder->first, 0, folder->end - folder->first);
	if (fd >= 0) {
		r = children_list(walk, folder, fd, err);
		close(fd);
	}
	return r < 0 ? r : children_open_up(walk, folder, err);
}

// Everything at and below `path`, which is not hidden itself, but what is hidden in it.
static int root_add(struct walk *walk, const char *path, unsigned rights, struct err *err)
{
	bool is_whole = strcmp(path, "/") == 0;
	struct opened root = {.length = is_whole ? 0 : strlen(path)};
	if (root.length >= sizeof(walk->path))
		return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", path);
	while (root.first < walk->count && !path_is_below(walk->hidden[root.first], path))
		root.first++;
	root.end = root.first;
	while (root.end < walk->count && path_is_below(walk->hidden[root.end], path))
		root.end++;
	if (root.first == root.end && !is_whole)
		return access_list_add(walk->list, path, rights, err);
	walk->rights = rights;
	memcpy(walk->path, path, root.length);
	walk->path[root.length] = '\0';
	int r = is_whole ? devices_add(walk, err) : 0;
	return r < 0 ? r : folder_open_up(walk, &root, err);
}

static int roots_add(struct walk *walk, const struct sandbox_plan *plan, struct err *err)
{
	// "/" is above /dev, and so always opened up.
	int r = access_list_add(walk->list, "/", ACCESS_LIST, err);
	if (r == 0)
		r = root_add(walk, "/", ACCESS_READ, err);
	for (size_t i = 0; i < plan->shown.count && r == 0; i++)
		if (!path_is_hidden(plan, plan->shown.items[i]))
			r = root_add(walk, plan->shown.items[i], ACCESS_READ, err);
	for (size_t i = 0; i < plan->writable.count && r == 0; i++) {
		const char *path = plan->writable.items[i];
		unsigned device = path_is_below(path, "/dev") ? ACCESS_DEVICE : 0;
		// Read too: it may lie in a folder that cannot be listed.
		if (!path_is_hidden(plan, path))
			r = root_add(walk, path, ACCESS_READ | ACCESS_WRITE | device, err);
	}
	return r;
}

int access_list_build(const struct sandbox_plan *plan, struct access_list *out, struct err *err)
{
	struct access_list list = {0};
	struct walk walk = {.list = &list, .count = plan->hidden.count};
	_cleanup_free_ const char **hidden = walk.hidden = calloc(walk.count + 1, sizeof(*walk.hidden));
	_cleanup_free_ bool *seen = walk.seen = calloc(walk.count + 1, sizeof(*walk.seen));
	if (!hidden || !seen)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < walk.count; i++)
		walk.hidden[i] = plan->hidden.items[i];
	qsort(walk.hidden, walk.count, sizeof(*walk.hidden), path_compare);
	int r = roots_add(&walk, plan, err);
	if (r < 0) {
		access_list_done(&list);
		return r;
	}
	*out = list;
	return 0;
}
