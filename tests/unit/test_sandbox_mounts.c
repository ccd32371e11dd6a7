// Lockdown's tree: what can be read, written and seen in it, as a program with the user's rights and no others finds it.
#include "sandbox_support.h"

#include <dirent.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "sandbox/sandbox_internal.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)

// A folder of the test's own, "at", with project, other, a secret folder and files.
struct fixture {
	char at[64];
	struct sandbox_plan plan;
	struct mounts *mounts;
	int error; // expected of mounts_tree
	int terminal_fd;
};

static char *path_in(const struct fixture *fixture, const char *name)
{
	char *path = NULL;
	CHECK(asprintf(&path, "%s/%s", fixture->at, name) > 0);
	return path;
}

static void file_put(const struct fixture *fixture, const char *name, const char *text)
{
	char *path = path_in(fixture, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	free(path);
}

static void folder_put(const struct fixture *fixture, const char *name)
{
	char *path = path_in(fixture, name);
	CHECK(mkdir(path, 0755) == 0);
	free(path);
}

static void list_put(struct text_list *list, char *text)
{
	struct err err;
	CHECK(text_list_add(list, text, &err) == 0);
	free(text);
}

static void fixture_make(struct fixture *fixture, const char *base)
{
	namespaces_want();
	*fixture = (struct fixture){.terminal_fd = -1};
	snprintf(fixture->at, sizeof(fixture->at), "%s/envseal-mounts-XXXXXX", base);
	assert_non_null(mkdtemp(fixture->at));
	folder_put(fixture, "project");
	folder_put(fixture, "project/.git");
	folder_put(fixture, "project/hidden");
	folder_put(fixture, "other");
	file_put(fixture, "project/code", "code");
	file_put(fixture, "project/.env", "KEY=value");
	file_put(fixture, "project/hidden/key", "value");
	file_put(fixture, "other/file", "other");
	file_put(fixture, "log", "log");
	fixture->plan.directory = path_in(fixture, "project");
	list_put(&fixture->plan.writable, path_in(fixture, "project"));
}

static void fixture_done(struct fixture *fixture)
{
	char command[128];
	mounts_free(fixture->mounts);
	sandbox_plan_done(&fixture->plan);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->at);
	assert_int_equal(system(command), 0);
}

static void tree_enter(void *context)
{
	struct fixture *fixture = context;
	int error = mounts_tree(&fixture->plan, fixture->mounts, fixture->terminal_fd);
	if (error != fixture->error)
		fprintf(stderr, "mounts_tree: %s\n", strerror(error));
	CHECK(error == fixture->error);
	if (error != 0)
		_exit(0);
}

static void fixture_run(struct fixture *fixture, void (*check)(void *context))
{
	struct inside inside = {.enter = tree_enter, .check = check, .context = fixture};
	struct err err;
	assert_int_equal(mounts_prepare(&fixture->plan, &fixture->mounts, &err), 0);
	assert_int_equal(inside_run(&inside, NAMESPACES), 0);
}

// The answer of open(2): 0 or errno.
static int open_error(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int open_error_in(const struct fixture *fixture, const char *name, int flags)
{
	char *path = path_in(fixture, name);
	int error = open_error(path, flags);
	free(path);
	return error;
}

// Names in a folder, but for "." and "..".
static int names_count(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;
	CHECK(folder != NULL);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(folder);
	return count;
}

static unsigned long flags_of(const char *path)
{
	struct statvfs vfs;
	CHECK(statvfs(path, &vfs) == 0);
	return vfs.f_flag;
}

static void check_project(void *context)
{
	struct fixture *fixture = context;
	char here[PATH_MAX];
	CHECK(getcwd(here, sizeof(here)) && strcmp(here, fixture->plan.directory) == 0);
	CHECK(open_error("code", O_RDWR) == 0);
	CHECK(open_error("new", O_WRONLY | O_CREAT | O_EXCL) == 0);
	CHECK(mkdir("folder", 0755) == 0 && rename("new", "folder/new") == 0);
	struct stat st;
	CHECK(stat("folder/new", &st) == 0 && st.st_uid == geteuid() && st.st_gid == getegid());
	CHECK(open_error_in(fixture, "project/code", O_RDWR) == 0);
	CHECK(flags_of(".") & ST_NOSUID && flags_of(".") & ST_NODEV && !(flags_of(".") & ST_RDONLY));
}

static void test_the_working_folder_is_writable(void **state)
{
	const char *const bases[] = {"/tmp", "/var/tmp", "/dev/shm", getenv("HOME")};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fixture fixture;
		if (!bases[i] || strlen(bases[i]) > 32)
			continue;
		fixture_make(&fixture, bases[i]);
		fixture_run(&fixture, check_project);
		assert_int_equal(open_error_in(&fixture, "project/folder/new", O_RDONLY), 0);
		fixture_done(&fixture);
	}
}

