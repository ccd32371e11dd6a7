// The filter of system calls: each is tried for real, in a process of its own. The kernel refuses much of this by itself to
// an ordinary user, so each is tried a second time with a filter whose answer nobody else gives.
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "sandbox/sandbox_internal.h"

// What no call here fails with by itself.
#define MARK EUCLEAN
#define X32_BIT 0x40000000

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

static struct sock_fprog filter_make(enum filter_kind kind)
{
	struct sock_fprog filter;
	struct err err;
	assert_int_equal(filter_build(kind, &filter, &err), 0);
	return filter;
}

// Every errno becomes the mark.
static void filter_mark(struct sock_fprog *filter)
{
	for (size_t i = 0; i < filter->len; i++)
		if (BPF_CLASS(filter->filter[i].code) == BPF_RET &&
		    (filter->filter[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			filter->filter[i].k = SECCOMP_RET_ERRNO | MARK;
}

static int filter_start(const struct sock_fprog *filter)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : filter_enter(filter);
}

// The status that waitpid(2) gives of a child in the filter; NULL: in none.
static int child_status(const struct sock_fprog *filter, int (*body)(const void *context), const void *context)
{
	int status = -1;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		if (filter && filter_start(filter) != 0)
			_exit(255);
		_exit(body(context));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_exit(const struct sock_fprog *filter, int (*body)(const void *context), const void *context, int expected)
{
	int status = child_status(filter, body, context);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

// ------------------------------------------------------------------------------------------------------ what is refused

#define ANYTHING 0x1234 // no address, so nothing that the kernel could act on

struct attack {
	long call;
	long arguments[4];
	int tier; // errno
	int jail; // 0: another than the mark, so that the kernel was asked
};

#define REFUSED(name, ...) {SYS_##name, {__VA_ARGS__}, EPERM, EPERM}
#define HIGH_BITS (1L << 32)

static const struct attack attacks[] = {
	{SYS_ptrace, {PTRACE_SEIZE, 0}, EPERM, 0},
	{SYS_ptrace, {PTRACE_TRACEME}, EPERM, 0},
	{SYS_process_vm_readv, {0}, EPERM, 0},
	{SYS_process_vm_writev, {0}, EPERM, 0},
	{SYS_process_madvise, {-1}, EPERM, 0},
	{SYS_pidfd_getfd, {-1}, EPERM, 0},
	{SYS_kcmp, {1, 1}, EPERM, 0},
	REFUSED(perf_event_open, ANYTHING),
	REFUSED(bpf, BPF_PROG_LOAD, ANYTHING),
	REFUSED(userfaultfd, 0),
	REFUSED(io_uring_setup, 1, ANYTHING),
	REFUSED(io_uring_enter, -1),
	REFUSED(io_uring_register, -1),
	REFUSED(keyctl, 0, -3),
	REFUSED(add_key, ANYTHING),
	REFUSED(request_key, ANYTHING),
	REFUSED(mount, 0, ANYTHING),
	REFUSED(umount2, ANYTHING),
	REFUSED(pivot_root, ANYTHING),
	REFUSED(chroot, ANYTHING),
	REFUSED(move_mount, -1),
	REFUSED(open_tree, -1, ANYTHING),
	REFUSED(open_tree_attr, -1, ANYTHING),
	REFUSED(mount_setattr, -1, ANYTHING),
	REFUSED(fsopen, ANYTHING),
	REFUSED(fsconfig, -1),
	REFUSED(fsmount, -1),
	REFUSED(fspick, -1, ANYTHING),
	REFUSED(open_by_handle_at, -1, ANYTHING),
	REFUSED(quotactl, 0, ANYTHING),
	REFUSED(quotactl_fd, -1),
	REFUSED(swapon, ANYTHING),
	REFUSED(swapoff, ANYTHING),
	REFUSED(setns, -1),
	REFUSED(unshare, CLONE_NEWUSER),
	REFUSED(unshare, CLONE_NEWUSER | HIGH_BITS),
	REFUSED(unshare, CLONE_NEWNS),
	REFUSED(unshare, CLONE_NEWPID),
	REFUSED(unshare, CLONE_NEWNET),
	REFUSED(unshare, CLONE_NEWIPC),
	REFUSED(unshare, CLONE_NEWUTS),
	REFUSED(unshare, CLONE_NEWCGROUP),
	REFUSED(unshare, 0x80), // CLONE_NEWTIME
	REFUSED(unshare, 0x100000), // UNSHARE_EMPTY_MNTNS, of kernels to come
	REFUSED(unshare, CLONE_FILES | CLONE_NEWUSER),
	REFUSED(clone, CLONE_NEWUSER | SIGCHLD),
	REFUSED(clone, CLONE_NEWUSER | SIGCHLD | HIGH_BITS),
	REFUSED(clone, CLONE_NEWNS | SIGCHLD),
	REFUSED(clone, CLONE_NEWPID | SIGCHLD),
	REFUSED(clone, CLONE_NEWNET | SIGCHLD),
	REFUSED(clone, CLONE_NEWIPC | SIGCHLD),
	REFUSED(clone, CLONE_NEWUTS | SIGCHLD),
	REFUSED(clone, CLONE_NEWCGROUP | SIGCHLD),
	{SYS_clone3, {ANYTHING, 64}, ENOSYS, ENOSYS},
	REFUSED(kexec_load, 0, 0, 0, 0),
	REFUSED(kexec_file_load, -1, -1),
	REFUSED(init_module, ANYTHING),
	REFUSED(finit_module, -1),
	REFUSED(delete_module, ANYTHING),
	REFUSED(reboot, 0),
	REFUSED(acct, ANYTHING),
	REFUSED(syslog, 10),
	REFUSED(lookup_dcookie, 0),
	REFUSED(nfsservctl, 0),
	REFUSED(vhangup, 0),
#ifdef SYS_iopl
	REFUSED(iopl, 3),
	REFUSED(ioperm, 0, 1, 1),
#endif
	REFUSED(ioctl, -1, TIOCSTI, ANYTHING),
	REFUSED(ioctl, -1, TIOCSTI | HIGH_BITS, ANYTHING),
	REFUSED(ioctl, -1, TIOCLINUX, ANYTHING),
	REFUSED(ioctl, -1, TIOCLINUX | HIGH_BITS, ANYTHING),
	REFUSED(personality, READ_IMPLIES_EXEC),
	REFUSED(personality, MMAP_PAGE_ZERO),
	REFUSED(personality, ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE),
	REFUSED(personality, PER_SVR4),
	REFUSED(prlimit64, 1, RLIMIT_CPU, 0, 0),
	{SYS_socket, {AF_PACKET, SOCK_RAW, 0}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_ALG | HIGH_BITS, SOCK_SEQPACKET, 0}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_KEY, SOCK_RAW, 2}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_BLUETOOTH, SOCK_RAW, 1}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_UNSPEC, SOCK_DGRAM, 0}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socketpair, {AF_TIPC, SOCK_STREAM, 0, ANYTHING}, EAFNOSUPPORT, EAFNOSUPPORT},
	{SYS_socketpair, {AF_INET, SOCK_STREAM, 0, ANYTHING}, EAFNOSUPPORT, EAFNOSUPPORT},
};

