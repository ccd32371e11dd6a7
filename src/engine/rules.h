// engine/rules: the standing rules of a vault, and how a plan is turned into a rule and into a question to them.
//
// Invariants
//  - They lie in the vault as sealed settings `rules/0`, `rules/1`, …, which joined are the canonical JSON of a set
//    (docs/format-policy.md). A change renews the state MAC and has its audit record, like every change of the vault.
//  - A grant is a rule that ends by itself: with a session, a boot, a time, or after some uses.
#pragma once

#include "engine/engine_internal.h"

// The session is unlocked. An empty set where there are none. ERR_DAMAGED for what does not parse or does not verify.
int session_rules_load(struct session *session, struct rule_set *out, struct err *err);
// In a transaction. Drops grants that ended (rule_is_over) first. ERR_LIMIT for too many.
int session_rules_store(struct session *session, struct rule_set *set, struct err *err);

// Where and when a rule is looked at.
struct rule_clock {
	int64_t now;
	int64_t boottime_ms;
	char boot[RULE_BOOT_BYTES + 1];
};
struct rule_clock rule_clock_now(void);
// It can never match again, whatever happens: its time, boot, session or uses are gone.
bool rule_is_over(const struct rule *rule, const struct rule_clock *clock);
// Its leader lives, and is the same process; false for none.
bool rule_session_is_alive(const struct rule_session *session);
// A rule that ends by itself.
bool rule_is_grant(const struct rule *rule);

// NULL: there is none of that id. Sets are sorted by it, as rules_parse and rules_add leave them.
struct rule *rule_with_id(const struct rule_set *set, const char *id);
// Gives a rule without an id one that is free: "rule-1", "grant-1", ….
void rules_choose_id(const struct rule_set *set, struct rule *rule);
// Adds a sound rule, which is moved into the set. An id of "" is chosen by rules_choose_id.
// ERR_EXISTS for an id that is there; what rule_check_new and RULES_COUNT_MAX refuse.
int rules_add(struct rule_set *set, struct rule *rule, const struct rule_clock *clock, struct err *err);
// False when there is none of that id.
bool rules_remove(struct rule_set *set, const char *id);

// A secret of a rule, by name or pattern.
struct rule_secret {
	const char *pattern;
	enum rule_delivery delivery;
	const char *variable; // or a pattern; NULL for standard input, and for a deny of any
};

// What rules are to say beyond the plan's program, arguments, folder and kept variables.
struct rule_terms {
	enum rule_effect effect;
	const char *id;                    // NULL: the next one that is free
	const struct rule_secret *secrets; // NULL: those of the plan
	size_t secret_count;
	bool any_program;                  // and any arguments; not for an allow
	enum rule_argv_mode argv_mode;
	const char *directory;             // NULL: any
	const struct rule_sandbox *sandbox; // NULL: nothing is said of it
	bool redaction;
	int64_t seconds;                   // 0: for ever; else by the clock, and within this boot by the boot clock
	bool this_boot;                    // ends with the boot
	uint64_t uses;                     // 0: not counted
	struct rule_session session;       // pid 0: any
	bool from_prompt;
};
#define RULES_MADE_MAX 3
// Rules for what the plan would run: one for each delivery among the secrets, in which each secret goes with its own
// variable and no other. The program's binding is `system` where only root can change it, else `exact`; a script's
// interpreter and a script among the arguments are bound too. The first argument is the absolute path under which a
// bare word was found. ERR_DENIED for a program that is run by path, which nothing pins; what rule_check refuses, with
// the sentence what to do instead. The caller owns the rules; none on failure.
int rules_make(const struct plan *plan, const struct rule_terms *terms, const struct rule_clock *clock,
	       struct rule out[RULES_MADE_MAX], size_t *ret_count, struct err *err);
void rules_made_done(struct rule made[], size_t count);

// The question to the rules. Points into itself: not to be moved.
struct plan_question {
	struct policy_request request;
	struct policy_secret secrets[ENGINE_SECRETS_MAX];
	struct vault_entry *entries; // one for each secret; owned
	const char **tags;           // VAULT_TAGS_MAX for each secret; owned
	struct rule_clock clock;
};
void plan_question_done(struct plan_question *question);
#define _cleanup_plan_question_ _cleanup_(plan_question_done)
// Reads the tags of the plan's secrets from the vault; verified, when it is unlocked. `out` is to be zero, and to be
// done with in every case.
int plan_question_make(const struct plan *plan, struct vault *vault, const struct rule_clock *clock,
		       struct plan_question *out, struct err *err);
