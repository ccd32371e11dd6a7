#include "engine/errand.h"

#include "engine/enclosure.h"
#include "engine/record.h"
#include "engine/refusal.h"

#include <stdlib.h>

int errand_new(struct engine *engine, struct plan *plan, struct session *session, struct errand **out, struct err *err)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	if (!errand)
		return err_set(err, ERR_MEMORY, "out of memory");
	errand->engine = engine;
	errand->plan = plan;
	errand->session = session;
	errand->consent = CONSENT_INIT;
	*out = errand;
	return 0;
}

void errand_free(struct errand **errand)
{
	if (!*errand)
		return;
	consent_done(&(*errand)->consent);
	decision_done(&(*errand)->decision);
	notes_done(&(*errand)->notes);
	free(*errand);
	*errand = NULL;
}

// ------------------------------------------------------------------------------------------------------------- the judgement

static void change_note(void *context, const char *sentence)
{
	notes_add(context, "%s", sentence);
}

static void change_tell(void *context, const char *sentence)
{
	engine_notice(context, "%s; this run was approved by the passphrase", sentence);
}

static int finding_take(void *context, const struct finding *finding, enum guard_action action)
{
	struct errand *errand = context;
	if (action == GUARD_WARN && !errand->consent.is_given)
		engine_notice(errand->engine, "%s: %s", finding->id, finding->text);
	if (action != GUARD_ASK && action != GUARD_DENY)
		return 0;
	notes_add(&errand->notes, "%s: %s", finding->id, finding->text);
	errand->is_raised = true;
	if (action == GUARD_ASK && errand->effect == RULE_ALLOW)
		errand->effect = RULE_ASK;
	return action == GUARD_DENY ? 1 : 0;
}

// The findings that are worth more than a note here. ERR_DENIED for one that is not to be lived with.
static int errand_guard(struct errand *errand, struct err *err)
{
	struct guard_source source = engine_guard_source(errand->engine);
	source.environment = errand->plan->request->environment;
	if (guard_judge(&errand->security, &source, finding_take, errand) == 0)
		return 0;
	return err_set(err, ERR_DENIED, "the level %s does not run programs here: %s (`envseal doctor` says what to do)",
		       security_level_name(errand->security.level), errand->notes.items[errand->notes.count - 1]);
}

static int permit_check(const struct errand *errand, enum security_permit permit, const char *what, struct err *err)
{
	if (permit == PERMIT_ON_REQUEST || (permit == PERMIT_BY_RULE && errand->decision.effect == RULE_ALLOW))
		return 0;
	return err_set(err, ERR_DENIED, "the level %s permits %s %s", security_level_name(errand->security.level), what,
		       permit == PERMIT_NEVER ? "never" : "only where a rule allows it; see `envseal policy explain`");
}

// What the level says to the way in which it is to be run.
static int errand_level(struct errand *errand, struct err *err)
{
	const struct security_demands *demands = security_demands(errand->security.level);
	const struct plan *plan = errand->plan;
	int r = reason_check(errand->engine, plan, errand->security.level, err);
	if (r == 0 && plan->action == ENGINE_INJECT)
		r = permit_check(errand, demands->unredacted, "inject, whose output is not redacted,", err);
	if (r == 0 && plan->program->is_by_path)
		r = permit_check(errand, demands->by_path, "--by-path", err);
	if (r == 0 && plan->keep_count > 0)
		r = permit_check(errand, demands->keep_env, "--keep-env", err);
	if (r == 0 && plan->granted.is_unshielded)
		r = permit_check(errand, demands->unshielded, "--no-shield", err);
	if (r == 0 && plan->granted.is_degradable)
		r = permit_check(errand, demands->degrade, "--degrade", err);
	if (r < 0 || demands->rules_allow || errand->effect != RULE_ALLOW)
		return r;
	notes_add(&errand->notes, "a rule allows this, and at the level %s each run is asked for",
		  security_level_name(errand->security.level));
	errand->effect = RULE_ASK;
	return 0;
}

// The digests that were put off: from the vault, which knows those of large system files.
static int errand_digest(struct errand *errand, struct err *err)
{
	struct digest_cache cache = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(DIGEST_CACHE_BYTES_MAX);
	struct vault *vault = errand->session->vault;
	int r = vault_setting_get(vault, DIGESTS_SETTING, &text, err);
	if (r == 0 && text.len > 0)
		r = digest_cache_parse(buf_span(&text), &cache, err);
	if (r == 0)
		r = program_digest(errand->plan->program, &cache, err);
	if (r < 0 || !cache.is_changed)
		return r;
	text.len = 0;
	r = digest_cache_format(&cache, &text, err);
	return r == 0 ? vault_setting_put(vault, DIGESTS_SETTING, buf_span(&text), err) : r;
}