// The call's errno, or 0.
static int attack_try(const void *context)
{
	const struct attack *attack = context;
	const long *a = attack->arguments;
	long r = syscall(attack->call, a[0], a[1], a[2], a[3], 0);
	// A clone(2) that was let through.
	if (attack->call == SYS_clone && r == 0)
		_exit(0);
	return r == -1 ? errno : 0;
}

static void assert_attacks(enum filter_kind kind)
{
	struct sock_fprog filter = filter_make(kind), marked = filter_make(kind);
	filter_mark(&marked);
	for (size_t i = 0; i < ARRAY_COUNT(attacks); i++) {
		const struct attack *attack = &attacks[i];
		int expected = kind == FILTER_JAIL ? attack->jail : attack->tier;
		int status = child_status(&marked, attack_try, attack);
		if (!WIFEXITED(status) || (WEXITSTATUS(status) == MARK) != (expected != 0))
			fail_msg("call %ld (row %zu): status %#x", attack->call, i, (unsigned)status);
		status = child_status(&filter, attack_try, attack);
		if (!WIFEXITED(status) || (expected != 0 && WEXITSTATUS(status) != expected))
			fail_msg("call %ld (row %zu): status %#x, not errno %d", attack->call, i, (unsigned)status, expected);
	}
	free(filter.filter);
	free(marked.filter);
}

