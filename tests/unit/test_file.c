#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static struct err err;

// A fresh private folder for each test, opened.
struct place {
	char path[PATH_MAX];
	int fd;
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *tmp = getenv("TMPDIR");
	if (!place)
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/envseal-test-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	if (!mkdtemp(place->path))
		return -1;
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return place->fd < 0 ? -1 : 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;
	char command[PATH_MAX + 32];
	snprintf(command, sizeof(command), "rm -rf -- '%s'", place->path);
	int status = system(command);
	close(place->fd);
	free(place);
	return status == 0 ? 0 : -1;
}

static void file_write(const struct place *place, const char *name, const char *content, mode_t mode)
{
	_cleanup_fd_ int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, span_text(content), name, &err), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_file_holds(const struct place *place, const char *name, const char *content)
{
	_cleanup_fd_ int fd = openat(place->fd, name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	assert_int_equal(fd_read_all(fd, &text, name, &err), 0);
	assert_string_equal(buf_text(&text), content);
}

// Opens a file of the place; on failure the output must be untouched.
static int open_private(const struct place *place, const char *name, int flags)
{
	_cleanup_fd_ int fd = -1;
	int r = file_open_private(place->fd, place->path, name, flags, &fd, &err);
	assert_true(r == 0 ? fd >= 0 : fd == -1);
	if (r == 0)
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return r;
}

static void private_file_opens(void **state)
{
	struct place *place = *state;
	file_write(place, "good", "x", 0600);
	assert_int_equal(open_private(place, "good", O_RDONLY), 0);
	assert_int_equal(open_private(place, "good", O_RDWR), 0);
	file_write(place, "read-only", "x", 0400);
	assert_int_equal(open_private(place, "read-only", O_RDONLY), 0);
	assert_int_equal(open_private(place, "none", O_RDONLY), ERR_NOT_FOUND);
	mode_t before = umask(0);
	assert_int_equal(open_private(place, "made", O_RDWR | O_CREAT), 0);
	umask(before);
	struct stat st;
	assert_int_equal(fstatat(place->fd, "made", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void file_open_to_others_is_refused(void **state)
{
	struct place *place = *state;
	static const mode_t modes[] = {0601, 0602, 0604, 0610, 0620, 0640, 0644, 0666, 0777};
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		file_write(place, "file", "x", modes[i]);
		assert_int_equal(open_private(place, "file", O_RDONLY), ERR_UNSAFE);
		assert_non_null(strstr(err.text, "chmod 600 '"));
	}
}

static void links_are_refused(void **state)
{
	struct place *place = *state;
	file_write(place, "target", "x", 0600);
	assert_int_equal(symlinkat("target", place->fd, "symlink"), 0);
	assert_int_equal(open_private(place, "symlink", O_RDONLY), ERR_UNSAFE);
	assert_int_equal(symlinkat("nowhere", place->fd, "dangling"), 0);
	assert_int_equal(open_private(place, "dangling", O_RDWR | O_CREAT), ERR_UNSAFE);
	assert_int_equal(faccessat(place->fd, "nowhere", F_OK, 0), -1);
	assert_int_equal(open_private(place, "target", O_RDONLY), 0);
	assert_int_equal(linkat(place->fd, "target", place->fd, "second", 0), 0);
	assert_int_equal(open_private(place, "target", O_RDONLY), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "hard links"));
	assert_int_equal(open_private(place, "second", O_RDONLY), ERR_UNSAFE);
}

static void other_kinds_of_file_are_refused_at_once(void **state)
{
	struct place *place = *state;
	// Were one of these opens to wait for the FIFO's other end, the alarm would end the test.
	alarm(20);
	assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
	assert_int_equal(open_private(place, "fifo", O_RDONLY), ERR_UNSAFE);
	assert_int_equal(open_private(place, "fifo", O_WRONLY), ERR_UNSAFE);
	assert_int_equal(open_private(place, "fifo", O_RDWR), ERR_UNSAFE);
	alarm(0);
	assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
	assert_int_equal(open_private(place, "folder", O_RDONLY), ERR_UNSAFE);
	assert_int_equal(open_private(place, "folder", O_RDWR), ERR_UNSAFE);
	assert_int_equal(mknodat(place->fd, "socket", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(open_private(place, "socket", O_RDONLY), ERR_UNSAFE);
}

static void file_of_another_user_is_refused(void **state)
{
	struct place *place = *state;
	if (geteuid() != 0)
		skip();
	file_write(place, "foreign", "x", 0600);
	assert_int_equal(fchownat(place->fd, "foreign", 65534, (gid_t)-1, 0), 0);
	assert_int_equal(open_private(place, "foreign", O_RDONLY), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "uid 65534"));
	assert_non_null(strstr(err.text, "chown 0 '"));
}

static void what_root_has_closed_is_named_as_such(void **state)
{
	(void)state;
	if (geteuid() == 0 || access("/etc/shadow", R_OK) == 0)
		skip();
	_cleanup_fd_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	assert_true(etc >= 0);
	assert_int_equal(file_open_private(etc, "/etc", "shadow", O_RDONLY, &fd, &err), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "belongs to another user (uid 0); mend it with: chown "));
	assert_int_equal(dir_open_private("/root", false, &fd, &err), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "belongs to another user (uid 0); mend it with: chown "));
	assert_int_equal(fd, -1);
}

static void what_its_owner_has_closed_is_a_failure_to_open(void **state)
{
	struct place *place = *state;
	if (geteuid() == 0)
		skip();
	file_write(place, "closed", "x", 0);
	assert_int_equal(open_private(place, "closed", O_RDONLY), ERR_SYSTEM);
	assert_int_equal(err.sys_errno, EACCES);
}

static void sentences_hold_no_escapes(void **state)
{
	struct place *place = *state;
	file_write(place, "a\033[2Jb", "x", 0644);
	assert_int_equal(open_private(place, "a\033[2Jb", O_RDONLY), ERR_UNSAFE);
	assert_null(strchr(err.text, '\033'));
	assert_non_null(strstr(err.text, "a\\x1b[2Jb"));
}

// Opens a folder below the place; on failure the output must be untouched.
static int open_dir(const struct place *place, const char *name, bool make)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	assert_int_equal(path_join(place->path, name, &path, &err), 0);
	int r = dir_open_private(path, make, &fd, &err);
	assert_true(r == 0 ? fd >= 0 : fd == -1);
	return r;
}

