#include "cli/command.h"

#include <string.h>
#include <unistd.h>

static const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "-";
}

static void explain_list(const char *label, const json_t *array)
{
	if (json_array_size(array) == 0)
		return;
	printf("%-14s", label);
	for (size_t i = 0; i < json_array_size(array); i++)
		printf("%s%s", i > 0 ? " " : "", json_string_value(json_array_get(array, i)));
	fputc('\n', stdout);
}

static void explain_program(const json_t *program)
{
	printf("%-14s%s\n", "program", json_text(program, "path"));
	printf("%-14s%s\n", "binding", json_text(program, "binding"));
	printf("%-14s%s\n", "digest", json_text(program, "digest"));
	const json_t *interpreter = json_object_get(program, "interpreter");
	if (interpreter)
		printf("%-14s%s  %s\n", "run by", json_text(interpreter, "path"), json_text(interpreter, "digest"));
}

static void explain_paths(const char *label, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		printf("%-14s%s\n", i == 0 ? label : "", json_string_value(json_array_get(array, i)));
}

// Those that are there, by name; --json has all.
static void explain_hidden(const json_t *array)
{
	size_t absent = 0;
	bool has_any = false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *path = json_string_value(json_array_get(array, i));
		bool is_there = access(path, F_OK) == 0;
		absent += is_there ? 0 : 1;
		if (is_there)
			printf("%-14s%s\n", has_any ? "" : "hidden", path);
		has_any = has_any || is_there;
	}
	if (absent > 0)
		printf("%-14s%zu %splaces, should they come to be (--json names them)\n", has_any ? "" : "hidden", absent,
		       has_any ? "more " : "");
}

static void explain_mechanisms(const char *label, json_t *mechanisms, const char *need)
{
	const char *name;
	json_t *value;
	bool has_any = false;
	json_object_foreach(mechanisms, name, value) {
		if (strcmp(json_string_value(value), need) != 0)
			continue;
		if (!has_any)
			printf("%-14s", label);
		printf("%s%s", has_any ? " " : "", name);
		has_any = true;
	}
	if (has_any)
		fputc('\n', stdout);
}

static void explain_sandbox(const json_t *sandbox)
{
	bool is_degradable = json_is_true(json_object_get(sandbox, "degrade"));
	printf("%-14s%s%s\n", "tier", json_text(sandbox, "tier"),
	       is_degradable ? ", weaker where the kernel cannot give it in full" : "");
	explain_mechanisms("requires", json_object_get(sandbox, "mechanisms"), "required");
	explain_mechanisms("prefers", json_object_get(sandbox, "mechanisms"), "preferred");
	explain_hidden(json_object_get(sandbox, "hidden"));
	explain_paths("shown", json_object_get(sandbox, "readable"));
	explain_paths("writable", json_object_get(sandbox, "writable"));
	printf("%-14s%s\n", "network", json_text(sandbox, "network"));
	explain_paths("endpoints", json_object_get(sandbox, "endpoints"));
}

static int explain_print(json_t *object)
{
	const json_t *secrets = json_object_get(object, "secrets");
	printf("%-14s%s\n", "action", json_text(object, "action"));
	explain_program(json_object_get(object, "program"));
	explain_list("command", json_object_get(object, "argv"));
	const json_t *script = json_object_get(object, "script");
	if (script)
		printf("%-14s%s  %s\n", "script", json_text(script, "path"), json_text(script, "digest"));
	printf("%-14s%s\n", "directory", json_text(object, "directory"));
	if (json_object_get(object, "manifest"))
		printf("%-14s%s\n", "manifest", json_text(object, "manifest"));
	if (json_object_get(object, "reason"))
		printf("%-14s%s\n", "reason", json_text(object, "reason"));
	for (size_t i = 0; i < json_array_size(secrets); i++) {
		const json_t *secret = json_array_get(secrets, i);
		printf("%-14s%s -> %s %s\n", "secret", json_text(secret, "name"), json_text(secret, "delivery"),
		       json_object_get(secret, "variable") ? json_text(secret, "variable") : "");
	}
	explain_sandbox(json_object_get(object, "sandbox"));
	printf("%-14s%s\n", "shield", json_text(object, "shield"));
	printf("%-14s%s\n", "PATH", json_text(object, "path"));
	explain_list("PATH without", json_object_get(object, "path_dropped"));
	explain_list("kept", json_object_get(object, "kept"));
	explain_list("dropped", json_object_get(object, "dropped"));
	json_decref(object);
	return output_finish();
}

static int explain(const struct arguments *arguments, const struct plan *plan)
{
	struct err err;
	json_t *object = engine_explain(plan, &err);
	if (!object) {
		err_set(&err, ERR_MEMORY, "out of memory");
		return report(arguments, &err);
	}
	return arguments_has(arguments, OPTION_JSON) ? json_print(object) : explain_print(object);
}

