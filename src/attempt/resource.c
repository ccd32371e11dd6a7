#include "attempt/attempt_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------------------------------ outlive

static _Noreturn void stay(const struct attempt_scene *scene)
{
	char name[SCENE_NAME_BYTES];
	scene_left_name(scene, name);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, 0);
	alarm(ATTEMPT_OUTLIVE_SECONDS);
	syscall(SYS_close_range, 0U, ~0U, 0U);
	for (;;)
		pause();
}

struct attempt_result try_outlive(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	pid_t child = fork();
	if (child == 0) {
		setsid();
		pid_t left = fork();
		if (left == 0)
			stay(scene);
		_exit(left < 0);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		return result_refused(errno);
	return (struct attempt_result){.outcome = ATTEMPT_PENDING};
}

// ---------------------------------------------------------------------------------------------------------- processes

#define STACK_BYTES 4096u

static int wait_for_end(void *nothing)
{
	(void)nothing;
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	while (syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0) < 0) {
	}
	return 0;
}

// They share memory and tables with the one that starts them, so that thousands cost the machine little.
static size_t processes_start(uint8_t *stacks, pid_t *pids, int *ret_error)
{
	size_t count = 0;
	while (count < ATTEMPT_PROCESSES) {
		uint8_t *top = stacks + (count + 1) * STACK_BYTES;
		pids[count] = clone(wait_for_end, top, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, NULL);
		if (pids[count] < 0)
			break;
		count++;
	}
	*ret_error = errno;
	return count;
}

struct attempt_result try_fork_bomb(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	uint8_t *stacks = mmap(NULL, (size_t)ATTEMPT_PROCESSES * STACK_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	_cleanup_free_ pid_t *pids = calloc(ATTEMPT_PROCESSES, sizeof(*pids));
	if (stacks == MAP_FAILED || pids == NULL)
		return result_broken("no memory");
	int error = 0;
	size_t count = processes_start(stacks, pids, &error);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
	char note[ATTEMPT_NOTE_BYTES];
	snprintf(note, sizeof(note), "%zu processes", count);
	return result_noted(count == ATTEMPT_PROCESSES ? result_worked() : result_refused(error), note);
}

// ------------------------------------------------------------------------------------------------------ memory, disks

#define MEMORY_BYTES ((size_t)1 << 30)

// Addresses alone: the machine is not to run out of anything.
struct attempt_result try_memory(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	void *got = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (got == MAP_FAILED)
		return result_refused(errno);
	memset(got, 1, STACK_BYTES);
	munmap(got, MEMORY_BYTES);
	return result_worked();
}

#define FILL_BYTES_MAX ((uint64_t)1 << 40) // more is no bound

// Asks for more than there is: tmpfs says at once that it has no room, and another file system is not filled here.
struct attempt_result try_fill(const struct attempt *attempt, const struct attempt_scene *scene)
{
	if (access(scene->words[attempt->word], F_OK) == 0)
		return result_noted(result_worked(), "it is shared");
	char path[] = "/tmp/envseal-attempt-XXXXXX";
	_cleanup_fd_ int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return result_refused(errno);
	unlink(path);
	struct statvfs room;
	if (fstatvfs(fd, &room) < 0 || room.f_blocks == 0 || room.f_frsize * room.f_blocks >= FILL_BYTES_MAX)
		return result_noted(result_worked(), "private, and has no bound");
	uint64_t size = room.f_frsize * room.f_blocks;
	if (fallocate(fd, 0, 0, (off_t)(size + room.f_frsize)) == 0)
		return result_noted(result_worked(), "private, and has more room than it says");
	char note[ATTEMPT_NOTE_BYTES];
	int error = errno;
	snprintf(note, sizeof(note), "private, %llu MiB", (unsigned long long)(size >> 20));
	return result_noted(result_refused(error), note);
}

struct attempt_result try_self_stop(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(raise(SIGSTOP));
}
