#include "engine/record.h"

#include <stdlib.h>
#include <string.h>

// Appends printable text to the buffer: the sink of the filter below.
static int printable_sink(void *context, struct span bytes, struct err *err)
{
	return text_printable(bytes, context, err);
}

static json_t *printable_json(const char *text)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4 * RECORD_ARGUMENT_BYTES_MAX);
	struct err err;
	if (text_printable(span_text(text), &out, &err) < 0)
		return json_string("(too long)");
	return json_string(buf_text(&out));
}

// The text with the run's own secrets masked, in printable form: arguments, and folders and programs too, which may be
// called after what is in them. Longer ones are cut: the fingerprint is exact.
static json_t *masked_json(const struct redactor *redactor, const char *text)
{
	_cleanup_buf_ struct buf out = BUF_INIT(RECORD_ARGUMENT_BYTES_MAX);
	_cleanup_filter_ struct filter *filter = NULL;
	struct redact_sink sink = {.write = printable_sink, .context = &out};
	struct err err;
	if (!redactor)
		return printable_json(text);
	int r = filter_new(redactor, &sink, &filter, &err);
	if (r == 0)
		r = filter_feed(filter, span_text(text), &err);
	if (r == 0)
		r = filter_end(filter, &err);
	if (r == ERR_LIMIT)
		return json_sprintf("%s...", buf_text(&out));
	return r == 0 ? json_string(buf_text(&out)) : NULL;
}

