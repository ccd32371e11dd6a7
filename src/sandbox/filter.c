#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 // Linux 6.15
#endif

// The architecture of this build, as the kernel names it. Other machines' numbers of arguments or calls have not been
// looked at: socketcall(2), or clone(2) with its flags elsewhere.
#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE 0
#endif

// x32 has the architecture of x86-64, and numbers from here on (__X32_SYSCALL_BIT). Nothing else has numbers so high.
#define CALL_NUMBER_LIMIT 0x40000000u
// syscall(-1), which tracers and programs that probe use: ENOSYS everywhere.
#define CALL_NUMBER_NONE UINT32_MAX

// What clone(2) makes namespaces by; of CLONE_NEWTIME the bit belongs to the exit signal there.
#define CLONE_NEW_ALL \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
// What unshare(2) may be asked for: all but namespaces, those included that are not there yet.
#define UNSHARE_HARMLESS (CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
// What uname(2) says, and addresses that do not change, which debuggers and sanitizers want.
#define PERSONALITY_HARMLESS ((uint32_t)PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE)

#define ALWAYS 0, FILTER_ALWAYS, 0

// A family that cannot be had is EAFNOSUPPORT, as in a kernel without it: libraries (libaudit, libudev) do without it then,
// and stop at EPERM.
const struct filter_row filter_rows[] = {
	{SYS_ioctl, 1, FILTER_EQUAL, TIOCSTI, EPERM, "puts keys into a terminal", false},
	{SYS_ioctl, 1, FILTER_EQUAL, TIOCLINUX, EPERM, "puts keys into a console, by its selection", false},
	{SYS_clone, 0, FILTER_HAS_BIT, CLONE_NEW_ALL, EPERM, "new namespaces", false},
	{SYS_unshare, 0, FILTER_HAS_BIT, ~(uint32_t)UNSHARE_HARMLESS, EPERM, "new namespaces", false},
	{SYS_socket, 0, FILTER_EQUAL, AF_UNIX, 0, "ordinary", false},
	{SYS_socket, 0, FILTER_EQUAL, AF_INET, 0, "ordinary", false},
	{SYS_socket, 0, FILTER_EQUAL, AF_INET6, 0, "ordinary", false},
	{SYS_socket, 0, FILTER_DIFFERS, AF_NETLINK, EAFNOSUPPORT, "packets, virtual machines, cryptography, …", false},
	{SYS_socket, 2, FILTER_DIFFERS, NETLINK_ROUTE, EAFNOSUPPORT, "more of the kernel than addresses and routes", false},
	{SYS_socketpair, 0, FILTER_DIFFERS, AF_UNIX, EAFNOSUPPORT, "only these come in pairs", false},
	{SYS_prlimit64, 0, FILTER_DIFFERS, 0, EPERM, "a limit on processor time kills, past what bounds signals", false},
	{SYS_personality, 0, FILTER_EQUAL, UINT32_MAX, 0, "asks", false},
	{SYS_personality, 0, FILTER_HAS_BIT, ~PERSONALITY_HARMLESS, EPERM, "data that can be executed", false},
	// The C library falls back to clone(2), whose flags can be seen here.
	{SYS_clone3, ALWAYS, ENOSYS, "its flags lie in memory", false},

	{SYS_ptrace, ALWAYS, EPERM, "another process's memory", true},
	{SYS_process_vm_readv, ALWAYS, EPERM, "another process's memory", true},
	{SYS_process_vm_writev, ALWAYS, EPERM, "another process's memory", true},
	{SYS_process_madvise, ALWAYS, EPERM, "another process's memory", true},
	{SYS_pidfd_getfd, ALWAYS, EPERM, "another process's descriptors", true},
	{SYS_kcmp, ALWAYS, EPERM, "where things of another process lie", true},
	// Of a jail too: what is counted can be a whole processor.
	{SYS_perf_event_open, ALWAYS, EPERM, "what other processes and the kernel do", false},
	{SYS_bpf, ALWAYS, EPERM, "programs in the kernel", false},
	{SYS_userfaultfd, ALWAYS, EPERM, "stops the kernel in the middle of a copy", false},
	{SYS_io_uring_setup, ALWAYS, EPERM, "calls that no filter sees", false},
	{SYS_io_uring_enter, ALWAYS, EPERM, "calls that no filter sees", false},
	{SYS_io_uring_register, ALWAYS, EPERM, "calls that no filter sees", false},

	{SYS_keyctl, ALWAYS, EPERM, "keyrings of the user", false},
	{SYS_add_key, ALWAYS, EPERM, "keyrings of the user", false},
	{SYS_request_key, ALWAYS, EPERM, "keyrings of the user", false},

	{SYS_setns, ALWAYS, EPERM, "other namespaces", false},
	{SYS_mount, ALWAYS, EPERM, "mounts", false},
	{SYS_umount2, ALWAYS, EPERM, "mounts", false},
	{SYS_pivot_root, ALWAYS, EPERM, "mounts", false},
	{SYS_chroot, ALWAYS, EPERM, "mounts", false},
	{SYS_move_mount, ALWAYS, EPERM, "mounts", false},
	{SYS_open_tree, ALWAYS, EPERM, "mounts", false},
	{SYS_open_tree_attr, ALWAYS, EPERM, "mounts", false},
	{SYS_mount_setattr, ALWAYS, EPERM, "mounts", false},
	{SYS_fsopen, ALWAYS, EPERM, "mounts", false},
	{SYS_fsconfig, ALWAYS, EPERM, "mounts", false},
	{SYS_fsmount, ALWAYS, EPERM, "mounts", false},
	{SYS_fspick, ALWAYS, EPERM, "mounts", false},
	{SYS_open_by_handle_at, ALWAYS, EPERM, "files past the folders above them", false},

	{SYS_quotactl, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_quotactl_fd, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_swapon, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_swapoff, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_kexec_load, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_kexec_file_load, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_init_module, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_finit_module, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_delete_module, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_reboot, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_acct, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_syslog, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_lookup_dcookie, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_nfsservctl, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_vhangup, ALWAYS, EPERM, "of the whole machine", false},
#ifdef SYS_iopl
	{SYS_iopl, ALWAYS, EPERM, "of the whole machine", false},
	{SYS_ioperm, ALWAYS, EPERM, "of the whole machine", false},
#endif
};
const size_t filter_row_count = ARRAY_COUNT(filter_rows);

