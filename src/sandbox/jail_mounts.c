// The jail's mounts: fresh folders where sockets and other programs' files are, covers over single files. In place, as
// lockdown's (mounts.c); but user and group are both mapped here, so no other process has to make what is fresh.
//
// The order matters. What is to stay in sight in a fresh folder is taken as a clone before that is covered. The cover lies
// below the new /tmp, where it can be cloned as often as it is wanted.
#include "sandbox/jail_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/mount_calls.h"

#define COVER_PLACE "/tmp"

// What is fresh. The rest of a jail's /dev is closed by Landlock.
static const struct {
	const char *path;
	const char *options;
	bool is_read_only;
} fresh[] = {
	{"/tmp", "mode=1777", false},
	{"/var/tmp", "mode=1777", false},
	{"/dev/shm", "mode=1777", false},
	{"/run", "mode=755", true},
};

// What of /run the machine's own programs need: names of hosts, and NixOS's programs.
static const char *const run_kept[] = {"/run/NetworkManager/resolv.conf", "/run/current-system", "/run/nscd", "/run/opengl-driver",
				       "/run/resolvconf", "/run/systemd/resolve"};

struct kept {
	const char *path;
	int fd; // a mount that lies nowhere yet
	bool is_folder;
};

struct work {
	const struct jail_plan *plan;
	struct kept *kept;
	size_t kept_count;
	int cover_folder_fd, cover_file_fd, cover_closed_fd;
};

static bool is_in_fresh(const struct jail_plan *plan, const char *path)
{
	for (size_t i = 0; i < ARRAY_COUNT(fresh); i++)
		if (path_is_below(path, fresh[i].path) && strcmp(path, fresh[i].path) != 0)
			return true;
	return plan->runtime && path_is_below(path, plan->runtime);
}

// ---------------------------------------------------------------------------------------------------------- what is kept

static bool is_taken(const struct work *work, const char *path)
{
	for (size_t i = 0; i < work->kept_count; i++)
		if (path_is_below(path, work->kept[i].path))
			return true;
	return false;
}

// What is not there need not be kept.
static int kept_take(struct work *work, const char *path)
{
	struct stat st;
	if (!is_in_fresh(work->plan, path) || is_taken(work, path) || stat(path, &st) < 0)
		return 0;
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : errno;
	work->kept[work->kept_count++] = (struct kept){path, fd, S_ISDIR(st.st_mode)};
	return 0;
}

static int text_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// A folder comes before what is in it.
static int kept_take_all(struct work *work)
{
	const struct text_list *list = &work->plan->kept;
	size_t count = list->count + ARRAY_COUNT(run_kept);
	_cleanup_free_ const char **paths = calloc(count, sizeof(*paths));
	work->kept = calloc(count, sizeof(*work->kept));
	if (!paths || !work->kept)
		return ENOMEM;
	memcpy(paths, run_kept, sizeof(run_kept));
	for (size_t i = 0; i < list->count; i++)
		paths[ARRAY_COUNT(run_kept) + i] = list->items[i];
	qsort(paths, count, sizeof(*paths), text_compare);
	int error = 0;
	for (size_t i = 0; i < count && error == 0; i++)
		error = kept_take(work, paths[i]);
	return error;
}

static int folder_make(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? errno : 0;
}

static int place_make(const char *path, bool is_a_folder)
{
	char part[PATH_MAX];
	int error = 0;
	for (const char *end = strchr(path + 1, '/'); error == 0 && end; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		error = folder_make(part, 0755);
	}
	if (error != 0 || is_a_folder)
		return error != 0 ? error : folder_make(path, 0700);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int mount_lay(int fd, const char *path)
{
	return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? errno : 0;
}

static int kept_lay(const struct work *work)
{
	int error = 0;
	for (size_t i = 0; i < work->kept_count && error == 0; i++) {
		const struct kept *kept = &work->kept[i];
		error = place_make(kept->path, kept->is_folder);
		if (error == 0)
			error = mount_lay(kept->fd, kept->path);
	}
	return error;
}

// -------------------------------------------------------------------------------------------------------- what is fresh

static int memory_mount(const char *path, const char *options)
{
	return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ? errno : 0;
}

static int read_only_set(const char *path)
{
	return mount_attributes(AT_FDCWD, path, 0, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}) < 0 ? errno : 0;
}

