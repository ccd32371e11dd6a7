#include "engine/consent.h"

#include "engine/cool_down.h"
#include "engine/desk.h"
#include "engine/precedent.h"
#include "engine/question.h"
#include "engine/totp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void consent_done(struct consent *consent)
{
	secret_free_ptr(&consent->passphrase);
	fd_close(&consent->turn);
}

void notes_add(struct notes *notes, const char *format, ...)
{
	char sentence[ERR_TEXT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	char *copy = notes->count < CONSENT_NOTES_MAX ? strdup(sentence) : NULL;
	if (copy)
		notes->items[notes->count++] = copy;
}

void notes_done(struct notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->items[i]);
	notes->count = 0;
}

// ---------------------------------------------------------------------------------------------------------- the asking

// On the terminal; where there is none and there is a display, by pinentry.
static int question_put(const struct plan *plan, const struct approval *approval, const struct approval_needs *needs,
			struct approval_answer *out, struct err *err)
{
	struct err own;
	_cleanup_terminal_ struct terminal *terminal = NULL;
	int r = terminal_open("the passphrase that approves this", &terminal, err);
	if (r == 0)
		return approval_ask(terminal, approval, needs, out, err);
	if (r != ERR_LOCKED)
		return r;
	r = question_by_pinentry(approval, plan->request->environment, needs, out, &own);
	if (r < 0 && r != ERR_LOCKED)
		*err = own;
	return r;
}

// At a terminal there is one question at a time. At the desk they wait in a queue.
static int turn_take(struct engine *engine, struct consent *consent, struct err *err)
{
	_cleanup_fd_ int folder = -1;
	int r = dir_open_private(engine->home.state_dir, true, &folder, err);
	return r < 0 ? r : approval_lock(folder, engine->home.state_dir, APPROVAL_WAIT_SECONDS, &consent->turn, err);
}

struct asking {
	struct engine *engine;
	struct session *session; // NULL before the vault is open
	const struct plan *plan;
	const struct notes *notes;
	const char *level;
	bool only_once;
	const struct approval_needs *needs;
};

static int asking_put(const struct asking *asking, const struct approval *approval, struct consent *consent,
		      struct approval_answer *out, struct err *err)
{
	int r;
	if (asking->engine->client) {
		r = desk_put(asking->session, approval, asking->needs->wants_code, out, err);
		consent->is_shown = r == 0 || (r == ERR_DENIED && out->is_denied);
	} else {
		r = question_put(asking->plan, approval, asking->needs, out, err);
		consent->is_shown = r != ERR_LOCKED;
	}
	consent->cools_down = r == ERR_DENIED && out->cools_down;
	return r;
}

static int question_ask(const struct asking *asking, struct consent *consent, struct approval_answer *out, struct err *err)
{
	consent->is_shown = false;
	_cleanup_question_ struct question question = {0};
	int r = question_begin(asking->plan, &question, err);
	if (r == 0 && !asking->engine->client)
		r = turn_take(asking->engine, consent, err);
	// Not before: while this one waited for its turn, others may have been denied.
	if (r == 0)
		r = cool_down_check(asking->engine, err);
	if (r == 0) {
		question_fill(asking->engine, asking->plan, asking->notes, asking->level, asking->only_once, &question);
		r = question_check(&question.approval, err);
	}
	if (r == 0)
		r = asking_put(asking, &question.approval, consent, out, err);
	if (r == 0)
		fd_close(&consent->turn);
	return r;
}

// ------------------------------------------------------------------------------------------------------------ the answer

static void precedent_notes(const struct precedent *precedent, struct notes *notes)
{
	if (precedent->program_changed)
		notes_add(notes, "the program has changed since it last got these secrets, at %s", precedent->when);
	if (precedent->interpreter_changed)
		notes_add(notes, "the script's interpreter has changed since it last got these secrets, at %s", precedent->when);
	if (precedent->script_changed)
		notes_add(notes, "the file that the program is told to run has changed since it last got these secrets, at %s",
			  precedent->when);
}