static void check_seen(void *context)
{
	(void)context;
	CHECK(open_error("code", O_RDONLY) == 0 && open_error("code", O_RDWR) == EROFS);
	CHECK(open_error("new", O_WRONLY | O_CREAT | O_EXCL) == EROFS);
}

static void test_a_working_folder_that_may_not_be_written(void **state)
{
	const char *const bases[] = {"/tmp", getenv("HOME")};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bases); i++) {
		struct fixture fixture;
		if (!bases[i] || strlen(bases[i]) > 32)
			continue;
		fixture_make(&fixture, bases[i]);
		text_list_done(&fixture.plan.writable);
		list_put(&fixture.plan.writable, strdup("/tmp"));
		fixture_run(&fixture, check_seen);
		fixture_done(&fixture);
	}
}

// Whoever traces what makes the folders says what is in them. Ends when it has got hold of one.
static _Noreturn void trace_children_of(pid_t parent)
{
	for (;;) {
		pid_t child = child_of(parent);
		if (child > 0 && child != getpid() && ptrace(PTRACE_SEIZE, child, NULL, NULL) == 0)
			_exit(0);
	}
}

#define TRACED_STARTS 100

static void starts_in_child(const struct sandbox_plan *plan)
{
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	pid_t own = getpid();
	for (int i = 0; i < TRACED_STARTS; i++) {
		struct mounts *mounts;
		struct err err;
		CHECK(mounts_prepare(plan, &mounts, &err) == 0);
		// Until its end, or it would hardly have begun.
		siginfo_t info;
		CHECK(waitid(P_PID, (id_t)child_of(own), &info, WEXITED | WNOWAIT) == 0);
		CHECK(info.si_code == CLD_EXITED && info.si_status == 0);
		mounts_free(mounts);
	}
	_exit(0);
}

static void test_what_makes_the_folders_cannot_be_traced(void **state)
{
	struct fixture fixture;
	int status = -1;
	(void)state;
	if (geteuid() == 0)
		skip();
	fixture_make(&fixture, "/tmp");
	pid_t victim = fork();
	if (victim == 0)
		starts_in_child(&fixture.plan);
	pid_t attacker = fork();
	if (attacker == 0)
		trace_children_of(victim);
	assert_int_equal(waitpid(victim, &status, 0), victim);
	assert_int_equal(status, 0);
	kill(attacker, SIGKILL);
	assert_int_equal(waitpid(attacker, &status, 0), attacker);
	assert_true(WIFSIGNALED(status));
	fixture_done(&fixture);
}

static void check_read_only(void *context)
{
	(void)context;
	CHECK(open_error("/etc/passwd", O_RDONLY) == 0);
	CHECK(open_error("/envseal-new", O_WRONLY | O_CREAT) == EROFS);
	CHECK(open_error("/usr/envseal-new", O_WRONLY | O_CREAT) == EROFS);
	CHECK(open_error("/var/envseal-new", O_WRONLY | O_CREAT) == EROFS);
	CHECK(flags_of("/") & ST_RDONLY && flags_of("/") & ST_NOSUID && flags_of("/") & ST_NODEV);
	CHECK(flags_of("/sys") & ST_RDONLY);
	// Without capabilities nothing is undone.
	CHECK(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) < 0 && errno == EPERM);
	CHECK(umount2("/tmp", MNT_DETACH) < 0 && errno == EPERM);
}