static void test_tier_refuses(void **state)
{
	(void)state;
	assert_attacks(FILTER_TIER);
}

static void test_jail_refuses(void **state)
{
	(void)state;
	assert_attacks(FILTER_JAIL);
}

// A row that nobody tries proves nothing.
static void test_every_row_is_tried(void **state)
{
	(void)state;
	for (size_t r = 0; r < filter_row_count; r++) {
		size_t tried = 0;
		for (size_t i = 0; i < ARRAY_COUNT(attacks); i++)
			tried += attacks[i].call == filter_rows[r].call && (attacks[i].jail == 0) == filter_rows[r].is_tracing;
		if (tried == 0)
			fail_msg("no attack tries call %d", filter_rows[r].call);
		assert_true(filter_rows[r].reason[0] != 0);
	}
}

// ----------------------------------------------------------------------------------------------- other sets of numbers

static int call_by_interrupt(const void *context)
{
	(void)context;
#ifdef __x86_64__
	long number = 20; // getpid(2) of i386
	__asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
	return number == getpid() ? 0 : 1;
#else
	return 1;
#endif
}

static int call_of_x32(const void *context)
{
	(void)context;
	return syscall(SYS_getpid | X32_BIT) == -1 ? errno : 0;
}

static int call_of_x32_no_number(const void *context)
{
	(void)context;
	return syscall(0x7fffffff) == -1 ? errno : 0;
}

static int call_none(const void *context)
{
	(void)context;
	return syscall(-1) == -1 ? errno : 0;
}

// Calls that are newer than this: the kernel is asked.
static int call_unknown(const void *context)
{
	(void)context;
	return syscall(9999) == -1 ? errno : 0;
}

