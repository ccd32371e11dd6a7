#include "engine/policy_next.h"
#include "engine/record.h"

#include <stdlib.h>
#include <string.h>

// Rules that are told of for one secret; of more only the number.
#define EXPLAIN_RULES_MAX 100

static json_t *id_json(const struct rule *rule)
{
	return rule ? json_string(rule->id) : json_null();
}

static json_t *reason_json(const struct rule *rule, enum policy_reason reason)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "id", rule->id, "effect", rule_effect_name(rule->effect), "reason",
			 policy_reason_name(reason), "text", policy_reason_text(reason));
}

// The nearest first. Rules that are for other secrets are no part of it.
static json_t *chain_json(const struct rule_set *rules, const enum policy_reason reasons[])
{
	json_t *chain = json_array();
	for (int reason = POLICY_DECIDES; chain && reason > POLICY_OTHER_SECRET; reason--)
		for (size_t i = 0; i < rules->count && json_array_size(chain) < EXPLAIN_RULES_MAX; i++)
			if ((int)reasons[i] == reason)
				json_array_append_new(chain, reason_json(&rules->rules[i], reasons[i]));
	return chain;
}

static json_t *secret_json(const struct decision *decision, size_t index, enum policy_reason reasons[])
{
	const struct policy_request *request = &decision->question.request;
	const struct policy_secret *secret = &request->secrets[index];
	const struct policy_verdict *verdict = &decision->verdicts[index];
	const struct rule_set *rules = &decision->rules;
	size_t others = 0;
	policy_explain(rules->rules, rules->count, request, index, verdict, reasons);
	for (size_t i = 0; i < rules->count; i++)
		others += reasons[i] == POLICY_OTHER_SECRET;
	json_t *chain = chain_json(rules, reasons);
	bool has_nearest = verdict->nearest && verdict->reason != POLICY_OTHER_SECRET;
	const char *delivery = rule_delivery_names[__builtin_ctz(secret->delivery)];
	return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:I, s:I, s:o}", "name", secret->name, "delivery",
			 delivery, "variable", secret->variable, "effect",
			 rule_effect_name(verdict->effect), "rule", id_json(verdict->rule), "nearest",
			 has_nearest && !verdict->rule ? reason_json(verdict->nearest, verdict->reason) : json_null(),
			 "rules_for_other_secrets", (json_int_t)others, "rules_left_out",
			 (json_int_t)(rules->count - others - json_array_size(chain)), "rules", chain);
}

static json_t *secrets_json(const struct decision *decision)
{
	_cleanup_free_ enum policy_reason *reasons = calloc(decision->rules.count + 1, sizeof(*reasons));
	json_t *array = reasons ? json_array() : NULL;
	for (size_t i = 0; array && i < decision->question.request.secret_count; i++)
		if (json_array_append_new(array, secret_json(decision, i, reasons)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

// Either a command, or why there is none.
static json_t *next_json(const struct plan *plan, const struct decision *decision, const char **ret_key,
			 struct err *err)
{
	_cleanup_buf_ struct buf next = BUF_INIT(POLICY_NEXT_BYTES_MAX);
	*ret_key = "next";
	if (decision->effect == RULE_ALLOW)
		return json_null();
	if (policy_next(plan, decision, &next, err) == 0)
		return json_string(buf_text(&next));
	*ret_key = "no_next";
	return json_string(err->text);
}

int engine_policy_explain(struct engine *engine, const struct engine_run *request, bool *out_allowed, json_t **out,
			  struct err *err)
{
	_cleanup_plan_ struct plan plan = {0};
	_cleanup_session_ struct session session = {0};
	_cleanup_decision_ struct decision decision = {0};
	const char *key;
	int r = plan_build(engine, request, &plan, err);
	if (r == 0)
		r = session_open_reading(engine, &request->unlock, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = plan_decide(&plan, &session, &decision, err);
	if (r < 0)
		return r;
	json_t *next = next_json(&plan, &decision, &key, err);
	json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "effect", rule_effect_name(decision.effect), "program",
				   program_json(plan.program, NULL), "secrets", secrets_json(&decision), key, next);
	if (!object)
		return err_set(err, ERR_MEMORY, "out of memory");
	*out_allowed = decision.effect == RULE_ALLOW;
	*out = object;
	return 0;
}
