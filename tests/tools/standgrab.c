// Plays who gets hold of the namespaces by which a program's image is closed, while they are made: stops the process that
// makes them, envseal's child, as soon as it has a child itself, the stand-in; waits until that can be looked into; attacks.
//
// standgrab ATTACK PROGRAM ARGUMENT…: ends with the program's status; descriptor 3 says whether the attack was made (1) or
// came too late (0). 99: there is no such attack.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <sys/user.h>
#endif

#define AWAIT_SECONDS 2
#define SPINS_MAX 20000 // some microseconds
// Of the stand-in's code (src/sandbox/namespaces.c), in which it stops itself; and of its first system call.
#define STANDIN_START 0x400078
#define STANDIN_CALL 0x40007d
#define STOPPED "\nState:\tT"

static pid_t command, maker, standin;
static int space = -1; // the stand-in's user namespace
static unsigned user, group;

static int is_ended(pid_t pid)
{
	siginfo_t ended = {0};
	return waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid != 0;
}

// Of /proc/PID; with a NUL behind it. Its length, 0 where it cannot be read.
static size_t file_read(pid_t pid, const char *name, char *text, size_t bytes)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, bytes - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static pid_t child_of(pid_t parent)
{
	char name[32], list[256];
	snprintf(name, sizeof(name), "task/%d/children", parent);
	size_t len = file_read(parent, name, list, sizeof(list));
	list[len > 0 ? len - 1 : 0] = 0; // a space ends it
	char *last = strrchr(list, ' ');
	return (pid_t)strtol(last ? last + 1 : list, NULL, 10);
}

static int space_open(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int file_has(pid_t pid, const char *name, const char *words)
{
	char text[4096];
	return file_read(pid, name, text, sizeof(text)) > 0 && strstr(text, words) != NULL;
}

static int file_await(const char *name, const char *words)
{
	struct timespec now, end;
	int is_there;
	clock_gettime(CLOCK_MONOTONIC, &end);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (!(is_there = file_has(standin, name, words)) && kill(standin, 0) == 0 &&
	       now.tv_sec <= end.tv_sec + AWAIT_SECONDS);
	return is_there;
}

// Behind its exec it can be looked into, as no other process here; the maker, whose namespace has no maps yet, cannot go
// on.
static int standin_catch(void)
{
	while (!is_ended(command)) {
		maker = child_of(command);
		standin = maker > 0 ? child_of(maker) : 0;
		if (standin <= 0 || file_has(maker, "uid_map", "1") || kill(maker, SIGSTOP) < 0)
			continue;
		if (file_await("status", STOPPED))
			space = space_open(standin, "user");
		return space >= 0;
	}
	return 0;
}

static int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ? -1 : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

// Of this process's user namespace: the user, who is user + `outside` in the one above it, as user + `inside`.
static int maps_write(unsigned inside, unsigned outside)
{
	char text[64];
	snprintf(text, sizeof(text), "%u %u 1", user + inside, user + outside);
	int r = text_write("/proc/self/uid_map", text);
	text_write("/proc/self/setgroups", "deny"); // as it is already, below one that has it
	snprintf(text, sizeof(text), "%u %u 1", group + inside, group + outside);
	return r < 0 ? -1 : text_write("/proc/self/gid_map", text);
}

static int maps_write_in(int fd, unsigned inside, unsigned outside)
{
	int status = 1;
	pid_t child = fork();
	if (child == 0)
		_exit(setns(fd, CLONE_NEWUSER) < 0 || maps_write(inside, outside) < 0);
	waitpid(child, &status, 0);
	return status == 0;
}

// --------------------------------------------------------------------------------------------------------------- tracing

#if defined(__x86_64__)
// It may have more than one signal to stop by.
static int call_step(void)
{
	int status = 0;
	do
		if (ptrace(PTRACE_SINGLESTEP, standin, NULL, NULL) < 0 || waitpid(standin, &status, __WALL) != standin)
			return -1;
	while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP);
	return WIFSTOPPED(status) ? 0 : -1;
}

// Traced, it makes a user namespace below its own, and is about to stop itself again.
static int standin_unshare(void)
{
	struct user_regs_struct regs;
	if (ptrace(PTRACE_GETREGS, standin, NULL, &regs) < 0)
		return 0;
	regs.rip = STANDIN_CALL;
	regs.rax = SYS_unshare;
	regs.orig_rax = ~0ull;
	regs.rdi = CLONE_NEWUSER;
	if (ptrace(PTRACE_SETREGS, standin, NULL, &regs) < 0 || call_step() < 0 ||
	    ptrace(PTRACE_GETREGS, standin, NULL, &regs) < 0)
		return 0;
	int is_done = regs.rax == 0;
	regs.rip = STANDIN_START;
	regs.orig_rax = ~0ull;
	return ptrace(PTRACE_SETREGS, standin, NULL, &regs) == 0 && is_done;
}
#else
static int standin_unshare(void)
{
	return 0;
}
#endif

static int standin_trace(void)
{
	return ptrace(PTRACE_ATTACH, standin, NULL, NULL) == 0 && waitpid(standin, NULL, __WALL) == standin;
}

static int standin_release(int number)
{
	return ptrace(PTRACE_DETACH, standin, NULL, (void *)(long)number) == 0;
}

