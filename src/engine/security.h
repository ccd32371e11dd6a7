// engine/security: which security level is in force for a session, and what guard's findings lead to under it.
//
// Invariant: a configuration file that is there and is broken, or that somebody but root could change or take away, is
// a refusal of whatever was asked for, and never the same as none.
#pragma once

#include "engine/engine_internal.h"

// What SECURITY_FILE forces; nothing, when it is not there. ERR_UNSAFE for its owner, mode or kind, a folder above it,
// or when it cannot be read; ERR_INPUT for what is in it.
int security_floor_load(struct security_floor *out, struct err *err);
// The same for a file in another place.
int security_floor_read(const char *path, struct security_floor *out, struct err *err);
// The session is unlocked. The sealed setting, raised by the file. ERR_DAMAGED for a setting that does not parse.
int session_security(struct session *session, struct security *out, struct err *err);

// The session is unlocked, by the passphrase, and outside of a transaction: what this level, or the one in force, wants beside
// it, typed on the terminal. ERR_DENIED where codes are not set up, ERR_LOCKED without a terminal; else as session_totp_check.
int session_factor_check(struct session *session, enum security_level level, struct err *err);
int session_factor_check_now(struct session *session, struct err *err);
// Where guard looks, with what engine knows. Borrows from the engine.
struct guard_source engine_guard_source(const struct engine *engine);
typedef int guard_judge_fn(void *context, const struct finding *finding, enum guard_action action);
// Runs the checks that can lead to more than a note, and calls `each` for the findings that do. `each` returning
// non-zero stops and is returned.
int guard_judge(const struct security *security, const struct guard_source *source, guard_judge_fn *each,
		void *context);
