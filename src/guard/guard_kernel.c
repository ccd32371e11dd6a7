// What the running kernel can do, by asking it; and what its settings leave of that.
#include "guard/guard_internal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

// LANDLOCK_CREATE_RULESET_VERSION and _ERRATA of linux/landlock.h, which older headers lack.
#define LANDLOCK_VERSION_FLAG 1U
#define LANDLOCK_ERRATA_FLAG 2U // Linux 6.15, and in later releases of older ones

// Scopes, and the right to resolve the path of a socket.
#define LANDLOCK_ABI_SCOPE 6
#define LANDLOCK_ABI_SOCKETS 9

// The oldest kernel envseal is tried on: Debian 11's.
#define KERNEL_MAJOR_LEAST 5
#define KERNEL_MINOR_LEAST 10

static void check_version(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf release = BUF_INIT(256);
	if (!guard_read(source->proc, "sys/kernel/osrelease", &release)) {
		finding_unknown(finding, "/proc/sys/kernel/osrelease");
		return;
	}
	bool is_old = release_is_before(buf_text(&release), KERNEL_MAJOR_LEAST, KERNEL_MINOR_LEAST);
	finding_set(finding, is_old ? FINDING_WARN : FINDING_OK, is_old ? "use a newer kernel" : "",
		    "the kernel is Linux %s%s",
		    buf_text(&release), is_old ? ", older than any that envseal is tried on (5.10)" : "");
}

// What a kernel cannot close by Landlock before an ABI (landlock(7), "VERSIONS").
static const struct {
	long abi;
	const char *what;
} landlock_steps[] = {
	{2, "moves between folders"},
	{3, "truncation"},
	{4, "TCP"},
	{5, "devices"},
	{LANDLOCK_ABI_SCOPE, "signals and abstract sockets"},
	{LANDLOCK_ABI_SOCKETS, "sockets with a path"},
};

// LANDLOCK_CREATE_RULESET_VERSION or _ERRATA; -1 with errno.
static long landlock_ask(unsigned what)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, what);
}

static bool landlock_text(long abi, struct buf *out)
{
	struct err ignored;
	long fixes = landlock_ask(LANDLOCK_ERRATA_FLAG);
	int r = buf_printf(out, &ignored, "Landlock is there (ABI %ld", abi);
	for (int i = 0; r == 0 && fixes > 0 && i < 31; i++)
		if (fixes >> i & 1)
			r = buf_printf(out, &ignored, "%s%d", fixes & ((1L << i) - 1) ? ", " : "; with the fixes ", i + 1);
	if (r == 0)
		r = buf_append_text(out, ")", &ignored);
	const char *before = "; it does not close: ";
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(landlock_steps); i++)
		if (abi < landlock_steps[i].abi) {
			r = buf_printf(out, &ignored, "%s%s", before, landlock_steps[i].what);
			before = ", ";
		}
	return r == 0;
}

static void check_landlock(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	_cleanup_buf_ struct buf text = BUF_INIT(FINDING_TEXT_BYTES);
	long abi = landlock_ask(LANDLOCK_VERSION_FLAG);
	if (abi > 0)
		finding_set(finding, FINDING_OK, "", "%s",
			    landlock_text(abi, &text) ? buf_text(&text) : "Landlock is there");
	else if (errno == EOPNOTSUPP)
		finding_set(finding, FINDING_NOTE, "add landlock to the kernel's lsm= boot parameter",
			    "Landlock is built in and switched off: the tiers hardened and lockdown, and the jail, are "
			    "refused here");
	else
		finding_set(finding, FINDING_NOTE, "use a kernel from 6.12 on that has it",
			    "Landlock is not there: the tiers hardened and lockdown, and the jail, are refused here");
}

static void check_landlock_scope(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	if (landlock_ask(LANDLOCK_VERSION_FLAG) >= LANDLOCK_ABI_SCOPE)
		finding_set(finding, FINDING_OK, "", "signals and abstract sockets can be kept inside a sandbox");
	else
		finding_set(finding, FINDING_NOTE, "use a kernel from 6.12 on",
			    "signals and abstract sockets cannot be kept inside a sandbox (Landlock before ABI %d): the tiers "
			    "hardened and lockdown, and the jail, are refused here", LANDLOCK_ABI_SCOPE);
}

static void check_landlock_sockets(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	if (landlock_ask(LANDLOCK_VERSION_FLAG) >= LANDLOCK_ABI_SOCKETS)
		finding_set(finding, FINDING_OK, "", "sockets with a path can be closed by Landlock");
	else
		finding_set(finding, FINDING_NOTE, "",
			    "sockets with a path cannot be closed by Landlock (before ABI %d): in the tier hardened those of "
			    "D-Bus, docker and the like stay open, and only mounts hide them", LANDLOCK_ABI_SOCKETS);
}

