// Makes the fresh folders of lockdown, in a namespace of its own, and hands them over as mounts that lie nowhere yet.
//
// Process 1 of the program cannot: its user namespace does not map the group before the program's image is in place
// (sandbox.h), and in a file system of a namespace nobody makes a file or folder whose owner or group it does not map
// (EOVERFLOW, fs/namei.c, fsuidgid_has_mapping). Here both are mapped. Its file may not be read, so nobody may look into it
// (outside.h) or choose what it answers. The maps of such a process cannot be written, so a child writes them, which is open
// to others, and ends before there is a mount namespace that they could enter by it.
//
// First argument: what to make. "tree": all of it; then follow "d" or "f" and a path, for each folder or file that is to be
// there as a place to mount on. "hosts": a file alone, a copy of /etc/hosts behind the lines that follow. Descriptor
// 0: the socket for the answer.
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "sandbox/mount_calls.h"

#define SIZE_MAX_BYTES (1ull << 30)
#define FILES_MAX 262144
#define PATH_BYTES 4096

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int map_write(const char *path, unsigned id)
{
	char line[64];
	snprintf(line, sizeof(line), "%u %u 1", id, id);
	return file_write(path, line);
}

static _Noreturn void maps_write_in_child(uid_t uid, gid_t gid)
{
	// Whoever traces it has nothing by it: no socket to answer by, no mount namespace.
	close(STDIN_FILENO);
	int error = prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? errno : 0;
	if (error == 0)
		error = file_write("/proc/self/setgroups", "deny");
	if (error == 0)
		error = map_write("/proc/self/uid_map", uid);
	if (error == 0)
		error = map_write("/proc/self/gid_map", gid);
	_exit(error);
}

static int maps_make(uid_t uid, gid_t gid)
{
	int status;
	pid_t child = fork();
	if (child == 0)
		maps_write_in_child(uid, gid);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int namespaces_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWUSER) < 0)
		return errno;
	int error = maps_make(uid, gid);
	if (error == 0 && unshare(CLONE_NEWNS) < 0)
		error = errno;
	return error;
}

static int fresh_mount(const char *path, unsigned mode)
{
	struct sysinfo info;
	if (sysinfo(&info) < 0)
		return errno;
	unsigned long long bytes = (unsigned long long)info.totalram * info.mem_unit / 4;
	char options[128];
	if (bytes > SIZE_MAX_BYTES)
		bytes = SIZE_MAX_BYTES;
	snprintf(options, sizeof(options), "mode=%o,size=%llu,nr_inodes=%d", mode, bytes, FILES_MAX);
	return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ? errno : 0;
}

static int file_make(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == EEXIST ? 0 : errno;
	close(fd);
	return 0;
}

static int folder_make(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? errno : 0;
}

// With the folders above it.
static int place_make(const char *path, bool is_folder)
{
	char part[PATH_BYTES];
	int error = 0;
	if (strlen(path) >= sizeof(part))
		return ENAMETOOLONG;
	for (const char *end = strchr(path + 1, '/'); error == 0 && end; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		error = folder_make(part, 0755);
	}
	if (error != 0)
		return error;
	return is_folder ? folder_make(path, 0755) : file_make(path, 0600);
}

static int read_only_set(const char *path)
{
	return mount_attributes(AT_FDCWD, path, 0, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}) < 0 ? errno : 0;
}

static int clone_take(const char *path, int *out_fd)
{
	*out_fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return *out_fd < 0 ? errno : 0;
}

static int mount_place(int fd, const char *path)
{
	return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? errno : 0;
}

static int cover_make(struct trees_answer *answer, int fds[TREE_COUNT])
{
	static const char folder[] = "/dev/folder", file[] = "/dev/file";
	int error = fresh_mount("/dev", 0755);
	if (error == 0)
		error = folder_make(folder, 0555);
	if (error == 0)
		error = file_make(file, 0);
	if (error == 0)
		error = read_only_set("/dev");
	if (error == 0)
		error = clone_take(folder, &fds[TREE_COVER_FOLDER]);
	if (error == 0)
		error = clone_take(file, &fds[TREE_COVER_FILE]);
	answer->trees |= 1u << TREE_COVER_FOLDER | 1u << TREE_COVER_FILE;
	return error;
}

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
#define DEVICE_COUNT (sizeof(devices) / sizeof(devices[0]))

static const struct {
	const char *path, *target;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},         {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"},
};

static int dev_fill(const int device_fds[DEVICE_COUNT])
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < DEVICE_COUNT; i++) {
		error = file_make(devices[i], 0600);
		if (error == 0)
			error = mount_place(device_fds[i], devices[i]);
	}
	for (size_t i = 0; error == 0 && i < sizeof(links) / sizeof(links[0]); i++)
		error = symlink(links[i].target, links[i].path) < 0 ? errno : 0;
	if (error == 0)
		error = folder_make("/dev/pts", 0755);
	// Where the program's terminal is laid, if it has one.
	if (error == 0)
		error = file_make("/dev/console", 0);
	const char *options = "newinstance,ptmxmode=0666,mode=620";
	if (error == 0 && mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options) < 0)
		error = errno;
	if (error == 0)
		error = folder_make("/dev/shm", 0755);
	return error == 0 ? fresh_mount("/dev/shm", 01777) : error;
}

static int dev_make(void)
{
	int fds[DEVICE_COUNT];
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		int error = clone_take(devices[i], &fds[i]);
		if (error != 0)
			return error;
	}
	int error = fresh_mount("/dev", 0755);
	return error == 0 ? dev_fill(fds) : error;
}