static void test_everything_else_is_read_only(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	fixture_run(&fixture, check_read_only);
	fixture_done(&fixture);
}

static void check_fresh(void *context)
{
	const char *const folders[] = {"/tmp", "/var/tmp", "/dev/shm"};
	struct fixture *fixture = context;
	for (size_t i = 0; i < 3; i++) {
		char path[64], below[80];
		struct statfs fs;
		struct stat st;
		snprintf(path, sizeof(path), "%s/new", folders[i]);
		snprintf(below, sizeof(below), "%s/new/file", folders[i]);
		CHECK(stat(folders[i], &st) == 0 && (st.st_mode & 07777) == 01777);
		CHECK(names_count(folders[i]) == (i == 0 ? 1 : 0));
		// With the group mapped by now, the user's own files can be made, as everywhere.
		CHECK(mkdir(path, 0700) == 0);
		CHECK(open_error(below, O_RDWR | O_CREAT | O_EXCL) == 0);
		CHECK(stat(below, &st) == 0 && st.st_uid == geteuid() && st.st_gid == getegid());
		CHECK(statfs(folders[i], &fs) == 0 && (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize <= 1u << 30);
		CHECK(flags_of(folders[i]) & ST_NOSUID && flags_of(folders[i]) & ST_NODEV);
	}
	// Of the folder in which the project lies, the project alone.
	CHECK(names_count(fixture->at) == 1);
	CHECK(open_error_in(fixture, "other/file", O_RDONLY) == ENOENT);
	CHECK(open_error_in(fixture, "project/../log", O_RDONLY) == ENOENT);
	CHECK(names_count("/run") <= 2);
	CHECK(open_error("/run/new", O_WRONLY | O_CREAT) == EROFS);
}

static void test_temporary_folders_are_fresh(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	// As the plan of a tier has them.
	list_put(&fixture.plan.writable, strdup("/tmp"));
	list_put(&fixture.plan.writable, strdup("/var/tmp"));
	list_put(&fixture.plan.writable, strdup("/dev/shm"));
	fixture_run(&fixture, check_fresh);
	assert_int_equal(open_error("/tmp/new", O_RDONLY), ENOENT);
	assert_int_equal(open_error("/dev/shm/new", O_RDONLY), ENOENT);
	fixture_done(&fixture);
}

static void check_writable(void *context)
{
	struct fixture *fixture = context;
	CHECK(open_error_in(fixture, "other/file", O_RDWR) == 0);
	CHECK(open_error_in(fixture, "other/new", O_WRONLY | O_CREAT | O_EXCL) == 0);
	CHECK(open_error_in(fixture, "log", O_RDWR) == 0);
	CHECK(open_error_in(fixture, "project/code", O_RDWR) == 0);
	CHECK(open_error_in(fixture, "project/.git/new", O_WRONLY | O_CREAT | O_EXCL) == 0);
	// Beside them there is nothing that could be written.
	CHECK(names_count(fixture->at) == 3);
}

static void test_files_and_folders_to_write(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	list_put(&fixture.plan.writable, path_in(&fixture, "other"));
	list_put(&fixture.plan.writable, path_in(&fixture, "log"));
	list_put(&fixture.plan.writable, path_in(&fixture, "project"));
	list_put(&fixture.plan.writable, path_in(&fixture, "project/.git"));
	fixture_run(&fixture, check_writable);
	fixture_done(&fixture);
}

static void check_hidden(void *context)
{
	struct fixture *fixture = context;
	struct stat st;
	(void)fixture;
	CHECK(names_count("hidden") == 0);
	CHECK(open_error("hidden/key", O_RDONLY) == ENOENT);
	CHECK(open_error("hidden/new", O_WRONLY | O_CREAT) == EROFS);
	CHECK(open_error(".env", O_RDONLY) == EACCES);
	CHECK(chmod(".env", 0600) < 0 && errno == EROFS);
	CHECK(stat(".env", &st) == 0 && st.st_size == 0);
	CHECK(rename(".env", "moved") < 0 && errno == EBUSY);
	CHECK(rename("hidden", "moved") < 0 && errno == EBUSY);
	CHECK(open_error("link", O_RDONLY) == EACCES);
	CHECK(open_error("/etc/passwd", O_RDONLY) == EACCES);
	CHECK(names_count("/etc/ssl") == 0);
	CHECK(open_error("code", O_RDWR) == 0);
}

static void test_hidden_is_covered(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	char *link = path_in(&fixture, "project/link"), *env = path_in(&fixture, "project/.env");
	assert_int_equal(symlink(env, link), 0);
	list_put(&fixture.plan.hidden, link);
	list_put(&fixture.plan.hidden, path_in(&fixture, "project/hidden"));
	list_put(&fixture.plan.hidden, env);
	list_put(&fixture.plan.hidden, path_in(&fixture, "project/nothing"));
	list_put(&fixture.plan.hidden, path_in(&fixture, "project/code/below-a-file"));
	list_put(&fixture.plan.hidden, strdup("/etc/passwd"));
	list_put(&fixture.plan.hidden, strdup("/etc/ssl"));
	fixture_run(&fixture, check_hidden);
	assert_int_equal(open_error_in(&fixture, "project/.env", O_RDONLY), 0);
	fixture_done(&fixture);
}

static void check_shown(void *context)
{
	(void)context;
	CHECK(open_error("hidden/key", O_RDONLY) == 0);
	CHECK(open_error("hidden/other", O_RDONLY) == EACCES);
	CHECK(open_error("hidden/deep/down/file", O_RDONLY) == 0);
	CHECK(open_error("hidden/deep/down/key", O_RDONLY) == EACCES);
	CHECK(open_error("hidden/deep/beside", O_RDONLY) == EACCES);
	CHECK(names_count("hidden/folder") == 0);
	CHECK(open_error("code", O_RDONLY) == 0);
}

static void test_what_is_shown_in_something_hidden(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	folder_put(&fixture, "project/hidden/folder");
	folder_put(&fixture, "project/hidden/deep");
	folder_put(&fixture, "project/hidden/deep/down");
	const char *const files[] = {"other", "folder/file", "deep/beside", "deep/down/file", "deep/down/key"};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char name[64];
		snprintf(name, sizeof(name), "project/hidden/%s", files[i]);
		file_put(&fixture, name, "value");
	}
	// Beside it: hidden again in what is shown. A link leads to what can be read by its own name.
	char *link = path_in(&fixture, "project/hidden/link");
	assert_int_equal(symlink("../code", link), 0);
	free(link);
	list_put(&fixture.plan.hidden, path_in(&fixture, "project/hidden"));
	list_put(&fixture.plan.hidden, path_in(&fixture, "project/hidden/deep/down/key"));
	list_put(&fixture.plan.shown, path_in(&fixture, "project/hidden/key"));
	list_put(&fixture.plan.shown, path_in(&fixture, "project/hidden/deep/down"));
	fixture_run(&fixture, check_shown);
	fixture_done(&fixture);
}

