// Namespaces of the program's own: making them, their one user and group, and the program that is held until the kernel
// has been told of those.
//
// Who may write a namespace's maps. /proc/PID/uid_map belongs to the user only where process PID may be dumped, and
// nothing here may: every process has envseal's memory until its exec. So a process is made that has none of it: an image
// of a page that stops itself, and is killed when its maps have been written. Whoever may trace it can send it elsewhere, and
// write other maps himself meanwhile; so who uses a namespace reads its maps back first, in it. They cannot change any more.
#include "sandbox/sandbox_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSFS_ROOT (-10003) // FD_NSFS_ROOT, Linux 6.18

// ------------------------------------------------------------------------------------------------------- making them

static const struct {
	enum sandbox_mechanism mechanism;
	unsigned long flag;
} kinds[] = {
	{SANDBOX_USER_NAMESPACE, CLONE_NEWUSER}, {SANDBOX_PID_NAMESPACE, CLONE_NEWPID},
	{SANDBOX_IPC_NAMESPACE, CLONE_NEWIPC},   {SANDBOX_PROC, CLONE_NEWNS},
	{SANDBOX_MOUNTS, CLONE_NEWNS},           {SANDBOX_NETWORK_NAMESPACE, CLONE_NEWNET},
};

unsigned long namespaces_flags(const enum sandbox_need needs[])
{
	unsigned long flags = 0;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		flags |= needs[kinds[i].mechanism] == SANDBOX_UNUSED ? 0 : kinds[i].flag;
	return flags;
}

// As fork(2), with the memory copied. Not the C library's clone(2), which begins on another stack.
// With CLONE_PARENT_SETTID the kernel writes the number, also where the caller is killed before it gets to that.
static pid_t process_clone(unsigned long flags, volatile pid_t *ret_pid)
{
#if defined(__s390__) || defined(__CRIS__)
	return (pid_t)syscall(SYS_clone, 0UL, flags | SIGCHLD, ret_pid, 0UL, 0UL);
#else
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0UL, ret_pid, 0UL, 0UL);
#endif
}

pid_t process_share(int (*run)(void *), void *context, size_t stack_bytes, int flags)
{
	_cleanup_free_ uint8_t *stack = malloc(stack_bytes);
	return stack ? clone(run, stack + stack_bytes, CLONE_VM | CLONE_VFORK | flags | SIGCHLD, context) : -1;
}

int namespaces_fork(const enum sandbox_need needs[], pid_t *ret_pid)
{
	unsigned long flags = namespaces_flags(needs);
	pid_t pid = flags == 0 ? fork() : process_clone(flags, NULL);
	if (pid < 0)
		return errno;
	*ret_pid = pid;
	return 0;
}

// A process cannot leave a user namespace, so a child joins it for this one. It has this process's memory, stack and all; the
// copy that it makes goes on here as this process's child, and returns.
int namespaces_fork_in(const struct joined *space, const enum sandbox_need needs[], pid_t *ret_pid)
{
	unsigned long flags = namespaces_flags(needs) & ~(unsigned long)CLONE_NEWUSER;
	volatile pid_t pid = -1;
	volatile int error = ECHILD;
	// A fork would copy everything twice. NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
	pid_t joined = vfork();
	if (joined < 0)
		return errno;
	if (joined == 0) {
		int failure = setns(space->user_fd, CLONE_NEWUSER) < 0
				      ? errno
				      : namespaces_maps_check(space->proc_fd, space->inside, space->outside);
		pid_t copied = failure == 0 ? process_clone(flags | CLONE_PARENT | CLONE_PARENT_SETTID, &pid) : -1;
		if (copied == 0)
			return *ret_pid = 0;
		error = failure != 0 ? failure : copied < 0 ? errno : ECHILD;
		_exit(0);
	}
	// NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
	process_reap(joined);
	if (pid <= 0)
		return error;
	*ret_pid = pid;
	return 0;
}

static bool flags_are_given(unsigned long flags)
{
	pid_t pid = process_clone(flags, NULL);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid > 0;
}

enum sandbox_mechanism namespaces_culprit(const enum sandbox_need needs[])
{
	unsigned long flags = 0;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		if (needs[kinds[i].mechanism] == SANDBOX_UNUSED)
			continue;
		flags |= kinds[i].flag;
		if (!flags_are_given(flags))
			return kinds[i].mechanism;
	}
	return SANDBOX_USER_NAMESPACE;
}

