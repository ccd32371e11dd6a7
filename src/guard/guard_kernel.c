// What the running kernel can do, by asking it; and what its settings leave of that.
#include "guard/guard_internal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

// LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h, which older headers lack.
#define LANDLOCK_VERSION_FLAG 1U

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
	char *rest = NULL;
	long major = strtol(buf_text(&release), &rest, 10);
	long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
	bool is_old = major < KERNEL_MAJOR_LEAST || (major == KERNEL_MAJOR_LEAST && minor < KERNEL_MINOR_LEAST);
	finding_set(finding, is_old ? FINDING_WARN : FINDING_OK, is_old ? "use a newer kernel" : "",
		    "the kernel is Linux %s%s",
		    buf_text(&release), is_old ? ", older than any that envseal is tried on (5.10)" : "");
}

static void check_landlock(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	if (abi > 0)
		finding_set(finding, FINDING_OK, "", "Landlock is there (ABI %ld)", abi);
	else if (errno == EOPNOTSUPP)
		finding_set(finding, FINDING_NOTE, "add landlock to the kernel's lsm= boot parameter",
			    "Landlock is built in and switched off; nothing uses it yet, and the tiers to come will "
			    "want it");
	else
		finding_set(finding, FINDING_NOTE, "use a kernel from 5.13 on that has it",
			    "Landlock is not there; nothing uses it yet, and the tiers to come will want it");
}

static void check_seccomp(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	// Without a filter to read, EFAULT is the answer of a kernel that would have taken one.
	bool has = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
	if (has)
		finding_set(finding, FINDING_OK, "", "system calls can be filtered (seccomp)");
	else
		finding_set(finding, FINDING_NOTE, "use a kernel that has CONFIG_SECCOMP_FILTER",
			    "system calls cannot be filtered here; nothing does so yet, and the tiers to come will "
			    "want it");
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

static void check_user_namespaces(const struct guard_source *source, struct finding *finding)
{
	long long max = 0, restricted = 0, clone = 1;
	guard_read_number(source->proc, "sys/kernel/apparmor_restrict_unprivileged_userns", &restricted);
	guard_read_number(source->proc, "sys/kernel/unprivileged_userns_clone", &clone);
	const char *why = NULL;
	if (!guard_read_number(source->proc, "sys/user/max_user_namespaces", &max))
		why = "the kernel has none";
	else if (max == 0)
		why = "user.max_user_namespaces is 0";
	else if (clone == 0)
		why = "kernel.unprivileged_userns_clone is 0";
	else if (restricted != 0)
		why = "AppArmor restricts them";
	if (why)
		finding_set(finding, FINDING_NOTE, "",
			    "ordinary users cannot make user namespaces (%s); nothing uses them yet, and the tiers to "
			    "come will want them", why);
	else
		finding_set(finding, FINDING_OK, "", "ordinary users can make user namespaces");
}

static void check_memfd_exec(const struct guard_source *source, struct finding *finding)
{
	long long setting = 0;
	bool known = guard_read_number(source->proc, "sys/vm/memfd_noexec", &setting);
	if (known && setting >= 2)
		finding_set(finding, FINDING_WARN, "sysctl vm.memfd_noexec=1, or use --by-path where a program may run "
						   "unpinned",
			    "memory files cannot be executed (vm.memfd_noexec is %lld): programs and scripts that you "
			    "can change cannot be pinned and are refused", setting);
	else
		finding_set(finding, FINDING_OK, "", "programs that you can change are run from sealed copies in "
						     "memory");
}

const struct guard_check guard_kernel_checks[] = {
	{"kernel", "kernel", FINDING_WARN, check_version},
	{"landlock", "kernel", FINDING_NOTE, check_landlock},
	{"seccomp", "kernel", FINDING_NOTE, check_seccomp},
	{"pidfd", "kernel", FINDING_WARN, check_pidfd},
	{"user-namespaces", "kernel", FINDING_NOTE, check_user_namespaces},
	{"memfd-exec", "kernel", FINDING_WARN, check_memfd_exec},
};
const size_t guard_kernel_check_count = ARRAY_COUNT(guard_kernel_checks);
