#include "engine/policy_set.h"

#include "engine/security.h"

#include <string.h>

int policy_read(struct engine *engine, const struct engine_unlock *unlock, struct rule_set *out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	int r = session_open_reading(engine, unlock, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	return r < 0 ? r : session_rules_load(&session, out, err);
}

static int policy_unlock(struct session *session, const struct engine_unlock *unlock, const char *prompt,
			 struct err *err)
{
	int r = session_unlock_by(session, unlock, prompt, err);
	// A change of the rules asks for more than the passphrase where the level says so.
	return r < 0 ? r : session_factor_check_now(session, err);
}

int policy_begin(struct engine *engine, const struct engine_unlock *unlock, const char *prompt, struct session *session,
		 struct rule_set *out, struct err *err)
{
	int r = session_open(engine, session, err);
	if (r == 0)
		r = policy_unlock(session, unlock, prompt, err);
	if (r == 0)
		r = session_begin(session, err);
	return r < 0 ? r : session_rules_load(session, out, err);
}

int policy_commit(struct session *session, struct rule_set *set, const char *kind, json_t *fields, struct err *err)
{
	int r = session_rules_store(session, set, err);
	if (r < 0) {
		json_decref(fields);
		return r;
	}
	return session_commit(session, kind, fields, err);
}

// Borrows what the rule owns.
static struct rule without_identity(const struct rule *rule)
{
	struct rule copy = *rule;
	memcpy(copy.id, "x", 2);
	copy.created = 1;
	return copy;
}

bool rule_says_the_same(const struct rule *a, const struct rule *b)
{
	_cleanup_buf_ struct buf left = BUF_INIT(RULE_BYTES_MAX), right = BUF_INIT(RULE_BYTES_MAX);
	struct err ignored;
	bool may = a->effect == b->effect && a->secrets.count == b->secrets.count && a->argv_mode == b->argv_mode &&
		   a->arguments.count == b->arguments.count && a->program.kind == b->program.kind;
	if (!may || (a->program.path && strcmp(a->program.path, b->program.path) != 0))
		return false;
	struct rule one = without_identity(a), other = without_identity(b);
	return rule_format(&one, &left, &ignored) == 0 && rule_format(&other, &right, &ignored) == 0 &&
	       span_is_equal(buf_span(&left), buf_span(&right));
}

int rule_show(const struct rule *rule, const char *state, engine_rule_fn *each, void *context, struct err *err)
{
	_cleanup_buf_ struct buf words = BUF_INIT(4 * RULE_BYTES_MAX);
	int r = rule_words(rule, &words, err);
	if (r < 0)
		return r;
	json_auto_t *json = rule_json(rule);
	if (!json)
		return err_set(err, ERR_MEMORY, "out of memory for a rule");
	struct engine_rule row = {.id = rule->id, .effect = rule_effect_name(rule->effect), .state = state,
				  .words = buf_text(&words), .json = json, .is_grant = rule_is_grant(rule),
				  .has_session = rule->session.pid != 0,
				  .is_session_alive = rule_session_is_alive(&rule->session)};
	each(context, &row);
	return 0;
}
