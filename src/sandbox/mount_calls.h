// The mount calls that Debian 12's C library has no constants for, and what the two sides of lockdown's tree say to each
// other (trees_program.c makes, mounts.c places).
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

// What trees_program.c makes: an empty folder and an empty file to lay over what is hidden, and the folders that are fresh.
enum tree { TREE_COVER_FOLDER, TREE_COVER_FILE, TREE_DEV, TREE_RUN, TREE_TMP, TREE_VAR_TMP, TREE_COUNT };

// What comes with the descriptors of the trees that there are, in their order.
struct trees_answer {
	int error;      // errno: there are none
	unsigned trees; // bits (1 << tree)
};

static inline int mount_attributes(int fd, const char *path, unsigned flags, struct mount_attr attributes)
{
	return mount_setattr(fd, path, flags, &attributes, sizeof(attributes));
}