static void assert_killed(const struct sock_fprog *filter, int (*body)(const void *context))
{
	int status = child_status(filter, body, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void *thread_of_x32(void *context)
{
	(void)context;
	syscall(SYS_getpid | X32_BIT);
	return NULL;
}

// The process ends, and not the thread alone.
static int call_of_x32_in_a_thread(const void *context)
{
	(void)context;
	pthread_t thread;
	if (pthread_create(&thread, NULL, thread_of_x32, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

static void test_other_numbers_kill(void **state)
{
	(void)state;
	for (enum filter_kind kind = FILTER_TIER; kind <= FILTER_JAIL; kind++) {
		struct sock_fprog filter = filter_make(kind);
		assert_killed(&filter, call_of_x32);
		assert_killed(&filter, call_of_x32_no_number);
		assert_killed(&filter, call_of_x32_in_a_thread);
		assert_exit(&filter, call_none, NULL, ENOSYS);
		assert_exit(&filter, call_unknown, NULL, ENOSYS);
		free(filter.filter);
	}
}

static void test_other_architecture_kills(void **state)
{
	(void)state;
	int status = child_status(NULL, call_by_interrupt, NULL);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		skip(); // the kernel has no calls of i386
	for (enum filter_kind kind = FILTER_TIER; kind <= FILTER_JAIL; kind++) {
		struct sock_fprog filter = filter_make(kind);
		assert_killed(&filter, call_by_interrupt);
		free(filter.filter);
	}
}

// ---------------------------------------------------------------------------------------------------------- the terminal

// The errno of TIOCSTI on a terminal of its own, or 0.
static int key_inject(const void *context)
{
	int main_fd, terminal_fd;
	if (setsid() < 0 || openpty(&main_fd, &terminal_fd, NULL, NULL, NULL) < 0 || login_tty(terminal_fd) < 0)
		return 255;
	return syscall(SYS_ioctl, 0, *(const unsigned long *)context, "x") == -1 ? errno : 0;
}

static void test_no_keys(void **state)
{
	(void)state;
	static const unsigned long commands[] = {TIOCSTI, TIOCSTI | HIGH_BITS, TIOCSTI | 1UL << 63};
	struct sock_fprog filter = filter_make(FILTER_TIER);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		// Taken by the kernel, or off by a setting; else the attack is none.
		int status = child_status(NULL, key_inject, &commands[i]);
		assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EIO));
		assert_exit(&filter, key_inject, &commands[i], EPERM);
	}
	free(filter.filter);
}

// ----------------------------------------------------------------------------------------------------- what goes on working

static bool socket_works(int family, int type, int protocol)
{
	_cleanup_fd_ int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	return fd >= 0;
}

static int sockets_use(const void *context)
{
	(void)context;
	int pair[2];
	if (!socket_works(AF_UNIX, SOCK_STREAM, 0) || !socket_works(AF_INET, SOCK_STREAM, 0) ||
	    !socket_works(AF_INET, SOCK_DGRAM, 0))
		return 1;
	if (!socket_works(AF_INET6, SOCK_STREAM, 0) && errno != EAFNOSUPPORT)
		return 2;
	if (!socket_works(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE))
		return 3;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? 0 : 4;
}

static void *thread_nothing(void *context)
{
	return context;
}

static bool child_ends_well(pid_t pid)
{
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int processes_use(const void *context)
{
	(void)context;
	pthread_t thread;
	void *answer = NULL;
	char word = 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	if (!child_ends_well(pid))
		return 1;
	if (pthread_create(&thread, NULL, thread_nothing, &word) != 0 || pthread_join(thread, &answer) != 0 || answer != &word)
		return 2;
	char *words[] = {"true", NULL};
	if (posix_spawnp(&pid, "true", NULL, NULL, words, environ) != 0 || !child_ends_well(pid))
		return 3;
	if (system("x=$(echo a | cat) && [ \"$x\" = a ]") != 0)
		return 4;
	return unshare(CLONE_FILES | CLONE_FS) == 0 ? 0 : 5;
}

// What debuggers, build tools and sandboxes of programs' own ask for.
static int odds_use(const void *context)
{
	(void)context;
	struct rlimit limit;
	if (personality(UINT32_MAX) < 0 || personality(ADDR_NO_RANDOMIZE) < 0 || personality(PER_LINUX) < 0)
		return 1;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 2;
	int main_fd, terminal_fd;
	struct winsize size;
	if (openpty(&main_fd, &terminal_fd, NULL, NULL, NULL) < 0 || ioctl(terminal_fd, TIOCGWINSZ, &size) < 0)
		return 3;
	if (memfd_create("x", MFD_CLOEXEC) < 0 || syscall(SYS_pidfd_open, getpid(), 0) < 0)
		return 4;
	if (prctl(PR_SET_NAME, "odds", 0, 0, 0) < 0)
		return 5;
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){1, &allow}, 0, 0) == 0 ? 0 : 6;
}

static void test_programs_work(void **state)
{
	(void)state;
	for (enum filter_kind kind = FILTER_TIER; kind <= FILTER_JAIL; kind++) {
		struct sock_fprog filter = filter_make(kind);
		assert_exit(&filter, sockets_use, NULL, 0);
		assert_exit(&filter, processes_use, NULL, 0);
		assert_exit(&filter, odds_use, NULL, 0);
		free(filter.filter);
	}
}

// A debugger in the jail: it attaches to its child, reads its memory, and takes a descriptor of it.
static int child_trace(const void *context)
{
	(void)context;
	static volatile long word = 1;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = 42;
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	int status = -1;
	long read = 0;
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return 1;
	struct iovec here = {&read, sizeof(read)}, there = {(void *)(uintptr_t)&word, sizeof(word)};
	bool is_read = process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(read) && read == 42;
	bool is_seized = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;
	_cleanup_fd_ int process = (int)syscall(SYS_pidfd_open, pid, 0);
	_cleanup_fd_ int taken = (int)syscall(SYS_pidfd_getfd, process, 2, 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!is_read && !is_seized && taken < 0)
		return 2;
	return is_read && is_seized && taken >= 0 ? 0 : 3;
}

static void test_debuggers_work_in_the_jail_alone(void **state)
{
	(void)state;
	assert_exit(NULL, child_trace, NULL, 0);
	struct sock_fprog jail = filter_make(FILTER_JAIL), tier = filter_make(FILTER_TIER);
	assert_exit(&jail, child_trace, NULL, 0);
	assert_exit(&tier, child_trace, NULL, 2);
	free(jail.filter);
	free(tier.filter);
}

static int in_both(const void *context)
{
	int error = filter_enter(context);
	return error != 0 ? error : attack_try(&(struct attack){SYS_ptrace, {PTRACE_TRACEME}, 0, 0});
}

static void test_nested(void **state)
{
	(void)state;
	struct sock_fprog jail = filter_make(FILTER_JAIL), tier = filter_make(FILTER_TIER);
	assert_exit(&jail, in_both, &tier, EPERM);
	assert_exit(&tier, in_both, &jail, EPERM);
	free(jail.filter);
	free(tier.filter);
}

static int filter_wants(const void *context)
{
	return filter_enter(context);
}

// Without no_new_privs an ordinary user may not, and the answer says so.
static void test_enter_fails(void **state)
{
	(void)state;
	if (geteuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		skip();
	struct sock_fprog filter = filter_make(FILTER_TIER);
	assert_exit(NULL, filter_wants, &filter, EACCES);
	free(filter.filter);
}

// -------------------------------------------------------------------------------------------------------- every number

static uint32_t loaded(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;
	assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*data));
	memcpy(&value, (const uint8_t *)data + offset, 4);
	return value;
}

