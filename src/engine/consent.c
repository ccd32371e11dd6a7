#include "engine/consent.h"

#include "engine/cool_down.h"
#include "engine/precedent.h"
#include "engine/totp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Room for a secret's line in the question.
#define SECRET_LINE_BYTES (NAME_BYTES_MAX + 320)

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

// -------------------------------------------------------------------------------------------------------- the question

// What an approval points to.
struct question {
	struct ancestry askers;
	struct notes waiting;
	struct notes becomes;
	char digest[DIGEST_HEX_BYTES];
	struct approval approval;
};

static void question_done(struct question *question)
{
	notes_done(&question->waiting);
	notes_done(&question->becomes);
}

static const char *binding_sentence(const struct program *program)
{
	if (program->is_system)
		return "a system file, only root can change it";
	return program->is_by_path ? "run by path as asked: it can be swapped until it starts" : "a sealed copy of this file";
}

static void secret_line(const struct plan_secret *secret, char out[SECRET_LINE_BYTES])
{
	if (secret->delivery == EXEC_TO_VARIABLE)
		snprintf(out, SECRET_LINE_BYTES, "%s as $%s", secret->name, secret->variable);
	else if (secret->delivery == EXEC_TO_FILE)
		snprintf(out, SECRET_LINE_BYTES, "%s as a file in $%s", secret->name, secret->variable);
	else
		snprintf(out, SECRET_LINE_BYTES, "%s on standard input", secret->name);
}