// The most that a row makes: its test, its answer, and what leads to it.
#define ROW_INSTRUCTIONS 8
#define HEAD_INSTRUCTIONS 8

struct program {
	struct sock_filter *code;
	unsigned short count;
};

static void instruction_add(struct program *program, unsigned code, uint32_t k, uint8_t on_true, uint8_t on_false)
{
	program->code[program->count++] = (struct sock_filter){(uint16_t)code, on_true, on_false, k};
}

static void load_add(struct program *program, size_t offset)
{
	instruction_add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void return_add(struct program *program, uint32_t answer)
{
	instruction_add(program, BPF_RET | BPF_K, answer, 0, 0);
}

// Skips the next `count` instructions unless what is loaded is as the test wants it.
static void test_add(struct program *program, enum filter_test test, uint32_t value, uint8_t count)
{
	unsigned compare = test == FILTER_HAS_BIT ? BPF_JSET : BPF_JEQ;
	bool is_turned = test == FILTER_DIFFERS;
	instruction_add(program, BPF_JMP | compare | BPF_K, value, is_turned ? count : 0, is_turned ? 0 : count);
}

// Where the low half of an argument lies: all machines that are known here are little-endian.
static size_t argument_offset(unsigned argument)
{
	return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

static void row_add(struct program *program, const struct filter_row *row)
{
	if (row->test != FILTER_ALWAYS) {
		load_add(program, argument_offset(row->argument));
		test_add(program, row->test, row->value, 1);
	}
	return_add(program, row->answer ? SECCOMP_RET_ERRNO | (uint32_t)row->answer : SECCOMP_RET_ALLOW);
}

// Has the next number, and the same answer in any case?
static bool is_next(const struct filter_row *row, const struct filter_row *next)
{
	return row->test == FILTER_ALWAYS && next->test == FILTER_ALWAYS && row->answer == next->answer &&
	       next->call == row->call + 1;
}

// Where the rows of another call, or of another run of calls, begin: the last place up to the middle, or else the first. 0:
// nowhere.
static size_t rows_split(const struct filter_row *const rows[], size_t count)
{
	size_t split = 0;
	for (size_t i = 1; i < count && (split == 0 || i <= count / 2); i++)
		if (rows[i]->call != rows[i - 1]->call && !is_next(rows[i - 1], rows[i]))
			split = i;
	return split;
}

static void run_add(struct program *program, const struct filter_row *first, const struct filter_row *last)
{
	instruction_add(program, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)first->call, 0, 2);
	instruction_add(program, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)last->call, 1, 0);
	row_add(program, first);
	return_add(program, SECCOMP_RET_ALLOW);
}