static bool has_action(uint32_t action)
{
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void check_seccomp(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	// Without a filter to read, EFAULT is the answer of a kernel that would have taken one.
	bool has = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
	if (has && has_action(SECCOMP_RET_KILL_PROCESS))
		finding_set(finding, FINDING_OK, "", "system calls can be filtered (seccomp)");
	else
		finding_set(finding, FINDING_NOTE, "use a kernel from 4.14 on that has CONFIG_SECCOMP_FILTER",
			    "system calls cannot be filtered here (seccomp): the tiers hardened and lockdown, the jail and the "
			    "broker are refused");
}

static void check_seccomp_notify(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	struct seccomp_notif_sizes sizes;
	bool has = has_action(SECCOMP_RET_USER_NOTIF) && syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0;
	if (has)
		finding_set(finding, FINDING_OK, "", "a process can answer another one's system calls (seccomp notification); "
						     "envseal does without");
	else
		finding_set(finding, FINDING_NOTE, "", "no process can answer another one's system calls (seccomp "
						       "notification); envseal does without");
}

static void check_pidfd(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd >= 0)
		finding_set(finding, FINDING_OK, "", "processes can be held so that their numbers are not mistaken "
						     "(pidfd)");
	else
		finding_set(finding, FINDING_WARN, "use a kernel from 5.3 on, or let pidfd_open through the sandbox",
			    "processes cannot be held by a descriptor (pidfd_open): programs are ended by number, and "
			    "a number may be another process by then");
}

// Both what pins a program that its user can change, and what maps a user namespace, is such a file.
static void check_memfd_exec(const struct guard_source *source, struct finding *finding)
{
	long long setting = 0;
	_cleanup_fd_ int fd = fd_executable("envseal", MFD_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	bool known = guard_read_number(source->proc, "sys/vm/memfd_noexec", &setting);
	if (known && setting >= 2)
		finding_set(finding, FINDING_WARN, "sysctl vm.memfd_noexec=1, or use --by-path where a program may run "
						   "unpinned",
			    "memory files cannot be executed (vm.memfd_noexec is %lld): programs and scripts that you "
			    "can change are refused, no program is shielded, and the tiers hardened and lockdown are refused here",
			    setting);
	else if (error != 0)
		finding_set(finding, FINDING_WARN, "let memfd_create(2) through the container or filter around this",
			    "memory files cannot be made (memfd_create: %s): programs and scripts that you can change are refused, no "
			    "program is shielded, and the tiers hardened and lockdown are refused here", strerrordesc_np(error));
	else
		finding_set(finding, FINDING_OK, "", "programs that you can change are run from sealed copies in "
						     "memory");
}

// By flags that no kernel knows: who has the call answers EINVAL, and starts nothing.
static void check_execveat(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	syscall(SYS_execveat, -1, "", NULL, NULL, ~0U);
	if (errno != ENOSYS && errno != EPERM && errno != EACCES)
		finding_set(finding, FINDING_OK, "", "programs can be started by a descriptor, so that what was approved is what runs");
	else
		finding_set(finding, FINDING_WARN, "let execveat(2) through the container or filter around this",
			    "programs cannot be started by a descriptor (execveat: %s): only one of the system's is run, in the tier "
			    "standard, with --no-shield", strerrordesc_np(errno));
}

static void check_close_range(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	syscall(SYS_close_range, 1U, 0U, 0U);
	if (errno == EINVAL)
		finding_set(finding, FINDING_OK, "", "inherited descriptors can be closed all at once");
	else
		finding_set(finding, FINDING_NOTE, "", "inherited descriptors cannot be closed all at once (close_range: %s); envseal "
						       "closes them one by one", strerrordesc_np(errno));
}

const struct guard_check guard_kernel_checks[] = {
	{"kernel", "kernel", FINDING_WARN, check_version},
	{"landlock", "kernel", FINDING_NOTE, check_landlock},
	{"landlock-scope", "kernel", FINDING_NOTE, check_landlock_scope},
	{"landlock-sockets", "kernel", FINDING_NOTE, check_landlock_sockets},
	{"seccomp", "kernel", FINDING_NOTE, check_seccomp},
	{"seccomp-notify", "kernel", FINDING_NOTE, check_seccomp_notify},
	{"pidfd", "kernel", FINDING_WARN, check_pidfd},
	{"memfd-exec", "kernel", FINDING_WARN, check_memfd_exec},
	{"execveat", "kernel", FINDING_WARN, check_execveat},
	{"close-range", "kernel", FINDING_NOTE, check_close_range},
};
const size_t guard_kernel_check_count = ARRAY_COUNT(guard_kernel_checks);
