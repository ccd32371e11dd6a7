// sandbox: plan, then enter. A tier becomes a plan (pure data); the child enters it between fork and exec; what was
// really applied is a record. Today there is the tier `standard` with the mechanisms that every kernel has; namespaces,
// Landlock, seccomp and the shield get their rows in the same table.
#pragma once

#include "base/base.h"

enum sandbox_mechanism {
	SANDBOX_NO_NEW_PRIVS, // set-id programs gain nothing
	SANDBOX_NO_CORE,      // RLIMIT_CORE 1: neither a file nor a piped core_pattern
	SANDBOX_MECHANISM_COUNT
};
const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism);

struct sandbox_plan {
	const char *tier;                       // "standard"
	bool required[SANDBOX_MECHANISM_COUNT]; // missing: the run is refused (126)
};

struct sandbox_plan sandbox_plan_standard(void);
// In the child, after fork, before exec. Async-signal-safe. Returns 0, or the errno of the first required mechanism
// that failed with *ret_failed set.
int sandbox_enter(const struct sandbox_plan *plan, enum sandbox_mechanism *ret_failed);