static void check_devices(void *context)
{
	const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
	(void)context;
	for (size_t i = 0; i < 5; i++)
		CHECK(open_error(devices[i], O_RDWR) == 0);
	CHECK(open_error("/dev/tty", O_RDWR) == ENXIO);
	CHECK(names_count("/dev") == 14);
	CHECK(open_error("/dev/new", O_WRONLY | O_CREAT) == EROFS);
	CHECK(names_count("/dev/pts") == 1);
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];
	CHECK(master >= 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof(name)) == 0);
	CHECK(strcmp(name, "/dev/pts/0") == 0);
	CHECK(open_error(name, O_RDWR | O_NOCTTY) == 0);
	CHECK(open_error("/dev/fd/0", O_RDONLY) == 0 || errno == EACCES);
}

static void test_devices_are_few(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	fixture_run(&fixture, check_devices);
	fixture_done(&fixture);
}

static void check_terminal(void *context)
{
	struct fixture *fixture = context;
	char name[64];
	CHECK(ttyname_r(fixture->terminal_fd, name, sizeof(name)) == 0);
	CHECK(strcmp(name, "/dev/console") == 0);
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(fd >= 0 && isatty(fd));
	CHECK(names_count("/dev/pts") == 1);
}

static void test_the_terminal_has_a_name(void **state)
{
	struct fixture fixture;
	char name[64];
	(void)state;
	fixture_make(&fixture, "/tmp");
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	fixture.terminal_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fixture.terminal_fd >= 0);
	fixture_run(&fixture, check_terminal);
	close(fixture.terminal_fd);
	close(master);
	fixture_done(&fixture);
}