// As many as there are secrets, so not in struct notes.
static int secrets_lines(const struct plan *plan, char ***out, struct err *err)
{
	char **lines = calloc(plan->secret_count + 1, sizeof(*lines));
	char line[SECRET_LINE_BYTES];
	bool ok = lines;
	for (size_t i = 0; ok && i < plan->secret_count; i++) {
		secret_line(&plan->secrets[i], line);
		lines[i] = strdup(line);
		ok = lines[i];
	}
	*out = lines;
	return ok ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static void lines_free(char **lines, size_t count)
{
	for (size_t i = 0; lines && i < count; i++)
		free(lines[i]);
	free(lines);
}

static void waiting_lines(const struct plan *plan, struct notes *out)
{
	for (size_t i = 0; i < plan->waiting_count; i++) {
		char since[CLOCK_TEXT_BYTES];
		clock_format(plan->waiting[i].since, since);
		notes_add(out, plan->waiting[i].is_first
				       ? "%s: stored while locked at %s and never confirmed; approving takes this value"
				       : "%s: a new value, stored while locked at %s, would replace the confirmed one; it is not used "
					 "unless you take it (c)",
			  plan->waiting[i].name, since);
	}
}

static struct rule_terms choice_terms(enum approval_choice choice, const struct plan *plan)
{
	struct rule_terms terms = {.effect = RULE_ALLOW, .argv_mode = RULE_ARGV_EXACT, .directory = plan->directory,
				   .redaction = plan->action != ENGINE_INJECT, .from_prompt = true};
	if (choice == APPROVAL_SESSION)
		terms.session = plan->session;
	if (choice == APPROVAL_TIME) {
		terms.seconds = CONSENT_GRANT_SECONDS;
		terms.this_boot = true;
	}
	return terms;
}

// Whether there can be a rule for it at all.
static bool plan_can_have_rule(const struct plan *plan)
{
	struct rule rules[RULES_MADE_MAX];
	struct rule_clock clock = rule_clock_now();
	struct rule_terms terms = choice_terms(APPROVAL_ALWAYS, plan);
	struct err ignored;
	size_t count = 0;
	bool can = rules_make(plan, &terms, &clock, rules, &count, &ignored) == 0;
	for (size_t i = 0; can && i < count; i++) {
		snprintf(rules[i].id, sizeof(rules[i].id), "x");
		can = rule_check(&rules[i], &ignored) == 0;
	}
	rules_made_done(rules, count);
	return can;
}

static const char *holds_while(const struct plan *plan)
{
	const struct program *program = plan->program;
	bool is_exact = !program->is_system || plan->script.path;
	return is_exact ? "as long as its content stays the same" : "also when the system upgrades it";
}

static void choices_offer(const struct plan *plan, bool only_once, struct question *question)
{
	struct approval *approval = &question->approval;
	const char *rule = "this program with exactly these arguments, in this folder, gets these secrets without a question";
	approval->choices = 1u << APPROVAL_ONCE;
	if (only_once || !plan_can_have_rule(plan))
		return;
	struct notes *becomes = &question->becomes;
	notes_add(becomes, "until the session of process %lld ends: %s, %s", (long long)plan->session.pid, rule,
		  holds_while(plan));
	notes_add(becomes, "for 8 hours, or until a restart: %s, %s", rule, holds_while(plan));
	notes_add(becomes, "as a rule, until `envseal policy rm` takes it away: %s, %s", rule, holds_while(plan));
	if (becomes->count < 3)
		return;
	approval->choices |= 1u << APPROVAL_TIME | 1u << APPROVAL_ALWAYS;
	approval->choices |= plan->session.pid != 0 ? 1u << APPROVAL_SESSION : 0;
	approval->choice_seconds = CONSENT_GRANT_SECONDS;
	approval->becomes[APPROVAL_SESSION] = becomes->items[0];
	approval->becomes[APPROVAL_TIME] = becomes->items[1];
	approval->becomes[APPROVAL_ALWAYS] = becomes->items[2];
}

static void question_fill(const struct plan *plan, char *const *secrets, const struct notes *notes, const char *level,
			  bool only_once, struct question *question)
{
	const struct program *program = plan->program;
	ancestry_find("/proc", getppid(), &question->askers);
	digest_hex(program->digest, question->digest);
	waiting_lines(plan, &question->waiting);
	question->approval = (struct approval){
		.action = engine_action_name(plan->action),
		.askers = &question->askers,
		.secrets = (const char *const *)secrets,
		.secret_count = plan->secret_count,
		.program_path = program->path,
		.program_kind = binding_sentence(program),
		.program_digest = question->digest,
		.interpreter_path = program->interpreter ? program->interpreter->path : NULL,
		.argv = plan->argv,
		.directory = plan->directory,
		.dropped = (const char *const *)plan->environment.dropped,
		.dropped_count = plan->environment.dropped_count,
		.kept = plan->keep,
		.kept_count = plan->keep_count,
		.tier = plan->sandbox.tier,
		.level = level,
		.notes = (const char *const *)notes->items,
		.note_count = notes->count,
		.waiting = (const char *const *)question->waiting.items,
		.waiting_count = question->waiting.count,
		.offers_values = plan_has_waiting(plan, false),
	};
	choices_offer(plan, only_once, question);
}

// ---------------------------------------------------------------------------------------------------------- the asking

static bool has_display(char *const *environment)
{
	for (char *const *entry = environment; *entry; entry++)
		if ((strncmp(*entry, "DISPLAY=", 8) == 0 && (*entry)[8]) ||
		    (strncmp(*entry, "WAYLAND_DISPLAY=", 16) == 0 && (*entry)[16]))
			return true;
	return false;
}

// On the terminal; where there is none and there is a display, by the pinentry that root chose.
static int question_put(const struct plan *plan, const struct question *question, const struct approval_needs *needs,
			struct approval_answer *out, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	int r = terminal_open("the passphrase that approves this", &terminal, err);
	if (r == 0)
		return approval_ask(terminal, &question->approval, needs, out, err);
	struct security_floor floor;
	struct err own;
	if (r != ERR_LOCKED || !has_display(plan->request->environment) || security_floor_load(&floor, &own) < 0)
		return r;
	struct pinentry_options options = {.path = floor.pinentry[0] ? floor.pinentry : "/usr/bin/pinentry",
					   .environment = plan->request->environment};
	if (access(options.path, X_OK) < 0)
		return r;
	return pinentry_ask(&options, &question->approval, needs, out, err);
}

static int question_check(const struct question *question, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	return approval_format(&question->approval, &text, err);
}

static int question_ask(struct engine *engine, const struct plan *plan, const struct notes *notes, const char *level,
			bool only_once, const struct approval_needs *needs, struct consent *consent,
			struct approval_answer *out, struct err *err)
{
	consent->is_shown = false;
	_cleanup_(question_done) struct question question = {0};
	_cleanup_fd_ int folder = -1;
	char **secrets = NULL;
	int r = secrets_lines(plan, &secrets, err);
	if (r == 0)
		r = program_digest(plan->program, NULL, err);
	if (r == 0)
		r = dir_open_private(engine->home.state_dir, true, &folder, err);
	if (r == 0)
		r = approval_lock(folder, engine->home.state_dir, APPROVAL_WAIT_SECONDS, &consent->turn, err);
	// Not before: while this one waited for its turn, others may have been denied.
	if (r == 0)
		r = cool_down_check(engine, err);
	if (r == 0) {
		question_fill(plan, secrets, notes, level, only_once, &question);
		r = question_check(&question, err);
	}
	if (r == 0) {
		r = question_put(plan, &question, needs, out, err);
		consent->is_shown = r != ERR_LOCKED;
	}
	if (r == 0)
		fd_close(&consent->turn);
	lines_free(secrets, plan->secret_count);
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
	int r = terminal_open("the passphrase", &terminal, err);
	if (r == 0)
		r = buf_printf(&text, err, "envseal: %s %s, asked by %s (%d); %s\n", engine_action_name(plan->action), program, name,
			       getppid(), precedent->was_allowed ? "a rule allowed it the last time" : "the question follows");
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
	if (!is_weak || (precedent.was_allowed && !is_changed && plan->waiting_count == 0))
		return passphrase_only(plan, &precedent, unlock, out, err);
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .seconds = APPROVAL_WAIT_SECONDS};
	precedent_notes(&precedent, &notes);
	int r = question_ask(engine, plan, &notes, NULL, false, &needs, out, &answer, err);
	if (r < 0)
		return r;
	out->is_given = true;
	out->choice = answer.choice;
	out->takes_values = answer.takes_values;
	out->passphrase = TAKE_PTR(answer.passphrase);
	return 0;
}