static void private_folder_opens_and_is_made(void **state)
{
	struct place *place = *state;
	assert_int_equal(open_dir(place, "none", false), ERR_NOT_FOUND);
	mode_t before = umask(0);
	assert_int_equal(open_dir(place, "a/b/c", true), 0);
	umask(before);
	struct stat st;
	assert_int_equal(fstatat(place->fd, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(open_dir(place, "a/b/c", false), 0);
	assert_int_equal(open_dir(place, "a/b/c", true), 0);
	assert_int_equal(open_dir(place, "a//b/c///", false), 0);
	assert_int_equal(open_dir(place, "a/d/", true), 0);
	int fd = -1;
	assert_int_equal(dir_open_private("", true, &fd, &err), ERR_SYSTEM);
	assert_int_equal(dir_open_private("", false, &fd, &err), ERR_NOT_FOUND);
	assert_int_equal(fd, -1);
}

static void unsafe_folders_are_refused(void **state)
{
	struct place *place = *state;
	static const mode_t modes[] = {0701, 0710, 0755, 0770, 01777};
	assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		assert_int_equal(fchmodat(place->fd, "folder", modes[i], 0), 0);
		assert_int_equal(open_dir(place, "folder", true), ERR_UNSAFE);
		assert_non_null(strstr(err.text, "chmod 700 '"));
	}
	assert_int_equal(fchmodat(place->fd, "folder", 0700, 0), 0);
	assert_int_equal(symlinkat("folder", place->fd, "link"), 0);
	assert_int_equal(open_dir(place, "link", true), ERR_UNSAFE);
	assert_int_equal(open_dir(place, "link/", true), ERR_UNSAFE);
	assert_int_equal(symlinkat("nowhere", place->fd, "dangling"), 0);
	assert_int_equal(open_dir(place, "dangling", true), ERR_UNSAFE);
	file_write(place, "file", "x", 0600);
	assert_int_equal(open_dir(place, "file", true), ERR_UNSAFE);
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(place->fd, "folder", 65534, (gid_t)-1, 0), 0);
	assert_int_equal(open_dir(place, "folder", true), ERR_UNSAFE);
	assert_non_null(strstr(err.text, "uid 65534"));
}

