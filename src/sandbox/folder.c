// A folder that has no place in any tree. Names in it cannot be exchanged by anybody else, as they could in every folder
// of the user's, and it goes with its descriptor, however its process ends.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define MAKER_STACK_BYTES 32768

struct making {
	uid_t user;
	gid_t group;
	int fd;
	int error;
};

// 0 or errno.
static int folder_mount(int *ret_fd)
{
	_cleanup_fd_ int system = (int)syscall(SYS_fsopen, "tmpfs", FS_OPEN_CLOEXEC);
	if (system < 0 || syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "size", "4m", 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_SET_STRING, "nr_inodes", "8192", 0) < 0 ||
	    syscall(SYS_fsconfig, system, FS_CONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno;
	*ret_fd = (int)syscall(SYS_fsmount, system, FS_MOUNT_CLOEXEC, MS_NOSUID | MS_NODEV);
	return *ret_fd < 0 ? errno : 0;
}

static int maker_run(void *context)
{
	struct making *making = context;
	// Nothing can be made in a file system whose namespace does not know the user.
	making->error = namespaces_map(making->user, making->group);
	if (making->error == 0)
		making->error = folder_mount(&making->fd);
	return 0;
}

int sandbox_folder_open(int *ret_fd)
{
	struct making making = {.user = geteuid(), .group = getegid(), .fd = -1};
	_cleanup_free_ char *stack = malloc(MAKER_STACK_BYTES);
	if (!stack)
		return ENOMEM;
	// With this process's memory and descriptors, so that nothing is copied and the folder is here when it ends; as closed
	// to others as this process, since the memory is.
	pid_t maker = clone(maker_run, stack + MAKER_STACK_BYTES,
			    CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, &making);
	if (maker < 0)
		return errno;
	while (waitpid(maker, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_fd = making.fd;
	return making.error;
}
