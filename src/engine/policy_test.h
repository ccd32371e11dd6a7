// engine/policy_test: a file of cases for the rules (docs/format-policy.md).
//
// Invariants
//  - A file that was parsed is sound as a whole: nothing in it is unknown, and everything is bounded.
#pragma once

#include "policy/policy.h"

#include <jansson.h>

#define POLICY_CASES_MAX 16384
#define POLICY_CASE_NAME_BYTES_MAX 255
#define POLICY_CASE_ARGUMENTS_MAX 4096
#define POLICY_CASE_SECRETS_MAX 256
#define POLICY_CASE_TAGS_MAX 64
#define POLICY_CASE_KEPT_MAX 256

// Texts are borrowed from the JSON.
struct policy_case {
	const char *name;
	struct policy_request request;
	struct policy_secret *secrets; // owned, like what it needs below
	char **argv;                   // texts too
	struct program program;        // of which path and digest are set; paths are owned
	struct program interpreter;
	struct rule_sandbox sandbox;   // that the run asks for
	const char **tags;             // of all secrets; owned
	const char **kept;             // owned
	uint8_t script_digest[DIGEST_BYTES];
	enum rule_effect expect;
	const char *rule;              // NULL: whichever
};

struct policy_cases {
	json_t *json; // owned
	struct rule_set rules;
	bool has_rules;
	struct policy_case *items; // owned
	size_t count;
};
void policy_cases_done(struct policy_cases *cases);
#define _cleanup_policy_cases_ _cleanup_(policy_cases_done)
// ERR_INPUT names the case and the field; ERR_LIMIT.
int policy_cases_parse(struct span text, struct policy_cases *out, struct err *err);
