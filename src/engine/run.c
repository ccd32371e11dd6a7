#include "engine/decide.h"
#include "engine/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *binding_sentence(const struct program *program)
{
	if (program->is_system)
		return "a system file, only root can change it";
	return program->is_by_path ? "run by path as asked: it can be swapped until it starts" : "a sealed copy of this file";
}

// "NAME as $VAR", one string each; freed by the caller.
static int approval_secrets(const struct plan *plan, char *out[ENGINE_SECRETS_MAX], struct err *err)
{
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct plan_secret *secret = &plan->secrets[i];
		const char *variable = secret->variable ? secret->variable : "";
		size_t bytes = strlen(secret->name) + strlen(variable) + 32;
		out[i] = malloc(bytes);
		if (!out[i])
			return err_set(err, ERR_MEMORY, "out of memory");
		if (secret->delivery == EXEC_TO_VARIABLE)
			snprintf(out[i], bytes, "%s as $%s", secret->name, variable);
		else if (secret->delivery == EXEC_TO_FILE)
			snprintf(out[i], bytes, "%s as a file in $%s", secret->name, variable);
		else
			snprintf(out[i], bytes, "%s on standard input", secret->name);
	}
	return 0;
}

static void strings_free(char **strings)
{
	for (size_t i = 0; i < ENGINE_SECRETS_MAX; i++)
		free(strings[i]);
}

static int approval_ask_plan(struct terminal *terminal, const struct plan *plan, struct approval_answer *out, struct err *err)
{
	char digest[DIGEST_HEX_BYTES];
	struct ancestry askers;
	char *secrets[ENGINE_SECRETS_MAX] = {0};
	const struct program *program = plan->program;
	ancestry_find("/proc", getppid(), &askers);
	digest_hex(program->digest, digest);
	int r = approval_secrets(plan, secrets, err);
	struct approval approval = {
		.action = engine_action_name(plan->action),
		.askers = &askers,
		.secrets = (const char *const *)secrets,
		.secret_count = plan->secret_count,
		.program_path = program->path,
		.program_kind = binding_sentence(program),
		.program_digest = digest,
		.interpreter_path = program->interpreter ? program->interpreter->path : NULL,
		.argv = plan->argv,
		.directory = plan->directory,
		.dropped = (const char *const *)plan->environment.dropped,
		.dropped_count = plan->environment.dropped_count,
		.kept = plan->keep,
		.kept_count = plan->keep_count,
	};
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .seconds = APPROVAL_WAIT_SECONDS};
	if (r == 0)
		r = approval_ask(terminal, &approval, &needs, out, err);
	strings_free(secrets);
	return r;
}

// On the terminal the request is shown, and typing the passphrase approves it. Whoever gives the passphrase by an option has
// approved already.
static int plan_approve(const struct plan *plan, const struct engine_unlock *unlock, struct secret **out_passphrase,
			struct err *err)
{
	if (!unlock_is_terminal(unlock))
		return passphrase_get(unlock, "", out_passphrase, err);
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	int r = terminal_open("the passphrase that approves this", &terminal, err);
	if (r == 0)
		r = approval_ask_plan(terminal, plan, &answer, err);
	if (r == 0)
		*out_passphrase = TAKE_PTR(answer.passphrase);
	return r;
}

// The record is on disk and anchored before anything leaves this process.
static int plan_record_intent(const struct plan *plan, const struct decision *decision, struct session *session,
			      const struct redactor *redactor, struct err *err)
{
	char kind[32];
	snprintf(kind, sizeof(kind), "%s.intent", engine_action_name(plan->action));
	json_t *fields = plan_json(plan, redactor);
	if (fields) {
		json_object_set_new(fields, "asker", asker_json());
		json_object_set_new(fields, "decision", decision_json(plan, decision));
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
	struct exec_plan exec = {.program = plan->program, .argv = plan->argv, .environment = plan->environment.entries,
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

// A refusal at the prompt is worth knowing of later. Without the key it can only be appended, not anchored; and without the
// values the arguments cannot be masked, so they stay out.
static void plan_record_denial(struct engine *engine, const struct plan *plan, const struct err *denial)
{
	char kind[32];
	struct err err;
	struct audit_head head;
	_cleanup_audit_ struct audit *audit = NULL;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	json_t *fields = failure_json(plan, NULL, denial);
	int r = audit_open(engine->home.state_dir, &audit, &err);
	if (r == 0)
		r = audit_append(audit, kind, fields, &head, &err);
	json_decref(fields);
	if (r < 0)
		engine_notice(engine, "the refusal could not be recorded in the audit log: %s", err.text);
}

// A refusal by a rule. The vault is open, so the record is anchored.
static int plan_refuse(const struct plan *plan, const struct decision *decision, struct session *session, struct err *err)
{
	char kind[32];
	struct err own;
	snprintf(kind, sizeof(kind), "%s.denied", engine_action_name(plan->action));
	decision_refuse(plan, decision, err);
	json_t *fields = failure_json(plan, NULL, err);
	if (fields)
		json_object_set_new(fields, "decision", decision_json(plan, decision));
	if (session_commit(session, kind, fields, &own) < 0)
		engine_notice(session->engine, "the refusal could not be recorded in the audit log: %s", own.text);
	return err->code;
}

static void change_tell(void *context, const char *sentence)
{
	engine_notice(context, "%s; this run was approved by the passphrase", sentence);
}

// Within the transaction of the intent: what the rules say, and what it costs them.
static int plan_ask_rules(const struct plan *plan, struct session *session, struct decision *decision, struct err *err)
{
	int r = plan_decide(plan, session, decision, err);
	if (r < 0)
		return r;
	if (decision->effect == RULE_DENY)
		return plan_refuse(plan, decision, session, err);
	if (decision->effect == RULE_ASK)
		decision_changes(plan, decision, change_tell, session->engine);
	return decision_spend(session, decision, err);
}

int plan_run(struct engine *engine, const struct plan *plan, struct session *session, struct exec_outcome *out,
	     struct err *err)
{
	_cleanup_(opened_done) struct opened opened = {0};
	_cleanup_redactor_ struct redactor *redactor = NULL;
	_cleanup_decision_ struct decision decision = {0};
	const char *names[ENGINE_SECRETS_MAX];
	for (size_t i = 0; i < plan->secret_count; i++)
		names[i] = plan->secrets[i].name;
	int r = session_begin(session, err);
	if (r == 0)
		r = plan_ask_rules(plan, session, &decision, err);
	if (r == 0)
		r = opened_add_all(&opened, session, names, plan->secret_count, err);
	if (r == 0)
		r = opened_redactor(&opened, names, &redactor, err);
	if (r == 0)
		r = plan_record_intent(plan, &decision, session, redactor, err);
	if (r < 0)
		return r;
	return plan_execute(engine, plan, &opened, redactor, session, out, err);
}

int engine_run(struct engine *engine, const struct plan *plan, const struct engine_unlock *unlock,
	       struct exec_outcome *out, struct err *err)
{
	_cleanup_secret_ struct secret *passphrase = NULL;
	_cleanup_session_ struct session session = {0};
	int r = plan_approve(plan, unlock, &passphrase, err);
	if (r == ERR_DENIED || r == ERR_INTERRUPTED)
		plan_record_denial(engine, plan, err);
	if (r == 0)
		r = session_open(engine, &session, err);
	if (r == 0)
		r = session_unlock(&session, passphrase, err);
	secret_free_ptr(&passphrase);
	return r < 0 ? r : plan_run(engine, plan, &session, out, err);
}
