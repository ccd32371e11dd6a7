// The mount calls that Debian 12's C library has no constants for, and what the two sides of lockdown's tree say to each
// other (trees_program.c makes, mounts.c places).
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

// Folders that are fresh in lockdown. The programs that make and place them go by this order.
enum tree { TREE_COVER, TREE_DEV, TREE_RUN, TREE_TMP, TREE_VAR_TMP, TREE_COUNT };
#define TREE_COVER_FOLDER "/dev/folder" // where the cover's two things are seen while it lies on /dev
#define TREE_COVER_FILE "/dev/file"

// What comes with the descriptors of the trees that there are, in their order.
struct trees_answer {
	int error;      // errno: there are none
	unsigned trees; // bits (1 << tree)
};

static inline int mount_attributes(int fd, const char *path, unsigned flags, struct mount_attr attributes)
{
	return mount_setattr(fd, path, flags, &attributes, sizeof(attributes));
}
