#include "engine/policy_set.h"

#include <stdlib.h>
#include <string.h>

static int missing(const char *id, struct err *err)
{
	char brief[RULE_ID_BYTES_MAX + 8];
	return err_set(err, ERR_NOT_FOUND, "there is no rule %s; `envseal policy list` shows them",
		       text_brief(span_text(id), brief, sizeof(brief)));
}

// Moves what is to go out of the set, each once however often it was named.
static int rules_take(struct rule_set *set, const struct engine_policy_remove *request, struct rule_set *gone,
		      struct err *err)
{
	gone->rules = calloc(set->count + 1, sizeof(*gone->rules));
	_cleanup_free_ bool *goes = calloc(set->count + 1, sizeof(*goes));
	if (!gone->rules || !goes)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; request->count == 0 && i < set->count; i++)
		goes[i] = rule_is_grant(&set->rules[i]);
	for (size_t i = 0; i < request->count; i++) {
		const struct rule *rule = rule_with_id(set, request->ids[i]);
		if (!rule)
			return missing(request->ids[i], err);
		if (request->only_grants && !rule_is_grant(rule))
			return err_set(err, ERR_NOT_FOUND, "rule %s does not end by itself, so it is no grant; remove it "
							   "with `envseal policy rm %s`", rule->id, rule->id);
		goes[rule - set->rules] = true;
	}
	size_t kept = 0;
	for (size_t i = 0; i < set->count; i++)
		if (goes[i])
			gone->rules[gone->count++] = set->rules[i];
		else
			set->rules[kept++] = set->rules[i];
	set->count = kept;
	return 0;
}

int engine_policy_remove(struct engine *engine, const struct engine_policy_remove *request, engine_rule_fn *each,
			 void *context, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_rules_ struct rule_set set = {0}, gone = {0};
	int r = policy_begin(engine, &request->unlock, "Passphrase: ", &session, &set, err);
	if (r == 0)
		r = rules_take(&set, request, &gone, err);
	if (r < 0 || gone.count == 0)
		return r;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	_cleanup_free_ const struct rule **about = calloc(gone.count, sizeof(*about));
	if (!about)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < gone.count; i++)
		about[i] = &gone.rules[i];
	r = policy_commit(&session, &set, request->only_grants ? "grant.rm" : "policy.rm",
			  rules_record_json(about, gone.count), err);
	for (size_t i = 0; r == 0 && i < gone.count; i++)
		r = rule_show(&gone.rules[i], "removed", each, context, err);
	return r;
}