bool kernel_is_before(unsigned major, unsigned minor)
{
	static char text[64];
	_cleanup_fd_ int fd = text[0] ? -1 : open("/proc/sys/kernel/osrelease", O_RDONLY | O_CLOEXEC);
	bool is_known = text[0] || (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	return is_known && release_is_before(text, major, minor);
}

// Older kernels may have it too. Those that do not know that number take it for a descriptor.
bool namespaces_are_open(void)
{
	if (!kernel_is_before(6, 18))
		return true;
	struct file_handle none = {.handle_bytes = 0};
	int fd = open_by_handle_at(NSFS_ROOT, &none, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return error != EBADF && error != ENOSYS;
}

// ------------------------------------------------------------------------------------------------------ user and group

// getpid, kill(itself, SIGSTOP), unshare(CLONE_NEWUSER), and again; where that fails it ends with the errno.
#if defined(__x86_64__)
#define STANDIN_MACHINE EM_X86_64
static const uint8_t standin_code[] = {0xb8, 39,   0, 0, 0, 0x0f, 0x05,               // mov $39, %eax; syscall
				       0x89, 0xc7, 0xbe, 19, 0, 0, 0,                 // mov %eax, %edi; mov $19, %esi
				       0xb8, 62,   0, 0, 0, 0x0f, 0x05,               // mov $62, %eax; syscall
				       0xbf, 0,    0, 0, 0x10, 0xb8, 0x10, 1, 0, 0,   // mov $0x10000000, %edi; mov $272, %eax
				       0x0f, 0x05, 0x85, 0xc0, 0x74, 0xdb,            // syscall; test %eax, %eax; jz
				       0xf7, 0xd8, 0x89, 0xc7, 0xb8, 60, 0, 0, 0,     // neg %eax; mov %eax, %edi; mov $60, %eax
				       0x0f, 0x05};                                   // syscall
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define STANDIN_MACHINE EM_AARCH64
static const uint8_t standin_code[] = {0x88, 0x15, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,  // mov x8, #172; svc #0
				       0x61, 0x02, 0x80, 0xd2, 0x28, 0x10, 0x80, 0xd2,  // mov x1, #19; mov x8, #129
				       0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0xa2, 0xd2,  // svc #0; mov x0, #0x10000000
				       0x28, 0x0c, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,  // mov x8, #97; svc #0
				       0x00, 0xff, 0xff, 0xb4, 0xe0, 0x03, 0x00, 0xcb,  // cbz x0; neg x0, x0
				       0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}; // mov x8, #93; svc #0
#else
#define STANDIN_MACHINE EM_NONE
static const uint8_t standin_code[] = {0};
#endif

struct standin_image {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uint8_t code[sizeof(standin_code)];
};
#define STANDIN_ADDRESS 0x400000

static int standin_image_make(void)
{
	struct standin_image image = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = STANDIN_MACHINE,
			   .e_version = EV_CURRENT,
			   .e_entry = STANDIN_ADDRESS + offsetof(struct standin_image, code),
			   .e_phoff = offsetof(struct standin_image, segment),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1},
		.segment = {.p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_vaddr = STANDIN_ADDRESS,
			    .p_filesz = sizeof(image),
			    .p_memsz = sizeof(image),
			    .p_align = 0x10000},
	};
	memcpy(image.code, standin_code, sizeof(standin_code));
	int fd = fd_executable("envseal", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, &image, sizeof(image)) != (ssize_t)sizeof(image))
		fd_close(&fd);
	return fd;
}

struct beginning {
	struct standin *standin;
	int image_fd;
	int error;
};

static int standin_run(void *context)
{
	struct beginning *beginning = context;
	struct standin *standin = beginning->standin;
	char name[] = "envseal";
	char *const argv[] = {name, NULL};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	// By the number that it has in that /proc, which may be of a PID namespace outside.
	ssize_t len = readlinkat(standin->proc_fd, "self", standin->process, sizeof(standin->process) - 1);
	standin->process[len > 0 ? len : 0] = 0;
	if (len > 0)
		syscall(SYS_execveat, beginning->image_fd, "", argv, argv + 1, AT_EMPTY_PATH);
	beginning->error = errno;
	return 1;
}

// Until it has stopped itself: then the exec is over, and the process known to be one that may be dumped.
static int standin_await(const struct standin *standin)
{
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)standin->pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0)
		return errno;
	if (info.si_code == CLD_STOPPED)
		return 0;
	return info.si_code == CLD_EXITED && info.si_status != 0 ? info.si_status : ECHILD;
}

int standin_start(int proc_fd, struct standin *out)
{
	*out = (struct standin){.pid = -1, .proc_fd = proc_fd};
	if (STANDIN_MACHINE == EM_NONE)
		return ENOSYS;
	_cleanup_fd_ int fd = standin_image_make();
	if (fd < 0)
		return errno;
	struct beginning beginning = {.standin = out, .image_fd = fd};
	out->pid = process_share(standin_run, &beginning, SHARED_STACK_BYTES, 0);
	if (out->pid < 0)
		return errno;
	return beginning.error != 0 ? beginning.error : standin_await(out);
}

int standin_go_on(const struct standin *standin)
{
	return kill(standin->pid, SIGCONT) < 0 ? errno : standin_await(standin);
}

void standin_end(struct standin *standin)
{
	if (standin->pid <= 0)
		return;
	kill(standin->pid, SIGKILL);
	waitpid(standin->pid, NULL, 0);
	standin->pid = -1;
}

// Of a process's folder in /proc.
static int file_open(int proc_fd, const char *process, const char *name, int flags)
{
	char path[48];
	snprintf(path, sizeof(path), "%s/%s", process, name);
	return openat(proc_fd, path, flags | O_CLOEXEC);
}