// As the kernel runs it (Documentation/networking/filter.rst).
static uint32_t filter_run(const struct sock_fprog *filter, const struct seccomp_data *data)
{
	uint32_t a = 0;
	for (size_t at = 0; at < filter->len; at++) {
		const struct sock_filter *code = &filter->filter[at];
		switch (code->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = loaded(data, code->k);
			break;
		case BPF_JMP | BPF_JA:
			at += code->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == code->k ? code->jt : code->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= code->k ? code->jt : code->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			at += a > code->k ? code->jt : code->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += (a & code->k) != 0 ? code->jt : code->jf;
			break;
		case BPF_RET | BPF_K:
			return code->k;
		default:
			fail_msg("instruction %zu has the code %#x", at, code->code);
		}
	}
	fail_msg("the filter has no end");
	return 0;
}

static bool row_applies(const struct filter_row *row, uint32_t argument)
{
	switch (row->test) {
	case FILTER_ALWAYS:
		return true;
	case FILTER_EQUAL:
		return argument == row->value;
	case FILTER_DIFFERS:
		return argument != row->value;
	case FILTER_HAS_BIT:
		return (argument & row->value) != 0;
	}
	return false;
}

// What the table says, row by row.
static uint32_t table_answer(enum filter_kind kind, const struct seccomp_data *data)
{
	for (size_t i = 0; i < filter_row_count; i++) {
		const struct filter_row *row = &filter_rows[i];
		if (row->call != data->nr || (kind == FILTER_JAIL && row->is_tracing) ||
		    !row_applies(row, (uint32_t)data->args[row->argument]))
			continue;
		return row->answer ? SECCOMP_RET_ERRNO | (uint32_t)row->answer : SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_ALLOW;
}

static void test_every_number_has_the_answer_of_the_table(void **state)
{
	(void)state;
	static const uint64_t values[] = {0, 1, AF_INET, AF_NETLINK, NETLINK_ROUTE + 1, CLONE_NEWUSER, CLONE_FILES, TIOCSTI, UINT32_MAX};
	for (enum filter_kind kind = FILTER_TIER; kind <= FILTER_JAIL; kind++) {
		struct sock_fprog filter = filter_make(kind);
		struct seccomp_data data = {.arch = filter.filter[1].k};
		for (data.nr = 0; data.nr < 1024; data.nr++)
			for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
				for (size_t k = 0; k < 6; k++)
					data.args[k] = values[(i + k) % (sizeof(values) / sizeof(*values))];
				if (filter_run(&filter, &data) != table_answer(kind, &data))
					fail_msg("call %d, arguments from %zu on, kind %d", data.nr, i, (int)kind);
			}
		data.nr = X32_BIT;
		assert_int_equal(filter_run(&filter, &data), SECCOMP_RET_KILL_PROCESS);
		data.nr = -1;
		assert_int_equal(filter_run(&filter, &data), SECCOMP_RET_ALLOW);
		data.arch ^= 1;
		assert_int_equal(filter_run(&filter, &data), SECCOMP_RET_KILL_PROCESS);
		free(filter.filter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tier_refuses),
		cmocka_unit_test(test_jail_refuses),
		cmocka_unit_test(test_every_row_is_tried),
		cmocka_unit_test(test_other_numbers_kill),
		cmocka_unit_test(test_other_architecture_kills),
		cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_programs_work),
		cmocka_unit_test(test_debuggers_work_in_the_jail_alone),
		cmocka_unit_test(test_every_number_has_the_answer_of_the_table),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_enter_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