// The log says that no question will be needed, or that it has to come later. It may be wrong, so this approves nothing.
static int passphrase_only(const struct plan *plan, const struct precedent *precedent, const struct engine_unlock *unlock,
			   struct consent *out, struct err *err)
{
	char program[160], asker[ASKER_NAME_BYTES], name[4 * ASKER_NAME_BYTES];
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(1024);
	asker_name(getppid(), asker);
	text_brief(span_text(asker), name, sizeof(name));
	text_brief(span_text(plan->program->path), program, sizeof(program));
	const char *what = plan->request->no_wait ? "it runs only if a rule allows it" : "the question follows";
	int r = terminal_open("the passphrase", &terminal, err);
	if (r == 0)
		r = buf_printf(&text, err, "envseal: %s %s, asked by %s (%d); %s\n", engine_action_name(plan->action), program, name,
			       getppid(), precedent->was_allowed ? "a rule allowed it the last time" : what);
	if (r == 0)
		r = terminal_print(terminal, buf_span(&text), err);
	return r == 0 ? passphrase_get(unlock, "Passphrase: ", &out->passphrase, err) : r;
}

int consent_first(struct engine *engine, const struct plan *plan, const struct engine_unlock *unlock,
		  struct consent *out, struct err *err)
{
	_cleanup_notes_ struct notes notes = {0};
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	struct precedent precedent;
	if (!unlock_is_terminal(unlock)) {
		out->is_by_option = true;
		return passphrase_get(unlock, "", &out->passphrase, err);
	}
	precedent_find(engine, plan, &precedent);
	bool is_changed = precedent.program_changed || precedent.interpreter_changed || precedent.script_changed;
	// The configuration file may force a level, and then the plan was made for it.
	bool is_weak = security_demands(precedent.level)->factor == FACTOR_PASSPHRASE && plan->mode == ENVIRONMENT_FILTERED;
	if (plan->request->no_wait || !is_weak || (precedent.was_allowed && !is_changed && plan->waiting_count == 0))
		return passphrase_only(plan, &precedent, unlock, out, err);
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .seconds = APPROVAL_WAIT_SECONDS};
	precedent_notes(&precedent, &notes);
	struct asking asking = {.engine = engine, .plan = plan, .notes = &notes, .needs = &needs};
	int r = question_ask(&asking, out, &answer, err);
	if (r < 0)
		return r;
	out->is_given = true;
	out->choice = answer.choice;
	out->takes_values = answer.takes_values;
	out->passphrase = TAKE_PTR(answer.passphrase);
	return 0;
}

// Where codes are wanted, there have to be some.
static int code_check_wanted(struct session *session, enum security_level level, bool *out, struct err *err)
{
	bool is_set = false;
	*out = security_demands(level)->factor == FACTOR_PASSPHRASE_AND_CODE;
	int r = *out ? session_totp_is_set(session, &is_set, err) : 0;
	if (r == 0 && *out && !is_set)
		return err_set(err, ERR_DENIED, "the level %s wants a code for this, and there are no codes yet; set them up with "
						"`envseal totp setup`", security_level_name(level));
	return r;
}

// At the desk that was done.
static int answer_check(struct session *session, const struct approval_answer *answer, const struct consent *consent,
			bool wants_code, struct err *err)
{
	if (session->engine->client)
		return 0;
	if (wants_code)
		return session_totp_check(session, answer->code, err);
	if (!secret_is_equal(secret_span(answer->passphrase), secret_span(consent->passphrase)))
		return session_passphrase_wrong(session, err);
	return 0;
}

int consent_again(struct session *session, const struct plan *plan, const struct security *security,
		  const struct notes *notes, bool only_once, struct consent *consent, struct err *err)
{
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .has_passphrase = true,
				       .seconds = APPROVAL_WAIT_SECONDS};
	struct asking asking = {.engine = session->engine, .session = session, .plan = plan, .notes = notes,
				.level = security_level_name(security->level), .only_once = only_once, .needs = &needs};
	consent->is_shown = consent->cools_down = false;
	int r = code_check_wanted(session, security->level, &needs.wants_code, err);
	if (r == 0)
		r = question_ask(&asking, consent, &answer, err);
	if (r == 0)
		r = answer_check(session, &answer, consent, needs.wants_code, err);
	if (r < 0)
		return r;
	consent->is_given = consent->is_informed = true;
	consent->choice = answer.choice;
	consent->takes_values = answer.takes_values;
	return 0;
}

