// policy/level: the security levels, and what each demands of a run. Pure: one table in level.c, which the engine asks
// and `security show` prints.
//
// Invariant: a stronger level never demands less than a weaker one, in no column.
#pragma once

#include "guard/guard.h"
#include "policy/rule.h"

// The weakest first.
enum security_level { SECURITY_STANDARD, SECURITY_HARDENED, SECURITY_LOCKDOWN };
#define SECURITY_LEVEL_COUNT 3
const char *security_level_name(enum security_level level); // "standard", "hardened", "lockdown"
bool security_level_parse(const char *word, enum security_level *out);

// What a finding leads to, the mildest first: only `doctor` tells of it; a run tells of it; the run is asked for even
// where a rule allows it; it is refused.
enum guard_action { GUARD_NOTE, GUARD_WARN, GUARD_ASK, GUARD_DENY };
#define GUARD_ACTION_COUNT 4
const char *guard_action_name(enum guard_action action); // "note", "warn", "ask", "deny"
bool guard_action_parse(const char *word, enum guard_action *out);

// What shows that a human is there who may change things.
enum security_factor { FACTOR_PASSPHRASE, FACTOR_PASSPHRASE_AND_CODE };
const char *security_factor_name(enum security_factor factor); // "passphrase", "passphrase and code"

// How a run gets what makes it weaker, the easiest first.
enum security_permit {
	PERMIT_ON_REQUEST, // the human sees and approves it
	PERMIT_BY_RULE,    // only when a standing rule allows it
	PERMIT_NEVER
};
const char *security_permit_name(enum security_permit permit); // "on request", "by rule", "never"

enum environment_mode {
	ENVIRONMENT_FILTERED, // the caller's, without what steers code
	ENVIRONMENT_ALLOWED   // built from nothing: an allow-list, and what is kept by name
};
const char *environment_mode_name(enum environment_mode mode); // "filtered", "allow-list"

struct security_demands {
	enum sandbox_tier tier; // of the sandbox, at least
	enum security_factor factor;
	enum security_permit unredacted; // inject
	enum security_permit by_path;
	enum security_permit keep_env;
	enum security_permit unshielded; // --no-shield
	enum security_permit degrade;    // a tier that the kernel cannot give in full
	bool rules_allow;      // without: each run is asked for, and is approved once
	bool option_approves;  // the passphrase given by an option; without, it only opens the vault
	enum environment_mode environment;
	enum guard_action actions[FINDING_BAD + 1]; // by severity
};
// Static.
const struct security_demands *security_demands(enum security_level level);
