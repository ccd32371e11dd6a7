// Lockdown's tree of mounts, made in place: nothing is unmounted and no root is left, which is what costs time elsewhere.
//
// The order matters. What stays writable is taken as a clone while it is still in sight and writable; then everything is
// made read-only at once; then what is fresh, what is writable and what is hidden is laid on its place, the folders
// above first, so that the deeper one is seen. Process 1 can make no file (trees_program.c says why): every place to
// mount on is there already.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/mount_calls.h"
#include "sandbox/outside.h"

extern const uint8_t trees_program_start[];
extern const uint64_t trees_program_bytes;

struct mounts {
	struct outside maker;
};

static const char *const tree_paths[TREE_COUNT] = {
	[TREE_DEV] = "/dev", [TREE_RUN] = "/run", [TREE_TMP] = "/tmp", [TREE_VAR_TMP] = "/var/tmp"};
#define SHM_PATH "/dev/shm"
#define CONSOLE_PATH "/dev/console"
#define OLD_RUN_PATH "/var/run"

// One of the folders that are fresh, and writable as such.
static bool is_fresh(const char *path)
{
	return strcmp(path, tree_paths[TREE_TMP]) == 0 || strcmp(path, tree_paths[TREE_VAR_TMP]) == 0 ||
	       strcmp(path, SHM_PATH) == 0;
}

static bool is_in_fresh(const char *path)
{
	for (enum tree tree = TREE_DEV; tree < TREE_COUNT; tree++)
		if (path_is_below(path, tree_paths[tree]))
			return true;
	return false;
}

// Behind those of the list the working folder, which is seen whether it may be written or not.
static const char *writable_at(const struct sandbox_plan *plan, size_t i)
{
	return i < plan->writable.count ? plan->writable.items[i] : plan->directory;
}

static size_t writable_count(const struct sandbox_plan *plan)
{
	return plan->writable.count + (plan->directory ? 1 : 0);
}

// What is to be laid on its place by itself: not the fresh ones, and not what comes along with a folder above it.
static bool is_own_mount(const struct sandbox_plan *plan, size_t i)
{
	const char *path = writable_at(plan, i);
	if (is_fresh(path))
		return false;
	for (size_t k = 0; k < writable_count(plan); k++) {
		const char *other = writable_at(plan, k);
		bool is_same = strcmp(path, other) == 0;
		// What lies in a fresh folder that is in a writable one is not there any more.
		if (is_same ? k < i : path_is_below(path, other) && !is_fresh(other) && (!is_in_fresh(path) || is_in_fresh(other)))
			return false;
	}
	return true;
}

// ------------------------------------------------------------------------------------------------------- before the fork

static int places_list(const struct sandbox_plan *plan, char **places, struct err *err)
{
	for (size_t i = 0; i < writable_count(plan); i++) {
		const char *path = writable_at(plan, i);
		struct stat st;
		if (!is_own_mount(plan, i) || !is_in_fresh(path))
			continue;
		if (stat(path, &st) < 0)
			return err_set_errno(err, ERR_NO_EXEC, errno, "the sandbox cannot keep %s writable", path);
		if (asprintf(places, "%c%s", S_ISDIR(st.st_mode) ? 'd' : 'f', path) < 0) {
			*places = NULL;
			return err_set(err, ERR_MEMORY, "out of memory");
		}
		places++;
	}
	return 0;
}

#define ARGUMENTS_FIRST 2 // the program's name, and what it is to make

int mounts_prepare(const struct sandbox_plan *plan, struct mounts **out, struct err *err)
{
	const struct outside_program program = {"envseal-trees", trees_program_start, trees_program_bytes};
	char name[] = "envseal-trees", what[] = "tree";
	_cleanup_free_ struct mounts *mounts = calloc(1, sizeof(*mounts));
	_cleanup_free_ char **argv = calloc(ARGUMENTS_FIRST + writable_count(plan) + 1, sizeof(*argv));
	if (!mounts || !argv)
		return err_set(err, ERR_MEMORY, "out of memory");
	argv[0] = name;
	argv[1] = what;
	int r = places_list(plan, argv + ARGUMENTS_FIRST, err);
	if (r == 0)
		r = outside_start(&program, argv, &mounts->maker, err);
	for (char **place = argv + ARGUMENTS_FIRST; *place; place++)
		free(*place);
	if (r == 0)
		*out = TAKE_PTR(mounts);
	return r;
}

void mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return;
	outside_end(&mounts->maker);
	free(mounts);
}

// ---------------------------------------------------------------------------------------------------------- in process 1

enum placement_kind { PLACE_FRESH, PLACE_WRITABLE, PLACE_HIDDEN };

struct placement {
	const char *path;
	int fd; // a mount that lies nowhere yet; -1 for what is hidden
	enum placement_kind kind;
};

// One mount, which is laid once and cloned from there afterwards: what lies nowhere cannot be cloned before Linux 6.15.
struct cover {
	int fd;
	bool is_laid;
};

struct placements {
	struct placement *items;
	size_t count;
	struct text_list covers; // paths of what is hidden
	struct cover folder, file;
	bool is_root_writable;
};

static void placements_done(struct placements *placements)
{
	for (size_t i = 0; i < placements->count; i++)
		fd_close(&placements->items[i].fd);
	fd_close(&placements->folder.fd);
	fd_close(&placements->file.fd);
	text_list_done(&placements->covers);
	free(placements->items);
}

static void placement_add(struct placements *placements, const char *path, int fd, enum placement_kind kind)
{
	placements->items[placements->count++] = (struct placement){.path = path, .fd = fd, .kind = kind};
}

// A folder comes before what is in it; at one place what is hidden comes last and wins.
static int placement_compare(const void *left, const void *right)
{
	const struct placement *a = left, *b = right;
	int order = strcmp(a->path, b->path);
	return order != 0 ? order : (int)a->kind - (int)b->kind;
}

static int everything_set(unsigned flags)
{
	struct mount_attr attributes = {.attr_set = flags, .propagation = MS_PRIVATE};
	return mount_attributes(AT_FDCWD, "/", AT_RECURSIVE, attributes) < 0 ? errno : 0;
}

static int mount_lay(int fd, const char *path)
{
	return move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0 ? errno : 0;
}

static int trees_take(struct placements *placements, struct mounts *mounts)
{
	struct trees_answer answer;
	int fds[TREE_COUNT], taken = 0;
	int count = outside_receive(mounts->maker.fd, &answer, sizeof(answer), fds, TREE_COUNT);
	if (count < 0)
		return -count;
	if (answer.error != 0)
		return answer.error;
	if (count != __builtin_popcount(answer.trees))
		return EMFILE;
	for (enum tree tree = 0; tree < TREE_COUNT; tree++) {
		if (!(answer.trees & 1u << tree))
			continue;
		int fd = fds[taken++];
		if (tree == TREE_COVER_FOLDER)
			placements->folder.fd = fd;
		else if (tree == TREE_COVER_FILE)
			placements->file.fd = fd;
		else
			placement_add(placements, tree_paths[tree], fd, PLACE_FRESH);
	}
	return 0;
}

static int folder_take(struct placements *placements, const char *path, bool is_read_only)
{
	_cleanup_fd_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	if (fd < 0 || (is_read_only && mount_attributes(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, read_only) < 0))
		return errno;
	placement_add(placements, path, TAKE_FD(fd), PLACE_WRITABLE);
	return 0;
}

static int writable_take(struct placements *placements, const struct sandbox_plan *plan)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < writable_count(plan); i++) {
		const char *path = writable_at(plan, i);
		// Not in the list, or it would be no mount of its own.
		bool is_read_only = i == plan->writable.count;
		if (!is_read_only && strcmp(path, "/") == 0)
			placements->is_root_writable = true;
		else if (is_own_mount(plan, i) && (!is_read_only || is_in_fresh(path)))
			error = folder_take(placements, path, is_read_only);
	}
	return error;
}

