#include "policy/rule_json.h"

#include <stdlib.h>
#include <string.h>

// ----------------------------------------------------------------------------------------------------------- fields

static int id_read(struct rule *rule, json_t *json, struct err *err)
{
	return field_read_word(json, "id", rule->id, sizeof(rule->id), err);
}

static int effect_read(struct rule *rule, json_t *json, struct err *err)
{
	const char *const names[] = {rule_effect_name(RULE_ASK), rule_effect_name(RULE_ALLOW),
				     rule_effect_name(RULE_DENY)};
	size_t choice = 0;
	int r = field_read_choice(json, "effect", names, ARRAY_COUNT(names), &choice, err);
	rule->effect = (enum rule_effect)choice;
	return r;
}

static int secrets_read(struct rule *rule, json_t *json, struct err *err)
{
	return field_read_list(json, "secrets", RULE_SECRETS_MAX, &rule->secrets, err);
}

static int digest_read(const json_t *json, const char *field, uint8_t out[DIGEST_BYTES], struct err *err)
{
	struct err ignored;
	const char *text = json_string_value(json);
	if (!text || digest_parse_hex(span_text(text), out, &ignored) < 0)
		return field_refuse(err, field, "must hold a 'digest' of 64 lower-case hex digits");
	return 0;
}

static int binding_read(json_t *json, const char *field, struct rule_binding *out, struct err *err)
{
	size_t choice = 0;
	int r = field_read_choice(json_object_get(json, "binding"), field, rule_binding_names,
				  ARRAY_COUNT(rule_binding_names), &choice, err);
	if (r < 0)
		return r;
	out->kind = (enum rule_binding_kind)choice;
	if (out->kind != RULE_BINDING_EXACT && json_object_get(json, "digest"))
		return field_refuse(err, field, "may hold a 'digest' only with the binding 'exact'");
	if (out->kind == RULE_BINDING_ANY)
		return json_object_get(json, "path") ? field_refuse(err, field, "is for any and names a 'path'") : 0;
	r = field_read_text(json_object_get(json, "path"), field, &out->path, err);
	if (r == 0 && out->kind == RULE_BINDING_EXACT)
		r = digest_read(json_object_get(json, "digest"), field, out->digest, err);
	return r;
}

