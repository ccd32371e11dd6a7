#include "engine/errand.h"
#include "engine/record.h"

#include <stdio.h>
#include <stdlib.h>

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

static void outcome_lost(struct engine *engine, const struct err *err)
{
	engine_notice(engine, "the end of the program could not be recorded in the audit log: %s", err->text);
}

// The client is told of the end when the record is in the log, and the rest follows then.
static int outcome_note(struct engine *engine, const char *kind, struct session *session, json_t *fields, struct err *err)
{
	engine->unsettled = calloc(1, sizeof(*engine->unsettled));
	int r = session_note(session, kind, engine->unsettled ? fields : NULL, err);
	if (!engine->unsettled)
		json_decref(fields);
	if (r < 0)
		return r;
	*engine->unsettled = *session;
	*session = (struct session){0};
	return 0;
}

void engine_settle(struct engine *engine)
{
	struct err err;
	if (!engine->unsettled)
		return;
	if (engine->unsettled->vault && session_settle(engine->unsettled, &err) < 0)
		outcome_lost(engine, &err);
	session_done(engine->unsettled);
	free(engine->unsettled);
	engine->unsettled = NULL;
}

static void plan_record_outcome(struct engine *engine, const struct plan *plan, struct session *session, json_t *fields)
{
	char kind[32];
	struct err err;
	snprintf(kind, sizeof(kind), "%s.outcome", engine_action_name(plan->action));
	int r = engine->client ? 0 : session_begin(session, &err);
	if (r == 0)
		r = engine->client ? outcome_note(engine, kind, session, fields, &err) : session_commit(session, kind, fields, &err);
	else
		json_decref(fields);
	if (r < 0)
		outcome_lost(engine, &err);
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
	struct exec_plan exec = {.program = plan->program, .argv = plan->argv, .environment = plan->environment.entries,
				 .caller = client ? client->caller : NULL, .limits = client ? client->limits : NULL,
				 // one for each of the plan's
				 .secrets = secrets, .secret_count = opened->count, .redactor = redactor, .inherited = plan->inherited,
				 .sandbox = &plan->sandbox, .names_fd = engine->names_fd,
				 .on_leak = plan->on_leak == ENGINE_LEAK_KILL ? EXEC_LEAK_KILL : EXEC_LEAK_MASK};
	vault_narrow(session->vault);
	int r = plan->action == ENGINE_INJECT ? exec_replace(&exec, err) : exec_supervise(&exec, out, err);
	plan_record_outcome(engine, plan, session,
			    r < 0 ? failure_json(plan, redactor, err) : outcome_json(plan, redactor, out));
	return r;
}

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

void engine_outcome_done(struct exec_outcome *outcome)
{
	exec_outcome_done(outcome);
}

int engine_run(struct engine *engine, struct plan *plan, const struct engine_unlock *unlock, struct exec_outcome *out,
	       struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_errand_ struct errand *errand = NULL;
	int r = errand_new(engine, plan, &session, &errand, err);
	if (r == 0)
		r = errand_permit(errand, unlock, err);
	return r < 0 ? r : errand_run(errand, out, err);
}
