#include "engine/consent.h"
#include "engine/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The record is on disk and anchored before anything leaves this process.
static int plan_record_intent(const struct plan *plan, json_t *decision, struct session *session,
			      const struct redactor *redactor, struct err *err)
{
	char kind[32];
	snprintf(kind, sizeof(kind), "%s.intent", engine_action_name(plan->action));
	json_t *fields = plan_json(plan, redactor);
	if (fields) {
		json_object_set_new(fields, "asker", asker_json(session->engine));
		json_object_set(fields, "decision", decision);
	}
	return session_commit(session, kind, fields, err);
}

static void plan_record_outcome(struct engine *engine, const struct plan *plan, struct session *session, json_t *fields)
{
	char kind[32];
	struct err err;
	snprintf(kind, sizeof(kind), "%s.outcome", engine_action_name(plan->action));
	int r = session_begin(session, &err);
	if (r == 0)
		r = session_commit(session, kind, fields, &err);
	else
		json_decref(fields);
	if (r < 0)
		engine_notice(engine, "the end of the program could not be recorded in the audit log: %s", err.text);
}

// Narrowed first: while the program runs, this process can go on with the log, and open nothing more.
static int plan_execute(struct engine *engine, const struct plan *plan, const struct opened *opened,
			const struct redactor *redactor, struct session *session, struct exec_outcome *out, struct err *err)
{
	struct exec_secret secrets[ENGINE_SECRETS_MAX];
	for (size_t i = 0; i < opened->count; i++)
		secrets[i] = (struct exec_secret){.name = plan->secrets[i].name, .variable = plan->secrets[i].variable,
						  .delivery = plan->secrets[i].delivery, .value = opened->values[i]};
	const struct engine_client *client = engine->client;
	struct exec_plan exec = {.caller = client ? client->caller : NULL, .limits = client ? client->limits : NULL, .program = plan->program, .argv = plan->argv, .environment = plan->environment.entries,
				 // one for each of the plan's
				 .secrets = secrets, .secret_count = opened->count, .redactor = redactor, .inherited = plan->inherited,
				 .sandbox = plan->sandbox,
				 .on_leak = plan->on_leak == ENGINE_LEAK_KILL ? EXEC_LEAK_KILL : EXEC_LEAK_MASK};
	vault_narrow(session->vault);
	int r = plan->action == ENGINE_INJECT ? exec_replace(&exec, err) : exec_supervise(&exec, out, err);
	plan_record_outcome(engine, plan, session,
			    r < 0 ? failure_json(plan, redactor, err) : outcome_json(plan, redactor, out));
	return r;
}

// Of what was refused, by rules, level, findings or a human: anchored where the vault is open, and else only appended. Without
// the values the arguments cannot be masked, so they stay out.
static json_t *denial_json(const struct plan *plan, const struct err *denial, const struct consent *consent)
{
	struct err ignored;
	program_digest(plan->program, NULL, &ignored);
	json_t *fields = failure_json(plan, NULL, denial);
	if (fields && plan->request->reason)
		json_object_set_new(fields, "reason", plan_reason_json(plan, NULL));
	if (fields && consent && consent->is_shown)
		json_object_set_new(fields, "by_human", json_true());
	if (fields && consent && consent->cools_down)
		json_object_set_new(fields, "cool_down", json_true());
	return fields;
}

static void denial_untold(struct engine *engine, const struct err *err)
{
	engine_notice(engine, "the refusal could not be recorded in the audit log: %s", err->text);
}

static void plan_record_denial(struct engine *engine, const struct plan *plan, const struct err *denial,
			       const struct consent *consent)
{
	char kind[32];
	struct err err;
	struct audit_head head;
	_cleanup_audit_ struct audit *audit = NULL;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	json_t *fields = denial_json(plan, denial, consent);
	int r = audit_open(engine->home.state_dir, &audit, &err);
	if (r == 0)
		r = audit_append(audit, kind, fields, &head, &err);
	json_decref(fields);
	if (r < 0)
		denial_untold(engine, &err);
}

// In a transaction.
static void plan_record_refusal(const struct plan *plan, struct session *session, const struct decision *decision,
				const struct err *denial)
{
	char kind[32];
	struct err err;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	json_t *fields = denial_json(plan, denial, NULL);
	if (fields)
		json_object_set_new(fields, "decision", decision_json(plan, decision));
	if (session_commit(session, kind, fields, &err) < 0)
		denial_untold(session->engine, &err);
}

