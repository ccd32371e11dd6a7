// Any text as a rule and as a set of rules: refused in printable words, or sound; what is written of it is read back
// and written the same again.
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refused(int r, const struct err *err)
{
	require((r == ERR_INPUT || r == ERR_LIMIT) && err->code == r);
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

static void require_decision(const struct rule_set *set)
{
	char tool[] = "/usr/bin/tool", *argv[] = {tool, NULL};
	const struct program program = {.path = tool, .is_system = true};
	const char *tags[] = {"prod"};
	const struct policy_secret secret = {"db/a", tags, 1, RULE_TO_VARIABLE, "TOKEN"};
	const struct policy_request request = {.secrets = &secret, .secret_count = 1, .program = &program, .argv = argv,
					       .directory = "/w", .now = 1800000000, .boot = "", .uses = 1};
	struct policy_verdict verdict;
	struct policy_decision decision = {.verdicts = &verdict};
	policy_decide(set->rules, set->count, &request, &decision);
	require(decision.effect == verdict.effect && (verdict.rule || verdict.effect == RULE_ASK));
}

static void check_rule(struct span text)
{
	_cleanup_rule_ struct rule rule = {0}, again = {0};
	_cleanup_buf_ struct buf first = BUF_INIT(2 * RULE_BYTES_MAX), second = BUF_INIT(2 * RULE_BYTES_MAX);
	struct err err = {0};
	int r = rule_parse(text, &rule, &err);
	if (r < 0) {
		require_refused(r, &err);
		return;
	}
	require(rule_check(&rule, &err) == 0);
	// Escapes are longer than what they stand for.
	r = rule_format(&rule, &first, &err);
	if (r < 0) {
		require(r == ERR_LIMIT);
		return;
	}
	require(rule_parse(buf_span(&first), &again, &err) == 0 && rule_format(&again, &second, &err) == 0);
	require(span_is_equal(buf_span(&first), buf_span(&second)));
	struct rule_set set = {&rule, 1};
	require_decision(&set);
}

static void check_set(struct span text)
{
	_cleanup_rules_ struct rule_set set = {0};
	struct err err = {0};
	int r = rules_parse(text, &set, &err);
	if (r < 0) {
		require_refused(r, &err);
		return;
	}
	for (size_t i = 0; i < set.count; i++)
		require(rule_check(&set.rules[i], &err) == 0 &&
				(i == 0 || strcmp(set.rules[i - 1].id, set.rules[i].id) < 0));
	require_decision(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_rule(span_of(data, len));
	check_set(span_of(data, len));
	return 0;
}