static int cover_lay(struct cover *cover, int target)
{
	unsigned how = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	_cleanup_fd_ int clone = -1;
	if (cover->is_laid) {
		clone = open_tree(cover->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (clone < 0)
			return errno;
	}
	if (move_mount(cover->is_laid ? clone : cover->fd, "", target, "", how) < 0)
		return errno;
	cover->is_laid = true;
	return 0;
}

// What is not there, or cannot be reached with the user's rights, need not be covered.
static int hidden_lay(struct placements *placements, const char *path)
{
	_cleanup_fd_ int target = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	if (target < 0 || fstat(target, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ? 0 : errno;
	return cover_lay(S_ISDIR(st.st_mode) ? &placements->folder : &placements->file, target);
}

// A link to /run where machines are younger; else what is in it are the same sockets.
static bool has_old_run(void)
{
	return path_is_folder(OLD_RUN_PATH);
}

static void covers_take(struct placements *placements)
{
	for (size_t i = 0; i < placements->covers.count; i++)
		placement_add(placements, placements->covers.items[i], -1, PLACE_HIDDEN);
}

// The program's terminal is one of the machine's, which its own /dev/pts does not have. Where it looks for a name of it
// (ttyname(3)), it finds this one. Nothing to be done for one whose path leads elsewhere here.
static int terminal_take(struct placements *placements, int terminal_fd)
{
	char link[64], path[64];
	struct stat open_one, at_path;
	if (terminal_fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", terminal_fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = 0;
	if (fstat(terminal_fd, &open_one) < 0 || stat(path, &at_path) < 0 || open_one.st_ino != at_path.st_ino ||
	    open_one.st_dev != at_path.st_dev || !S_ISCHR(open_one.st_mode))
		return 0;
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return errno;
	placement_add(placements, CONSOLE_PATH, fd, PLACE_WRITABLE);
	return 0;
}

static int placements_lay(struct placements *placements)
{
	int error = 0;
	qsort(placements->items, placements->count, sizeof(*placements->items), placement_compare);
	for (size_t i = 0; error == 0 && i < placements->count; i++) {
		struct placement *placement = &placements->items[i];
		error = placement->kind == PLACE_HIDDEN ? hidden_lay(placements, placement->path)
							: mount_lay(placement->fd, placement->path);
	}
	return error;
}

static int tree_build(const struct sandbox_plan *plan, struct mounts *mounts, int terminal_fd, struct placements *placements)
{
	// Before its mount loses its devices for good.
	int error = terminal_take(placements, terminal_fd);
	// Devices work on /dev alone. Set before the other clones are taken, which inherit it.
	if (error == 0)
		error = everything_set(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (error == 0)
		error = writable_take(placements, plan);
	if (error == 0 && !placements->is_root_writable)
		error = everything_set(MOUNT_ATTR_RDONLY);
	if (error == 0)
		error = trees_take(placements, mounts);
	covers_take(placements);
	if (has_old_run())
		placement_add(placements, OLD_RUN_PATH, -1, PLACE_HIDDEN);
	if (error == 0)
		error = placements_lay(placements);
	if (error == 0)
		error = abs(mounts_proc());
	// In a folder that was deleted, ".." would still lead to what is covered now.
	if (error == 0 && chdir(plan->directory ? plan->directory : "/") < 0)
		error = errno;
	return error;
}

// While everything can be seen.
static int placements_init(struct placements *placements, const struct sandbox_plan *plan)
{
	int error = covers_list(plan, &placements->covers);
	// With the terminal and the old /var/run.
	size_t most = TREE_COUNT + writable_count(plan) + placements->covers.count + 2;
	placements->items = calloc(most, sizeof(struct placement));
	return placements->items ? error : ENOMEM;
}

#define PLACEMENTS_NONE ((struct placements){.folder = {.fd = -1}, .file = {.fd = -1}})

int mounts_tree(const struct sandbox_plan *plan, struct mounts *mounts, int terminal_fd)
{
	_cleanup_(placements_done) struct placements placements = PLACEMENTS_NONE;
	int error = placements_init(&placements, plan);
	return error != 0 ? error : tree_build(plan, mounts, terminal_fd, &placements);
}

// What of /proc acts on the whole machine: it is the machine's root's, who may write there in whatever namespace.
static const char *const proc_closed[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"};

static int proc_close(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : errno;
	if (st.st_uid != geteuid())
		return 0;
	_cleanup_fd_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 || mount_attributes(fd, "", AT_EMPTY_PATH, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}) < 0)
		return errno;
	return mount_lay(fd, path);
}

// Not by mount(2), which mounts nothing in a tree that lies in no namespace.
static int proc_open(int *out_fd)
{
	_cleanup_fd_ int context = fsopen("proc", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno;
	*out_fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return *out_fd < 0 ? errno : 0;
}

int mounts_proc(void)
{
	_cleanup_fd_ int fd = -1;
	int error = proc_open(&fd);
	if (error == 0)
		error = mount_lay(fd, "/proc");
	if (error != 0)
		return error;
	for (size_t i = 0; error == 0 && i < ARRAY_COUNT(proc_closed); i++)
		error = proc_close(proc_closed[i]);
	return -error;
}
