#include "attempt/attempt_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 64
#define MARK_BYTES_MAX 256

static pid_t victim_of(const struct attempt_scene *scene)
{
	return (pid_t)scene_number(scene, SCENE_VICTIM);
}

static void proc_path(pid_t pid, const char *file, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "/proc/%d/%s", (int)pid, file);
}

// ------------------------------------------------------------------------------------------------------- under /proc

// WORKED needs a byte: some files open for everybody and then are empty, or refuse to be read.
static struct attempt_result proc_file(pid_t pid, const char *file)
{
	char path[PATH_BYTES];
	proc_path(pid, file, path);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte = 0;
	if (fd < 0)
		return result_refused(errno);
	ssize_t got = read(fd, &byte, 1);
	if (got < 0)
		return result_refused(errno);
	return got == 1 ? result_worked() : result_noted(result_refused(0), "it is empty");
}

struct attempt_result try_proc_file(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return proc_file(victim_of(scene), attempt->detail);
}

struct attempt_result try_child_environment(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	return proc_file((pid_t)scene_number(scene, SCENE_CHILD), "environ");
}

static struct attempt_result mark_compare(const struct attempt_scene *scene, const char *got)
{
	if (strncmp(got, scene->words[SCENE_MARK], MARK_BYTES_MAX) == 0)
		return result_worked();
	return result_noted(result_refused(0), "something else is there");
}

struct attempt_result try_proc_memory(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	char path[PATH_BYTES];
	char got[MARK_BYTES_MAX + 1] = "";
	if (scene->words[SCENE_MARK] == NULL)
		return result_absent("the scene has no mark");
	size_t len = strnlen(scene->words[SCENE_MARK], MARK_BYTES_MAX);
	proc_path(victim_of(scene), "mem", path);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, got, len, (off_t)scene_number(scene, SCENE_ADDRESS)) < 0)
		return result_refused(errno);
	return mark_compare(scene, got);
}

struct attempt_result try_proc_folder(const struct attempt *attempt, const struct attempt_scene *scene)
{
	char path[PATH_BYTES];
	proc_path(victim_of(scene), attempt->detail, path);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return result_refused(errno);
	int count = 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count > 2 ? result_worked() : result_noted(result_refused(0), "it is empty");
}

struct attempt_result try_proc_link(const struct attempt *attempt, const struct attempt_scene *scene)
{
	char path[PATH_BYTES];
	char target[PATH_BYTES];
	proc_path(victim_of(scene), attempt->detail, path);
	return result_of(readlink(path, target, sizeof(target)));
}

// ------------------------------------------------------------------------------------------------------------- calls

