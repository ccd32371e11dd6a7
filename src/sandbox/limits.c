// What a process gives up for itself: core dumps, numbers of processes, privileges.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int limits_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;
}

// 1 byte and not 0: with 0 a piped core_pattern is still fed (core(5), "Piping core dumps to a program").
int limits_no_core(void)
{
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}) == 0)
		return 0;
	// A hard limit of 0 that may not be raised: no file is written, and coredump_filter, which is inherited, keeps
	// memory out of what a pipe gets.
	return errno == EPERM && setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0 ? 0 : errno;
}

// Counted in the user namespace since Linux 5.14; before that, with all other processes of the user.
int limits_processes(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NPROC, &limit) < 0)
		return errno;
	if (limit.rlim_max > SANDBOX_PROCESSES_MAX)
		limit.rlim_max = SANDBOX_PROCESSES_MAX;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NPROC, &limit) < 0 ? errno : 0;
}

static int capabilities_set_none(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	return syscall(SYS_capset, &header, none) < 0 ? errno : 0;
}

void limits_capabilities_drop(void)
{
	capabilities_set_none();
}

int limits_capabilities(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return errno;
	// To the first number that this kernel has no capability for.
	unsigned long capability = 0;
	while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
		capability++;
	if (errno != EINVAL || capability == 0)
		return errno;
	// Dropping what is permitted drops the ambient ones too (capabilities(7)).
	return capabilities_set_none();
}
