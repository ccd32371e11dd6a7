#include "engine/enclosure.h"
#include "engine/security.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *engine_action_name(enum engine_action action)
{
	static const char *const names[] = {[ENGINE_RUN] = "run", [ENGINE_INJECT] = "inject", [ENGINE_PIPE] = "pipe"};
	return names[action];
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->secret_count; i++) {
		free(plan->secrets[i].name);
		free(plan->secrets[i].variable);
	}
	free(plan->secrets);
	free(plan->found_argv);
	free(plan->waiting);
	program_script_done(&plan->script);
	program_free_ptr(&plan->program);
	environment_done(&plan->environment);
	rule_sandbox_done(&plan->asked);
	rule_sandbox_done(&plan->granted);
	sandbox_plan_done(&plan->sandbox);
	free(plan->manifest_path);
	free(plan->directory);
	*plan = (struct plan){0};
}

static int plan_text_copy(struct span text, char **out, struct err *err)
{
	*out = strndup((const char *)text.data, text.len);
	return *out ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

// The variable a secret goes to when none is named: its own name where that is one, else in capitals with '_' for the rest.
static void variable_from_name(char *name)
{
	if (variable_is_valid(span_text(name)))
		return;
	for (char *at = name; *at; at++) {
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
		else if (!((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9')))
			*at = '_';
	}
}

static int plan_add(struct plan *plan, struct span name, struct span variable, enum exec_delivery delivery, struct err *err)
{
	if (plan->secret_count == ENGINE_SECRETS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d secrets for one program", ENGINE_SECRETS_MAX);
	struct plan_secret *secret = &plan->secrets[plan->secret_count];
	int r = plan_text_copy(name, &secret->name, err);
	if (r < 0)
		return r;
	plan->secret_count++;
	secret->delivery = delivery;
	r = name_check(secret->name, err);
	if (r < 0 || delivery == EXEC_TO_STDIN)
		return r;
	r = plan_text_copy(variable.len > 0 ? variable : name, &secret->variable, err);
	if (r < 0)
		return r;
	if (variable.len == 0)
		variable_from_name(secret->variable);
	for (size_t i = 0; i + 1 < plan->secret_count; i++)
		if (strcmp(plan->secrets[i].variable, secret->variable) == 0)
			return err_set(err, ERR_USAGE, "two secrets are to go into the variable %s", secret->variable);
	return variable_check_secret(secret->variable, err);
}

// NAME[=VAR[:file]]
static int plan_add_spec(struct plan *plan, const char *spec, struct err *err)
{
	struct span rest = span_text(spec);
	enum exec_delivery delivery = EXEC_TO_VARIABLE;
	const char *equals = strchr(spec, '=');
	struct span name = equals ? span_of(spec, (size_t)(equals - spec)) : rest;
	struct span variable = equals ? span_text(equals + 1) : span_of("", 0);
	static const char suffix[] = ":file";
	size_t suffix_len = sizeof(suffix) - 1;
	if (variable.len >= suffix_len && memcmp(variable.data + variable.len - suffix_len, suffix, suffix_len) == 0) {
		delivery = EXEC_TO_FILE;
		variable.len -= suffix_len;
	}
	if (equals && variable.len == 0)
		return err_set(err, ERR_USAGE, "-s wants NAME, NAME=VAR or NAME=VAR:file");
	return plan_add(plan, name, variable, delivery, err);
}

// Sets a plain variable, over one of the caller's.
static int environment_put(struct environment *environment, const char *variable, const char *text, struct err *err)
{
	size_t len = strlen(variable);
	char *entry = NULL;
	_cleanup_buf_ struct buf joined = BUF_INIT(MANIFEST_BYTES_MAX);
	int r = buf_printf(&joined, err, "%s=%s", variable, text);
	if (r == 0)
		r = plan_text_copy(buf_span(&joined), &entry, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->entries[i], entry, len + 1) == 0) {
			free(environment->entries[i]);
			environment->entries[i] = entry;
			return 0;
		}
	char **entries = reallocarray(environment->entries, environment->count + 2, sizeof(*entries));
	if (!entries) {
		free(entry);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	entries[environment->count++] = entry;
	entries[environment->count] = NULL;
	environment->entries = entries;
	return 0;
}

static int plan_add_manifest_entry(struct plan *plan, const struct manifest *manifest, const struct manifest_entry *entry,
				   struct err *err)
{
	int r = entry->secret ? plan_add(plan, span_text(entry->secret), span_text(entry->variable), EXEC_TO_VARIABLE, err)
			      : variable_check_plain(entry->variable, span_text(entry->text), err);
	if (r == 0 && !entry->secret)
		r = environment_put(&plan->environment, entry->variable, entry->text, err);
	char brief[200];
	return r < 0 ? err_prefix(err, "%s line %u", text_brief(span_text(manifest->path), brief, sizeof(brief)), entry->line)
		     : 0;
}

int manifest_choose(const struct engine *engine, const char *directory, const char *profile, struct manifest *out, struct err *err)
{
	_cleanup_manifest_ struct manifest manifest = {0};
	int r = manifest_find(directory, engine_variable(engine, "HOME"), &manifest, err);
	if (r == ERR_NOT_FOUND)
		return err_set(err, ERR_USAGE, "no secret was named and there is no %s here or above; name them with -s NAME, or make "
					       "the manifest with `envseal import .env`", MANIFEST_FILE_NAME);
	if (r < 0)
		return r;
	if (profile && !manifest_has_profile(&manifest, profile)) {
		char brief[64];
		return err_set(err, ERR_USAGE, "the manifest has no section [%s]",
			       text_brief(span_text(profile), brief, sizeof(brief)));
	}
	*out = manifest;
	manifest = (struct manifest){0};
	return 0;
}

static int plan_from_manifest(struct plan *plan, const struct engine *engine, const char *profile, struct err *err)
{
	_cleanup_manifest_ struct manifest manifest = {0};
	int r = manifest_choose(engine, plan->directory, profile, &manifest, err);
	for (size_t i = 0; r == 0 && i < manifest.count; i++) {
		const struct manifest_entry *entry = &manifest.entries[i];
		// Each variable once, by the line that counts for the profile.
		if (manifest_lookup(&manifest, profile, entry->variable) == entry)
			r = plan_add_manifest_entry(plan, &manifest, entry, err);
	}
	if (r == 0)
		plan->manifest_path = TAKE_PTR(manifest.path);
	return r;
}

static int plan_secrets(struct plan *plan, const struct engine *engine, const struct engine_run *request, struct err *err)
{
	if (request->action == ENGINE_PIPE)
		return plan_add(plan, span_text(request->secrets[0]), span_of("", 0), EXEC_TO_STDIN, err);
	if (request->secret_count == 0)
		return plan_from_manifest(plan, engine, request->profile, err);
	if (request->profile)
		return err_set(err, ERR_USAGE, "--profile chooses a section of the manifest, and -s does without it; give one of them");
	int r = 0;
	for (size_t i = 0; r == 0 && i < request->secret_count; i++)
		r = plan_add_spec(plan, request->secrets[i], err);
	return r;
}

int secret_refuse_unconfirmed(const char *name, struct err *err)
{
	return err_set(err, ERR_DENIED, "the value of %s was stored while locked and is not confirmed; look at it with "
					"`envseal show %s`, then `envseal confirm %s`", name, name, name);
}

int secret_check_usable(struct vault *vault, const char *name, struct err *err)
{
	struct vault_entry entry;
	int r = vault_find(vault, name, &entry, err);
	if (r == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "there is no secret %s; store it with `envseal set %s`, or look with `envseal list`",
			       name, name);
	if (r == 0 && entry.version == 0)
		return secret_refuse_unconfirmed(name, err);
	return r;
}

// It can be confirmed at the question.
static int plan_add_waiting(struct plan *plan, struct vault *vault, const char *name, const struct vault_entry *entry,
			    struct err *err)
{
	struct plan_waiting *waiting = reallocarray(plan->waiting, plan->waiting_count + 1, sizeof(*waiting));
	if (!waiting)
		return err_set(err, ERR_MEMORY, "out of memory");
	plan->waiting = waiting;
	waiting[plan->waiting_count] = (struct plan_waiting){.name = name, .since = entry->pending_since,
								   .is_first = entry->version == 0};
	int r = vault_deposit_digest(vault, name, waiting[plan->waiting_count].digest, err);
	plan->waiting_count += r == 0;
	return r;
}

static bool plan_is_waiting(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->waiting_count; i++)
		if (strcmp(plan->waiting[i].name, name) == 0)
			return true;
	return false;
}

bool plan_has_waiting(const struct plan *plan, bool is_first)
{
	for (size_t i = 0; i < plan->waiting_count; i++)
		if (plan->waiting[i].is_first == is_first)
			return true;
	return false;
}

static int plan_check_name(struct plan *plan, struct vault *vault, const char *name, struct err *err)
{
	struct vault_entry entry;
	int r = secret_check_usable(vault, name, err);
	if (r < 0 && r != ERR_DENIED)
		return r;
	r = vault_find(vault, name, &entry, err);
	if (r < 0 || !entry.is_pending || plan_is_waiting(plan, name))
		return r;
	return plan_add_waiting(plan, vault, name, &entry, err);
}

static int plan_check_names(struct plan *plan, struct engine *engine, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(engine->home.data_dir, &vault, err);
	for (size_t i = 0; r == 0 && i < plan->secret_count; i++)
		r = plan_check_name(plan, vault, plan->secrets[i].name, err);
	// A human would be waited for with it; a worker goes on at once, and opening it twice is most of what it does.
	if (r == 0 && engine_is_holding(engine) && !engine->spare)
		engine->spare = TAKE_PTR(vault);
	return r;
}

static int plan_find_argv(struct plan *plan, struct err *err)
{
	size_t count = 0;
	while (plan->argv[count])
		count++;
	plan->found_argv = calloc(count + 1, sizeof(*plan->found_argv));
	if (!plan->found_argv)
		return err_set(err, ERR_MEMORY, "out of memory");
	memcpy(plan->found_argv, plan->argv, count * sizeof(*plan->found_argv));
	if (!strchr(plan->argv[0], '/'))
		plan->found_argv[0] = plan->program->name;
	return 0;
}

static int plan_subject(struct plan *plan, const struct engine *engine, const struct engine_run *request, struct err *err)
{
	plan->directory = getcwd(NULL, 0);
	if (!plan->directory)
		return err_set_errno(err, ERR_SYSTEM, errno, "the working directory cannot be named; go to one that exists");
	// Where it cannot be found there is none, and grants to a session are not for this run.
	struct err ignored;
	pid_t caller = engine_caller(engine);
	// One that it leads itself ends with this run.
	if (session_leader_find(caller, &plan->session, &ignored) < 0 || plan->session.pid == caller)
		plan->session = (struct rule_session){0};
	return environment_build(plan->mode, request->environment, request->keep, request->keep_count,
				 &plan->environment, err);
}

static int plan_program(struct plan *plan, const struct engine_run *request, struct err *err)
{
	struct program_options options = {.path_list = plan->environment.path, .by_path = request->by_path,
					  .digest_later = true};
	int r = program_resolve(request->argv[0], &options, &plan->program, err);
	if (r == 0)
		r = plan_find_argv(plan, err);
	return r < 0 ? r : program_script_find(plan->program, plan->argv, plan->directory, &plan->script, err);
}

static int plan_make(struct engine *engine, const struct engine_run *request, bool has_secrets,
		     const struct security_demands *demands, struct plan *out, struct err *err)
{
	bool ignored;
	_cleanup_plan_ struct plan plan = {.request = request, .mode = demands->environment,
					   .action = request->action, .argv = request->argv, .keep = request->keep,
					   .keep_count = request->keep_count, .on_leak = request->on_leak,
					   .inherited = request->inherited, .names_tier = request->sandbox.tier != NULL};
	plan.secrets = calloc(ENGINE_SECRETS_MAX, sizeof(*plan.secrets));
	if (!plan.secrets)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = enclosure_read(&request->sandbox, &plan.asked, err);
	if (r == 0)
		r = plan_subject(&plan, engine, request, err);
	if (r == 0 && has_secrets)
		r = plan_secrets(&plan, engine, request, err);
	if (r == 0 && has_secrets)
		r = plan_check_names(&plan, engine, err);
	if (r == 0)
		r = plan_program(&plan, request, err);
	if (r == 0)
		r = plan_enclose(engine, &plan, demands, NULL, &ignored, err);
	if (r < 0)
		return r;
	// A worker judges it next; a human would be waited for first, and what is hidden be looked at anew then.
	plan.is_just_enclosed = engine_is_holding(engine);
	*out = plan;
	plan = (struct plan){0};
	return 0;
}

// What the configuration file forces is known already; what the vault says comes with its key.
static int plan_make_at_floor(struct engine *engine, const struct engine_run *request, bool has_secrets, struct plan *out,
			      struct err *err)
{
	struct security_floor floor;
	int r = security_floor_load(&floor, err);
	return r < 0 ? r : plan_make(engine, request, has_secrets, security_demands(floor.level), out, err);
}

int plan_build(struct engine *engine, const struct engine_run *request, struct plan *out, struct err *err)
{
	return plan_make_at_floor(engine, request, true, out, err);
}

int plan_build_subject(struct engine *engine, const struct engine_run *request, struct plan *out, struct err *err)
{
	return plan_make_at_floor(engine, request, false, out, err);
}

int plan_rebuild(struct engine *engine, struct plan *plan, const struct security_demands *demands, struct err *err)
{
	struct plan fresh;
	int r = plan_make(engine, plan->request, true, demands, &fresh, err);
	if (r < 0)
		return r;
	plan_done(plan);
	*plan = fresh;
	return 0;
}