// The maker has mapped the outer namespace, told the stand-in to go into the inner one, and waits for it: traced, it does
// not.
static int standin_hold(void)
{
	return standin_catch() && standin_trace() && kill(maker, SIGCONT) == 0 &&
	       file_await("status", "\nShdPnd:\t0000000000020000");
}

// --------------------------------------------------------------------------------------------------------------- attacks

// What is meant for the outer namespace goes to one below it.
static int attack_move(void)
{
	// Whom a namespace does not know can make none in it.
	return standin_catch() && maps_write_in(space, 0, 0) && standin_trace() && standin_unshare() &&
	       standin_release(SIGSTOP);
}

// The same maps as are to be written.
static int attack_premap(void)
{
	return standin_catch() && maps_write_in(space, 1, 0);
}

// Maps that would give the image to the user.
static int attack_premap_inner(void)
{
	if (!standin_hold() || !standin_unshare())
		return 0;
	int inner = space_open(standin, "user"), is_done = inner >= 0 && maps_write_in(inner, 1, 1);
	return standin_release(0) && is_done;
}

// For a few system calls, or for none.
static void maker_step(void)
{
	kill(maker, SIGCONT);
	for (volatile int spins = rand() % SPINS_MAX; spins > 0; spins--)
		;
	kill(maker, SIGSTOP);
	while (kill(standin, 0) == 0 && !file_has(maker, "status", STOPPED))
		;
}

// The stand-in leaves the inner namespace when that is mapped, for one whose maps would give the image to the user, just
// before it is asked for its namespace.
static int attack_swap(void)
{
	if (!standin_hold() || kill(maker, SIGSTOP) < 0 || !standin_unshare() || !standin_release(0) ||
	    !file_await("status", STOPPED))
		return 0;
	while (!file_has(standin, "gid_map", "1") && kill(standin, 0) == 0)
		maker_step();
	if (!standin_trace() || !standin_unshare())
		return 0;
	int inner = space_open(standin, "user"), is_done = inner >= 0 && maps_write_in(inner, 1, 0);
	return standin_release(SIGSTOP) && is_done;
}

static int attack_kill_standin(void)
{
	return standin_catch() && kill(standin, SIGKILL) == 0;
}

static int attack_kill_maker(void)
{
	return standin_catch() && kill(maker, SIGKILL) == 0;
}

static int file_make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return fd < 0 ? -1 : close(fd);
}

// A /proc in which every map can be written, and whose inner namespace is that of process `other`.
static int proc_make(pid_t other)
{
	char path[64], name[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/user", other);
	snprintf(name, sizeof(name), "/tmp/%d", standin);
	return mount("none", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/1", 0777) < 0 || mkdir("/tmp/1/ns", 0777) < 0 ||
	       symlink("1", "/tmp/self") < 0 || symlink("1", name) < 0 || file_make("/tmp/1/uid_map") < 0 ||
	       file_make("/tmp/1/gid_map") < 0 || file_make("/tmp/1/setgroups") < 0 || file_make("/tmp/1/ns/user") < 0 ||
	       mount(path, "/tmp/1/ns/user", NULL, MS_BIND, NULL) < 0 || mount("/tmp", "/proc", NULL, MS_MOVE, NULL) < 0;
}

static int proc_lay(int mounts)
{
	int ends[2];
	char ready = 0;
	if (setns(space, CLONE_NEWUSER) < 0 || setns(mounts, CLONE_NEWNS) < 0 || pipe(ends) < 0)
		return 1;
	pid_t other = fork();
	if (other == 0) {
		ready = unshare(CLONE_NEWUSER) == 0 && maps_write(1, 1) == 0;
		(void)!write(ends[1], &ready, 1);
		pause();
	}
	int r = read(ends[0], &ready, 1) != 1 || !ready || proc_make(other);
	kill(other, SIGKILL);
	return r;
}

// Over the /proc that the maker sees.
static int attack_mount(void)
{
	int status = 1;
	if (!standin_hold())
		return 0;
	int mounts = space_open(standin, "mnt");
	pid_t child = fork();
	if (child == 0)
		_exit(proc_lay(mounts));
	waitpid(child, &status, 0);
	return standin_release(SIGCONT) && status == 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} attacks[] = {{"move", attack_move},
	       {"premap", attack_premap},
	       {"premap-inner", attack_premap_inner},
	       {"swap", attack_swap},
	       {"mount", attack_mount},
	       {"kill-standin", attack_kill_standin},
	       {"kill-maker", attack_kill_maker}};

int main(int argc, char *argv[])
{
	int status = 0;
	size_t i = 0, count = sizeof(attacks) / sizeof(*attacks);
	while (argc > 2 && i < count && strcmp(argv[1], attacks[i].name) != 0)
		i++;
	if (argc < 3 || i == count)
		return 99;
	user = geteuid();
	srand((unsigned)getpid());
	group = getegid();
	fcntl(3, F_SETFD, FD_CLOEXEC);
	command = fork();
	if (command == 0) {
		execv(argv[2], argv + 2);
		_exit(99);
	}
	int done = attacks[i].run();
	if (!done && standin > 0)
		standin_release(0);
	if (maker > 0)
		kill(maker, SIGCONT);
	dprintf(3, "%d\n", done);
	waitpid(command, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