static json_t *argv_json(const struct redactor *redactor, char *const argv[])
{
	json_t *array = json_array();
	size_t bytes = 0;
	for (size_t i = 0; array && argv[i]; i++) {
		json_t *argument = masked_json(redactor, argv[i]);
		bytes += argument ? json_string_length(argument) + 3 : 0;
		if (argument && bytes > RECORD_ARGV_BYTES_MAX) {
			json_decref(argument);
			json_array_append_new(array, json_string("..."));
			break;
		}
		if (json_array_append_new(array, argument) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *program_json(const struct program *program, const struct redactor *redactor)
{
	char hex[DIGEST_HEX_BYTES];
	digest_hex(program->digest, hex);
	// Put off for large files, until the vault, which knows them, is open.
	json_t *object = json_pack("{s:o, s:s*, s:I, s:s}", "path", masked_json(redactor, program->path), "digest",
				   program->has_digest ? hex : NULL, "size", (json_int_t)program->size, "binding", program_binding(program));
	if (object && program->interpreter)
		json_object_set_new(object, "interpreter", program_json(program->interpreter, redactor));
	return object;
}

const char *program_binding(const struct program *program)
{
	if (program->is_system)
		return "system";
	return program->is_by_path ? "by-path" : "copy";
}

const char *delivery_name(enum exec_delivery delivery)
{
	static const char *const names[] = {
		[EXEC_TO_VARIABLE] = "variable", [EXEC_TO_FILE] = "file", [EXEC_TO_STDIN] = "stdin"};
	return names[delivery];
}

static json_t *plan_secrets_json(const struct plan *plan)
{
	json_t *array = json_array();
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct plan_secret *secret = &plan->secrets[i];
		json_t *row = json_pack("{s:s, s:s, s:s*}", "name", secret->name, "delivery", delivery_name(secret->delivery),
					"variable", secret->variable);
		if (json_array_append_new(array, row) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *strings_json(const char *const *strings, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(array, printable_json(strings[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *names_json_bounded(const char *const names[], size_t count, size_t *ret_left_out)
{
	json_t *array = json_array();
	size_t bytes = 0, i = 0;
	for (; i < count; i++) {
		bytes += strlen(names[i]) + 3;
		if (bytes > RECORD_NAMES_BYTES_MAX)
			break;
		if (json_array_append_new(array, json_string(names[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	*ret_left_out = count - i;
	return array;
}

// Longer lists are cut; a plan is made of what the same run has again.
json_t *paths_json(const struct redactor *redactor, char *const *paths, size_t count)
{
	json_t *array = json_array();
	size_t bytes = 0;
	for (size_t i = 0; array && i < count; i++) {
		json_t *path = masked_json(redactor, paths[i]);
		bytes += path ? json_string_length(path) + 3 : 0;
		bool is_cut = path && bytes > RECORD_PATHS_BYTES_MAX;
		if (is_cut)
			json_string_set(path, "...");
		if (json_array_append_new(array, path) < 0) {
			json_decref(array);
			return NULL;
		}
		if (is_cut)
			break;
	}
	return array;
}

static json_t *mechanisms_json(const struct sandbox_plan *sandbox)
{
	json_t *object = json_object();
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		if (sandbox->needs[i] != SANDBOX_UNUSED)
			json_object_set_new(object, sandbox_mechanism_name((enum sandbox_mechanism)i),
					    json_string(sandbox->needs[i] == SANDBOX_REQUIRED ? "required" : "preferred"));
	return object;
}

json_t *sandbox_json(const struct plan *plan, const struct redactor *redactor)
{
	const struct sandbox_plan *sandbox = &plan->sandbox;
	const struct text_list *readable = &plan->granted.readable;
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:b, s:b}", "tier", sandbox_tier_name(sandbox->tier), "mechanisms",
			 mechanisms_json(sandbox), "hidden", paths_json(redactor, sandbox->hidden.items, sandbox->hidden.count),
			 "readable", paths_json(redactor, readable->items, readable->count), "writable",
			 paths_json(redactor, sandbox->writable.items, sandbox->writable.count), "network",
			 sandbox_network_name(sandbox->network), "endpoints",
			 paths_json(NULL, sandbox->endpoints.items, sandbox->endpoints.count), "shield",
			 sandbox->needs[SANDBOX_SHIELD] != SANDBOX_UNUSED, "degrade", sandbox->is_degradable ? 1 : 0);
}

// What was applied, and what is missing of what the tier has.
static json_t *applied_json(const struct sandbox_record *record)
{
	json_t *applied = json_array(), *missing = json_array();
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++) {
		const char *name = sandbox_mechanism_name((enum sandbox_mechanism)i);
		if (record->applied & sandbox_bit((enum sandbox_mechanism)i))
			json_array_append_new(applied, json_string(name));
		const char *error = record->errors[i] ? strerrorname_np(record->errors[i]) : NULL;
		if (record->missing & sandbox_bit((enum sandbox_mechanism)i))
			json_array_append_new(missing, json_pack("{s:s, s:s?}", "mechanism", name, "error", error));
	}
	return json_pack("{s:o, s:o}", "applied", applied, "missing", missing);
}

static json_t *script_json(const struct program_script *script, const struct redactor *redactor)
{
	char hex[DIGEST_HEX_BYTES];
	digest_hex(script->digest, hex);
	return script->path ? json_pack("{s:o, s:s}", "path", masked_json(redactor, script->path), "digest", hex) : NULL;
}

json_t *plan_reason_json(const struct plan *plan, const struct redactor *redactor)
{
	return plan->request->reason ? masked_json(redactor, plan->request->reason) : NULL;
}

json_t *plan_json(const struct plan *plan, const struct redactor *redactor)
{
	uint8_t fingerprint[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	argv_fingerprint(plan->argv, fingerprint);
	digest_hex(fingerprint, hex);
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o*, s:s, s:o, s:o, s:o, s:o*, s:o*}", "secrets", plan_secrets_json(plan), "program",
			 program_json(plan->program, redactor), "argv", argv_json(redactor, plan->argv), "argv_digest", hex, "directory",
			 masked_json(redactor, plan->directory), "script", script_json(&plan->script, redactor), "tier", sandbox_tier_name(plan->sandbox.tier),
			 "sandbox", sandbox_json(plan, redactor), "kept",
			 strings_json(plan->keep, plan->keep_count), "dropped",
			 strings_json((const char *const *)plan->environment.dropped, plan->environment.dropped_count),
			 "manifest", plan->manifest_path ? masked_json(redactor, plan->manifest_path) : NULL, "reason",
			 plan_reason_json(plan, redactor));
}

json_t *outcome_json(const struct plan *plan, const struct redactor *redactor, const struct exec_outcome *outcome)
{
	const char *names[ENGINE_SECRETS_MAX];
	struct leak_list leaks;
	leak_list_of(plan, outcome, names, &leaks);
	return json_pack("{s:o, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:s, s:b, s:o, s:I, s:b, s:b, s:b, s:b, s:o, s:s}", "secrets",
			 plan_secrets_json(plan), "program", program_json(plan->program, redactor), "status", outcome->status, "signal",
			 outcome->signal, "milliseconds", (json_int_t)outcome->milliseconds, "stdout_bytes",
			 (json_int_t)outcome->stdout_bytes, "stderr_bytes", (json_int_t)outcome->stderr_bytes, "terminal_bytes",
			 (json_int_t)outcome->terminal_bytes, "on_leak", engine_on_leak_name(plan->on_leak), "killed_for_leak", outcome->killed_for_leak ? 1 : 0, "leaks",
			 leaks_json(&leaks), "leak_total", (json_int_t)outcome->leaks.total, "writers_ended", outcome->writers_ended ? 1 : 0,
			 "tables_unlocked", outcome->tables_unlocked ? 1 : 0, "stdin_writable", outcome->stdin_is_writable ? 1 : 0, "caller_gone",
			 outcome->caller_gone ? 1 : 0, "sandbox", applied_json(&outcome->sandbox), "shield",
			 program_shield_name(outcome->shield));
}

json_t *failure_json(const struct plan *plan, const struct redactor *redactor, const struct err *failure)
{
	return json_pack("{s:o, s:o, s:i, s:s}", "secrets", plan_secrets_json(plan), "program",
			 program_json(plan->program, redactor), "status", err_run_status(failure->code), "error", err_name(failure->code));
}

json_t *engine_explain(const struct plan *plan, struct err *err)
{
	if (program_digest(plan->program, NULL, err) < 0)
		return NULL;
	// Nothing is opened for an explanation, so there is no value that an argument could be masked for.
	_cleanup_redactor_ struct redactor *redactor = NULL;
	json_t *object = redactor_new(NULL, 0, &redactor, err) < 0 ? NULL : plan_json(plan, redactor);
	if (!object)
		return NULL;
	bool is_shielded = plan->sandbox.needs[SANDBOX_SHIELD] != SANDBOX_UNUSED;
	enum program_shield shield = is_shielded ? program_shield_judge(plan->program) : PROGRAM_SHIELD_OFF;
	json_object_set_new(object, "action", json_string(engine_action_name(plan->action)));
	json_object_set_new(object, "shield", json_string(program_shield_name(shield)));
	json_object_set_new(object, "path", printable_json(plan->environment.path));
	json_object_set_new(object, "path_dropped",
			    strings_json((const char *const *)plan->environment.path_dropped,
					 plan->environment.path_dropped_count));
	return object;
}
