// engine/errand: one run on its way to permission: how the vault is opened for it, what rules, level, findings and a
// human say, and what that costs the rules and leaves to them.
#pragma once

#include "engine/consent.h"

struct errand {
	struct engine *engine;
	struct plan *plan;
	struct session *session;
	struct security security;
	struct consent consent;
	struct decision decision;
	struct notes notes;       // for the question
	enum rule_effect effect;  // of rules, level and findings together
	bool is_raised;           // a finding wants the question, whatever the rules say
	bool is_changed;          // the sandbox is another one than a human was shown
	bool has_granted;         // the answer became a rule for this session
};
// Too large for a stack that the caller may have limited. Borrows all three.
int errand_new(struct engine *engine, struct plan *plan, struct session *session, struct errand **out, struct err *err);
void errand_free(struct errand **errand);
#define _cleanup_errand_ _cleanup_(errand_free)

// Opens the vault, by the key that is held or by the passphrase, and ends in a transaction with a run that is
// permitted. ERR_DENIED is recorded.
int errand_permit(struct errand *errand, const struct engine_unlock *unlock, struct err *err);
// In that transaction: spends uses, keeps what the answer becomes. *out gets the decision, for the record of the intent.
int errand_account(struct errand *errand, json_t **out, struct err *err);