static void check_proc(void *context)
{
	char link[32] = {0};
	(void)context;
	CHECK(readlink("/proc/self", link, sizeof(link) - 1) > 0 && strcmp(link, "1") == 0);
	CHECK(open_error("/proc/2", O_RDONLY) == ENOENT);
	CHECK(open_error("/proc/sys/kernel/core_pattern", O_WRONLY) != 0);
	CHECK(open_error("/proc/sysrq-trigger", O_WRONLY) != 0);
}

static void test_proc_is_its_own(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	fixture_run(&fixture, check_proc);
	fixture_done(&fixture);
}

// In the way in which D-Bus, X11, tmux and agents listen.
static void test_sockets_are_out_of_sight(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", fixture.at);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(open_error(address.sun_path, O_PATH), 0);
	fixture_run(&fixture, check_fresh);
	close(fd);
	fixture_done(&fixture);
}

static void check_left(void *context)
{
	char here[PATH_MAX];
	(void)context;
	CHECK(getcwd(here, sizeof(here)) && strcmp(here, "/") == 0);
	CHECK(open_error("../tmp/x", O_RDONLY) == ENOENT);
	CHECK(names_count("/tmp") == 0);
}

static void test_a_deleted_working_folder_is_left(void **state)
{
	struct fixture fixture;
	char before[PATH_MAX];
	(void)state;
	fixture_make(&fixture, "/tmp");
	assert_non_null(getcwd(before, sizeof(before)));
	char *gone = path_in(&fixture, "gone");
	assert_int_equal(mkdir(gone, 0755), 0);
	assert_int_equal(chdir(gone), 0);
	assert_int_equal(rmdir(gone), 0);
	free(fixture.plan.directory);
	fixture.plan.directory = NULL;
	text_list_done(&fixture.plan.writable);
	fixture_run(&fixture, check_left);
	assert_int_equal(chdir(before), 0);
	free(gone);
	fixture_done(&fixture);
}

static void check_whole(void *context)
{
	char here[PATH_MAX];
	(void)context;
	CHECK(getcwd(here, sizeof(here)) && strcmp(here, "/tmp") == 0);
	CHECK(names_count("/tmp") == 0);
	CHECK(open_error("new", O_WRONLY | O_CREAT) == 0);
	CHECK(!(flags_of("/") & ST_RDONLY));
}

static void test_the_root_and_tmp_as_folders_to_write(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, "/tmp");
	free(fixture.plan.directory);
	fixture.plan.directory = strdup("/tmp");
	text_list_done(&fixture.plan.writable);
	list_put(&fixture.plan.writable, strdup("/"));
	fixture_run(&fixture, check_whole);
	fixture_done(&fixture);
}

static void test_a_working_folder_in_something_hidden_is_refused(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_make(&fixture, getenv("HOME") && strlen(getenv("HOME")) < 32 ? getenv("HOME") : "/var/tmp");
	list_put(&fixture.plan.hidden, strdup(fixture.at));
	fixture.error = ENOENT;
	fixture_run(&fixture, NULL);
	fixture_done(&fixture);
}

static void test_a_path_to_write_that_is_gone(void **state)
{
	struct fixture fixture;
	struct err err;
	(void)state;
	fixture_make(&fixture, "/tmp");
	list_put(&fixture.plan.writable, path_in(&fixture, "nothing"));
	assert_int_equal(mounts_prepare(&fixture.plan, &fixture.mounts, &err), ERR_NO_EXEC);
	assert_int_equal(err.sys_errno, ENOENT);
	fixture_done(&fixture);
}

