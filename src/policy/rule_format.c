#include "policy/rule_json.h"

#include <stdlib.h>
#include <string.h>

const char *const rule_binding_names[3] = {"any", "system", "exact"};
const char *const rule_argv_names[3] = {"any", "prefix", "exact"};
const char *const rule_delivery_names[3] = {"variable", "file", "stdin"};

// The setters take the value's reference, also when they fail; a NULL value is a failure too.
static bool set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static json_t *list_json(const struct text_list *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->count; i++)
		if (json_array_append_new(array, json_string(list->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *deliveries_json(unsigned deliveries)
{
	json_t *array = json_array();
	for (size_t i = 0; i < ARRAY_COUNT(rule_delivery_names); i++)
		if ((deliveries & (1u << i)) && json_array_append_new(array, json_string(rule_delivery_names[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *digest_json(const uint8_t digest[DIGEST_BYTES])
{
	char hex[DIGEST_HEX_BYTES];
	digest_hex(digest, hex);
	return json_string(hex);
}

static json_t *binding_json(const struct rule_binding *binding, const struct rule_binding *interpreter)
{
	json_t *object = json_object();
	bool ok = set(object, "binding", json_string(rule_binding_names[binding->kind]));
	if (ok && binding->path)
		ok = set(object, "path", json_string(binding->path));
	if (ok && binding->kind == RULE_BINDING_EXACT)
		ok = set(object, "digest", digest_json(binding->digest));
	if (ok && interpreter && interpreter->kind != RULE_BINDING_ANY)
		ok = set(object, "interpreter", binding_json(interpreter, NULL));
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *script_json(const struct rule_binding *script)
{
	json_t *object = json_object();
	if (set(object, "path", json_string(script->path)) && set(object, "digest", digest_json(script->digest)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *argv_json(const struct rule *rule)
{
	json_t *object = json_object();
	bool ok = set(object, "mode", json_string(rule_argv_names[rule->argv_mode])) &&
		  (rule->argv_mode == RULE_ARGV_ANY || set(object, "arguments", list_json(&rule->arguments)));
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

static bool set_what(json_t *object, const struct rule *rule)
{
	return set(object, "id", json_string(rule->id)) &&
	       set(object, "effect", json_string(rule_effect_name(rule->effect))) &&
	       set(object, "secrets", list_json(&rule->secrets)) &&
	       set(object, "program", binding_json(&rule->program, &rule->interpreter)) &&
	       set(object, "argv", argv_json(rule)) &&
	       (rule->script.kind == RULE_BINDING_ANY || set(object, "script", script_json(&rule->script))) &&
	       (!rule->deliveries || set(object, "deliveries", deliveries_json(rule->deliveries))) &&
	       (!rule->variables.count || set(object, "variables", list_json(&rule->variables))) &&
	       (!rule->environment.count || set(object, "environment", list_json(&rule->environment))) &&
	       (!rule->directory || set(object, "directory", json_string(rule->directory)));
}

static bool set_paths(json_t *object, const char *key, const struct text_list *list)
{
	return list->count == 0 || set(object, key, list_json(list));
}

static bool set_sandbox(json_t *object, const struct rule_sandbox *sandbox)
{
	return (!sandbox->tier || set(object, "tier", json_string(sandbox_tier_name(sandbox->tier)))) &&
	       (!sandbox->network || set(object, "network", json_string(sandbox_network_name(sandbox->network)))) &&
	       set_paths(object, "read", &sandbox->readable) && set_paths(object, "write", &sandbox->writable) &&
	       set_paths(object, "endpoints", &sandbox->endpoints) &&
	       (!sandbox->is_unshielded || set(object, "shield", json_false())) &&
	       (!sandbox->is_degradable || set(object, "degrade", json_true()));
}

static bool set_conditions(json_t *object, const struct rule *rule)
{
	const struct rule_session *session = &rule->session;
	const struct rule_until *until = &rule->until;
	return set(object, "created", json_integer(rule->created)) &&
	       (!rule->made || set(object, "made", json_string(rule_made_name(rule->made)))) &&
	       (!rule->is_paired || set(object, "paired", json_true())) &&
	       (!rule->redaction || set(object, "redaction", json_true())) &&
	       (!rule->expires || set(object, "expires", json_integer(rule->expires))) &&
	       (!until->boot[0] ||
		set(object, "until", json_pack("{s:s, s:I}", "boot", until->boot, "milliseconds",
					       (json_int_t)until->milliseconds))) &&
	       (!rule->boot[0] || set(object, "boot", json_string(rule->boot))) &&
	       (!rule->is_counted || set(object, "uses", json_integer((json_int_t)rule->uses_left))) &&
	       (!session->pid ||
		set(object, "session", json_pack("{s:I, s:I}", "pid", (json_int_t)session->pid, "start",
						 (json_int_t)session->start)));
}

int rule_format(const struct rule *rule, struct buf *out, struct err *err)
{
	int r = rule_check(rule, err);
	if (r < 0)
		return r;
	json_auto_t *object = json_object();
	bool ok = set_what(object, rule) && set_conditions(object, rule) && set_sandbox(object, &rule->sandbox);
	_cleanup_free_ char *text = ok ? json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (!text)
		return err_set(err, ERR_MEMORY, "out of memory for a rule");
	if (strlen(text) > RULE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "rule %s: it is too long (%u bytes at most)", rule->id, RULE_BYTES_MAX);
	return buf_append_text(out, text, err);
}

// ----------------------------------------------------------------------------------------------------------- a set

static int id_compare(const void *a, const void *b)
{
	const struct rule *left = a, *right = b;
	return strcmp(left->id, right->id);
}

int rules_sort(struct rule_set *set, struct err *err)
{
	if (set->count > 1)
		qsort(set->rules, set->count, sizeof(set->rules[0]), id_compare);
	for (size_t i = 1; i < set->count; i++)
		if (strcmp(set->rules[i - 1].id, set->rules[i].id) == 0)
			return err_set(err, ERR_INPUT, "rule %s: the field 'id' is another rule's too",
					set->rules[i].id);
	return 0;
}

int rules_format(const struct rule_set *set, struct buf *out, struct err *err)
{
	if (set->count > RULES_COUNT_MAX)
		return err_set(err, ERR_LIMIT, "too many rules (%d at most)", RULES_COUNT_MAX);
	// The copies borrow what the rules own.
	_cleanup_free_ struct rule *copies = calloc(set->count + 1, sizeof(*copies));
	if (!copies)
		return err_set(err, ERR_MEMORY, "out of memory for rules");
	if (set->count > 0)
		memcpy(copies, set->rules, set->count * sizeof(*copies));
	struct rule_set sorted = {copies, set->count};
	int r = rules_sort(&sorted, err);
	if (r == 0)
		r = buf_append_text(out, "{\"rules\":[", err);
	for (size_t i = 0; r == 0 && i < sorted.count; i++) {
		if (i > 0)
			r = buf_append_byte(out, ',', err);
		if (r == 0)
			r = rule_format(&sorted.rules[i], out, err);
	}
	return r < 0 ? r : buf_printf(out, err, "],\"version\":%d}", RULES_VERSION);
}