// In direct mode they were shown already, at the question that comes before the rules are known.
static void errand_waiting(struct errand *errand)
{
	if (!errand->engine->client || errand->effect != RULE_ALLOW || !plan_has_waiting(errand->plan, true))
		return;
	notes_add(&errand->notes, "a rule allows this, and a value of it was never confirmed");
	errand->effect = RULE_ASK;
}

// With what is known now of level and rules.
static int errand_enclose(struct errand *errand, struct err *err)
{
	const struct security_demands *demands = security_demands(errand->security.level);
	bool is_changed = false;
	int r = plan_enclose(errand->engine, errand->plan, demands, &errand->decision, &is_changed, err);
	errand->is_changed = errand->is_changed || is_changed;
	if (r == 0 && errand->engine->client && errand->engine->client->is_confined)
		notes_add(&errand->notes, "it is asked for from inside a jail or another sandbox; the program runs outside of that, in the tier %s",
			  sandbox_tier_name(errand->plan->granted.tier));
	return r == 0 ? enclosure_check(errand->plan, demands, err) : r;
}

// In a transaction: rules, level and findings. ERR_DENIED is recorded.
static int errand_judge(struct errand *errand, struct err *err)
{
	struct plan *plan = errand->plan;
	decision_done(&errand->decision);
	notes_done(&errand->notes);
	errand->decision = (struct decision){0};
	errand->is_raised = false;
	int r = errand_digest(errand, err);
	if (r == 0)
		r = plan_decide(plan, errand->session, &errand->decision, err);
	if (r < 0)
		return r;
	errand->effect = errand->decision.effect;
	if (errand->effect == RULE_DENY)
		r = decision_refuse(plan, &errand->decision, err);
	if (r == 0)
		r = errand_enclose(errand, err);
	if (r == 0)
		r = errand_level(errand, err);
	if (r == 0)
		r = errand_guard(errand, err);
	if (r == 0)
		errand_waiting(errand);
	if (r == 0 && errand->effect == RULE_ASK)
		decision_changes(plan, &errand->decision, change_note, &errand->notes);
	if (r == ERR_DENIED)
		plan_record_refusal(plan, errand->session, &errand->decision, err);
	return r;
}

// Whether what was answered is enough.
static bool errand_has_consent(const struct errand *errand)
{
	const struct security_demands *demands = security_demands(errand->security.level);
	const struct consent *consent = &errand->consent;
	if (consent->is_by_option && demands->option_approves && !errand->is_raised)
		return true;
	bool is_enough = demands->factor == FACTOR_PASSPHRASE && demands->rules_allow && !errand->is_raised;
	return consent->is_given && !errand->is_changed && (consent->is_informed || is_enough);
}

// In a transaction.
static int errand_refuse_unasked(struct errand *errand, struct err *err)
{
	const char *action = engine_action_name(errand->plan->action);
	err_set(err, ERR_DENIED, "no rule allows this, and --no-wait asks nobody; ask with `envseal %s` without it, or make a rule with "
				 "`envseal policy allow`", action);
	plan_record_refusal(errand->plan, errand->session, &errand->decision, err);
	return ERR_DENIED;
}

static int errand_ask(struct errand *errand, struct err *err)
{
	bool only_once = !security_demands(errand->security.level)->rules_allow;
	bool has_nobody = engine_is_holding(errand->engine) && !errand->engine->client;
	int r = has_nobody ? err_set(err, ERR_DENIED, "no rule allows this, and there is nobody here to ask")
			   : consent_again(errand->session, errand->plan, &errand->security, &errand->notes, only_once,
					   &errand->consent, err);
	if (r == ERR_LOCKED)
		r = err_set(err, ERR_DENIED, "no rule allows this, and there is no terminal to ask on; `envseal policy explain` says "
					     "what would allow it");
	if (r == ERR_DENIED || r == ERR_INTERRUPTED)
		plan_record_denial(errand->engine, errand->plan, err, &errand->consent);
	return r;
}

static bool waiting_is_taken(const struct errand *errand, const struct plan_waiting *waiting)
{
	return waiting->is_first || (errand->consent.is_given && errand->consent.takes_values);
}

static int waiting_refuse(const struct plan *plan, struct err *err)
{
	size_t i = 0;
	while (!plan->waiting[i].is_first)
		i++;
	return secret_refuse_unconfirmed(plan->waiting[i].name, err);
}

// Values that the human saw waiting are taken now, in a change of their own.
static int errand_confirm(struct errand *errand, struct err *err)
{
	const struct plan *plan = errand->plan;
	json_t *names = json_array();
	int r = session_begin(errand->session, err);
	for (size_t i = 0; r == 0 && i < plan->waiting_count; i++) {
		const struct plan_waiting *waiting = &plan->waiting[i];
		if (!waiting_is_taken(errand, waiting))
			continue;
		r = deposit_confirm(errand->session, waiting->name, waiting->digest, err);
		json_array_append_new(names, json_string(waiting->name));
	}
	if (r == 0)
		return session_commit(errand->session, "secret.confirm", json_pack("{s:o}", "secrets", names), err);
	json_decref(names);
	session_rollback(errand->session);
	return r;
}

