// A process 1 in namespaces of its own, as the sandbox starts it: neither user nor group is mapped before the program would
// run.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// In a child: cmocka's assertions would return into the parent's test.
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
			_exit(1); \
		} \
	} while (0)

static int map_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static void map_write(int fd, unsigned id)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%u %u 1", id, id);
	CHECK(write(fd, line, (size_t)len) == len);
	close(fd);
}

static void rights_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	CHECK(syscall(SYS_capset, &header, none) == 0);
}

// `enter` is run by process 1 with all capabilities; `check` as the program would be: group mapped, without any.
struct inside {
	void (*enter)(void *context);
	void (*check)(void *context);
	void *context;
};

static void process_one(const struct inside *inside, int ready_fd, int go_fd)
{
	char byte = 0;
	inside->enter(inside->context);
	CHECK(write(ready_fd, &byte, 1) == 1);
	CHECK(read(go_fd, &byte, 1) == 1);
	if (inside->check) {
		rights_drop();
		inside->check(inside->context);
	}
	_exit(0);
}

static void inside_in_child(const struct inside *inside, unsigned namespaces)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ready[2], go[2], status = -1;
	char byte = 0;
	CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	CHECK(unshare(CLONE_NEWUSER) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	// On the /proc that stays, as the new mount namespace's becomes that of the other PID namespace.
	int uid_map = map_open("/proc/self/uid_map"), gid_map = map_open("/proc/self/gid_map"), setgroups = map_open("/proc/self/setgroups");
	CHECK(unshare((int)namespaces) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		process_one(inside, ready[1], go[0]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		CHECK(write(setgroups, "deny", 4) == 4);
		map_write(uid_map, uid);
		map_write(gid_map, gid);
		CHECK(write(go[1], &byte, 1) == 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

// The status of what ran inside: 0 where all was as it should be.
static int inside_run(const struct inside *inside, unsigned namespaces)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		inside_in_child(inside, namespaces);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

// Skips the test where the machine gives plain users no namespaces.
static inline void namespaces_want(void)
{
	pid_t pid = fork();
	int status = -1;
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		skip();
}

// The first child of a process; 0: it has none.
static inline pid_t child_of(pid_t parent)
{
	char path[64], list[64] = {0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 ? (pid_t)strtol(list, NULL, 10) : 0;
}
