#include "engine/rules.h"

#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory");
}

static int text_copy(const char *text, char **out, struct err *err)
{
	*out = strdup(text);
	return *out ? 0 : out_of_memory(err);
}

// ----------------------------------------------------------------------------------------------------------- subject

static int binding_make(const struct program *program, struct rule_binding *out, struct err *err)
{
	out->kind = program->is_system ? RULE_BINDING_SYSTEM : RULE_BINDING_EXACT;
	if (!program->is_system)
		memcpy(out->digest, program->digest, DIGEST_BYTES);
	return text_copy(program->path, &out->path, err);
}

static int program_make(const struct plan *plan, struct rule *rule, struct err *err)
{
	const struct program *program = plan->program, *interpreter = program->interpreter;
	if (program->is_by_path || (interpreter && interpreter->is_by_path))
		return err_set(err, ERR_DENIED, "a program that is run --by-path can be swapped, so no rule can allow it; leave "
						"--by-path out");
	int r = binding_make(program, &rule->program, err);
	return r == 0 && interpreter ? binding_make(interpreter, &rule->interpreter, err) : r;
}

// What an interpreter or a build tool is told to run.
static int script_make(const struct plan *plan, struct rule *rule, struct err *err)
{
	const struct program_script *script = &plan->script;
	if (script->is_unread)
		return err_set(err, ERR_DENIED, "what %s is told to run cannot be read, so no rule can name it; name it by a path to a "
						"file", path_base(plan->program->name));
	if (!script->path)
		return 0;
	rule->script.kind = RULE_BINDING_EXACT;
	memcpy(rule->script.digest, script->digest, DIGEST_BYTES);
	return text_copy(script->path, &rule->script.path, err);
}

static int subject_make(const struct plan *plan, const struct rule_terms *terms, struct rule *rule, struct err *err)
{
	if (terms->any_program)
		return 0;
	rule->argv_mode = terms->argv_mode;
	int r = program_make(plan, rule, err);
	for (size_t i = 0; r == 0 && rule->argv_mode != RULE_ARGV_ANY && plan->found_argv[i]; i++)
		r = text_list_append(&rule->arguments, plan->found_argv[i], err);
	if (r == 0)
		r = script_make(plan, rule, err);
	for (size_t i = 0; r == 0 && rule->effect == RULE_ALLOW && i < plan->keep_count; i++)
		r = text_list_append(&rule->environment, plan->keep[i], err);
	return r;
}

// ----------------------------------------------------------------------------------------------------------- secrets

static enum rule_delivery delivery_of(enum exec_delivery delivery)
{
	static const enum rule_delivery deliveries[] = {
		[EXEC_TO_VARIABLE] = RULE_TO_VARIABLE, [EXEC_TO_FILE] = RULE_TO_FILE, [EXEC_TO_STDIN] = RULE_TO_STDIN};
	return deliveries[delivery];
}

// A deny says nothing of how a secret is given.
static int secrets_make(const struct rule_secret secrets[], size_t count, enum rule_delivery delivery, struct rule *rule,
			struct err *err)
{
	bool is_deny = rule->effect == RULE_DENY;
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!is_deny && secrets[i].delivery != delivery)
			continue;
		r = text_list_append(&rule->secrets, secrets[i].pattern, err);
		if (r == 0 && !is_deny && secrets[i].variable)
			r = text_list_append(&rule->variables, secrets[i].variable, err);
	}
	rule->deliveries = is_deny ? 0 : delivery;
	// A single one has nothing to be confused with.
	rule->is_paired = rule->variables.count > 1;
	return r;
}

// ------------------------------------------------------------------------------------------------------------- rules

static void ends_make(const struct rule_terms *terms, const struct rule_clock *clock, struct rule *rule)
{
	rule->created = clock->now;
	if (terms->seconds > 0) {
		rule->expires = clock->now + terms->seconds;
		memcpy(rule->until.boot, clock->boot, sizeof(rule->until.boot));
		rule->until.milliseconds = clock->boottime_ms + terms->seconds * 1000;
	}
	if (terms->this_boot || terms->session.pid != 0)
		memcpy(rule->boot, clock->boot, sizeof(rule->boot));
	rule->session = terms->session;
	rule->is_counted = terms->uses > 0;
	rule->uses_left = terms->uses;
}

static int rule_make(const struct plan *plan, const struct rule_terms *terms, enum rule_delivery delivery,
		     const struct rule_clock *clock, struct rule *out, struct err *err)
{
	_cleanup_rule_ struct rule rule = {.effect = terms->effect, .redaction = terms->redaction,
					   .made = terms->from_prompt ? RULE_MADE_PROMPT : RULE_MADE_COMMAND};
	int r = secrets_make(terms->secrets, terms->secret_count, delivery, &rule, err);
	if (r < 0 || rule.secrets.count == 0)
		return r;
	r = subject_make(plan, terms, &rule, err);
	if (r == 0 && terms->directory)
		r = text_copy(terms->directory, &rule.directory, err);
	if (r == 0 && terms->sandbox)
		r = rule_sandbox_copy(terms->sandbox, &rule.sandbox, err);
	if (r < 0)
		return r;
	ends_make(terms, clock, &rule);
	*out = rule;
	rule = (struct rule){0};
	return 0;
}