// As it has stopped itself (proc(5), stat). One that is about to end is not, some time before its end can be waited for.
static bool standin_is_stopped(const struct standin *standin)
{
	char text[128] = {0};
	_cleanup_fd_ int fd = file_open(standin->proc_fd, standin->process, "stat", O_RDONLY);
	const char *end = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? strrchr(text, ')') : NULL;
	return end && strncmp(end, ") T", 3) == 0;
}

// ECHILD: somebody has ended it, or made it go on, whatever else that looks like.
static int standin_failure(const struct standin *standin, int error)
{
	return error != 0 && !standin_is_stopped(standin) ? ECHILD : error;
}

int standin_namespace(const struct standin *standin, int *ret_fd)
{
	*ret_fd = file_open(standin->proc_fd, standin->process, "ns/user", O_RDONLY);
	return *ret_fd < 0 ? standin_failure(standin, errno) : 0;
}

static bool map_is_written(int proc_fd, const char *process, const char *name)
{
	char byte;
	_cleanup_fd_ int fd = file_open(proc_fd, process, name, O_RDONLY);
	return fd >= 0 && read(fd, &byte, 1) > 0;
}

// ESTALE: somebody else has written it before.
static int map_write(int proc_fd, const char *process, const char *name, const char *text)
{
	_cleanup_fd_ int fd = file_open(proc_fd, process, name, O_WRONLY);
	if (fd < 0)
		return errno;
	int error = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
	return error == EPERM && map_is_written(proc_fd, process, name) ? ESTALE : error;
}

int namespaces_maps_write(int proc_fd, const char *process, struct owner inside, struct owner outside)
{
	char text[48];
	snprintf(text, sizeof(text), "%u %u 1", inside.user, outside.user);
	int error = map_write(proc_fd, process, "uid_map", text);
	// A group can be mapped without a privilege only when no process can give one up that it is denied something by.
	if (error == 0)
		error = map_write(proc_fd, process, "setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", inside.group, outside.group);
	return error == 0 ? map_write(proc_fd, process, "gid_map", text) : error;
}

// 0; ESTALE: something else is there.
static int map_check(int proc_fd, const char *name, unsigned inside, unsigned outside)
{
	char text[128], want[64];
	_cleanup_fd_ int fd = file_open(proc_fd, "self", name, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (len < 0)
		return errno;
	// As the kernel writes it (uid_m_show).
	snprintf(want, sizeof(want), "%10u %10u %10u\n", inside, outside, 1u);
	return (size_t)len == strlen(want) && memcmp(text, want, (size_t)len) == 0 ? 0 : ESTALE;
}

int namespaces_maps_check(int proc_fd, struct owner inside, struct owner outside)
{
	int error = map_check(proc_fd, "uid_map", inside.user, outside.user);
	return error == 0 ? map_check(proc_fd, "gid_map", inside.group, outside.group) : error;
}

int standin_map(const struct standin *standin, struct owner inside, struct owner outside)
{
	return standin_failure(standin, namespaces_maps_write(standin->proc_fd, standin->process, inside, outside));
}

int namespaces_map(int proc_fd, struct owner inside, struct owner outside)
{
	struct standin standin;
	int error = standin_start(proc_fd, &standin);
	if (error == 0)
		error = standin_map(&standin, inside, outside);
	standin_end(&standin);
	return error == 0 ? namespaces_maps_check(proc_fd, inside, outside) : error;
}

// ------------------------------------------------------------------------------------------------------------ the hold

int hold_ask(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

// The signal that it is stopped by, 0: by none; -1: it has ended.
static int hold_look(pid_t program, int flags)
{
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)program, &info, WSTOPPED | WEXITED | WNOWAIT | flags) < 0)
		return -1;
	if (info.si_pid == 0)
		return 0;
	return info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED ? info.si_status : -1;
}

// Takes note of the stop, or it would be seen again; and of nothing else, since the program's end is for others.
static void hold_forget(pid_t program)
{
	siginfo_t info;
	waitid(P_PID, (id_t)program, &info, WSTOPPED | WNOHANG);
}

static void hold_pass(pid_t program, int number)
{
	hold_forget(program);
	// NOLINTNEXTLINE(performance-no-int-to-ptr): ptrace(2) wants numbers as pointers
	ptrace(PTRACE_CONT, program, NULL, (void *)(intptr_t)number);
}

void hold_pass_on(pid_t program)
{
	int number = hold_look(program, WNOHANG);
	if (number > 0)
		hold_pass(program, number);
}

bool hold_await(pid_t program)
{
	int number;
	while ((number = hold_look(program, 0)) > 0 && number != SIGTRAP)
		hold_pass(program, number);
	return number == SIGTRAP;
}

void hold_release(pid_t program, const sigset_t *mask)
{
	hold_forget(program);
	// The kernel's set of signals, which is shorter than the C library's.
	if (sigismember(mask, SIGTRAP) == 1)
		// NOLINTNEXTLINE(performance-no-int-to-ptr): the same
		ptrace(PTRACE_SETSIGMASK, program, (void *)(uintptr_t)(_NSIG / 8), mask);
	ptrace(PTRACE_DETACH, program, NULL, NULL);
}
