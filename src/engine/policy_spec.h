// engine/policy_spec: what -s says to a rule. Beside what it says to a run, it may name families of secrets and of
// variables, and standard input.
#pragma once

#include "engine/rules.h"

struct policy_spec {
	char *pattern;  // owned
	char *variable; // owned; NULL: the run's own choice for the name, or standard input
	enum rule_delivery delivery;
	bool is_plain;  // one secret by its name, given as a run gives it
	const char *text;
};

struct policy_specs {
	struct policy_spec items[RULE_SECRETS_MAX];
	size_t count;
};
void policy_specs_done(struct policy_specs *specs);
#define _cleanup_policy_specs_ _cleanup_(policy_specs_done)

// NAME, NAME=VAR, NAME=VAR:file, NAME=-; the name may be a pattern or tag:PATTERN, and then an allow needs the
// variable.
// A deny is for every way and takes names alone. ERR_USAGE, ERR_LIMIT.
int policy_specs_parse(const char *const texts[], size_t count, bool deny, struct policy_specs *out, struct err *err);
// Every secret that is named is there and has a value. ERR_NOT_FOUND, ERR_DENIED.
int policy_specs_check(const struct policy_specs *specs, struct vault *vault, struct err *err);
// With the variables that the plan, which was built of the plain ones alone, has for these. `out` has room for all, and
// borrows.
void policy_specs_secrets(const struct policy_specs *specs, const struct plan *plan, struct rule_secret out[]);
