// What another process of the same user sees of a program in a user namespace, and of its process 1: nothing. The program is
// a memory file that may not be read; that exec makes such files is tested with the program folder.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/sandbox.h"

#define FAILED 99
#define READY_FD 60

static void require(bool ok)
{
	if (!ok)
		_exit(FAILED);
}

static struct sandbox_plan plan_of(bool is_shielded)
{
	struct sandbox_plan plan;
	struct err err;
	const struct sandbox_wish wish = {.tier = SANDBOX_HARDENED, .is_degradable = true, .is_unshielded = !is_shielded};
	static const char *const own[] = {NULL};
	assert_int_equal(sandbox_plan_build(&wish, &(struct sandbox_place){.directory = "/", .own = own}, &plan, &err), 0);
	return plan;
}

// An O_PATH descriptor: the file may be executed by it, and opened by nobody.
static int image_open(void)
{
	char path[48];
	int from = open("/bin/cat", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("cat", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat status;
	require(from >= 0 && fd >= 0 && fstat(from, &status) == 0);
	while (sendfile(fd, from, NULL, (size_t)status.st_size) > 0)
		;
	require(fchmod(fd, 0111) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int image = open(path, O_PATH | O_CLOEXEC);
	require(image >= 0);
	close(fd);
	return image;
}

// The same where no namespace's maps know it.
static int image_place(struct sandbox *sandbox)
{
	int from = open("/bin/cat", O_RDONLY | O_CLOEXEC);
	int folder = -1, file = -1;
	require(from >= 0);
	int error = sandbox_image_open(sandbox, from, "cat", &folder, &file);
	require(error == 0);
	close(from);
	return file;
}

static void program_run(struct sandbox *sandbox, int image)
{
	char name[] = "cat";
	char variable[] = "TOKEN=correct-horse-battery";
	char *const argv[] = {name, NULL};
	char *const environment[] = {variable, NULL};
	require(sandbox_hold(sandbox).error == 0 && sandbox_enter(sandbox, (const int[3]){-1, -1, -1}).error == 0);
	syscall(SYS_execveat, image, "", argv, environment, AT_EMPTY_PATH);
	_exit(FAILED);
}

static void init_run(struct sandbox *sandbox, int image)
{
	int ends[2];
	char byte;
	sigset_t none;
	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	require(sandbox_settle(sandbox, -1).error == 0 && pipe2(ends, O_CLOEXEC) == 0);
	pid_t program = fork();
	if (program == 0)
		program_run(sandbox, image);
	close(ends[1]);
	require(read(ends[0], &byte, 1) == 0);
	require(sandbox_started(sandbox, program, &none).error == 0);
	sandbox_lower(sandbox);
	require(write(READY_FD, "r", 1) == 1);
	for (;;)
		pause();
}

// The process that supervises; its memory is closed, as envseal's is.
static void supervisor_run(const struct sandbox_plan *plan, bool is_placed)
{
	struct sandbox *sandbox;
	struct err err;
	pid_t pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	require(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	require(sandbox_prepare(plan, &sandbox, &err) == 0);
	int image = is_placed ? image_place(sandbox) : image_open();
	require(sandbox_fork(sandbox, &pid, &err) == 0);
	if (pid == 0)
		init_run(sandbox, image);
	close(READY_FD);
	for (;;)
		pause();
}

struct scene {
	pid_t supervisor;
	pid_t init;
	pid_t program;
	int stdin_fd;
};

static pid_t child_of(pid_t parent)
{
	char path[64];
	char text[32] = {0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

static struct scene scene_start(const struct sandbox_plan *plan, bool is_placed)
{
	struct scene scene;
	int ready[2];
	int input[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	scene.supervisor = fork();
	assert_true(scene.supervisor >= 0);
	if (scene.supervisor == 0) {
		require(dup2(ready[1], READY_FD) == READY_FD && dup2(input[0], 0) == 0);
		close(ready[1]);
		supervisor_run(plan, is_placed);
	}
	close(ready[1]);
	close(input[0]);
	if (read(ready[0], &byte, 1) != 1)
		fail_msg("the program did not start");
	close(ready[0]);
	scene.stdin_fd = input[1];
	scene.init = child_of(scene.supervisor);
	scene.program = child_of(scene.init);
	return scene;
}

static void scene_end(struct scene *scene)
{
	close(scene->stdin_fd);
	kill(scene->supervisor, SIGKILL);
	waitpid(scene->supervisor, NULL, 0);
	kill(scene->init, SIGKILL);
}

static int open_error(pid_t pid, const char *name, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return errno;
	char byte;
	int error = flags & O_DIRECTORY || read(fd, &byte, 1) >= 0 ? 0 : errno;
	close(fd);
	return error;
}

static int link_error(pid_t pid, const char *name)
{
	char path[64];
	char text[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return readlink(path, text, sizeof(text)) < 0 ? errno : 0;
}

static int trace_error(pid_t pid, long request)
{
	if (syscall(SYS_ptrace, request, (long)pid, 0L, 0L) < 0)
		return errno;
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
}

static void assert_closed(pid_t pid)
{
	char byte;
	struct iovec local = {&byte, 1};
	struct iovec remote = {(void *)(uintptr_t)0x10000, 1};
	assert_int_equal(open_error(pid, "environ", O_RDONLY), EACCES);
	assert_int_equal(open_error(pid, "mem", O_RDONLY), EACCES);
	assert_int_equal(open_error(pid, "mem", O_RDWR), EACCES);
	assert_int_equal(open_error(pid, "maps", O_RDONLY), EACCES);
	assert_int_equal(open_error(pid, "fd", O_RDONLY | O_DIRECTORY), EACCES);
	assert_int_equal(open_error(pid, "uid_map", O_WRONLY), EACCES);
	assert_int_equal(link_error(pid, "cwd"), EACCES);
	assert_int_equal(link_error(pid, "root"), EACCES);
	assert_int_equal(link_error(pid, "exe"), EACCES);
	assert_int_equal(link_error(pid, "ns/user"), EACCES);
	assert_int_equal(trace_error(pid, PTRACE_ATTACH), EPERM);
	assert_int_equal(trace_error(pid, PTRACE_SEIZE), EPERM);
	assert_int_equal(process_vm_readv(pid, &local, 1, &remote, 1, 0), -1);
	assert_int_equal(errno, EPERM);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_int_equal(syscall(SYS_pidfd_getfd, pidfd, 0, 0), -1);
	assert_int_equal(errno, EPERM);
	close(pidfd);
}

static void skip_where_it_proves_nothing(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == 0 && geteuid() != 0)
		return;
	print_message("as root everything is open; else there are no user namespaces here\n");
	skip();
}

static void test_program_and_process_1_are_closed(void **state)
{
	(void)state;
	skip_where_it_proves_nothing();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_of(true);
	struct scene scene = scene_start(&plan, false);
	assert_closed(scene.program);
	assert_closed(scene.init);
	assert_closed(scene.supervisor);
	scene_end(&scene);
}

// The same image without the late maps: the owner of the namespace traces it, and so reads all of it. The test above sees
// what it is to see.
static void test_without_it_the_owner_traces(void **state)
{
	(void)state;
	skip_where_it_proves_nothing();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_of(false);
	struct scene scene = scene_start(&plan, false);
	assert_int_equal(link_error(scene.program, "ns/user"), 0);
	assert_int_equal(trace_error(scene.program, PTRACE_ATTACH), 0);
	assert_closed(scene.init);
	scene_end(&scene);
}

// An image that is placed is closed in a namespace that was mapped before it was executed, by whomever: from Linux 6.18 on the
// owner can open the namespace by its number, and be first.
static void test_placed_image_is_closed_however_it_is_mapped(void **state)
{
	(void)state;
	skip_where_it_proves_nothing();
	if (syscall(SYS_open_by_handle_at, -10003, &(struct { unsigned bytes; int type; }){0}, O_RDONLY) < 0 && errno == EBADF) {
		print_message("before Linux 6.18 there is no way to be first\n");
		skip();
	}
	_cleanup_sandbox_plan_ struct sandbox_plan plan = plan_of(false);
	struct scene scene = scene_start(&plan, true);
	assert_closed(scene.program);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placed_image_is_closed_however_it_is_mapped),
		cmocka_unit_test(test_program_and_process_1_are_closed),
		cmocka_unit_test(test_without_it_the_owner_traces),
	};
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
