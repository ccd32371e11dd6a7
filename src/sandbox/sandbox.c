#include "sandbox/sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int enter_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;
}

// 1 byte and not 0: with 0 a piped core_pattern is still fed (core(5), "Piping core dumps to a program").
static int enter_no_core(void)
{
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}) == 0)
		return 0;
	// A hard limit of 0 that may not be raised: no file is written, and coredump_filter, which is inherited, keeps
	// memory out of what a pipe gets.
	return errno == EPERM && setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0 ? 0 : errno;
}

// In the order in which they are entered.
static const struct {
	const char *name;
	int (*enter)(void); // 0 or an errno
} mechanisms[SANDBOX_MECHANISM_COUNT] = {
	[SANDBOX_NO_NEW_PRIVS] = {"no-new-privs", enter_no_new_privs},
	[SANDBOX_NO_CORE] = {"no-core", enter_no_core},
};

const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism)
{
	return mechanisms[mechanism].name;
}

struct sandbox_plan sandbox_plan_standard(void)
{
	return (struct sandbox_plan){.tier = "standard",
				     .required = {[SANDBOX_NO_NEW_PRIVS] = true, [SANDBOX_NO_CORE] = true}};
}

int sandbox_enter(const struct sandbox_plan *plan, enum sandbox_mechanism *ret_failed)
{
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++) {
		int failure = plan->required[i] ? mechanisms[i].enter() : 0;
		if (failure != 0) {
			*ret_failed = (enum sandbox_mechanism)i;
			return failure;
		}
	}
	return 0;
}
