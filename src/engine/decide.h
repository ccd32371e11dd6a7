// engine/decide: what the rules of a vault say to a plan, and what comes of an answer.
#pragma once

#include "engine/rules.h"

struct decision {
	struct rule_set rules;
	struct plan_question question;
	struct policy_verdict verdicts[ENGINE_SECRETS_MAX]; // one for each secret of the plan
	enum rule_effect effect;
	size_t decisive; // the first secret with that effect
};
void decision_done(struct decision *decision);
#define _cleanup_decision_ _cleanup_(decision_done)

// The session is unlocked; `out` is to be zero. Reads the rules; nothing is changed.
int plan_decide(const struct plan *plan, struct session *session, struct decision *out, struct err *err);
// The rule of this verdict was that of an earlier one too: it counts, and is named, once.
bool decision_is_repeated(const struct decision *decision, size_t index);
// ERR_DENIED with the sentence that names the rule and the secret. For a decision that denies.
int decision_refuse(const struct plan *plan, const struct decision *decision, struct err *err);
// Inside a transaction, for a plan that goes on: takes one use off each counted rule that allowed a part of it, and
// stores that.
int decision_spend(struct session *session, struct decision *decision, struct err *err);
// Calls `each` with a sentence for every rule that would have decided about a secret but for a change: of the program,
// its interpreter or its script.
void decision_changes(const struct plan *plan, const struct decision *decision,
		      void (*each)(void *context, const char *sentence), void *context);
// {"effect", "rules": [ids]}; NULL when memory runs out.
json_t *decision_json(const struct plan *plan, const struct decision *decision);