// Ends in a transaction with a run that is permitted. A question is asked outside of it, and then everything is looked at
// again: rules may have come meanwhile.
static int errand_settle(struct errand *errand, struct err *err)
{
	for (;;) {
		int r = session_begin(errand->session, err);
		if (r == 0)
			r = errand_judge(errand, err);
		if (r < 0 || errand->effect == RULE_ALLOW)
			return r;
		if (errand->plan->request->no_wait && !errand->consent.is_given)
			return errand_refuse_unasked(errand, err);
		if (errand_has_consent(errand)) {
			if (errand->consent.is_by_option)
				decision_changes(errand->plan, &errand->decision, change_tell, errand->engine);
			return 0;
		}
		session_rollback(errand->session);
		errand->is_changed = false;
		r = errand_ask(errand, err);
		if (r < 0)
			return r;
	}
}

// Leaves the transaction for it, and comes back into one.
static int errand_take_values(struct errand *errand, struct err *err)
{
	bool has_first = plan_has_waiting(errand->plan, true);
	if (!has_first && !(errand->consent.is_given && errand->consent.takes_values))
		return 0;
	session_rollback(errand->session);
	if (!errand->consent.is_given)
		return waiting_refuse(errand->plan, err);
	int r = errand_confirm(errand, err);
	return r == 0 ? errand_settle(errand, err) : r;
}

int errand_account(struct errand *errand, json_t **out, struct err *err)
{
	const struct consent *consent = &errand->consent;
	json_t *made = NULL, *fields = decision_json(errand->plan, &errand->decision);
	bool is_asked = errand->effect == RULE_ASK;
	int r = decision_spend(errand->session, &errand->decision, err);
	if (r == 0 && is_asked)
		r = consent_keep(errand->session, errand->plan, consent, &errand->decision, &made, err);
	if (fields) {
		const char *by = !is_asked ? "rule" : consent->is_given ? approval_choice_name(consent->choice) : "passphrase";
		json_object_set_new(fields, "by", json_string(by));
		json_object_set_new(fields, "level", json_string(security_level_name(errand->security.level)));
		if (json_array_size(made) > 0)
			json_object_set(fields, "made", made);
	}
	errand->has_granted = json_array_size(made) > 0 && consent->choice == APPROVAL_SESSION;
	json_decref(made);
	*out = fields;
	return r;
}

// ------------------------------------------------------------------------------------------------------------- the opening

// What opens the vault, and consent where that is asked for with it.
static int errand_passphrase(struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	int r = consent_first(errand->engine, errand->plan, unlock, &errand->consent, err);
	if (r == ERR_DENIED || r == ERR_INTERRUPTED)
		plan_record_denial(errand->engine, errand->plan, err, &errand->consent);
	return r;
}

static int errand_unlock(struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	bool is_held = engine_is_holding(errand->engine);
	int r = is_held ? 0 : errand_passphrase(errand, unlock, err);
	if (r == 0)
		r = session_open(errand->engine, errand->session, err);
	if (r < 0)
		return r;
	return is_held ? session_unlock_by_key(errand->session, err)
		       : session_unlock(errand->session, errand->consent.passphrase, err);
}

static int errand_open(struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	struct plan *plan = errand->plan;
	int r = errand_unlock(errand, unlock, err);
	if (r == 0)
		r = session_security(errand->session, &errand->security, err);
	if (r < 0)
		return r;
	const struct security_demands *demands = security_demands(errand->security.level);
	if (demands->environment == plan->mode)
		return 0;
	// What was shown is not what would run.
	errand->consent.is_given = false;
	return plan_rebuild(errand->engine, plan, demands, err);
}

// Known before anybody is asked.
static int errand_check(const struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	struct engine *engine = errand->engine;
	const struct plan *plan = errand->plan;
	bool is_held = engine_is_holding(engine);
	if (!is_held && plan_has_waiting(plan, true) && !unlock_is_terminal(unlock))
		return waiting_refuse(plan, err);
	if (plan->action != ENGINE_INJECT)
		return 0;
	// The level of the vault is not known yet, and demands no less.
	int r = enclosure_check(plan, security_demands(SECURITY_STANDARD), err);
	if (is_held)
		r = err_set(err, ERR_DENIED, "inject turns the process that asks into the program, and under a broker no secret may come "
					     "into that process; use `envseal run`, or `envseal inject --direct`");
	if (r < 0)
		plan_record_denial(engine, plan, err, NULL);
	return r;
}

int errand_permit(struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	int r = errand_check(errand, unlock, err);
	if (r == 0)
		r = errand_open(errand, unlock, err);
	if (r == 0)
		r = errand_settle(errand, err);
	if (r == 0)
		r = errand_take_values(errand, err);
	secret_free_ptr(&errand->consent.passphrase);
	return r;
}
