#include "engine/policy_next.h"

#include "engine/policy_text.h"

#include <stdlib.h>
#include <string.h>

// Removes each rule that has this effect on a secret of the run.
static int removal_format(const struct decision *decision, enum rule_effect effect, struct buf *out, struct err *err)
{
	int r = buf_append_text(out, "envseal policy rm", err);
	for (size_t i = 0; r == 0 && i < decision->question.request.secret_count; i++) {
		const struct policy_verdict *verdict = &decision->verdicts[i];
		if (verdict->rule && verdict->effect == effect && !decision_is_repeated(decision, i))
			r = buf_printf(out, err, " %s", verdict->rule->id);
	}
	return r;
}

// ---------------------------------------------------------------------------------------------------------- allowing

// A run with standard input has no name for it.
static int secret_format(const struct rule_secret *secret, struct buf *out, struct err *err)
{
	if (secret->delivery == RULE_TO_STDIN)
		return buf_printf(out, err, " -s %s=-", secret->pattern);
	if (secret->delivery == RULE_TO_VARIABLE && strcmp(secret->pattern, secret->variable) == 0)
		return buf_printf(out, err, " -s %s", secret->pattern);
	return buf_printf(out, err, " -s %s=%s%s", secret->pattern, secret->variable,
			  secret->delivery == RULE_TO_FILE ? ":file" : "");
}

static int list_format(const char *option, const struct text_list *list, struct buf *out, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = buf_printf(out, err, " %s", option);
		if (r == 0)
			r = word_quote(list->items[i], out, err);
	}
	return r;
}

static int sandbox_format(const struct plan *plan, struct buf *out, struct err *err)
{
	const struct rule_sandbox *asked = &plan->asked;
	int r = 0;
	if (asked->tier != SANDBOX_STANDARD)
		r = buf_printf(out, err, " --tier %s", sandbox_tier_name(asked->tier));
	if (r == 0)
		r = list_format("--read ", &asked->readable, out, err);
	if (r == 0)
		r = list_format("--write ", &asked->writable, out, err);
	if (r == 0 && asked->is_unshielded)
		r = buf_append_text(out, " --no-shield", err);
	if (r == 0 && asked->is_degradable)
		r = buf_append_text(out, " --degrade", err);
	if (r == 0 && asked->network != SANDBOX_NETWORK_HOST)
		r = buf_printf(out, err, " --net %s", sandbox_network_name(asked->network));
	return r == 0 ? list_format("", &asked->endpoints, out, err) : r;
}

static int allowing_format(const struct plan *plan, const struct rule_terms *terms, struct buf *out, struct err *err)
{
	int r = buf_append_text(out, "envseal policy allow", err);
	for (size_t i = 0; r == 0 && i < terms->secret_count; i++)
		r = secret_format(&terms->secrets[i], out, err);
	for (size_t i = 0; r == 0 && i < plan->keep_count; i++)
		r = buf_printf(out, err, " --keep-env %s", plan->keep[i]);
	if (r == 0)
		r = sandbox_format(plan, out, err);
	if (r == 0)
		r = buf_append_text(out, " --", err);
	for (size_t i = 0; r == 0 && plan->argv[i]; i++) {
		r = buf_append_byte(out, ' ', err);
		if (r == 0)
			r = word_quote(plan->argv[i], out, err);
	}
	return r;
}

// What the command would make of the secrets that are asked for.
struct trial {
	struct rule_secret secrets[ENGINE_SECRETS_MAX];
	struct rule_terms terms;
	struct rule made[RULES_MADE_MAX];
	size_t made_count;
	struct policy_verdict verdicts[ENGINE_SECRETS_MAX];
};

static int trial_make(const struct plan *plan, const struct decision *decision, struct trial *trial, struct err *err)
{
	const struct policy_request *request = &decision->question.request;
	trial->terms = (struct rule_terms){.effect = RULE_ALLOW, .id = "new", .secrets = trial->secrets,
					   .argv_mode = RULE_ARGV_EXACT, .directory = plan->directory, .sandbox = &plan->asked};
	for (size_t i = 0; i < request->secret_count; i++)
		if (decision->verdicts[i].effect == RULE_ASK)
			trial->secrets[trial->terms.secret_count++] =
				(struct rule_secret){.pattern = request->secrets[i].name,
						     .delivery = request->secrets[i].delivery,
						     .variable = request->secrets[i].variable};
	int r = rules_make(plan, &trial->terms, &decision->question.clock, trial->made, &trial->made_count, err);
	for (size_t i = 0; r == 0 && i < trial->made_count; i++)
		r = rule_check_new(&trial->made[i], decision->question.clock.now, err);
	return r;
}

// The stored rules are only borrowed.
static int trial_decide(const struct decision *decision, struct trial *trial, bool *out, struct err *err)
{
	size_t stored = decision->rules.count;
	struct policy_decision tried = {.verdicts = trial->verdicts};
	_cleanup_free_ struct rule *all = calloc(stored + RULES_MADE_MAX, sizeof(*all));
	if (!all)
		return err_set(err, ERR_MEMORY, "out of memory for rules");
	if (stored > 0)
		memcpy(all, decision->rules.rules, stored * sizeof(*all));
	memcpy(all + stored, trial->made, trial->made_count * sizeof(*all));
	policy_decide(all, stored + trial->made_count, &decision->question.request, &tried);
	*out = tried.effect == RULE_ALLOW;
	return 0;
}

int policy_next(const struct plan *plan, const struct decision *decision, struct buf *out, struct err *err)
{
	_cleanup_free_ struct trial *trial = NULL;
	bool is_enough = false;
	if (decision->effect == RULE_DENY)
		return removal_format(decision, RULE_DENY, out, err);
	if (plan->secret_count == 0)
		return err_set(err, ERR_INPUT, "there is no secret in this run, so no rule is about it");
	trial = calloc(1, sizeof(*trial));
	if (!trial)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = trial_make(plan, decision, trial, err);
	if (r == 0)
		r = trial_decide(decision, trial, &is_enough, err);
	// Where it is not, a rule that asks is as specific as any that allows can be.
	if (r == 0)
		r = is_enough ? allowing_format(plan, &trial->terms, out, err)
			      : removal_format(decision, RULE_ASK, out, err);
	rules_made_done(trial->made, trial->made_count);
	return r;
}