static void outcome_tell(const struct plan *plan, const struct exec_outcome *outcome)
{
	const char *action = engine_action_name(plan->action);
	_cleanup_buf_ struct buf leaks = BUF_INIT(1u << 20);
	if (plan->on_leak == ENGINE_LEAK_WARN && outcome_leaks_text(plan, outcome, &leaks))
		notice("%s: %s", action, buf_text(&leaks));
	_cleanup_buf_ struct buf missing = BUF_INIT(ERR_TEXT_BYTES);
	if (outcome_missing_text(plan, outcome, &missing))
		notice("%s: %s", action, buf_text(&missing));
	if (outcome->writers_ended)
		notice("%s: processes that outlived the program and still held its output were ended", action);
	if (outcome->stdin_is_writable)
		notice("%s: the program could write to your terminal through its standard input, past the redaction", action);
	if (outcome->tables_unlocked)
		notice("%s: the tables for redaction did not fit into locked memory (ulimit -l) and could reach the swap", action);
}

// The program could not learn of it, so it is an error of ours: said always, and no success.
static void outcome_check_output(const struct plan *plan, struct exec_outcome *outcome)
{
	if (outcome->output_errno == 0)
		return;
	static const char *const streams[] = {"terminal output", "standard output", "standard error"};
	notice("%s: the program's %s could not be written on: %s", engine_action_name(plan->action),
	       streams[outcome->output_stream], strerrordesc_np(outcome->output_errno));
	if (outcome->status == 0)
		outcome->status = err_run_status(ERR_SYSTEM);
}

// The program's own end says nothing any more.
static void outcome_check_kill(const struct plan *plan, struct exec_outcome *outcome)
{
	_cleanup_buf_ struct buf text = BUF_INIT(ERR_TEXT_BYTES);
	if (!outcome_kill_text(plan, outcome, &text))
		return;
	notice("%s: %s", engine_action_name(plan->action), buf_text(&text));
	outcome->signal = 0;
	outcome->status = err_run_status(ERR_DENIED);
}

static int supervise(struct context *context, const struct arguments *arguments, struct plan *plan,
		     const struct engine_unlock *unlock)
{
	_cleanup_(engine_outcome_done) struct exec_outcome outcome = {0};
	struct err err;
	if (engine_run(context->engine, plan, unlock, &outcome, &err) < 0)
		return report(arguments, &err);
	if (!arguments_has(arguments, OPTION_QUIET))
		outcome_tell(plan, &outcome);
	outcome_check_output(plan, &outcome);
	outcome_check_kill(plan, &outcome);
	context->signal = outcome.signal;
	return outcome.status;
}

// run, inject and pipe differ in the request alone.
static int program_run(struct context *context, const struct arguments *arguments, enum engine_action action)
{
	const char *secrets[ARGUMENTS_OPTIONS_MAX], *keep[ARGUMENTS_OPTIONS_MAX];
	struct sandbox_words words;
	_cleanup_plan_ struct plan plan = {0};
	struct engine_unlock unlock;
	struct err err;
	struct engine_run request = {
		.action = action,
		.secrets = action == ENGINE_PIPE ? arguments->operands : secrets,
		.secret_count = action == ENGINE_PIPE
					? arguments->command->operands_max
					: arguments_values(arguments, OPTION_SECRET, secrets, ARRAY_COUNT(secrets)),
		.profile = arguments_value(arguments, OPTION_PROFILE),
		.keep = keep,
		.keep_count = arguments_values(arguments, OPTION_KEEP_ENV, keep, ARRAY_COUNT(keep)),
		.by_path = arguments_has(arguments, OPTION_BY_PATH),
		.no_wait = arguments_has(arguments, OPTION_NO_WAIT),
		.sandbox = sandbox_from_arguments(arguments, &words),
		.argv = arguments->program,
		.environment = context->environment,
		.inherited = context->inherited,
	};
	const char *on_leak = arguments_value(arguments, OPTION_ON_LEAK), *reason = arguments_value(arguments, OPTION_REASON);
	bool only_explain = arguments_has(arguments, OPTION_EXPLAIN);
	int r = unlock_from_arguments(arguments, &unlock, &err);
	if (r == 0 && on_leak)
		r = engine_on_leak_parse(on_leak, &request.on_leak, &err);
	if (r == 0 && reason)
		r = engine_reason_parse(reason, &request.reason, &err);
	if (r == 0 && arguments_has(arguments, OPTION_JSON) && !only_explain)
		r = err_set(&err, ERR_USAGE, "--json goes with --explain: a program's output is its own");
	if (r == 0)
		r = plan_build(context->engine, &request, &plan, &err);
	if (r < 0)
		return report(arguments, &err);
	return only_explain ? explain(arguments, &plan) : supervise(context, arguments, &plan, &unlock);
}

int command_run(struct context *context, const struct arguments *arguments)
{
	return program_run(context, arguments, ENGINE_RUN);
}

int command_inject(struct context *context, const struct arguments *arguments)
{
	return program_run(context, arguments, ENGINE_INJECT);
}

int command_pipe(struct context *context, const struct arguments *arguments)
{
	return program_run(context, arguments, ENGINE_PIPE);
}
