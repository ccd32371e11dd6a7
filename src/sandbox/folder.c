// A folder that has no place in any tree. Names in it cannot be exchanged by anybody else, as they could in every folder
// of the user's, and it goes with its descriptor, however its process ends.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sandbox/mount_calls.h"

// Linux 5.2.
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#define FS_OPEN_CLOEXEC 1
#define FS_CONFIG_SET_STRING 1
#define FS_CONFIG_CMD_CREATE 6
#define FS_MOUNT_CLOEXEC 1

#define FOLDER_BYTES (4u << 20)

// The user, and who he is in the namespace of the maker.
struct making {
	struct owner owner, shifted;
	int source_fd; // of the image; -1: an empty folder
	const char *name;
	uint64_t bytes;
	int proc_fd;
	int fd, file_fd, inner_fd;
	pid_t maker;
	int error;
};

// 0 or errno.
static int folder_mount(uint64_t bytes, const char *mode, int *ret_fd)
{
	char size[32];
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	_cleanup_fd_ int system = (int)syscall(SYS_fsopen, "tmpfs", FS_OPEN_CLOEXEC);
	if (system < 0 || syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "mode", mode, 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "size", size, 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "nr_inodes", "8192", 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno;
	*ret_fd = (int)syscall(SYS_fsmount, system, FS_MOUNT_CLOEXEC, MS_NOSUID | MS_NODEV);
	return *ret_fd < 0 ? errno : 0;
}

static int image_copy(const struct making *making)
{
	_cleanup_fd_ int file = openat(making->fd, making->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0111);
	off_t at = 0;
	if (file < 0)
		return errno;
	while ((uint64_t)at < making->bytes) {
		ssize_t n = sendfile(file, making->source_fd, &at, making->bytes - (uint64_t)at);
		if (n <= 0)
			return n < 0 ? errno : EIO;
	}
	return fchmod(file, 0111) < 0 ? errno : 0;
}

// The maker knows the user by another number than the namespace below it. Its files have that number, and the mount looks it up
// in the map of the namespace below, which does not have it: so they are nobody's, for every namespace.
static int image_make(struct making *making, const struct standin *standin)
{
	int error = image_copy(making);
	if (error == 0)
		error = standin_go_on(standin);
	if (error == 0)
		error = standin_map(standin, making->owner, making->shifted);
	if (error == 0)
		error = standin_namespace(standin, &making->inner_fd);
	if (error != 0)
		return error;
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
					.userns_fd = (unsigned)making->inner_fd};
	if (mount_attributes(making->fd, "", AT_EMPTY_PATH, attributes) < 0)
		return errno;
	making->file_fd = openat(making->fd, making->name, O_PATH | O_CLOEXEC);
	return making->file_fd < 0 ? errno : 0;
}

static int folder_make(struct making *making, const struct standin *standin)
{
	bool is_image = making->source_fd >= 0;
	// Nothing can be made in a file system whose namespace does not know the user.
	int error = standin_map(standin, making->shifted, making->owner);
	if (error == 0)
		error = namespaces_maps_check(making->proc_fd, making->shifted, making->owner);
	if (error == 0)
		error = folder_mount(making->bytes + FOLDER_BYTES, is_image ? "0711" : "0700", &making->fd);
	return error == 0 && is_image ? image_make(making, standin) : error;
}

static int maker_run(void *context)
{
	struct making *making = context;
	struct standin standin;
	int error = standin_start(making->proc_fd, &standin);
	if (error == 0)
		error = folder_make(making, &standin);
	standin_end(&standin);
	making->error = error;
	return 0;
}

// By a process with this one's descriptors, so that what it opens is here when it has ended.
static int maker_start(struct making *making)
{
	// Until it says otherwise: others of the same user can end it.
	making->error = ECHILD;
	making->maker = process_share(maker_run, making, SHARED_STACK_BYTES, CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS);
	return making->maker < 0 ? errno : making->error;
}

// In here others can have laid something on what the maker sees of /proc, but not on this one.
static int making_run(struct making *making)
{
	making->owner = (struct owner){geteuid(), getegid()};
	making->shifted = (struct owner){making->owner.user + 1, making->owner.group + 1};
	making->fd = making->file_fd = making->inner_fd = making->maker = -1;
	making->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error = making->proc_fd < 0 ? errno : maker_start(making);
	if (error != 0) {
		process_reap(making->maker);
		fd_close(&making->inner_fd);
		fd_close(&making->file_fd);
		fd_close(&making->fd);
		fd_close(&making->proc_fd);
	}
	return error;
}

int sandbox_folder_open(int *ret_fd)
{
	struct making making = {.source_fd = -1};
	int error = making_run(&making);
	if (error != 0)
		return error;
	process_reap(making.maker);
	fd_close(&making.proc_fd);
	*ret_fd = making.fd;
	return 0;
}

int image_open(int source_fd, const char *name, struct placed_image *out)
{
	struct stat st;
	if (fstat(source_fd, &st) < 0)
		return errno;
	struct making making = {.source_fd = source_fd, .name = name, .bytes = (uint64_t)st.st_size};
	int error = making_run(&making);
	if (error != 0)
		return error;
	*out = (struct placed_image){.folder_fd = making.fd, .file_fd = making.file_fd, .maker = making.maker,
				     .space = {.user_fd = making.inner_fd, .proc_fd = making.proc_fd, .inside = making.owner,
					       .outside = making.shifted}};
	return 0;
}