int consent_again(struct session *session, const struct plan *plan, const struct security *security,
		  const struct notes *notes, bool only_once, struct consent *consent, struct err *err)
{
	_cleanup_approval_answer_ struct approval_answer answer = {0};
	bool wants_code = security_demands(security->level)->factor == FACTOR_PASSPHRASE_AND_CODE, is_set = false;
	struct approval_needs needs = {.passphrase_bytes_max = PASSPHRASE_BYTES_MAX, .has_passphrase = true,
				       .wants_code = wants_code, .seconds = APPROVAL_WAIT_SECONDS};
	consent->is_shown = false;
	int r = wants_code ? session_totp_is_set(session, &is_set, err) : 0;
	if (r == 0 && wants_code && !is_set)
		return err_set(err, ERR_DENIED, "the level %s wants a code for this, and there are no codes yet; set them up with "
						"`envseal totp setup`", security_level_name(security->level));
	if (r == 0)
		r = question_ask(session->engine, plan, notes, security_level_name(security->level), only_once, &needs,
				 consent, &answer, err);
	if (r == 0 && wants_code)
		r = session_totp_check(session, answer.code, err);
	else if (r == 0 && !secret_is_equal(secret_span(answer.passphrase), secret_span(consent->passphrase)))
		r = session_passphrase_wrong(session, err);
	if (r < 0)
		return r;
	consent->is_given = consent->is_informed = true;
	consent->choice = answer.choice;
	consent->takes_values = answer.takes_values;
	return 0;
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
