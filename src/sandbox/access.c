// From a plan's lists to hierarchies with rights.
#include "sandbox/sandbox_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
				      "/dev/random", "/dev/urandom", "/dev/tty"};

struct walk {
	const char **hidden; // owned, of borrowed paths; sorted so that what is below a folder follows it directly
	size_t count;
	struct access_list *list;
	unsigned rights;
	char path[PATH_MAX]; // where it is; "" for "/"
};

// A folder that is opened up, and what is hidden below it: [first, end).
struct opened {
	int fd;
	size_t length; // of its path
	size_t first;
	size_t end;
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

static int folder_open_up(struct walk *walk, int parent_fd, const char *name, struct opened *folder, struct err *err);

// `type` is one of dirent's.
static int child_add(struct walk *walk, const struct opened *at, const char *name, unsigned char type, struct err *err)
{
	size_t name_length = strlen(name);
	if (at->length + 1 + name_length >= sizeof(walk->path))
		return 0;
	walk->path[at->length] = '/';
	memcpy(walk->path + at->length + 1, name, name_length + 1);
	struct opened below = {.fd = -1, .length = at->length + 1 + name_length};
	range_narrow(walk, at, name, &below.first, &below.end);
	int r = 0;
	if (strcmp(walk->path, "/dev") == 0)
		r = devices_add(walk, err);
	else if (below.first == below.end)
		r = type == DT_CHR || type == DT_BLK ? 0 : access_list_add(walk->list, walk->path, walk->rights, err);
	else if (walk->hidden[below.first][below.length] != '\0')
		r = folder_open_up(walk, at->fd, name, &below, err);
	walk->path[at->length] = '\0';
	return r;
}

static int children_list(struct walk *walk, const struct opened *at, DIR *dir, struct err *err)
{
	int r = 0;
	const struct dirent *entry;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		unsigned char type = entry->d_type;
		struct stat status;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (type == DT_UNKNOWN && fstatat(at->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			type = (unsigned char)IFTODT(status.st_mode);
		if (type != DT_LNK)
			r = child_add(walk, at, entry->d_name, type, err);
	}
	return r;
}

// A folder that may be entered and not listed: what is on the way to something hidden is known by name.
static int children_known(struct walk *walk, const struct opened *at, struct err *err)
{
	int r = 0;
	for (size_t i = at->first; i < at->end && r == 0;) {
		const char *component = walk->hidden[i] + at->length + 1;
		char name[NAME_MAX + 1];
		size_t length = strcspn(component, "/");
		if (length < sizeof(name)) {
			memcpy(name, component, length);
			name[length] = '\0';
			r = child_add(walk, at, name, DT_DIR, err);
		}
		do
			i++;
		while (i < at->end && strncmp(walk->hidden[i] + at->length + 1, component, length) == 0 &&
		       path_rank(walk->hidden[i][at->length + 1 + length]) <= 1);
	}
	return r;
}

static int folder_open_up(struct walk *walk, int parent_fd, const char *name, struct opened *folder, struct err *err)
{
	_cleanup_fd_ int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	folder->fd = fd;
	int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list_fd < 0)
		return children_known(walk, folder, err);
	DIR *dir = fdopendir(list_fd);
	if (!dir) {
		close(list_fd);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	int r = children_list(walk, folder, dir, err);
	closedir(dir);
	return r;
}

// Everything at and below `path`, which is not hidden itself, but what is hidden in it.
static int root_add(struct walk *walk, const char *path, unsigned rights, struct err *err)
{
	bool is_whole = strcmp(path, "/") == 0;
	struct opened root = {.fd = -1, .length = is_whole ? 0 : strlen(path)};
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
	return folder_open_up(walk, AT_FDCWD, path, &root, err);
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
	walk.hidden = calloc(walk.count + 1, sizeof(*walk.hidden));
	if (!walk.hidden)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < walk.count; i++)
		walk.hidden[i] = plan->hidden.items[i];
	qsort(walk.hidden, walk.count, sizeof(*walk.hidden), path_compare);
	int r = roots_add(&walk, plan, err);
	free(walk.hidden);
	if (r < 0) {
		access_list_done(&list);
		return r;
	}
	*out = list;
	return 0;
}
