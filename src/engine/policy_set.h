// engine/policy_set: what the commands about rules share: a look at the stored set, a change of it, and a rule as it is
// shown.
#pragma once

#include "engine/policy_text.h"

// Unlocks and loads. The transaction is over when it returns: the set is as it was at one moment.
int policy_read(struct engine *engine, const struct engine_unlock *unlock, struct rule_set *out, struct err *err);

// Unlocks, with whatever a change of the rules asks for beyond the passphrase, begins a transaction and loads. The
// caller ends it by policy_commit, or by being done with the session.
int policy_begin(struct engine *engine, const struct engine_unlock *unlock, const char *prompt, struct session *session,
		 struct rule_set *out, struct err *err);
// Stores the set together with its record; takes over `fields`, of rules_record_json. Rules in the set may move, and
// some go.
int policy_commit(struct session *session, struct rule_set *set, const char *kind, json_t *fields, struct err *err);

// Both say the same, whatever their ids and times of making.
bool rule_says_the_same(const struct rule *a, const struct rule *b);

// Fills everything but `state` and calls. ERR_MEMORY, ERR_LIMIT.
int rule_show(const struct rule *rule, const char *state, engine_rule_fn *each, void *context, struct err *err);
