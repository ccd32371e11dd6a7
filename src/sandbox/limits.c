// What a process gives up for itself: core dumps, numbers of processes, privileges.
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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