int engine_reason_parse(const char *text, const char **out, struct err *err)
{
	size_t len = strlen(text);
	if (len > APPROVAL_REASON_BYTES_MAX)
		return err_set(err, ERR_USAGE, "the reason has %zu bytes, and a question shows %d; say it in fewer words", len,
			       APPROVAL_REASON_BYTES_MAX);
	*out = text[strspn(text, " \t\r\n\v\f")] ? text : NULL;
	return 0;
}

int reason_check(const struct engine *engine, const struct plan *plan, enum security_level level, struct err *err)
{
	struct ancestry askers;
	if (level < SECURITY_HARDENED || plan->request->reason)
		return 0;
	ancestry_find("/proc", engine_asker(engine), &askers);
	if (!askers.agent)
		return 0;
	return err_set(err, ERR_DENIED, "at the level %s an agent says what it is for: --reason TEXT", security_level_name(level));
}

// ---------------------------------------------------------------------------------------------------------- of a change

static void change_record_denial(struct session *session, const struct change *change, const struct approval_answer *answer)
{
	struct err err;
	struct audit_head head;
	json_t *fields = json_pack("{s:s, s:o}", "action", change->action, "asker", asker_json(session->engine));
	if (fields && change->subject)
		json_object_set_new(fields, "secrets", json_pack("[s]", change->subject));
	if (fields && answer->is_denied)
		json_object_set_new(fields, "by_human", json_true());
	if (fields && answer->cools_down)
		json_object_set_new(fields, "cool_down", json_true());
	int r = audit_append(session->audit, "secret.denied", fields, &head, &err);
	json_decref(fields);
	if (r < 0)
		engine_notice(session->engine, "the refusal could not be recorded in the audit log: %s", err.text);
}

static int change_ask(struct session *session, const struct change *change, struct approval_answer *out, struct err *err)
{
	struct security security;
	struct ancestry askers;
	bool wants_code = false;
	int r = session_security(session, &security, err);
	if (r == 0)
		r = code_check_wanted(session, security.level, &wants_code, err);
	if (r == 0)
		r = cool_down_check(session->engine, err);
	if (r < 0)
		return r;
	ancestry_find("/proc", engine_asker(session->engine), &askers);
	struct approval approval = {.action = change->action, .askers = &askers, .secrets = &change->subject,
				    .secret_count = change->subject ? 1 : 0, .argv = change->argv,
				    .level = security_level_name(security.level), .notes = (const char *const *)change->notes.items,
				    .note_count = change->notes.count, .offers_cool_down = true, .choices = 1u << APPROVAL_ONCE};
	r = question_check(&approval, err);
	return r == 0 ? desk_put(session, &approval, wants_code, out, err) : r;
}

int consent_change(struct session *session, const struct change *change, struct err *err)
{
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	int r = change_ask(session, change, &answer, err);
	if (r == ERR_DENIED || r == ERR_INTERRUPTED)
		change_record_denial(session, change, &answer);
	return r;
}

// ------------------------------------------------------------------------------------------------------ what it becomes

int consent_keep(struct session *session, const struct plan *plan, const struct consent *consent,
		 struct decision *decision, json_t **ret_ids, struct err *err)
{
	*ret_ids = json_array();
	if (!consent->is_given || consent->choice == APPROVAL_ONCE)
		return 0;
	struct rule rules[RULES_MADE_MAX];
	struct rule_clock clock = rule_clock_now();
	struct rule_terms terms = choice_terms(consent->choice, plan);
	size_t count = 0;
	int r = rules_make(plan, &terms, &clock, rules, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		rules_choose_id(&decision->rules, &rules[i]);
		json_array_append_new(*ret_ids, json_string(rules[i].id));
		r = rules_add(&decision->rules, &rules[i], &clock, err);
	}
	rules_made_done(rules, count);
	return r == 0 ? session_rules_store(session, &decision->rules, err) : r;
}