// A search by halves for the call's number, which is loaded. When a filter is installed the kernel compiles it, and tries
// each number: one row after the other that took a tenth of a millisecond.
static void rows_add(struct program *program, const struct filter_row *const rows[], size_t count)
{
	size_t split = rows_split(rows, count);
	if (split > 0) {
		instruction_add(program, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rows[split]->call, 1, 0);
		size_t jump = program->count;
		instruction_add(program, BPF_JMP | BPF_JA, 0, 0, 0);
		rows_add(program, rows + split, count - split);
		program->code[jump].k = (uint32_t)(program->count - jump - 1);
		rows_add(program, rows, split);
		return;
	}
	if (count > 1 && rows[0]->call != rows[1]->call) {
		run_add(program, rows[0], rows[count - 1]);
		return;
	}
	test_add(program, FILTER_EQUAL, (uint32_t)rows[0]->call, 0);
	size_t test = program->count - 1u;
	for (size_t i = 0; i < count; i++)
		row_add(program, rows[i]);
	program->code[test].jf = (uint8_t)(program->count - test - 1);
	return_add(program, SECCOMP_RET_ALLOW);
}

// By number, and those of one call as they stand in the table.
static int row_compare(const void *a, const void *b)
{
	const struct filter_row *left = *(const struct filter_row *const *)a, *right = *(const struct filter_row *const *)b;
	if (left->call != right->call)
		return left->call < right->call ? -1 : 1;
	return left < right ? -1 : left > right;
}

static void head_add(struct program *program)
{
	load_add(program, offsetof(struct seccomp_data, arch));
	test_add(program, FILTER_DIFFERS, ARCHITECTURE, 1);
	return_add(program, SECCOMP_RET_KILL_PROCESS);
	load_add(program, offsetof(struct seccomp_data, nr));
	instruction_add(program, BPF_JMP | BPF_JGE | BPF_K, CALL_NUMBER_LIMIT, 0, 2);
	test_add(program, FILTER_DIFFERS, CALL_NUMBER_NONE, 1);
	return_add(program, SECCOMP_RET_KILL_PROCESS);
}

int filter_build(enum filter_kind kind, struct sock_fprog *out, struct err *err)
{
	const struct filter_row *rows[ARRAY_COUNT(filter_rows)];
	size_t count = 0;
	if (ARCHITECTURE == 0)
		return err_set(err, ERR_NO_EXEC, "no filter of system calls is known for this machine's architecture; use the "
						 "tier standard");
	size_t most = filter_row_count * ROW_INSTRUCTIONS + HEAD_INSTRUCTIONS;
	struct program program = {.code = calloc(most, sizeof(*program.code))};
	if (!program.code)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < filter_row_count; i++)
		if (kind != FILTER_JAIL || !filter_rows[i].is_tracing)
			rows[count++] = &filter_rows[i];
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted
	qsort(rows, count, sizeof(*rows), row_compare);
	head_add(&program);
	rows_add(&program, rows, count);
	*out = (struct sock_fprog){program.count, program.code};
	return 0;
}

int filter_enter(const struct sock_fprog *filter)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) < 0 ? errno : 0;
}