// ------------------------------------------------------------------------------------------------------- the permission

// One run on its way to permission.
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
	bool has_granted;         // the answer became a rule for this session
};

static void errand_free(struct errand **errand)
{
	if (!*errand)
		return;
	consent_done(&(*errand)->consent);
	decision_done(&(*errand)->decision);
	notes_done(&(*errand)->notes);
	free(*errand);
	*errand = NULL;
}

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
	return consent->is_given && (consent->is_informed || is_enough);
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
	if (engine_is_holding(errand->engine) && !errand->engine->client)
		return err_set(err, ERR_DENIED, "no rule allows this, and there is nobody here to ask");
	bool only_once = !security_demands(errand->security.level)->rules_allow;
	int r = consent_again(errand->session, errand->plan, &errand->security, &errand->notes, only_once, &errand->consent, err);
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

// What the permission costs the rules, and what it leaves to them; for the record.
static int errand_account(struct errand *errand, json_t **out, struct err *err)
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

// -------------------------------------------------------------------------------------------------------------- the run

// What was permitted is on disk.
static void client_tell(const struct errand *errand)
{
	const struct engine_client *client = errand->engine->client;
	if (!client)
		return;
	client->permitted(client->context);
	if (errand->has_granted)
		client->granted(client->context, &errand->plan->session);
}

static int errand_run(struct errand *errand, struct exec_outcome *out, struct err *err)
{
	_cleanup_(opened_done) struct opened opened = {0};
	_cleanup_redactor_ struct redactor *redactor = NULL;
	const struct plan *plan = errand->plan;
	const char *names[ENGINE_SECRETS_MAX];
	json_t *decision = NULL;
	for (size_t i = 0; i < plan->secret_count; i++)
		names[i] = plan->secrets[i].name;
	int r = errand_account(errand, &decision, err);
	if (r == 0)
		r = opened_add_all(&opened, errand->session, names, plan->secret_count, err);
	if (r == 0)
		r = opened_redactor(&opened, names, &redactor, err);
	if (r == 0)
		r = plan_record_intent(plan, decision, errand->session, redactor, err);
	json_decref(decision);
	if (r < 0)
		return r;
	client_tell(errand);
	return plan_execute(errand->engine, plan, &opened, redactor, errand->session, out, err);
}

// What opens the vault, and consent where that is asked for with it.
static int errand_passphrase(struct errand *errand, const struct engine_unlock *unlock, struct err *err)
{
	if (errand->plan->request->no_wait)
		return passphrase_get(unlock, "Passphrase: ", &errand->consent.passphrase, err);
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
	enum environment_mode mode = security_demands(errand->security.level)->environment;
	if (mode == plan->mode)
		return 0;
	// What was shown is not what would run.
	errand->consent.is_given = false;
	return plan_rebuild(errand->engine, plan, mode, err);
}

// Known before anybody is asked.
static int run_check(struct engine *engine, const struct plan *plan, const struct engine_unlock *unlock, struct err *err)
{
	bool is_held = engine_is_holding(engine);
	if (!is_held && plan_has_waiting(plan, true) && !unlock_is_terminal(unlock))
		return waiting_refuse(plan, err);
	if (!is_held || plan->action != ENGINE_INJECT)
		return 0;
	err_set(err, ERR_DENIED, "inject would make the process that asks the program, and no secret may come into that one under a "
				 "broker; use `envseal run`, or `envseal inject --direct`");
	plan_record_denial(engine, plan, err, NULL);
	return ERR_DENIED;
}

int engine_run(struct engine *engine, struct plan *plan, const struct engine_unlock *unlock, struct exec_outcome *out,
	       struct err *err)
{
	_cleanup_session_ struct session session = {0};
	// Too large for a stack that the caller may have limited.
	_cleanup_(errand_free) struct errand *errand = calloc(1, sizeof(*errand));
	if (!errand)
		return err_set(err, ERR_MEMORY, "out of memory");
	errand->engine = engine;
	errand->plan = plan;
	errand->session = &session;
	errand->consent = CONSENT_INIT;
	int r = run_check(engine, plan, unlock, err);
	if (r == 0)
		r = errand_open(errand, unlock, err);
	if (r == 0)
		r = errand_settle(errand, err);
	if (r == 0)
		r = errand_take_values(errand, err);
	secret_free_ptr(&errand->consent.passphrase);
	return r < 0 ? r : errand_run(errand, out, err);
}