static char *mounts_of_the_machine(void)
{
	struct buf text = BUF_INIT(1u << 20);
	struct err err;
	assert_int_equal(file_read_text("/proc/self/mountinfo", &text, &err), 0);
	char *copy = strdup(buf_text(&text));
	buf_done(&text);
	return copy;
}

static void test_nothing_reaches_the_machine(void **state)
{
	struct fixture fixture;
	(void)state;
	char *before = mounts_of_the_machine();
	fixture_make(&fixture, "/tmp");
	fixture_run(&fixture, check_project);
	char *after = mounts_of_the_machine();
	assert_string_equal(before, after);
	free(before);
	free(after);
	fixture_done(&fixture);
}

static void covered_enter(void *context)
{
	(void)context;
	CHECK(mount("tmpfs", "/proc/sys", "tmpfs", 0, NULL) == 0);
}

// In a namespace further down, where the cover cannot be taken off.
static void check_covered(void *context)
{
	int status = -1;
	(void)context;
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(mounts_proc() == EPERM ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_a_covered_proc_is_an_answer(void **state)
{
	struct inside inside = {.enter = covered_enter, .check = check_covered};
	(void)state;
	namespaces_want();
	assert_int_equal(inside_run(&inside, CLONE_NEWNS | CLONE_NEWPID), 0);
}

struct refusal {
	long number; // of the call that fails
	int error;
};

static void call_refuse(const struct refusal *refusal)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

static _Noreturn void refused_in_child(const struct refusal *refusal)
{
	const struct sandbox_plan plan = {0};
	struct mounts *mounts = NULL;
	struct err err;
	int status = -1;
	uid_t uid = geteuid();
	// The program that makes the fresh folders is under the same filter.
	call_refuse(refusal);
	CHECK(mounts_prepare(&plan, &mounts, &err) == 0);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
	CHECK(pid >= 0);
	if (pid == 0) {
		map_write(map_open("/proc/self/uid_map"), uid);
		int error = mounts_tree(&plan, mounts, -1);
		if (error != refusal->error)
			fprintf(stderr, "call %ld: %s, not %s\n", refusal->number, strerror(error), strerror(refusal->error));
		_exit(error == refusal->error ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	mounts_free(mounts);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

static void test_what_the_kernel_refuses_is_the_answer(void **state)
{
	static const struct refusal refusals[] = {
		{SYS_unshare, ENOSPC}, {SYS_mount_setattr, ENOSYS}, {SYS_open_tree, ENOSYS}, {SYS_move_mount, EPERM},
		{SYS_mount, EPERM},    {SYS_sendmsg, EPIPE},        {SYS_chdir, EACCES}};
	(void)state;
	namespaces_want();
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		int status = -1;
		pid_t pid = fork();
		if (pid == 0)
			refused_in_child(&refusals[i]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_working_folder_is_writable),
		cmocka_unit_test(test_a_working_folder_that_may_not_be_written),
		cmocka_unit_test(test_what_makes_the_folders_cannot_be_traced),
		cmocka_unit_test(test_everything_else_is_read_only),
		cmocka_unit_test(test_temporary_folders_are_fresh),
		cmocka_unit_test(test_files_and_folders_to_write),
		cmocka_unit_test(test_hidden_is_covered),
		cmocka_unit_test(test_what_is_shown_in_something_hidden),
		cmocka_unit_test(test_devices_are_few),
		cmocka_unit_test(test_the_terminal_has_a_name),
		cmocka_unit_test(test_proc_is_its_own),
		cmocka_unit_test(test_sockets_are_out_of_sight),
		cmocka_unit_test(test_a_deleted_working_folder_is_left),
		cmocka_unit_test(test_the_root_and_tmp_as_folders_to_write),
		cmocka_unit_test(test_a_working_folder_in_something_hidden_is_refused),
		cmocka_unit_test(test_a_path_to_write_that_is_gone),
		cmocka_unit_test(test_nothing_reaches_the_machine),
		cmocka_unit_test(test_a_covered_proc_is_an_answer),
		cmocka_unit_test(test_what_the_kernel_refuses_is_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