// Stops it, and lets it go on.
static struct attempt_result trace(pid_t pid, int request)
{
	if (request == PTRACE_ATTACH ? ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0
				     : ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return result_refused(errno);
	if (request == PTRACE_SEIZE && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return result_refused(errno);
	int status = 0;
	return result_of(waitpid(pid, &status, __WALL));
}

struct attempt_result try_ptrace(const struct attempt *attempt, const struct attempt_scene *scene)
{
	pid_t pid = victim_of(scene);
	struct attempt_result result = trace(pid, attempt->number);
	if (result.outcome == ATTEMPT_WORKED)
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return result;
}

struct attempt_result try_dump(const struct attempt *attempt, const struct attempt_scene *scene)
{
	pid_t pid = victim_of(scene);
	struct attempt_result result = trace(pid, PTRACE_SEIZE);
	if (result.outcome != ATTEMPT_WORKED)
		return result;
	result = proc_file(pid, "maps");
	if (result.outcome == ATTEMPT_WORKED)
		result = try_proc_memory(attempt, scene);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return result;
}

struct attempt_result try_memory_call(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	char got[MARK_BYTES_MAX + 1] = "";
	if (scene->words[SCENE_MARK] == NULL)
		return result_absent("the scene has no mark");
	size_t len = strnlen(scene->words[SCENE_MARK], MARK_BYTES_MAX);
	struct iovec here = {.iov_base = got, .iov_len = len};
	struct iovec there = {.iov_base = (void *)(uintptr_t)scene_number(scene, SCENE_ADDRESS), .iov_len = len}; // NOLINT
	if (process_vm_readv(victim_of(scene), &here, 1, &there, 1, 0) < 0)
		return result_refused(errno);
	return mark_compare(scene, got);
}

struct attempt_result try_take_descriptor(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, victim_of(scene), 0);
	if (pidfd < 0)
		return result_of(pidfd);
	return result_of_fd((int)syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

struct attempt_result try_compare(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	return result_of(syscall(SYS_kcmp, victim_of(scene), getpid(), KCMP_FILES, 0, 0));
}

// ----------------------------------------------------------------------------------------------------------- signals

// SIGURG: by itself it does nothing.
struct attempt_result try_signal(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	return result_of(kill(victim_of(scene), SIGURG));
}

struct attempt_result try_signal_by_folder(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	char path[PATH_BYTES];
	proc_path(victim_of(scene), "", path);
	_cleanup_fd_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder < 0 ? result_refused(errno) : result_of(syscall(SYS_pidfd_send_signal, folder, SIGURG, NULL, 0));
}

struct attempt_result try_stop(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	struct attempt_result result = result_of(kill(victim_of(scene), SIGSTOP));
	if (result.outcome == ATTEMPT_WORKED)
		kill(victim_of(scene), SIGCONT);
	return result;
}

// -------------------------------------------------------------------------------------------------------- namespaces

// The owner of a user namespace has every capability in it, once he is in. Any process there is a door.
static bool namespace_enter(pid_t pid)
{
	char path[PATH_BYTES];
	proc_path(pid, "ns/user", path);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && setns(fd, CLONE_NEWUSER) == 0;
}

struct attempt_result try_enter_namespace(const struct attempt *attempt, const struct attempt_scene *scene)
{
	pid_t victim = victim_of(scene);
	struct process process;
	pid_t parent = process_read("/proc", victim, &process) ? process.parent : 0;
	pid_t doors[] = {(pid_t)scene_number(scene, SCENE_CHILD), victim, parent};
	size_t i = 0;
	while (i < ARRAY_COUNT(doors) && (doors[i] == 0 || !namespace_enter(doors[i])))
		i++;
	if (i == ARRAY_COUNT(doors))
		return result_noted(result_refused(errno), "no way in");
	struct attempt_result result = try_proc_memory(attempt, scene);
	if (result.outcome != ATTEMPT_WORKED)
		result = proc_file(victim, "environ");
	if (result.outcome != ATTEMPT_WORKED)
		result = trace(victim, PTRACE_SEIZE);
	return result_noted(result, i == 0 ? "in by a child of it" : "in by itself");
}

// ------------------------------------------------------------------------------------------- what ends what it is at

// Where cores go to a file in the working folder, and only then: what a pipe or another folder gets is not seen here.
static bool is_core_a_file(void)
{
	char pattern[2] = "";
	_cleanup_fd_ int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, pattern, 1) == 1 && pattern[0] != '|' && pattern[0] != '/' && pattern[0] != '@';
}

static bool has_core(const char *path)
{
	DIR *folder = opendir(path);
	bool found = false;
	for (struct dirent *entry = folder ? readdir(folder) : NULL; entry != NULL && !found; entry = readdir(folder))
		found = strncmp(entry->d_name, "core", 4) == 0;
	if (folder != NULL)
		closedir(folder);
	return found;
}

struct attempt_result try_core(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	if (scene->words[SCENE_FOLDER] == NULL || !is_core_a_file())
		return result_absent("core files go elsewhere");
	pid_t victim = victim_of(scene);
	struct rlimit limit = {0};
	// As far up as it goes: the same user may, without having to look into the process.
	prlimit(victim, RLIMIT_CORE, NULL, &limit);
	limit.rlim_cur = limit.rlim_max;
	prlimit(victim, RLIMIT_CORE, &limit, NULL);
	_cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, victim, 0);
	if (pidfd < 0 || kill(victim, SIGSEGV) < 0)
		return result_refused(errno);
	struct pollfd ready = {.fd = pidfd, .events = POLLIN};
	if (poll(&ready, 1, ATTEMPT_SECONDS * 500) <= 0)
		return result_broken("it did not end");
	if (has_core(scene->words[SCENE_FOLDER]))
		return result_worked();
	return result_noted(result_refused(0), "it died without a core");
}

// The library that the tests name in LD_PRELOAD leaves this behind.
struct attempt_result try_preload(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	if (getenv("ATTACK_PRELOADED") != NULL)
		return result_worked();
	return result_noted(result_refused(0), "the library is not here");
}
