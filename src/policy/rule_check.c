#include "policy/policy.h"
#include "policy/rule_json.h"

#include <string.h>

static bool has_control(struct span text, const char *allowed)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool is_c1 = c == 0xc2 && i + 1 < text.len && text.data[i + 1] >= 0x80 && text.data[i + 1] < 0xa0;
		if (is_c1 || c == 0x7f || (c < 0x20 && !(c && strchr(allowed, c))))
			return true;
	}
	return false;
}

// What the JSON library takes, it can be asked.
static bool is_utf8(struct span text)
{
	json_t *string = json_stringn((const char *)text.data, text.len);
	json_decref(string);
	return string != NULL;
}

static int text_check(const char *field, const char *text, size_t bytes_max, const char *allowed, struct err *err)
{
	struct span bytes = span_text(text);
	if (bytes.len > bytes_max)
		return err_set(err, ERR_LIMIT, "the field '%s' is too long (%zu bytes at most)", field, bytes_max);
	if (has_control(bytes, allowed))
		return field_refuse(err, field, "holds control characters");
	return is_utf8(bytes) ? 0 : field_refuse(err, field, "is not UTF-8");
}

static int list_check(const char *field, const struct text_list *list, size_t count_max, struct err *err)
{
	if (list->count > count_max)
		return err_set(err, ERR_LIMIT, "the field '%s' has too many members (%zu at most)", field, count_max);
	return 0;
}

// --------------------------------------------------------------------------------------------------------- secrets

static bool has_only(const char *text, const char *more)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		if (!byte_is_digit(c) && !byte_is_letter(c) && !strchr(more, *text))
			return false;
	}
	return true;
}

static int pattern_check(const char *pattern, struct err *err)
{
	if (strlen(pattern) > RULE_PATTERN_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the field 'secrets' has a pattern that is too long (%d bytes at most)",
			       RULE_PATTERN_BYTES_MAX);
	size_t tag = strlen(RULE_TAG_PREFIX);
	bool is_tag = strncmp(pattern, RULE_TAG_PREFIX, tag) == 0;
	bool ok = is_tag ? pattern[tag] && has_only(pattern + tag, "._:-*?")
			 : pattern[0] && has_only(pattern, "._-/*?") &&
				   (rule_is_glob(pattern) || name_is_valid(span_text(pattern)));
	return ok ? 0 : field_refuse(err, "secrets", "must hold names or tag:TAG of letters, digits, '.', '_', '-', "
						     "with '*' for any text and '?' for one character");
}

static int secrets_check(const struct rule *rule, struct err *err)
{
	if (rule->secrets.count == 0)
		return field_refuse(err, "secrets", "is empty; name a secret, or write \"*\" for all");
	int r = list_check("secrets", &rule->secrets, RULE_SECRETS_MAX, err);
	for (size_t i = 0; r == 0 && i < rule->secrets.count; i++)
		r = pattern_check(rule->secrets.items[i], err);
	return r;
}

// --------------------------------------------------------------------------------------------------------- program

