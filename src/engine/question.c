#include "engine/question.h"

#include "engine/security.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Room for a secret's line in the question.
#define SECRET_LINE_BYTES (NAME_BYTES_MAX + 320)

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
static int secrets_lines(const struct plan *plan, struct question *out, struct err *err)
{
	char line[SECRET_LINE_BYTES];
	out->secrets = calloc(plan->secret_count + 1, sizeof(*out->secrets));
	for (size_t i = 0; out->secrets && i < plan->secret_count; i++) {
		secret_line(&plan->secrets[i], line);
		out->secrets[i] = strdup(line);
		if (!out->secrets[i])
			return err_set(err, ERR_MEMORY, "out of memory");
	}
	return out->secrets ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

void question_done(struct question *question)
{
	for (size_t i = 0; question->secrets && question->secrets[i]; i++)
		free(question->secrets[i]);
	free(question->secrets);
	question->secrets = NULL;
	notes_done(&question->waiting);
	notes_done(&question->becomes);
}

int question_begin(const struct plan *plan, struct question *out, struct err *err)
{
	int r = secrets_lines(plan, out, err);
	return r == 0 ? program_digest(plan->program, NULL, err) : r;
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

struct rule_terms choice_terms(enum approval_choice choice, const struct plan *plan)
{
	struct rule_terms terms = {.effect = RULE_ALLOW, .argv_mode = RULE_ARGV_EXACT, .directory = plan->directory,
				   .redaction = plan->action != ENGINE_INJECT, .sandbox = &plan->granted, .from_prompt = true};
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

void question_fill(const struct engine *engine, const struct plan *plan, const struct notes *notes, const char *level,
		   bool only_once, struct question *question)
{
	const struct program *program = plan->program;
	bool has_network = plan->sandbox.network != SANDBOX_NETWORK_HOST;
	ancestry_find("/proc", engine_asker(engine), &question->askers);
	digest_hex(program->digest, question->digest);
	waiting_lines(plan, &question->waiting);
	question->approval = (struct approval){
		.action = engine_action_name(plan->action),
		.askers = &question->askers,
		.secrets = (const char *const *)question->secrets,
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
		.tier = sandbox_tier_name(plan->sandbox.tier),
		.readable = (const char *const *)plan->granted.readable.items,
		.readable_count = plan->granted.readable.count,
		.writable = (const char *const *)plan->granted.writable.items,
		.writable_count = plan->granted.writable.count,
		.network = has_network ? sandbox_network_name(plan->sandbox.network) : NULL,
		.endpoints = (const char *const *)plan->sandbox.endpoints.items,
		.endpoint_count = plan->sandbox.endpoints.count,
		.is_unshielded = plan->granted.is_unshielded,
		.is_degradable = plan->granted.is_degradable,
		.level = level,
		.notes = (const char *const *)notes->items,
		.note_count = notes->count,
		.waiting = (const char *const *)question->waiting.items,
		.waiting_count = question->waiting.count,
		.reason = plan->request->reason,
		.offers_cool_down = engine->client != NULL,
		.offers_values = plan_has_waiting(plan, false),
	};
	choices_offer(plan, only_once, question);
}

int question_check(const struct approval *approval, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	return approval_format(approval, &text, err);
}

static bool has_display(char *const *environment)
{
	for (char *const *entry = environment; *entry; entry++)
		if ((strncmp(*entry, "DISPLAY=", 8) == 0 && (*entry)[8]) ||
		    (strncmp(*entry, "WAYLAND_DISPLAY=", 16) == 0 && (*entry)[16]))
			return true;
	return false;
}

int question_by_pinentry(const struct approval *approval, char *const *environment, const struct approval_needs *needs,
			 struct approval_answer *out, struct err *err)
{
	struct security_floor floor;
	struct err own;
	if (!has_display(environment) || security_floor_load(&floor, &own) < 0)
		return err_set(err, ERR_LOCKED, "there is no display to ask on");
	struct pinentry_options options = {.path = floor.pinentry[0] ? floor.pinentry : "/usr/bin/pinentry",
					   .environment = environment};
	if (access(options.path, X_OK) < 0)
		return err_set(err, ERR_LOCKED, "there is no pinentry to ask with");
	return pinentry_ask(&options, approval, needs, out, err);
}
