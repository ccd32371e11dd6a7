#include "engine/decide.h"

#include <stdio.h>
#include <string.h>

void decision_done(struct decision *decision)
{
	rules_done(&decision->rules);
	plan_question_done(&decision->question);
}

int plan_decide(const struct plan *plan, struct session *session, struct decision *out, struct err *err)
{
	struct rule_clock clock = rule_clock_now();
	int r = session_rules_load(session, &out->rules, err);
	if (r == 0)
		r = plan_question_make(plan, session->vault, &clock, &out->question, err);
	if (r < 0)
		return r;
	struct policy_decision decision = {.verdicts = out->verdicts};
	policy_decide(out->rules.rules, out->rules.count, &out->question.request, &decision);
	out->effect = decision.effect;
	out->decisive = decision.decisive;
	return 0;
}

int decision_refuse(const struct plan *plan, const struct decision *decision, struct err *err)
{
	const struct rule *rule = decision->verdicts[decision->decisive].rule;
	return err_set(err, ERR_DENIED, "rule %s denies %s to this program; `envseal policy list` shows it, and `envseal policy rm %s` "
					"takes it away", rule->id, plan->secrets[decision->decisive].name, rule->id);
}

// The rules are the decision's own; verdicts only look at them.
static struct rule *rule_of(struct decision *decision, const struct policy_verdict *verdict)
{
	return verdict->rule ? &decision->rules.rules[verdict->rule - decision->rules.rules] : NULL;
}

bool decision_is_repeated(const struct decision *decision, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (decision->verdicts[i].rule == decision->verdicts[index].rule)
			return true;
	return false;
}

int decision_spend(struct session *session, struct decision *decision, struct err *err)
{
	bool has_changed = false;
	for (size_t i = 0; i < decision->question.request.secret_count; i++) {
		struct rule *rule = rule_of(decision, &decision->verdicts[i]);
		if (!rule || rule->effect != RULE_ALLOW || !rule->is_counted || decision_is_repeated(decision, i))
			continue;
		rule->uses_left--;
		has_changed = true;
	}
	return has_changed ? session_rules_store(session, &decision->rules, err) : 0;
}

static bool is_change(enum policy_reason reason)
{
	return reason == POLICY_PROGRAM_CHANGED || reason == POLICY_INTERPRETER_CHANGED || reason == POLICY_SCRIPT_CHANGED;
}

void decision_changes(const struct plan *plan, const struct decision *decision,
		      void (*each)(void *context, const char *sentence), void *context)
{
	char sentence[ERR_TEXT_BYTES];
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct policy_verdict *verdict = &decision->verdicts[i];
		if (verdict->rule || !verdict->nearest || !is_change(verdict->reason))
			continue;
		snprintf(sentence, sizeof(sentence), "rule %s no longer covers %s: %s", verdict->nearest->id, plan->secrets[i].name,
			 policy_reason_text(verdict->reason));
		each(context, sentence);
	}
}

json_t *decision_json(const struct plan *plan, const struct decision *decision)
{
	json_t *rules = json_array();
	for (size_t i = 0; i < plan->secret_count; i++)
		if (decision->verdicts[i].rule && !decision_is_repeated(decision, i))
			json_array_append_new(rules, json_string(decision->verdicts[i].rule->id));
	return json_pack("{s:s, s:o}", "effect", rule_effect_name(decision->effect), "rules", rules);
}