static int program_read(struct rule *rule, json_t *json, struct err *err)
{
	static const char *const known[] = {"binding", "path", "digest", "interpreter"};
	int r = field_check_object(json, "program", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = binding_read(json, "program", &rule->program, err);
	json_t *interpreter = json_object_get(json, "interpreter");
	if (r < 0 || !interpreter)
		return r;
	r = field_check_object(interpreter, "program.interpreter", known, ARRAY_COUNT(known) - 1, err);
	if (r == 0)
		r = binding_read(interpreter, "program.interpreter", &rule->interpreter, err);
	if (r == 0 && rule->interpreter.kind == RULE_BINDING_ANY)
		return field_refuse(err, "program.interpreter", "must have the binding 'system' or 'exact'");
	return r;
}

static int script_read(struct rule *rule, json_t *json, struct err *err)
{
	static const char *const known[] = {"path", "digest"};
	rule->script.kind = RULE_BINDING_EXACT;
	int r = field_check_object(json, "script", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = field_read_text(json_object_get(json, "path"), "script.path", &rule->script.path, err);
	return r < 0 ? r : digest_read(json_object_get(json, "digest"), "script", rule->script.digest, err);
}

static int argv_read(struct rule *rule, json_t *json, struct err *err)
{
	static const char *const known[] = {"mode", "arguments"};
	size_t choice = 0;
	int r = field_check_object(json, "argv", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = field_read_choice(json_object_get(json, "mode"), "argv.mode", rule_argv_names,
				      ARRAY_COUNT(rule_argv_names), &choice, err);
	if (r < 0)
		return r;
	rule->argv_mode = (enum rule_argv_mode)choice;
	json_t *arguments = json_object_get(json, "arguments");
	if (rule->argv_mode == RULE_ARGV_ANY)
		return arguments ? field_refuse(err, "argv.arguments", "cannot stand beside the mode 'any'") : 0;
	return field_read_list(arguments, "argv.arguments", RULE_ARGUMENTS_MAX, &rule->arguments, err);
}

static int deliveries_read(struct rule *rule, json_t *json, struct err *err)
{
	if (!json_is_array(json) || json_array_size(json) == 0)
		return field_refuse(err, "deliveries", "must be a list of text, not empty");
	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t choice = 0;
		int r = field_read_choice(json_array_get(json, i), "deliveries", rule_delivery_names,
					  ARRAY_COUNT(rule_delivery_names), &choice, err);
		if (r < 0)
			return r;
		if (rule->deliveries & (1u << choice))
			return field_refuse(err, "deliveries", "names one twice");
		rule->deliveries |= 1u << choice;
	}
	return 0;
}

// One that may be left out, and then is not empty.
static int list_read(json_t *json, const char *field, size_t most, struct text_list *out, struct err *err)
{
	if (json_is_array(json) && json_array_size(json) == 0)
		return field_refuse(err, field, "is empty");
	return field_read_list(json, field, most, out, err);
}

static int variables_read(struct rule *rule, json_t *json, struct err *err)
{
	return list_read(json, "variables", RULE_VARIABLES_MAX, &rule->variables, err);
}

static int environment_read(struct rule *rule, json_t *json, struct err *err)
{
	return list_read(json, "environment", RULE_ENVIRONMENT_MAX, &rule->environment, err);
}

static int directory_read(struct rule *rule, json_t *json, struct err *err)
{
	return field_read_text(json, "directory", &rule->directory, err);
}

static int tier_read(struct rule *rule, json_t *json, struct err *err)
{
	const char *const names[] = {sandbox_tier_name(SANDBOX_STANDARD), sandbox_tier_name(SANDBOX_HARDENED),
				     sandbox_tier_name(SANDBOX_LOCKDOWN)};
	size_t choice = 0;
	int r = field_read_choice(json, "tier", names, ARRAY_COUNT(names), &choice, err);
	rule->sandbox.tier = (enum sandbox_tier)choice;
	return r;
}

// What is the machine's own is no word of a rule: a tier says whether it is shared.
static int network_read(struct rule *rule, json_t *json, struct err *err)
{
	static const enum sandbox_network networks[] = {SANDBOX_NETWORK_NONE, SANDBOX_NETWORK_LOOPBACK, SANDBOX_NETWORK_ALLOW};
	const char *names[ARRAY_COUNT(networks)];
	for (size_t i = 0; i < ARRAY_COUNT(networks); i++)
		names[i] = sandbox_network_name(networks[i]);
	size_t choice = 0;
	int r = field_read_choice(json, "network", names, ARRAY_COUNT(names), &choice, err);
	rule->sandbox.network = networks[choice];
	return r;
}

static int read_read(struct rule *rule, json_t *json, struct err *err)
{
	return list_read(json, "read", SANDBOX_PATHS_MAX, &rule->sandbox.readable, err);
}

static int write_read(struct rule *rule, json_t *json, struct err *err)
{
	return list_read(json, "write", SANDBOX_PATHS_MAX, &rule->sandbox.writable, err);
}

static int endpoints_read(struct rule *rule, json_t *json, struct err *err)
{
	return list_read(json, "endpoints", SANDBOX_ENDPOINTS_MAX, &rule->sandbox.endpoints, err);
}

static int flag_read(json_t *json, const char *field, bool *out, struct err *err)
{
	if (!json_is_boolean(json))
		return field_refuse(err, field, "must be true or false");
	*out = json_is_true(json);
	return 0;
}

static int shield_read(struct rule *rule, json_t *json, struct err *err)
{
	bool is_shielded = true;
	int r = flag_read(json, "shield", &is_shielded, err);
	rule->sandbox.is_unshielded = !is_shielded;
	return r;
}

static int degrade_read(struct rule *rule, json_t *json, struct err *err)
{
	return flag_read(json, "degrade", &rule->sandbox.is_degradable, err);
}

static int paired_read(struct rule *rule, json_t *json, struct err *err)
{
	return flag_read(json, "paired", &rule->is_paired, err);
}

static int redaction_read(struct rule *rule, json_t *json, struct err *err)
{
	return flag_read(json, "redaction", &rule->redaction, err);
}

static int created_read(struct rule *rule, json_t *json, struct err *err)
{
	return field_read_number(json, "created", &rule->created, err);
}

// 0 is how a rule without an end is held, so it cannot be an end.
static int expires_read(struct rule *rule, json_t *json, struct err *err)
{
	int r = field_read_number(json, "expires", &rule->expires, err);
	return r == 0 && rule->expires == 0 ? field_refuse(err, "expires", "must not be 0") : r;
}

static int until_read(struct rule *rule, json_t *json, struct err *err)
{
	static const char *const known[] = {"boot", "milliseconds"};
	struct rule_until *until = &rule->until;
	int r = field_check_object(json, "until", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = field_read_word(json_object_get(json, "boot"), "until.boot", until->boot, sizeof(until->boot), err);
	if (r == 0)
		r = field_read_number(json_object_get(json, "milliseconds"), "until.milliseconds", &until->milliseconds,
				      err);
	return r;
}

static int boot_read(struct rule *rule, json_t *json, struct err *err)
{
	return field_read_word(json, "boot", rule->boot, sizeof(rule->boot), err);
}

static int uses_read(struct rule *rule, json_t *json, struct err *err)
{
	int64_t uses = 0;
	int r = field_read_number(json, "uses", &uses, err);
	rule->is_counted = true;
	rule->uses_left = (uint64_t)uses;
	return r;
}

static int session_read(struct rule *rule, json_t *json, struct err *err)
{
	static const char *const known[] = {"pid", "start"};
	int64_t start = 0;
	int r = field_check_object(json, "session", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = field_read_number(json_object_get(json, "pid"), "session.pid", &rule->session.pid, err);
	if (r == 0)
		r = field_read_number(json_object_get(json, "start"), "session.start", &start, err);
	rule->session.start = (uint64_t)start;
	return r == 0 && rule->session.pid == 0 ? field_refuse(err, "session.pid", "must not be 0") : r;
}

static int made_read(struct rule *rule, json_t *json, struct err *err)
{
	const char *const names[] = {rule_made_name(RULE_MADE_COMMAND), rule_made_name(RULE_MADE_PROMPT)};
	size_t choice = 0;
	int r = field_read_choice(json, "made", names, ARRAY_COUNT(names), &choice, err);
	rule->made = (enum rule_made)choice;
	return r;
}

static const struct {
	const char *name;
	bool is_required;
	int (*read)(struct rule *rule, json_t *json, struct err *err);
} fields[] = {
	{"id", true, id_read}, {"effect", true, effect_read}, {"secrets", true, secrets_read},
	{"program", true, program_read}, {"argv", true, argv_read}, {"created", true, created_read},
	{"deliveries", false, deliveries_read}, {"variables", false, variables_read},
	{"directory", false, directory_read},
	{"paired", false, paired_read}, {"tier", false, tier_read}, {"redaction", false, redaction_read}, {"expires", false, expires_read},
	{"boot", false, boot_read}, {"uses", false, uses_read}, {"session", false, session_read},
	{"script", false, script_read}, {"environment", false, environment_read}, {"until", false, until_read},
	{"made", false, made_read}, {"read", false, read_read}, {"write", false, write_read},
	{"network", false, network_read}, {"endpoints", false, endpoints_read}, {"shield", false, shield_read},
	{"degrade", false, degrade_read},
};

// ----------------------------------------------------------------------------------------------------- rule and set

static int fields_read(json_t *json, struct rule *rule, struct err *err)
{
	const char *names[ARRAY_COUNT(fields)];
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		names[i] = fields[i].name;
	char brief[64];
	const char *unknown = field_find_unknown(json, names, ARRAY_COUNT(names), brief, sizeof(brief));
	if (unknown)
		return err_set(err, ERR_INPUT, "the field '%s' is not known", unknown);
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(fields); i++) {
		json_t *field = json_object_get(json, fields[i].name);
		if (field)
			r = fields[i].read(rule, field, err);
		else if (fields[i].is_required)
			r = field_refuse(err, fields[i].name, "is missing");
	}
	return r;
}

// `number` counts from 1 within a set, and is how a rule is named that has no id.
static int rule_read(json_t *json, size_t number, struct rule *out, struct err *err)
{
	_cleanup_rule_ struct rule rule = {0};
	char brief[RULE_ID_BYTES_MAX + 8];
	const char *id = json_string_value(json_object_get(json, "id"));
	int r = json_is_object(json) ? fields_read(json, &rule, err) : err_set(err, ERR_INPUT, "it is not an object");
	if (r < 0)
		return id ? err_prefix(err, "rule %s", text_brief(span_text(id), brief, sizeof(brief)))
			  : err_prefix(err, "rule %zu", number);
	r = rule_check(&rule, err);
	if (r < 0)
		return r;
	*out = rule;
	rule = (struct rule){0};
	return 0;
}

static int json_read(struct span text, size_t bytes_max, json_t **out, struct err *err)
{
	if (text.len > bytes_max)
		return err_set(err, ERR_LIMIT, "the rules are too long (%zu bytes at most)", bytes_max);
	json_error_t error = {0};
	const char *start = text.data ? (const char *)text.data : ""; // an empty span may have none
	json_t *json = json_loadb(start, text.len, JSON_REJECT_DUPLICATES, &error);
	char brief[120];
	if (!json)
		return err_set(err, ERR_INPUT, "line %d, column %d of the rules: %s", error.line, error.column,
			       text_brief(span_text(error.text), brief, sizeof(brief)));
	*out = json;
	return 0;
}

int rule_parse(struct span text, struct rule *out, struct err *err)
{
	json_auto_t *json = NULL;
	int r = json_read(text, RULE_BYTES_MAX, &json, err);
	return r < 0 ? r : rule_read(json, 1, out, err);
}

static int rules_read(json_t *list, struct rule_set *out, struct err *err)
{
	if (json_array_size(list) > RULES_COUNT_MAX)
		return err_set(err, ERR_LIMIT, "too many rules (%d at most)", RULES_COUNT_MAX);
	_cleanup_rules_ struct rule_set set = {.rules = calloc(json_array_size(list) + 1, sizeof(*set.rules))};
	if (!set.rules)
		return err_set(err, ERR_MEMORY, "out of memory for rules");
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		r = rule_read(json_array_get(list, i), i + 1, &set.rules[i], err);
		set.count += r == 0;
	}
	if (r == 0)
		r = rules_sort(&set, err);
	if (r < 0)
		return r;
	*out = set;
	set = (struct rule_set){0};
	return 0;
}

int rules_parse(struct span text, struct rule_set *out, struct err *err)
{
	static const char *const known[] = {"rules", "version"};
	json_auto_t *json = NULL;
	int64_t version = 0;
	int r = json_read(text, RULES_BYTES_MAX, &json, err);
	if (r == 0 && !json_is_object(json))
		return err_set(err, ERR_INPUT, "the rules must be an object with 'rules' and 'version'");
	if (r == 0)
		r = field_check_object(json, "of the whole", known, ARRAY_COUNT(known), err);
	if (r == 0)
		r = field_read_number(json_object_get(json, "version"), "version", &version, err);
	if (r == 0 && version != RULES_VERSION)
		return field_refuse(err, "version", "is not 1; these rules are for another version of envseal");
	if (r == 0 && !json_is_array(json_object_get(json, "rules")))
		return field_refuse(err, "rules", "must be a list of rules");
	return r < 0 ? r : rules_read(json_object_get(json, "rules"), out, err);
}
