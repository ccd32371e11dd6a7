#include "attempt/attempt_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attempt_result try_keyring_read(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
}

// Into a keyring that goes with the process.
struct attempt_result try_keyring_add(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(syscall(SYS_add_key, "user", "envseal-attempt", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

struct attempt_result try_io_uring(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	struct io_uring_params params = {0};
	return result_of_fd((int)syscall(SYS_io_uring_setup, 1, &params));
}

struct attempt_result try_perf(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(event),
					.config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1};
	return result_of_fd((int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

struct attempt_result try_bpf(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	union bpf_attr map;
	memset(&map, 0, sizeof(map));
	map.map_type = BPF_MAP_TYPE_ARRAY;
	map.key_size = map.value_size = sizeof(uint32_t);
	map.max_entries = 1;
	return result_of_fd((int)syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

struct attempt_result try_userfaultfd(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of_fd((int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY | O_CLOEXEC));
}

// -------------------------------------------------------------------------------------------------- other architectures

#ifdef __x86_64__
#define X32_BIT 0x40000000L
#define I386_GETPID 20

struct attempt_result try_x32(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_of(syscall(X32_BIT | SYS_getpid));
}

// Without the kernel's part for 32-bit programs the instruction is a fault: that it ends by that is told by a child.
struct attempt_result try_int80(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	pid_t child = fork();
	if (child == 0) {
		long got = 0;
		__asm__ volatile("int $0x80" : "=a"(got) : "a"(I386_GETPID) : "memory", "r8", "r9", "r10", "r11");
		_exit(got > 0 ? 0 : 1);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return result_broken("no process");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		raise(SIGSYS);
	if (WIFSIGNALED(status))
		return result_absent("this kernel has none");
	return WEXITSTATUS(status) == 0 ? result_worked() : result_refused(0);
}
#else
struct attempt_result try_x32(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return result_absent("this architecture has none");
}

struct attempt_result try_int80(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return try_x32(attempt, scene);
}
#endif

// ----------------------------------------------------------------------------------------------------- set-id programs

static const char *set_id_program(void)
{
	static const char *const programs[] = {"/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/bin/su",
					       "/usr/bin/chfn"};
	struct stat status;
	for (size_t i = 0; i < ARRAY_COUNT(programs); i++)
		if (stat(programs[i], &status) == 0 && (status.st_mode & S_ISUID) != 0)
			return programs[i];
	return NULL;
}

// Of a process that had another user's rights when it ended, neither limits nor this list may be read (prlimit(2),
// get_robust_list(2)), one of which a filter may refuse. A zombie keeps its rights, so that nothing races here and /proc
// is not needed.
static bool is_of_this_user(pid_t zombie)
{
	struct rlimit limit;
	void *list = NULL;
	size_t len = 0;
	return prlimit(zombie, RLIMIT_NOFILE, NULL, &limit) == 0 ||
	       syscall(SYS_get_robust_list, zombie, &list, &len) == 0;
}

// How it ended: exit status, 127 where it was not started.
static int program_try(const char *program, bool *ret_is_mine)
{
	pid_t child = fork();
	if (child == 0) {
		int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(nothing, STDOUT_FILENO);
		dup2(nothing, STDERR_FILENO);
		execl(program, program, "--help", (char *)NULL);
		_exit(127);
	}
	siginfo_t info;
	if (child < 0 || waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0)
		return -1;
	*ret_is_mine = is_of_this_user(child);
	waitpid(child, NULL, 0);
	return info.si_code == CLD_EXITED ? info.si_status : 0;
}

struct attempt_result try_set_id(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	const char *program = set_id_program();
	bool is_mine = false;
	if (program == NULL)
		return result_absent("there is no set-id program");
	if (program_try("/bin/true", &is_mine) != 0 || !is_mine)
		return result_broken("it cannot be told whose a process was");
	int status = program_try(program, &is_mine);
	if (status < 0)
		return result_broken("no process");
	if (status == 127)
		return result_noted(result_refused(EACCES), "it cannot be executed");
	return is_mine ? result_noted(result_refused(0), "it ran, and gained nothing") : result_worked();
}