static size_t place_count(const struct place *place)
{
	char command[PATH_MAX + 64];
	unsigned count = 0;
	snprintf(command, sizeof(command), "find '%s' -mindepth 1 -maxdepth 1 | wc -l", place->path);
	FILE *pipe_end = popen(command, "re");
	assert_non_null(pipe_end);
	assert_int_equal(fscanf(pipe_end, "%u", &count), 1);
	pclose(pipe_end);
	return count;
}

static void replace_makes_and_replaces(void **state)
{
	struct place *place = *state;
	mode_t before = umask(0777);
	assert_int_equal(file_replace(place->fd, "file", SPAN_LITERAL("one"), 0640, &err), 0);
	umask(before);
	struct stat st;
	assert_int_equal(fstatat(place->fd, "file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_replace(place->fd, "file", SPAN_LITERAL("two"), 0600, &err), 0);
	assert_file_holds(place, "file", "two");
	assert_int_equal(file_replace(place->fd, "file", span_of(NULL, 0), 0600, &err), 0);
	assert_file_holds(place, "file", "");
	// A symbolic link is replaced, not followed.
	file_write(place, "target", "kept", 0600);
	assert_int_equal(symlinkat("target", place->fd, "link"), 0);
	assert_int_equal(file_replace(place->fd, "link", SPAN_LITERAL("new"), 0600, &err), 0);
	assert_file_holds(place, "target", "kept");
	assert_file_holds(place, "link", "new");
	assert_int_equal(place_count(place), 3);
}

static void replace_takes_over_a_left_temporary_file(void **state)
{
	struct place *place = *state;
	char temporary[64];
	snprintf(temporary, sizeof(temporary), ".file.%d.new", (int)getpid());
	file_write(place, temporary, "half of something", 0600);
	assert_int_equal(file_replace(place->fd, "file", SPAN_LITERAL("whole"), 0600, &err), 0);
	assert_file_holds(place, "file", "whole");
	assert_int_equal(place_count(place), 1);
}

static void replace_that_fails_changes_nothing(void **state)
{
	struct place *place = *state;
	static const uint8_t big[8192] = {1};
	file_write(place, "file", "old", 0600);
	// In the way of rename: a folder.
	assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
	assert_int_equal(file_replace(place->fd, "folder", SPAN_LITERAL("x"), 0600, &err), ERR_SYSTEM);
	assert_int_equal(place_count(place), 2);
	char name[NAME_MAX + 1];
	memset(name, 'n', sizeof(name) - 1);
	name[NAME_MAX] = 0;
	assert_int_equal(file_replace(place->fd, name, SPAN_LITERAL("x"), 0600, &err), ERR_LIMIT);
	// A disk that is full, as `ulimit -f` makes it. In a child, since the limit stays.
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit limit = {4096, 4096};
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		int r = file_replace(place->fd, "file", span_of(big, sizeof(big)), 0600, &err);
		_exit(r == ERR_SYSTEM && err.sys_errno == EFBIG ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_file_holds(place, "file", "old");
	assert_int_equal(place_count(place), 2);
	assert_int_equal(file_replace(-1, "file", SPAN_LITERAL("x"), 0600, &err), ERR_SYSTEM);
}

// Reads a file that a human names.
static int read_text(const struct place *place, const char *name, size_t max_bytes, const char *expected)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(max_bytes);
	assert_int_equal(path_join(place->path, name, &path, &err), 0);
	int r = file_read_text(path, &text, &err);
	if (r == 0)
		assert_string_equal(buf_text(&text), expected);
	return r;
}

static void text_files_are_read(void **state)
{
	struct place *place = *state;
	file_write(place, "text", "12345", 0644);
	assert_int_equal(read_text(place, "text", 5, "12345"), 0);
	assert_int_equal(read_text(place, "text", 4, NULL), ERR_LIMIT);
	assert_null(strstr(err.text, "12345"));
	assert_int_equal(symlinkat("text", place->fd, "link"), 0);
	assert_int_equal(read_text(place, "link", 5, "12345"), 0);
	assert_int_equal(read_text(place, "none", 5, NULL), ERR_NOT_FOUND);
	assert_int_equal(read_text(place, ".", 5, NULL), ERR_INPUT);
	assert_int_equal(read_text(place, "text/x", 5, NULL), ERR_INPUT);
	struct buf text = BUF_INIT(5);
	assert_int_equal(file_read_text("/dev/null", &text, &err), ERR_INPUT);
}

static void fifo_is_read_to_its_end(void **state)
{
	struct place *place = *state;
	assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = openat(place->fd, "fifo", O_WRONLY | O_CLOEXEC);
		_exit(write(fd, "through", 7) == 7 ? 0 : 1);
	}
	assert_int_equal(read_text(place, "fifo", 7, "through"), 0);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void descriptors_report_failures(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	_cleanup_fd_ int to = ends[1];
	close(ends[0]);
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	assert_int_equal(fd_write_all(to, SPAN_LITERAL("x"), "the pipe", &err), ERR_SYSTEM);
	signal(SIGPIPE, before);
	assert_int_equal(err.sys_errno, EPIPE);
	assert_int_equal(fd_write_all(to, span_of(NULL, 0), "the pipe", &err), 0);
	_cleanup_buf_ struct buf out = BUF_INIT(10);
	assert_int_equal(fd_read_all(to, &out, "the pipe", &err), ERR_SYSTEM);
	assert_int_equal(fd_read_all(-1, &out, "nothing", &err), ERR_SYSTEM);
	assert_string_equal(err.text, "cannot read nothing: Bad file descriptor");
}

static void environment_clear(void)
{
	static const char *const names[] = {"ENVSEAL_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		unsetenv(names[i]);
}

static void assert_home(const char *data_dir, const char *state_dir)
{
	_cleanup_home_ struct home home = {0};
	assert_int_equal(home_init(&home, &err), 0);
	assert_string_equal(home.data_dir, data_dir);
	assert_string_equal(home.state_dir, state_dir);
}

static void home_follows_the_environment(void **state)
{
	(void)state;
	environment_clear();
	setenv("HOME", "/home/u", 1);
	assert_home("/home/u/.local/share/envseal", "/home/u/.local/state/envseal");
	setenv("XDG_DATA_HOME", "/d", 1);
	assert_home("/d/envseal", "/home/u/.local/state/envseal");
	setenv("XDG_STATE_HOME", "/s", 1);
	assert_home("/d/envseal", "/s/envseal");
	unsetenv("HOME");
	assert_home("/d/envseal", "/s/envseal");
	setenv("ENVSEAL_HOME", "/one", 1);
	assert_home("/one", "/one");
	environment_clear();
	// Relative and empty XDG variables do not count (XDG base directory specification).
	setenv("HOME", "/home/u", 1);
	setenv("XDG_DATA_HOME", "rel", 1);
	setenv("XDG_STATE_HOME", "", 1);
	assert_home("/home/u/.local/share/envseal", "/home/u/.local/state/envseal");
}

static void assert_run_dir(const char *run_dir)
{
	_cleanup_home_ struct home home = {0};
	assert_int_equal(home_init(&home, &err), 0);
	assert_string_equal(home.run_dir, run_dir);
}

// Where nothing in the environment says it.
static void run_dir_default(char out[64])
{
	char folder[40];
	struct stat st;
	snprintf(folder, sizeof(folder), "/run/user/%u", geteuid());
	bool is_own = lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
	if (is_own)
		snprintf(out, 64, "%s/envseal", folder);
	else
		snprintf(out, 64, "/tmp/envseal-%u", geteuid());
}

static void run_dir_follows_the_environment(void **state)
{
	(void)state;
	char otherwise[64];
	run_dir_default(otherwise);
	environment_clear();
	setenv("HOME", "/home/u", 1);
	assert_run_dir(otherwise);
	setenv("XDG_RUNTIME_DIR", "run", 1);
	assert_run_dir(otherwise);
	setenv("XDG_RUNTIME_DIR", "", 1);
	assert_run_dir(otherwise);
	setenv("XDG_RUNTIME_DIR", "/r", 1);
	assert_run_dir("/r/envseal");
	setenv("ENVSEAL_HOME", "/one", 1);
	assert_run_dir("/one/run");
}

static bool text_write(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

// A /run of its own, for this process alone.
static bool run_make(void)
{
	char uid_map[64], gid_map[64];
	snprintf(uid_map, sizeof(uid_map), "%u %u 1\n", geteuid(), geteuid());
	snprintf(gid_map, sizeof(gid_map), "%u %u 1\n", getegid(), getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && text_write("/proc/self/setgroups", "deny") &&
	       text_write("/proc/self/uid_map", uid_map) && text_write("/proc/self/gid_map", gid_map) &&
	       mount("none", "/run", "tmpfs", 0, "mode=755") == 0 && mkdir("/run/user", 0755) == 0;
}

static int run_user_scenario(mode_t mode)
{
	char folder[40], inside[64];
	struct home home = {0};
	snprintf(folder, sizeof(folder), "/run/user/%u", geteuid());
	snprintf(inside, sizeof(inside), "%s/envseal", folder);
	if (!run_make() || mkdir(folder, 0700) < 0 || chmod(folder, mode) < 0)
		return 77;
	environment_clear();
	setenv("HOME", "/home/u", 1);
	if (home_init(&home, &err) < 0)
		return 2;
	bool is_taken = strcmp(home.run_dir, inside) == 0;
	home_done(&home);
	return is_taken ? 0 : 1;
}

static void run_dir_of_a_login_must_be_private(void **state)
{
	(void)state;
	static const struct {
		mode_t mode;
		int result;
	} cases[] = {{0700, 0}, {0710, 1}, {0701, 1}, {0777, 1}, {0500, 0}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0)
			_exit(run_user_scenario(cases[i].mode));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), cases[i].result);
	}
}

static void home_that_is_not_absolute_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "relative", "./x", "~/x"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct home home = {0};
		environment_clear();
		setenv("HOME", wrong[i], 1);
		assert_int_equal(home_init(&home, &err), ERR_USAGE);
		setenv("XDG_DATA_HOME", "/d", 1);
		assert_int_equal(home_init(&home, &err), ERR_USAGE);
		setenv("HOME", "/home/u", 1);
		setenv("ENVSEAL_HOME", wrong[i], 1);
		assert_int_equal(home_init(&home, &err), ERR_USAGE);
		assert_null(home.data_dir);
		assert_null(home.state_dir);
	}
	struct home home = {0};
	environment_clear();
	assert_int_equal(home_init(&home, &err), ERR_USAGE);
	home_done(&home);
}

int main(void)
{
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		PLACE_TEST(private_file_opens),
		PLACE_TEST(file_open_to_others_is_refused),
		PLACE_TEST(links_are_refused),
		PLACE_TEST(other_kinds_of_file_are_refused_at_once),
		PLACE_TEST(file_of_another_user_is_refused),
		cmocka_unit_test(what_root_has_closed_is_named_as_such),
		PLACE_TEST(what_its_owner_has_closed_is_a_failure_to_open),
		PLACE_TEST(sentences_hold_no_escapes),
		PLACE_TEST(private_folder_opens_and_is_made),
		PLACE_TEST(unsafe_folders_are_refused),
		PLACE_TEST(replace_makes_and_replaces),
		PLACE_TEST(replace_takes_over_a_left_temporary_file),
		PLACE_TEST(replace_that_fails_changes_nothing),
		PLACE_TEST(text_files_are_read),
		PLACE_TEST(fifo_is_read_to_its_end),
		cmocka_unit_test(descriptors_report_failures),
		cmocka_unit_test(home_follows_the_environment),
		cmocka_unit_test(run_dir_follows_the_environment),
		cmocka_unit_test(run_dir_of_a_login_must_be_private),
		cmocka_unit_test(home_that_is_not_absolute_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