static int id_make(const struct rule_terms *terms, size_t index, struct rule *rule, struct err *err)
{
	static const char *const suffixes[RULES_MADE_MAX] = {"", "-2", "-3"};
	int bytes = terms->id ? snprintf(rule->id, sizeof(rule->id), "%s%s", terms->id, suffixes[index]) : 0;
	if (bytes >= 0 && (size_t)bytes < sizeof(rule->id))
		return 0;
	return err_set(err, ERR_USAGE, "--id is too long (%d bytes at most, a suffix for each further delivery included)",
		       RULE_ID_BYTES_MAX);
}

static int rules_make_each(const struct plan *plan, const struct rule_terms *terms, const struct rule_clock *clock,
			   struct rule out[RULES_MADE_MAX], size_t *ret_count, struct err *err)
{
	static const enum rule_delivery deliveries[RULES_MADE_MAX] = {RULE_TO_VARIABLE, RULE_TO_FILE, RULE_TO_STDIN};
	size_t deliveries_count = terms->effect == RULE_DENY ? 1 : RULES_MADE_MAX;
	for (size_t i = 0; i < deliveries_count; i++) {
		struct rule *rule = &out[*ret_count];
		*rule = (struct rule){0};
		int r = rule_make(plan, terms, deliveries[i], clock, rule, err);
		if (r < 0)
			return r;
		if (rule->secrets.count == 0)
			continue;
		r = id_make(terms, (*ret_count)++, rule, err);
		if (r < 0)
			return r;
	}
	return *ret_count > 0 ? 0 : err_set(err, ERR_USAGE, "a rule needs a secret; name one with -s NAME");
}

void rules_made_done(struct rule made[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		rule_done(&made[i]);
}

int rules_make(const struct plan *plan, const struct rule_terms *terms, const struct rule_clock *clock,
	       struct rule out[RULES_MADE_MAX], size_t *ret_count, struct err *err)
{
	struct rule_terms full = *terms;
	struct rule_secret own[ENGINE_SECRETS_MAX];
	if (!terms->secrets) {
		for (size_t i = 0; i < plan->secret_count; i++)
			own[i] = (struct rule_secret){.pattern = plan->secrets[i].name, .variable = plan->secrets[i].variable,
						      .delivery = delivery_of(plan->secrets[i].delivery)};
		full.secrets = own;
		full.secret_count = plan->secret_count;
	}
	*ret_count = 0;
	int r = rules_make_each(plan, &full, clock, out, ret_count, err);
	if (r < 0) {
		rules_made_done(out, *ret_count);
		*ret_count = 0;
	}
	return r;
}

// ---------------------------------------------------------------------------------------------------------- question

void plan_question_done(struct plan_question *question)
{
	free(question->entries);
	free(question->tags);
	question->entries = NULL;
	question->tags = NULL;
}

static int question_secret(const struct plan *plan, struct vault *vault, size_t i, struct plan_question *question,
			   struct err *err)
{
	const struct plan_secret *secret = &plan->secrets[i];
	struct vault_entry *entry = &question->entries[i];
	const char **tags = &question->tags[i * VAULT_TAGS_MAX];
	int r = vault_find(vault, secret->name, entry, err);
	if (r < 0)
		return r;
	for (size_t t = 0; t < entry->tag_count; t++)
		tags[t] = entry->tags[t];
	question->secrets[i] = (struct policy_secret){.name = secret->name, .tags = tags, .tag_count = entry->tag_count,
						      .delivery = delivery_of(secret->delivery), .variable = secret->variable};
	return 0;
}

static void request_fill(const struct plan *plan, const struct rule_clock *clock, struct plan_question *question)
{
	question->clock = *clock;
	question->request = (struct policy_request){
		.secrets = question->secrets,
		.secret_count = plan->secret_count,
		.program = plan->program,
		.argv = plan->found_argv,
		.directory = plan->directory,
		.sandbox = &plan->asked,
		.names_tier = plan->names_tier,
		.redaction = plan->action != ENGINE_INJECT,
		.script_path = plan->script.path,
		.script_digest = plan->script.digest,
		.script_is_unread = plan->script.is_unread,
		.kept = plan->keep,
		.kept_count = plan->keep_count,
		.boottime_ms = clock->boottime_ms,
		.now = clock->now,
		.boot = question->clock.boot,
		.session = plan->session,
		.uses = 1,
	};
}

int plan_question_make(const struct plan *plan, struct vault *vault, const struct rule_clock *clock,
		       struct plan_question *out, struct err *err)
{
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	out->tags = calloc(plan->secret_count * VAULT_TAGS_MAX + 1, sizeof(*out->tags));
	out->entries = calloc(plan->secret_count + 1, sizeof(*out->entries));
	int r = out->tags && out->entries ? 0 : out_of_memory(err);
	for (size_t i = 0; r == 0 && i < plan->secret_count; i++)
		r = question_secret(plan, vault, i, out, err);
	request_fill(plan, clock, out);
	return r;
}
