// policy/decision: what a set of rules says to a request. Pure: it reads its arguments and nothing else, allocates
// nothing and cannot fail.
//
// Invariants
//  - Each secret is decided by itself, and a request is allowed only when every secret of it is.
//  - A deny that matches wins. Of the other rules that match the most specific one decides. Where none matches: ask.
//  - The order of the rules plays no part (ids must differ, as rules_parse sees to).
//  - Adding a deny never allows more, nor does keeping one more variable; a script that no allow names by path and
//    content, or that could not be read, is never allowed. A rule that has expired, was used up, or belongs to another
//    boot or session never matches.
#pragma once

#include "policy/rule.h"

struct policy_secret {
	const char *name;
	const char *const *tags;
	size_t tag_count;
	enum rule_delivery delivery;
	const char *variable; // NULL for standard input
};

// All borrowed. Paths are real: absolute, without links, "." and "..".
struct policy_request {
	const struct policy_secret *secrets;
	size_t secret_count;
	const struct program *program;
	// As it was called; but where argv[0] is a bare word, found on the PATH, the absolute path under which it was
	// found, with links as they are. Whether the program is open-ended goes by its present real path.
	char *const *argv;
	const char *script_path;       // that the program is told to run, or NULL: none
	const uint8_t *script_digest;  // DIGEST_BYTES
	bool script_is_unread;         // there may be one, and what it holds could not be known
	const char *const *kept;       // variables that steer programs and are handed on (--keep-env)
	size_t kept_count;
	const char *directory;
	// What the run itself asks of the sandbox; the rest comes from level and rules. NULL: nothing.
	const struct rule_sandbox *sandbox;
	bool names_tier; // its tier was asked for, so that a stronger one is not what is meant
	bool redaction;
	int64_t now;      // seconds since the epoch
	int64_t boottime_ms; // CLOCK_BOOTTIME
	const char *boot; // boot id
	struct rule_session session; // that asks; pid 0: none
	uint64_t uses;    // that the request takes of a counted rule, usually 1
};

// Why a rule did not decide, in the order of looking: the larger, the nearer it came.
enum policy_reason {
	POLICY_OTHER_SECRET,        // no pattern of it fits the secret's name or tags
	POLICY_OTHER_DELIVERY,
	POLICY_OTHER_VARIABLE,
	POLICY_STEERING_VARIABLE,   // an allow never puts a secret into a variable that steers programs
	POLICY_OTHER_PROGRAM,
	POLICY_OTHER_DIRECTORY,
	POLICY_OTHER_ARGUMENTS,
	POLICY_OTHER_SCRIPT,        // another path, none, one where it has none, or one that could not be read
	POLICY_KEPT_VARIABLE,       // it does not name each variable that is kept
	POLICY_OPEN_ENDED,          // the program has become one whose arguments must be exact
	POLICY_UNPINNED,            // run by path: an allow is for what cannot be swapped
	POLICY_INTERPRETER_BY_PATH, // "#!/usr/bin/env python3": whoever sets PATH chooses what runs
	POLICY_PROGRAM_CHANGED,     // the same path, and other content or other owners
	POLICY_INTERPRETER_CHANGED,
	POLICY_SCRIPT_CHANGED,      // the same path, and other content
	POLICY_WEAKER_TIER,         // the run asks for a tier that is weaker than the rule's
	POLICY_OTHER_SANDBOX,       // the run asks for more openness than the rule has
	POLICY_NO_REDACTION,
	POLICY_CLOCK_BACK,          // the clock stands before the rule was made, and the rule ends by the clock
	POLICY_EXPIRED,             // by one of its ends if it allows, else by all that count in this boot
	POLICY_USED_UP,
	POLICY_OTHER_BOOT,
	POLICY_OTHER_SESSION,
	POLICY_OVERRULED,           // it matches, and a deny does too
	POLICY_LESS_SPECIFIC,       // it matches, and a more specific rule does too
	POLICY_DECIDES,
	POLICY_REASON_COUNT
};
const char *policy_reason_name(enum policy_reason reason); // "other-secret"
const char *policy_reason_text(enum policy_reason reason); // half a sentence: "it is for other secrets"

struct policy_verdict {
	enum rule_effect effect;
	const struct rule *rule;    // that decided; NULL: none matched
	const struct rule *nearest; // when none matched, the one that came nearest (NULL: there is no rule) ...
	enum policy_reason reason;  // ... and why it did not match; else POLICY_DECIDES
};

struct policy_decision {
	enum rule_effect effect;          // the strictest of all; ask when there are no secrets
	size_t decisive;                  // the first secret with that effect
	struct policy_verdict *verdicts;  // the caller's room for secret_count
};

void policy_decide(const struct rule rules[], size_t count, const struct policy_request *request,
		   struct policy_decision *out);
// The whole chain for one secret: a reason for every rule, into the caller's room for `count`.
void policy_explain(const struct rule rules[], size_t count, const struct policy_request *request, size_t secret,
		    const struct policy_verdict *verdict, enum policy_reason out[]);