static bool path_is_clean(const char *path)
{
	if (path[0] != '/')
		return false;
	if (!path[1])
		return true;
	for (const char *at = path; *at;) {
		size_t len = strcspn(++at, "/");
		bool dots = (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.');
		if (len == 0 || dots)
			return false;
		at += len;
	}
	return true;
}

static int path_check(const char *field, const char *path, struct err *err)
{
	int r = text_check(field, path, RULE_PATH_BYTES_MAX, "", err);
	if (r == 0 && !path_is_clean(path))
		return field_refuse(err, field,
				"must be an absolute path without '.', '..' and doubled or trailing '/'");
	return r;
}

static int program_check(const struct rule *rule, struct err *err)
{
	const struct rule_binding *program = &rule->program, *interpreter = &rule->interpreter;
	if (rule->effect == RULE_ALLOW && program->kind == RULE_BINDING_ANY)
		return field_refuse(err, "program",
				"must say which program, by a binding 'system' or 'exact': only 'ask' "
						    "and 'deny' can be for any");
	if (program->kind == RULE_BINDING_ANY)
		return interpreter->kind == RULE_BINDING_ANY
			       ? 0
			       : field_refuse(err, "program", "has an interpreter and no program");
	int r = program->path ? path_check("program.path", program->path, err)
			      : field_refuse(err, "program.path", "is missing");
	if (r < 0 || interpreter->kind == RULE_BINDING_ANY)
		return r;
	if (rule->effect == RULE_ALLOW && interpreter->path && program_path_is_env(interpreter->path))
		return field_refuse(err, "program.interpreter.path", "is env, which runs what PATH leads to; name the "
								     "interpreter itself in the script's first line");
	return interpreter->path ? path_check("program.interpreter.path", interpreter->path, err)
				 : field_refuse(err, "program.interpreter.path", "is missing");
}

static int script_check(const struct rule *rule, struct err *err)
{
	const struct rule_binding *script = &rule->script;
	if (script->kind == RULE_BINDING_ANY)
		return 0;
	if (script->kind != RULE_BINDING_EXACT || !script->path)
		return field_refuse(err, "script", "must hold a 'path' and a 'digest'");
	// Its path is one of the arguments, and others may name another.
	if (rule->effect == RULE_ALLOW && rule->argv_mode != RULE_ARGV_EXACT)
		return field_refuse(err, "argv.mode", "must be 'exact' beside 'script', which the arguments name");
	return path_check("script.path", script->path, err);
}

// ------------------------------------------------------------------------------------------------------- arguments

static int arguments_check(const struct rule *rule, struct err *err)
{
	const struct text_list *list = &rule->arguments;
	size_t bytes = 0;
	int r = list_check("argv.arguments", list, RULE_ARGUMENTS_MAX, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = text_check("argv.arguments", list->items[i], RULE_ARGUMENTS_BYTES_MAX, "\n\t", err);
		bytes += strlen(list->items[i]);
	}
	if (r == 0 && bytes > RULE_ARGUMENTS_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the field 'argv.arguments' is too long (%u bytes at most)",
			       RULE_ARGUMENTS_BYTES_MAX);
	return r;
}

static int argv_check(const struct rule *rule, struct err *err)
{
	if (rule->argv_mode == RULE_ARGV_ANY && rule->arguments.count > 0)
		return field_refuse(err, "argv.arguments", "cannot stand beside the mode 'any'");
	if (rule->argv_mode != RULE_ARGV_ANY && rule->arguments.count == 0)
		return field_refuse(err, "argv.arguments", "must begin with the name by which the program is called");
	// With a prefix too: what may be added to `find .` or `git -C x` is enough.
	if (rule->effect == RULE_ALLOW && rule->argv_mode != RULE_ARGV_EXACT &&
			program_is_open_ended(rule->program.path))
		return field_refuse(err, "argv.mode",
				"must be 'exact': this program runs or sends whatever its arguments "
						      "say, so that to allow others would be to allow everything");
	return arguments_check(rule, err);
}

// -------------------------------------------------------------------------------------------------------- delivery

static int variable_check_pattern(const struct rule *rule, const char *pattern, struct err *err)
{
	if (!pattern[0] || byte_is_digit((uint8_t)pattern[0]) || strlen(pattern) > RULE_PATTERN_BYTES_MAX || !has_only(pattern, "_*?"))
		return field_refuse(err, "variables",
				"must hold names of variables, with '*' for any text and '?' for one "
						      "character");
	if (rule->effect == RULE_DENY)
		return 0;
	// A pattern stands for the shortest name that it fits; the others are looked at when they are asked for.
	char shortest[RULE_PATTERN_BYTES_MAX + 1];
	size_t len = 0;
	for (const char *at = pattern; *at; at++)
		if (*at != '*')
			shortest[len++] = *at == '?' ? 'A' : *at;
	shortest[len] = 0;
	int r = len > 0 ? variable_check_secret(shortest, err) : 0;
	return r < 0 ? err_set(err, ERR_INPUT, "the field 'variables' names one that steers how programs run, or a family "
					       "of them; no secret is put there")
		     : 0;
}

static bool list_has_before(const struct text_list *list, size_t end)
{
	for (size_t i = 0; i < end; i++)
		if (strcmp(list->items[i], list->items[end]) == 0)
			return true;
	return false;
}

static int environment_check(const struct rule *rule, struct err *err)
{
	const struct text_list *list = &rule->environment;
	int r = list_check("environment", list, RULE_ENVIRONMENT_MAX, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct span name = span_text(list->items[i]);
		if (!variable_is_valid(name))
			r = field_refuse(err, "environment", "must hold names of variables, without patterns");
		else if (span_is_equal(name, SPAN_LITERAL("PATH")) || span_has_prefix(name, SPAN_LITERAL("ENVSEAL_")))
			r = field_refuse(err, "environment", "names PATH or one of envseal's own; none is ever kept");
		else if (list_has_before(list, i))
			r = field_refuse(err, "environment", "names one twice");
	}
	return r;
}

static int delivery_check(const struct rule *rule, struct err *err)
{
	bool needs_variable = rule->deliveries & (RULE_TO_VARIABLE | RULE_TO_FILE);
	if (rule->deliveries & ~(unsigned)(RULE_TO_VARIABLE | RULE_TO_FILE | RULE_TO_STDIN))
		return field_refuse(err, "deliveries", "holds a delivery that is not known");
	if (rule->effect == RULE_ALLOW && rule->deliveries == 0)
		return field_refuse(err, "deliveries", "must say 'variable', 'file' or 'stdin'");
	if (rule->effect == RULE_ALLOW && needs_variable && rule->variables.count == 0)
		return field_refuse(err, "variables", "must name the variables that a secret may be put into");
	if (rule->deliveries == RULE_TO_STDIN && rule->variables.count > 0)
		return field_refuse(err, "variables", "means nothing for standard input alone");
	if (rule->is_paired && rule->variables.count != rule->secrets.count)
		return field_refuse(err, "paired", "wants as many 'variables' as 'secrets'");
	int r = list_check("variables", &rule->variables, RULE_VARIABLES_MAX, err);
	for (size_t i = 0; r == 0 && i < rule->variables.count; i++)
		r = variable_check_pattern(rule, rule->variables.items[i], err);
	return r;
}

// ------------------------------------------------------------------------------------------------------ conditions

static bool boot_is_valid(const char *boot)
{
	size_t len = strlen(boot);
	for (size_t i = 0; i < len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool is_hex = (boot[i] >= '0' && boot[i] <= '9') || (boot[i] >= 'a' && boot[i] <= 'f');
		if (is_dash ? boot[i] != '-' : !is_hex)
			return false;
	}
	return len == RULE_BOOT_BYTES;
}

static int session_check(const struct rule *rule, struct err *err)
{
	if (rule->session.pid < 0 || rule->session.pid > RULE_PID_MAX || rule->session.start > INT64_MAX ||
	    (rule->session.pid == 0 && rule->session.start != 0))
		return field_refuse(err, "session", "must hold the number and the start time of a process");
	if (rule->session.pid && !rule->boot[0])
		return field_refuse(err, "session",
				"needs 'boot' beside it: numbers of processes begin again with each");
	return 0;
}

static int until_check(const struct rule *rule, struct err *err)
{
	const struct rule_until *until = &rule->until;
	if (!until->boot[0] && until->milliseconds == 0)
		return 0;
	if (!boot_is_valid(until->boot))
		return field_refuse(err, "until.boot", "must be a boot id as in /proc/sys/kernel/random/boot_id");
	if (until->milliseconds <= 0 || until->milliseconds > RULE_MILLISECONDS_MAX)
		return field_refuse(err, "until.milliseconds", "must be from 1 to 9007199254740991");
	if (!rule->expires)
		return field_refuse(err, "until", "needs 'expires' beside it: it says nothing in another boot");
	if (rule->boot[0] && strcmp(rule->boot, until->boot) != 0)
		return field_refuse(err, "until.boot", "is another than 'boot', so that it would never count");
	return 0;
}

static int time_check(const struct rule *rule, struct err *err)
{
	if (rule->created <= 0 || rule->created > RULE_TIME_MAX)
		return field_refuse(err, "created", "must be seconds since 1970, before the year 10000");
	if (rule->expires < 0 || rule->expires > RULE_TIME_MAX || (rule->expires && rule->expires <= rule->created))
		return field_refuse(err, "expires",
				"must be seconds since 1970, after 'created' and before the year 10000");
	if (rule->boot[0] && !boot_is_valid(rule->boot))
		return field_refuse(err, "boot", "must be a boot id as in /proc/sys/kernel/random/boot_id");
	if (rule->is_counted ? rule->uses_left > RULE_USES_MAX : rule->uses_left != 0)
		return field_refuse(err, "uses", "must be from 0 to 1000000");
	return session_check(rule, err);
}

static int conditions_check(const struct rule *rule, struct err *err)
{
	bool is_conditional = rule->redaction || rule->is_counted || rule->environment.count > 0;
	// They would make it stop to ask or to deny where the run is weaker.
	if (rule->effect != RULE_ALLOW && is_conditional)
		return field_refuse(err, "effect", "must be 'allow' where 'redaction', 'uses' or 'environment' are given");
	if (rule->made > RULE_MADE_PROMPT)
		return field_refuse(err, "made", "must be 'command' or 'prompt'");
	return rule->directory ? path_check("directory", rule->directory, err) : 0;
}

// ------------------------------------------------------------------------------------------------------ the sandbox

static int paths_check(const char *field, const struct text_list *list, struct err *err)
{
	int r = list_check(field, list, SANDBOX_PATHS_MAX, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = path_check(field, list->items[i], err);
		if (r == 0 && list_has_before(list, i))
			r = field_refuse(err, field, "names one twice");
	}
	return r;
}

static int endpoints_check(const struct rule_sandbox *sandbox, struct err *err)
{
	const struct text_list *list = &sandbox->endpoints;
	struct err own;
	bool is_wanted = sandbox->network == SANDBOX_NETWORK_ALLOW;
	if (is_wanted != (list->count > 0))
		return field_refuse(err, "endpoints", "must stand beside the network 'allow', and beside no other");
	int r = list_check("endpoints", list, SANDBOX_ENDPOINTS_MAX, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = text_check("endpoints", list->items[i], RULE_PATTERN_BYTES_MAX + 8, "", err);
		if (r == 0 && sandbox_endpoint_check(list->items[i], &own) < 0)
			r = field_refuse(err, "endpoints", "must hold HOST:PORT, with an IPv6 address in brackets");
		if (r == 0 && list_has_before(list, i))
			r = field_refuse(err, "endpoints", "names one twice");
	}
	return r;
}

static bool is_empty(const struct rule_sandbox *sandbox)
{
	return sandbox->tier == SANDBOX_STANDARD && sandbox->network == SANDBOX_NETWORK_HOST && sandbox->readable.count == 0 &&
	       sandbox->writable.count == 0 && sandbox->endpoints.count == 0 && !sandbox->is_unshielded &&
	       !sandbox->is_degradable;
}

static int sandbox_check(const struct rule *rule, struct err *err)
{
	const struct rule_sandbox *sandbox = &rule->sandbox;
	if (sandbox->tier > SANDBOX_LOCKDOWN)
		return field_refuse(err, "tier", "must be 'standard', 'hardened' or 'lockdown'");
	if (sandbox->network > SANDBOX_NETWORK_ALLOW)
		return field_refuse(err, "network", "must be 'none', 'loopback' or 'allow'");
	if (rule->effect != RULE_ALLOW && !is_empty(sandbox))
		return field_refuse(err, "effect", "must be 'allow' where 'tier', 'read', 'write', 'network', 'endpoints', "
						   "'shield' or 'degrade' are given");
	if (sandbox->network != SANDBOX_NETWORK_HOST && sandbox->tier != SANDBOX_LOCKDOWN)
		return field_refuse(err, "network", "needs the tier 'lockdown': the others share the machine's");
	int r = paths_check("read", &sandbox->readable, err);
	if (r == 0)
		r = paths_check("write", &sandbox->writable, err);
	return r == 0 ? endpoints_check(sandbox, err) : r;
}

// ---------------------------------------------------------------------------------------------------------- the rule

static int id_check(const struct rule *rule, struct err *err)
{
	if (name_is_valid(span_text(rule->id)) && !strchr(rule->id, '/'))
		return 0;
	return field_refuse(err, "id", "must be 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first");
}

// In front of a sentence; what cannot be an id is not repeated.
static int rule_prefix(const struct rule *rule, struct err *err)
{
	struct err ignored;
	return id_check(rule, &ignored) == 0 ? err_prefix(err, "rule %s", rule->id) : err_prefix(err, "a rule");
}

int rule_check(const struct rule *rule, struct err *err)
{
	static int (*const checks[])(const struct rule *, struct err *) = {
		id_check, secrets_check, program_check, script_check, argv_check, delivery_check, environment_check,
		conditions_check, sandbox_check, time_check, until_check,
	};
	for (size_t i = 0; i < ARRAY_COUNT(checks); i++)
		if (checks[i](rule, err) < 0)
			return rule_prefix(rule, err);
	return 0;
}

int rule_check_new(const struct rule *rule, int64_t now, struct err *err)
{
	int r = rule_check(rule, err);
	if (r < 0)
		return r;
	if (rule->expires && rule->expires <= now)
		r = field_refuse(err, "expires", "lies in the past; give a later time");
	else if (rule->created > now)
		r = field_refuse(err, "created", "lies in the future; the clock may have been set back");
	else if (rule->is_counted && rule->uses_left == 0)
		r = field_refuse(err, "uses", "is 0; a new rule needs at least one");
	return r < 0 ? rule_prefix(rule, err) : 0;
}
