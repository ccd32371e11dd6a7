// Landlock: which files, signals and abstract sockets the process may still use. What entering calls is
// async-signal-safe, since it runs between fork and exec.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Own constants: Debian 12's headers end at ABI 2 (linux/landlock.h).
#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR (UINT64_C(1) << 6)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_MAKE_FIFO (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define FS_RESOLVE_UNIX (UINT64_C(1) << 16)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)
#define CREATE_VERSION 1u
#define CREATE_ERRATA 2u
#define RULE_PATH_BENEATH 1
#define ABI_SCOPE 6

// struct landlock_ruleset_attr as of ABI 6. A kernel that knows less takes it as long as what it does not know is 0.
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

// struct landlock_path_beneath_attr
struct path_rule {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

// What each ABI added; 4 network, 7 logging, 8 threads, which are not used.
static const struct ruleset abis[] = {
	[1] = {.handled_access_fs = FS_MAKE_SYM * 2 - 1}, // Linux 5.13: everything up to there
	[2] = {.handled_access_fs = FS_REFER},            // 5.19
	[3] = {.handled_access_fs = FS_TRUNCATE},         // 6.2
	[4] = {0},                                        // 6.7
	[5] = {.handled_access_fs = FS_IOCTL_DEV},        // 6.10
	[ABI_SCOPE] = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL}, // 6.12
	[7] = {0},                                        // 6.15
	[8] = {0},                                        // 7.0
	[9] = {.handled_access_fs = FS_RESOLVE_UNIX},     // 7.1
};

static const struct {
	enum access_kind kind;
	uint64_t rights;
} kinds[] = {
	{ACCESS_LIST, FS_READ_DIR},
	{ACCESS_READ, FS_EXECUTE | FS_READ_FILE | FS_READ_DIR | FS_RESOLVE_UNIX},
	// REFER: without it nothing could be renamed or linked from one folder into another. Landlock itself sees to it that
	// a file gains no right by its new place.
	{ACCESS_WRITE, FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
			       FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER},
	{ACCESS_DEVICE, FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV},
	{ACCESS_CONNECT, FS_RESOLVE_UNIX},
};

// What a rule for anything but a folder may give.
#define FILE_RIGHTS (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV | FS_RESOLVE_UNIX)

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	return abi > 0 ? (int)abi : 0;
}

unsigned landlock_errata(void)
{
	long errata = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_ERRATA);
	return errata > 0 ? (unsigned)errata : 0;
}

bool landlock_has_scope(void)
{
	return landlock_abi() >= ABI_SCOPE;
}

// All that the kernel knows, as far as it is known here.
static struct ruleset ruleset_of(size_t abi)
{
	struct ruleset all = {0};
	for (size_t i = 1; i <= abi && i < ARRAY_COUNT(abis); i++) {
		all.handled_access_fs |= abis[i].handled_access_fs;
		all.scoped |= abis[i].scoped;
	}
	return all;
}

static uint64_t rights_of(unsigned access)
{
	uint64_t rights = 0;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (access & kinds[i].kind)
			rights |= kinds[i].rights;
	return rights;
}

// 0 or errno.
static int rule_add(int ruleset_fd, int fd, uint64_t rights)
{
	struct path_rule rule = {.allowed_access = rights, .parent_fd = fd};
	if (rights == 0 || syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	return errno;
}

// The folder that is open, since neighbours lie together in a list.
struct folder {
	const char *path; // its first `length` bytes
	size_t length;
	int fd;
};

// A symbolic link that took the path's place since it was listed must not lead to what is hidden: it is opened itself.
static int folder_open_path(struct folder *folder, const char *path)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	const char *name = strrchr(path, '/') + 1;
	size_t length = (size_t)(name - path);
	if (*name == '\0' || length >= PATH_MAX)
		return open(path, flags);
	if (folder->fd < 0 || folder->length != length || memcmp(folder->path, path, length) != 0) {
		char parent[PATH_MAX];
		memcpy(parent, path, length);
		parent[length] = '\0';
		if (folder->fd >= 0)
			close(folder->fd);
		*folder = (struct folder){.path = path, .length = length, .fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	}
	return folder->fd < 0 ? -1 : openat(folder->fd, name, flags);
}

// What cannot be opened, or is of a file system that only the kernel uses, stays without a right.
static int path_add(int ruleset_fd, struct folder *folder, const struct access *access, uint64_t handled)
{
	uint64_t rights = rights_of(access->rights) & handled;
	int fd = folder_open_path(folder, access->path);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno : 0;
	int error = rule_add(ruleset_fd, fd, access->is_file ? rights & FILE_RIGHTS : rights);
	if (error == EINVAL)
		error = rule_add(ruleset_fd, fd, rights & FILE_RIGHTS);
	close(fd);
	return error == EBADFD ? 0 : error;
}

// What lies where the program has mounts of its own, and so is another file there. The rest can be opened anywhere: a rule
// holds for a file, by whatever mount it is reached.
static bool is_late(const char *path)
{
	static const char *const places[] = {"/proc", "/dev", "/run", "/tmp", "/var/tmp", "/etc/hosts"};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++)
		if (path_is_below(path, places[i]))
			return true;
	return false;
}

int landlock_ruleset_open(bool has_paths, bool has_scope, struct landlock_ruleset *out)
{
	*out = LANDLOCK_RULESET_INIT;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	if (abi < 0)
		return errno;
	if (has_scope && abi < ABI_SCOPE)
		return EPROTONOSUPPORT;
	struct ruleset ruleset = ruleset_of((size_t)abi);
	if (!has_paths)
		ruleset.handled_access_fs = 0;
	if (!has_scope)
		ruleset.scoped = 0;
	if (ruleset.handled_access_fs == 0 && ruleset.scoped == 0)
		return 0;
	out->handled = ruleset.handled_access_fs;
	out->fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	return out->fd < 0 ? errno : 0;
}

int landlock_rules_add(const struct landlock_ruleset *ruleset, const struct access_list *list, unsigned parts)
{
	int error = 0;
	struct folder folder = {.fd = -1};
	for (size_t i = 0; i < list->count && error == 0; i++)
		if (parts & (is_late(list->items[i].path) ? LANDLOCK_LATE : LANDLOCK_EARLY))
			error = path_add(ruleset->fd, &folder, &list->items[i], ruleset->handled);
	if (folder.fd >= 0)
		close(folder.fd);
	if (error == 0 && (parts & LANDLOCK_EARLY) && list->has_image)
		error = rule_add(ruleset->fd, list->image_fd, FS_EXECUTE | FS_READ_FILE);
	return error;
}

int landlock_ruleset_enter(const struct landlock_ruleset *ruleset, const int terminal_fds[3])
{
	int error = 0;
	for (size_t i = 0; i < 3 && error == 0; i++)
		if (terminal_fds[i] >= 0)
			error = rule_add(ruleset->fd, terminal_fds[i], rights_of(ACCESS_DEVICE) & ruleset->handled);
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset->fd, 0) < 0)
		error = errno;
	return error;
}

int landlock_enter(const struct access_list *list, const int terminal_fds[3], bool has_scope)
{
	struct landlock_ruleset ruleset;
	int error = landlock_ruleset_open(list != NULL, has_scope, &ruleset);
	if (error != 0 || ruleset.fd < 0)
		return error;
	if (list)
		error = landlock_rules_add(&ruleset, list, LANDLOCK_EARLY | LANDLOCK_LATE);
	if (error == 0)
		error = landlock_ruleset_enter(&ruleset, terminal_fds);
	close(ruleset.fd);
	return error;
}