static int cover_make(struct work *work)
{
	int error = memory_mount(COVER_PLACE, "mode=755");
	if (error == 0)
		error = folder_make(COVER_PLACE "/folder", 0555);
	// In which nothing can be looked up, as in what Landlock closes nothing can be opened.
	if (error == 0)
		error = folder_make(COVER_PLACE "/closed", 0);
	if (error == 0)
		error = mknod(COVER_PLACE "/file", S_IFREG, 0) < 0 ? errno : 0;
	if (error == 0)
		error = read_only_set(COVER_PLACE);
	if (error != 0)
		return error;
	work->cover_folder_fd = open(COVER_PLACE "/folder", O_PATH | O_CLOEXEC);
	work->cover_file_fd = open(COVER_PLACE "/file", O_PATH | O_CLOEXEC);
	work->cover_closed_fd = open(COVER_PLACE "/closed", O_PATH | O_CLOEXEC);
	return work->cover_folder_fd < 0 || work->cover_file_fd < 0 || work->cover_closed_fd < 0 ? errno : 0;
}

// A link is not followed: what it leads to is fresh by its own name, or is not.
static int fresh_mount_all(const struct jail_plan *plan)
{
	int error = 0;
	for (size_t i = 0; i < ARRAY_COUNT(fresh) && error == 0; i++)
		error = path_is_folder(fresh[i].path) ? memory_mount(fresh[i].path, fresh[i].options) : 0;
	if (error == 0 && plan->runtime && !path_is_folder(plan->runtime))
		error = place_make(plan->runtime, true);
	else if (error == 0 && plan->runtime)
		error = memory_mount(plan->runtime, "mode=700");
	if (error == 0 && plan->temporary && is_in_fresh(plan, plan->temporary))
		error = place_make(plan->temporary, true);
	return error;
}

static int fresh_close_all(void)
{
	int error = 0;
	for (size_t i = 0; i < ARRAY_COUNT(fresh) && error == 0; i++)
		error = fresh[i].is_read_only && path_is_folder(fresh[i].path) ? read_only_set(fresh[i].path) : 0;
	return error;
}

// The human's terminals are in the one that is there; /dev/ptmx goes by what lies beside it.
static int terminals_mount(void)
{
	if (!path_is_folder("/dev/pts"))
		return 0;
	return mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") < 0 ? errno : 0;
}

// ------------------------------------------------------------------------------------------------------ what is covered

static int mask_lay(int folder_fd, int file_fd, const char *path)
{
	_cleanup_fd_ int target = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (target < 0 || fstat(target, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ? 0 : errno;
	_cleanup_fd_ int cover = open_tree(S_ISDIR(st.st_mode) ? folder_fd : file_fd, "",
					   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (cover < 0)
		return errno;
	return move_mount(cover, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? errno : 0;
}

static int itself_lay(const char *path, uint64_t attributes)
{
	_cleanup_fd_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	struct mount_attr set = {.attr_set = attributes};
	return mount_attributes(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, set) < 0 ? errno : mount_lay(fd, path);
}

// The folder that it is in too, as it is: a place where something is mounted cannot be renamed, to be replaced by another.
static int read_only_lay(const char *path)
{
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	int error = folder[0] ? itself_lay(folder, 0) : 0;
	return error == 0 ? itself_lay(path, MOUNT_ATTR_RDONLY) : error;
}

static int covers_lay(const struct work *work)
{
	const struct jail_plan *plan = work->plan;
	int error = 0;
	for (size_t i = 0; i < plan->masked.count && error == 0; i++)
		error = mask_lay(work->cover_folder_fd, work->cover_file_fd, plan->masked.items[i]);
	for (size_t i = 0; i < plan->covered.count && error == 0; i++)
		error = mask_lay(work->cover_closed_fd, work->cover_file_fd, plan->covered.items[i]);
	for (size_t i = 0; i < plan->read_only.count && error == 0; i++)
		error = read_only_lay(plan->read_only.items[i]);
	return error;
}

static void work_done(struct work *work)
{
	for (size_t i = 0; i < work->kept_count; i++)
		fd_close(&work->kept[i].fd);
	fd_close(&work->cover_folder_fd);
	fd_close(&work->cover_file_fd);
	fd_close(&work->cover_closed_fd);
	free(work->kept);
}

int jail_mounts_make(const struct jail_plan *plan)
{
	_cleanup_(work_done) struct work work = {.plan = plan, .cover_folder_fd = -1, .cover_file_fd = -1, .cover_closed_fd = -1};
	struct mount_attr private = {.propagation = MS_PRIVATE};
	umask(0);
	int error = mount_attributes(AT_FDCWD, "/", AT_RECURSIVE, private) < 0 ? errno : 0;
	if (error == 0)
		error = kept_take_all(&work);
	if (error == 0)
		error = cover_make(&work);
	if (error == 0)
		error = fresh_mount_all(plan);
	if (error == 0)
		error = kept_lay(&work);
	if (error == 0)
		error = fresh_close_all();
	if (error == 0)
		error = terminals_mount();
	return error == 0 ? covers_lay(&work) : error;
}
