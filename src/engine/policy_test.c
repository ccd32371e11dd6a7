#include "engine/policy_test.h"

#include "engine/policy_set.h"

#include <string.h>

// The moment at which the last rule was made: no answer depends on the day on which it is asked for.
static int64_t newest(const struct rule_set *rules)
{
	int64_t now = 1;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].created > now)
			now = rules->rules[i].created;
	return now;
}

static json_t *case_json(const struct policy_case *item, const struct policy_decision *decision)
{
	const struct policy_verdict *verdict = &decision->verdicts[decision->decisive];
	const struct rule *rule = verdict->rule ? verdict->rule : verdict->nearest;
	bool is_rule = !item->rule || (verdict->rule && strcmp(verdict->rule->id, item->rule) == 0);
	return json_pack("{s:s, s:b, s:s, s:s, s:s?, s:s?, s:s, s:s, s:s}", "name", item->name, "ok",
			 decision->effect == item->expect && is_rule, "expect", rule_effect_name(item->expect),
			 "effect", rule_effect_name(decision->effect), "expect_rule", item->rule, "rule",
			 rule ? rule->id : NULL, "reason", policy_reason_name(verdict->reason), "text",
			 policy_reason_text(verdict->reason), "secret",
			 item->request.secrets[decision->decisive].name);
}

static json_t *cases_json(struct policy_cases *cases, const struct rule_set *rules)
{
	struct policy_verdict verdicts[POLICY_CASE_SECRETS_MAX];
	struct policy_decision decision = {.verdicts = verdicts};
	json_t *array = json_array();
	int64_t now = newest(rules);
	size_t passed = 0;
	for (size_t i = 0; array && i < cases->count; i++) {
		struct policy_request *request = &cases->items[i].request;
		if (request->now == 0)
			request->now = now;
		policy_decide(rules->rules, rules->count, request, &decision);
		json_t *row = case_json(&cases->items[i], &decision);
		passed += json_is_true(json_object_get(row, "ok"));
		if (json_array_append_new(array, row) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return json_pack("{s:o, s:I, s:I}", "cases", array, "passed", (json_int_t)passed, "failed",
			 (json_int_t)(cases->count - passed));
}

int engine_policy_test(struct engine *engine, const struct engine_policy_test *request, json_t **out, struct err *err)
{
	_cleanup_policy_cases_ struct policy_cases cases = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(RULES_BYTES_MAX);
	char brief[200];
	int r = file_read_text(request->file, &text, err);
	if (r < 0)
		return r;
	if (policy_cases_parse(buf_span(&text), &cases, err) < 0)
		return err_prefix(err, "%s", text_brief(span_text(request->file), brief, sizeof(brief)));
	if (!cases.has_rules)
		r = policy_read(engine, &request->unlock, &cases.rules, err);
	if (r < 0)
		return r;
	json_t *object = cases_json(&cases, &cases.rules);
	if (!object)
		return err_set(err, ERR_MEMORY, "out of memory");
	*out = object;
	return 0;
}
