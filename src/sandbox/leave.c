// Leaving the mount namespace's tree for a copy of it that lies in no namespace.
//
// Whoever owns the user namespace, which is any process of the same user outside, may enter that of the mounts: by any process
// in it, or from Linux 6.18 on by its number. He would lay files of his own over those that a program reads. Where he needs no
// process for it, he can have been there before this one did anything. So what is copied is compared with what there is
// outside, where he may not mount: nothing may have come. /proc is that of outside too, not one that he may have laid.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/mount_calls.h"

#define LIST_BYTES_MAX (16u << 20)
#define TRIES_MAX 3

void leave_done(struct leave *leave)
{
	fd_close(&leave->proc_fd);
	fd_close(&leave->list_fd);
	fd_close(&leave->tree_fd);
}

int leave_prepare(struct leave *out)
{
	*out = LEAVE_NONE;
	if (!namespaces_are_open())
		return 0;
	out->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	out->list_fd = out->proc_fd < 0 ? -1 : openat(out->proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (out->list_fd >= 0)
		return 0;
	int error = errno;
	leave_done(out);
	return error;
}

// Of a line of mountinfo (proc_pid_mountinfo(5)) what a copy has in common with its original: behind the numbers of the mount
// and its parent the file system, what of it, where, and how.
static char *line_cut(char *line)
{
	for (int i = 0; i < 2 && line; i++)
		line = (line = strchr(line, ' ')) ? line + 1 : NULL;
	char *end = line;
	for (int i = 0; i < 4 && end; i++)
		end = (end = strchr(end, ' ')) ? end + 1 : NULL;
	if (end)
		end[-1] = '\0';
	return end ? line : NULL;
}

struct lines {
	struct buf text;
	char **items;
	size_t count;
};

static void lines_done(struct lines *lines)
{
	buf_done(&lines->text);
	free(lines->items);
}

static int line_compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int lines_read(int fd, struct lines *out)
{
	struct err err;
	char *rest;
	out->text = BUF_INIT(LIST_BYTES_MAX);
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, &out->text, "mountinfo", &err) < 0)
		return errno != 0 ? errno : EIO;
	size_t most = 1;
	for (size_t i = 0; i < out->text.len; i++)
		most += out->text.data[i] == '\n';
	out->items = calloc(most, sizeof(*out->items));
	if (!out->items)
		return ENOMEM;
	for (char *line = strtok_r((char *)out->text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		out->items[out->count] = line_cut(line);
		if (!out->items[out->count++])
			return EPROTO;
	}
	qsort(out->items, out->count, sizeof(*out->items), line_compare);
	return 0;
}

// Each of them, as often as there. What is missing here the kernel did not copy: nobody can take off what it did.
static bool lines_are_in(const struct lines *lines, const struct lines *all)
{
	size_t k = 0;
	for (size_t i = 0; i < lines->count; i++, k++) {
		while (k < all->count && strcmp(all->items[k], lines->items[i]) < 0)
			k++;
		if (k == all->count || strcmp(all->items[k], lines->items[i]) != 0)
			return false;
	}
	return lines->count > 0;
}

// 0 or errno; ESTALE: not the same.
static int lists_compare(int own_fd, int outside_fd)
{
	_cleanup_(lines_done) struct lines own = {0}, outside = {0};
	int error = lines_read(own_fd, &own);
	if (error == 0)
		error = lines_read(outside_fd, &outside);
	return error != 0 ? error : lines_are_in(&own, &outside) ? 0 : ESTALE;
}

static int tree_clone(int *out_fd)
{
	*out_fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return *out_fd < 0 ? errno : 0;
}

// ESTALE where something came or went meanwhile, too: the list's descriptor tells of it (mounts_poll, fs/proc_namespace.c).
static int tree_clone_compared(const struct leave *leave, int *out_fd)
{
	_cleanup_fd_ int own_fd = openat(leave->proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0)
		return errno;
	int error = lists_compare(own_fd, leave->list_fd);
	if (error == 0)
		error = tree_clone(out_fd);
	if (error != 0)
		return error;
	struct pollfd change = {.fd = own_fd, .events = POLLPRI};
	int changed = poll(&change, 1, 0);
	if (changed == 0)
		return 0;
	error = changed < 0 ? errno : ESTALE;
	fd_close(out_fd);
	return error;
}

int mounts_leave(struct leave *leave, const char *directory)
{
	int error = ESTALE;
	// Mounts come and go outside too, and from there come here.
	for (int i = 0; i < TRIES_MAX && error == ESTALE; i++)
		error = leave->list_fd >= 0 ? tree_clone_compared(leave, &leave->tree_fd) : tree_clone(&leave->tree_fd);
	if (error != 0)
		return error;
	_cleanup_fd_ int deleted = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fchdir(leave->tree_fd) < 0 || chroot(".") < 0)
		return errno;
	int r = directory ? chdir(directory) : fchdir(deleted);
	return r < 0 ? errno : 0;
}