// What the machine's own programs are found by on NixOS; links into the store, as a rule.
static const char *const run_kept[] = {"/run/current-system", "/run/opengl-driver"};
#define RUN_KEPT_COUNT (sizeof(run_kept) / sizeof(run_kept[0]))

struct kept {
	char target[PATH_BYTES]; // of a link
	int fd;                  // of a folder; -1
};

static void kept_take(const char *path, struct kept *kept)
{
	ssize_t len = readlink(path, kept->target, sizeof(kept->target) - 1);
	kept->target[len > 0 ? len : 0] = 0;
	kept->fd = len > 0 ? -1 : open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static int kept_place(const char *path, const struct kept *kept)
{
	if (kept->target[0])
		return symlink(kept->target, path) < 0 ? errno : 0;
	if (kept->fd < 0)
		return 0;
	int error = folder_make(path, 0755);
	if (error == 0 && mount_attributes(kept->fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
					   (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}) < 0)
		error = errno;
	return error == 0 ? mount_place(kept->fd, path) : error;
}

static int run_make(void)
{
	static struct kept kept[RUN_KEPT_COUNT];
	for (size_t i = 0; i < RUN_KEPT_COUNT; i++)
		kept_take(run_kept[i], &kept[i]);
	int error = fresh_mount("/run", 0755);
	for (size_t i = 0; error == 0 && i < RUN_KEPT_COUNT; i++)
		error = kept_place(run_kept[i], &kept[i]);
	return error;
}

static int tmp_make(void)
{
	return fresh_mount("/tmp", 01777);
}

static int var_tmp_make(void)
{
	return fresh_mount("/var/tmp", 01777);
}

static const struct {
	const char *path;
	int (*make)(void);
	bool is_read_only;
} trees[TREE_COUNT] = {
	[TREE_DEV] = {"/dev", dev_make, true},
	[TREE_RUN] = {"/run", run_make, true},
	[TREE_TMP] = {"/tmp", tmp_make, false},
	[TREE_VAR_TMP] = {"/var/tmp", var_tmp_make, false},
};

// Where there is no such folder there is nothing to be hidden, and nobody can make one. A link is not followed: what it
// leads to would stay in sight under its own name. /var/tmp is one to /tmp in places.
static bool tree_is_there(enum tree tree, int *error)
{
	struct stat st;
	if (lstat(trees[tree].path, &st) < 0)
		return false;
	if (S_ISLNK(st.st_mode) && tree != TREE_VAR_TMP)
		*error = ELOOP;
	return S_ISDIR(st.st_mode);
}

static int trees_make(char *const places[], struct trees_answer *answer, int fds[TREE_COUNT])
{
	int error = 0;
	for (enum tree tree = TREE_DEV; error == 0 && tree < TREE_COUNT; tree++) {
		if (!tree_is_there(tree, &error))
			continue;
		error = error == 0 ? trees[tree].make() : error;
		answer->trees |= 1u << tree;
	}
	for (; error == 0 && *places; places++)
		error = place_make(*places + 1, **places == 'd');
	for (enum tree tree = TREE_DEV; error == 0 && tree < TREE_COUNT; tree++) {
		if (!(answer->trees & 1u << tree))
			continue;
		error = trees[tree].is_read_only ? read_only_set(trees[tree].path) : 0;
		if (error == 0)
			error = clone_take(trees[tree].path, &fds[tree]);
	}
	return error == 0 ? cover_make(answer, fds) : error;
}

static int text_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0)
			return errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int hosts_fill(int old, int new, const char *lines)
{
	static char block[65536];
	int error = text_write(new, lines, strlen(lines));
	for (ssize_t n = 1; error == 0 && n > 0;) {
		n = read(old, block, sizeof(block));
		error = n < 0 ? errno : text_write(new, block, (size_t)n);
	}
	return error;
}

static int hosts_make(const char *lines, int *out_fd)
{
	int old = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	int error = old < 0 ? errno : fresh_mount("/etc", 0755);
	if (error != 0)
		return error;
	int new = open("/etc/hosts", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (new < 0)
		return errno;
	error = hosts_fill(old, new, lines);
	close(new);
	if (error == 0)
		error = read_only_set("/etc");
	return error == 0 ? clone_take("/etc/hosts", out_fd) : error;
}

static int answer_send(struct trees_answer answer, const int fds[TREE_COUNT])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * TREE_COUNT)];
	} control = {0};
	struct iovec part = {.iov_base = &answer, .iov_len = sizeof(answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int sent[TREE_COUNT] = {0};
	size_t count = 0;
	for (int tree = 0; tree < TREE_COUNT; tree++)
		if (answer.trees & 1u << tree)
			sent[count++] = fds[tree];
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(header), sent, sizeof(int) * count);
	}
	return sendmsg(STDIN_FILENO, &message, MSG_NOSIGNAL) == sizeof(answer) ? 0 : 1;
}

static int asked_make(int argc, char *argv[], struct trees_answer *answer, int fds[TREE_COUNT])
{
	if (argc >= 2 && strcmp(argv[1], "tree") == 0)
		return trees_make(argv + 2, answer, fds);
	if (argc != 3 || strcmp(argv[1], "hosts") != 0)
		return EINVAL;
	answer->trees = 1u << TREE_COVER_FILE;
	return hosts_make(argv[2], &fds[TREE_COVER_FILE]);
}

int main(int argc, char *argv[])
{
	struct trees_answer answer = {0};
	int fds[TREE_COUNT] = {0};
	umask(0);
	answer.error = namespaces_enter();
	if (answer.error == 0)
		answer.error = asked_make(argc, argv, &answer, fds);
	if (answer.error != 0)
		answer.trees = 0;
	return answer_send(answer, fds);
}
