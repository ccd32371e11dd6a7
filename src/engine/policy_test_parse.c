#include "engine/policy_test.h"

#include <stdlib.h>
#include <string.h>

static int refuse(struct err *err, const char *field, const char *what)
{
	return err_set(err, ERR_INPUT, "the field '%s' %s", field, what);
}

static int out_of_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory for a case");
}

// An object with these members and no other; both lists end with NULL.
static int object_check(json_t *json, const char *field, const char *const required[], const char *const optional[],
			struct err *err)
{
	const char *key;
	json_t *value;
	char brief[64];
	if (!json_is_object(json))
		return refuse(err, field, "must be an object");
	for (size_t i = 0; required[i]; i++)
		if (!json_object_get(json, required[i]))
			return err_set(err, ERR_INPUT, "the field '%s' of '%s' is missing", required[i], field);
	json_object_foreach(json, key, value) {
		bool is_known = false;
		for (size_t i = 0; required[i]; i++)
			is_known = is_known || strcmp(required[i], key) == 0;
		for (size_t i = 0; optional[i]; i++)
			is_known = is_known || strcmp(optional[i], key) == 0;
		if (!is_known)
			return err_set(err, ERR_INPUT, "the field '%s' holds '%s', which is not known", field,
				       text_brief(span_text(key), brief, sizeof(brief)));
	}
	return 0;
}

static int text_read(json_t *json, const char *field, size_t bytes_max, const char **out, struct err *err)
{
	if (!json_is_string(json))
		return refuse(err, field, "must be text");
	if (json_string_length(json) > bytes_max)
		return err_set(err, ERR_LIMIT, "the field '%s' is too long (%zu bytes at most)", field, bytes_max);
	*out = json_string_value(json);
	return 0;
}

static int list_check(json_t *json, const char *field, size_t most, struct err *err)
{
	if (!json_is_array(json))
		return refuse(err, field, "must be a list");
	if (json_array_size(json) > most)
		return err_set(err, ERR_LIMIT, "the field '%s' has too many members (%zu at most)", field, most);
	return 0;
}

static int word_read(json_t *json, const char *field, const char *const words[], size_t count, size_t *out,
		     struct err *err)
{
	for (size_t i = 0; json_is_string(json) && i < count; i++)
		if (strcmp(words[i], json_string_value(json)) == 0) {
			*out = i;
			return 0;
		}
	return refuse(err, field, "is none of the words that it may be (docs/format-policy.md)");
}

static int number_read(json_t *json, const char *field, int64_t most, int64_t *out, struct err *err)
{
	if (!json_is_integer(json) || json_integer_value(json) < 1 || json_integer_value(json) > most)
		return err_set(err, ERR_INPUT, "the field '%s' must be a whole number from 1 to %lld", field,
			       (long long)most);
	*out = json_integer_value(json);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- secrets

static int tags_read(json_t *json, struct policy_case *item, size_t *used, struct policy_secret *secret,
		     struct err *err)
{
	int r = json ? list_check(json, "tags", POLICY_CASE_TAGS_MAX, err) : 0;
	secret->tags = item->tags + *used;
	secret->tag_count = json_array_size(json);
	for (size_t i = 0; r == 0 && i < secret->tag_count; i++)
		r = text_read(json_array_get(json, i), "tags", RULE_PATTERN_BYTES_MAX, &item->tags[(*used)++], err);
	return r;
}

static int delivery_read(json_t *json, struct policy_secret *secret, struct err *err)
{
	json_t *variable = json_object_get(json, "variable");
	size_t choice = 0;
	int r = word_read(json_object_get(json, "delivery"), "delivery", rule_delivery_names, RULE_DELIVERY_COUNT,
			  &choice, err);
	if (r < 0)
		return r;
	secret->delivery = (enum rule_delivery)(1u << choice);
	if ((secret->delivery == RULE_TO_STDIN) != !variable)
		return refuse(err, "variable", "must stand beside 'variable' and 'file', and not beside 'stdin'");
	if (!variable)
		return 0;
	r = text_read(variable, "variable", RULE_PATTERN_BYTES_MAX, &secret->variable, err);
	if (r == 0 && !variable_is_valid(span_text(secret->variable)))
		return refuse(err, "variable", "is no name of a variable");
	return r;
}

static int secret_read(json_t *json, struct policy_case *item, size_t *used, struct policy_secret *secret,
		       struct err *err)
{
	static const char *const required[] = {"name", "delivery", NULL};
	static const char *const optional[] = {"tags", "variable", NULL};
	int r = object_check(json, "secrets", required, optional, err);
	if (r == 0)
		r = text_read(json_object_get(json, "name"), "name", NAME_BYTES_MAX, &secret->name, err);
	if (r == 0 && !name_is_valid(span_text(secret->name)))
		return refuse(err, "name", "is no name that a secret can have");
	if (r == 0)
		r = tags_read(json_object_get(json, "tags"), item, used, secret, err);
	return r < 0 ? r : delivery_read(json, secret, err);
}

static int secrets_read(json_t *json, struct policy_case *item, struct err *err)
{
	size_t tags = 0, used = 0, i;
	json_t *secret;
	int r = list_check(json, "secrets", POLICY_CASE_SECRETS_MAX, err);
	if (r == 0 && json_array_size(json) == 0)
		return refuse(err, "secrets", "is empty");
	if (r < 0)
		return r;
	json_array_foreach(json, i, secret)
		tags += json_array_size(json_object_get(secret, "tags"));
	item->secrets = calloc(json_array_size(json), sizeof(*item->secrets));
	item->request.secrets = item->secrets;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	item->tags = calloc(tags + 1, sizeof(*item->tags));
	if (!item->secrets || !item->tags)
		return out_of_memory(err);
	item->request.secret_count = json_array_size(json);
	for (i = 0; r == 0 && i < item->request.secret_count; i++)
		r = secret_read(json_array_get(json, i), item, &used, &item->secrets[i], err);
	return r;
}

// ------------------------------------------------------------------------------------------------------------- program

static int path_read(json_t *json, const char *field, const char **out, struct err *err)
{
	int r = text_read(json, field, RULE_PATH_BYTES_MAX, out, err);
	return r == 0 && (*out)[0] != '/' ? refuse(err, field, "must be an absolute path") : r;
}

static int binding_read(json_t *json, struct program *out, struct err *err)
{
	static const char *const words[] = {"system", "copy", "by-path"};
	size_t choice = 0;
	struct err ignored;
	const char *digest = json_string_value(json_object_get(json, "digest")), *path = NULL;
	int r = path_read(json_object_get(json, "path"), "path", &path, err);
	if (r == 0)
		r = word_read(json_object_get(json, "binding"), "binding", words, ARRAY_COUNT(words), &choice, err);
	if (r < 0)
		return r;
	out->path = strdup(path);
	if (!out->path)
		return out_of_memory(err);
	out->is_system = choice == 0;
	out->is_by_path = choice == 2;
	out->fd = -1;
	if (!digest || digest_parse_hex(span_text(digest), out->digest, &ignored) < 0)
		return refuse(err, "digest", "must be 64 lower-case hex digits");
	return 0;
}

static int program_read(json_t *json, struct policy_case *item, struct err *err)
{
	static const char *const required[] = {"path", "binding", "digest", NULL};
	static const char *const optional[] = {"interpreter", NULL}, *const none[] = {NULL};
	json_t *interpreter = json_object_get(json, "interpreter");
	int r = object_check(json, "program", required, optional, err);
	if (r == 0)
		r = binding_read(json, &item->program, err);
	if (r == 0 && interpreter) {
		r = object_check(interpreter, "interpreter", required, none, err);
		if (r == 0)
			r = binding_read(interpreter, &item->interpreter, err);
		item->program.interpreter = &item->interpreter;
	}
	return r;
}

static int argv_read(json_t *json, struct policy_case *item, struct err *err)
{
	int r = list_check(json, "argv", POLICY_CASE_ARGUMENTS_MAX, err);
	if (r == 0 && json_array_size(json) == 0)
		return refuse(err, "argv", "is empty");
	if (r < 0)
		return r;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	item->argv = calloc(json_array_size(json) + 1, sizeof(*item->argv));
	item->request.argv = item->argv;
	for (size_t i = 0; item->argv && i < json_array_size(json); i++) {
		json_t *argument = json_array_get(json, i);
		if (!json_is_string(argument))
			return refuse(err, "argv", "must hold text");
		item->argv[i] = strdup(json_string_value(argument));
		if (!item->argv[i])
			return out_of_memory(err);
	}
	return item->argv ? 0 : out_of_memory(err);
}

// ---------------------------------------------------------------------------------------------------------- conditions

static int script_read(json_t *json, struct policy_case *item, struct err *err)
{
	static const char *const required[] = {"path", "digest", NULL}, *const none[] = {NULL};
	struct err ignored;
	const char *digest = json_string_value(json_object_get(json, "digest"));
	int r = object_check(json, "script", required, none, err);
	if (r == 0)
		r = path_read(json_object_get(json, "path"), "path", &item->request.script_path, err);
	if (r == 0 && (!digest || digest_parse_hex(span_text(digest), item->script_digest, &ignored) < 0))
		return refuse(err, "digest", "must be 64 lower-case hex digits");
	item->request.script_digest = item->script_digest;
	return r;
}

static int kept_read(json_t *json, struct policy_case *item, struct err *err)
{
	int r = list_check(json, "kept", POLICY_CASE_KEPT_MAX, err);
	if (r < 0)
		return r;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	item->kept = calloc(json_array_size(json) + 1, sizeof(*item->kept));
	if (!item->kept)
		return out_of_memory(err);
	item->request.kept = item->kept;
	item->request.kept_count = json_array_size(json);
	for (size_t i = 0; r == 0 && i < item->request.kept_count; i++)
		r = text_read(json_array_get(json, i), "kept", RULE_PATTERN_BYTES_MAX, &item->kept[i], err);
	return r;
}

static int flag_read(json_t *json, const char *field, bool *out, struct err *err)
{
	if (!json_is_boolean(json))
		return refuse(err, field, "must be true or false");
	*out = json_is_true(json);
	return 0;
}

// What the run has that is neither program nor secret.
static int surroundings_read(json_t *json, struct policy_case *item, struct err *err)
{
	json_t *script = json_object_get(json, "script"), *unread = json_object_get(json, "script_unread");
	json_t *kept = json_object_get(json, "kept"), *redaction = json_object_get(json, "redaction");
	int r = script ? script_read(script, item, err) : 0;
	if (r == 0 && unread)
		r = flag_read(unread, "script_unread", &item->request.script_is_unread, err);
	if (r == 0 && kept)
		r = kept_read(kept, item, err);
	item->request.redaction = true;
	return r == 0 && redaction ? flag_read(redaction, "redaction", &item->request.redaction, err) : r;
}

static int session_read(json_t *json, struct policy_case *item, struct err *err)
{
	static const char *const required[] = {"pid", "start", NULL}, *const none[] = {NULL};
	int64_t start = 0;
	int r = object_check(json, "session", required, none, err);
	if (r == 0)
		r = number_read(json_object_get(json, "pid"), "pid", RULE_PID_MAX, &item->request.session.pid, err);
	if (r == 0)
		r = number_read(json_object_get(json, "start"), "start", INT64_MAX, &start, err);
	item->request.session.start = (uint64_t)start;
	return r;
}

// ---------------------------------------------------------------------------------------------------------- the sandbox

static int tier_read(json_t *json, struct policy_case *item, struct err *err)
{
	const char *const words[] = {sandbox_tier_name(SANDBOX_STANDARD), sandbox_tier_name(SANDBOX_HARDENED),
				     sandbox_tier_name(SANDBOX_LOCKDOWN)};
	size_t tier = 0;
	int r = word_read(json, "tier", words, ARRAY_COUNT(words), &tier, err);
	item->request.names_tier = true;
	item->sandbox.tier = (enum sandbox_tier)tier;
	return r;
}

static int network_read(json_t *json, struct policy_case *item, struct err *err)
{
	const char *const words[] = {sandbox_network_name(SANDBOX_NETWORK_NONE), sandbox_network_name(SANDBOX_NETWORK_LOOPBACK),
				     sandbox_network_name(SANDBOX_NETWORK_ALLOW)};
	size_t network = 0;
	int r = word_read(json, "network", words, ARRAY_COUNT(words), &network, err);
	item->sandbox.network = (enum sandbox_network)(SANDBOX_NETWORK_NONE + network);
	return r;
}

static int openings_read(json_t *json, const char *field, size_t most, bool is_path, struct text_list *out, struct err *err)
{
	const char *text = NULL;
	int r = json ? list_check(json, field, most, err) : 0;
	for (size_t i = 0; r == 0 && i < json_array_size(json); i++) {
		json_t *member = json_array_get(json, i);
		r = is_path ? path_read(member, field, &text, err) : text_read(member, field, RULE_PATTERN_BYTES_MAX, &text, err);
		if (r == 0)
			r = text_list_append(out, text, err);
	}
	return r;
}

static int sandbox_read(json_t *json, struct policy_case *item, struct err *err)
{
	json_t *tier = json_object_get(json, "tier"), *network = json_object_get(json, "network");
	json_t *shield = json_object_get(json, "shield"), *degrade = json_object_get(json, "degrade");
	struct rule_sandbox *sandbox = &item->sandbox;
	bool is_shielded = true;
	int r = tier ? tier_read(tier, item, err) : 0;
	if (r == 0 && network)
		r = network_read(network, item, err);
	if (r == 0)
		r = openings_read(json_object_get(json, "read"), "read", SANDBOX_PATHS_MAX, true, &sandbox->readable, err);
	if (r == 0)
		r = openings_read(json_object_get(json, "write"), "write", SANDBOX_PATHS_MAX, true, &sandbox->writable, err);
	if (r == 0)
		r = openings_read(json_object_get(json, "endpoints"), "endpoints", SANDBOX_ENDPOINTS_MAX, false,
				  &sandbox->endpoints, err);
	if (r == 0 && shield)
		r = flag_read(shield, "shield", &is_shielded, err);
	sandbox->is_unshielded = !is_shielded;
	return r == 0 && degrade ? flag_read(degrade, "degrade", &sandbox->is_degradable, err) : r;
}

static int conditions_read(json_t *json, struct policy_case *item, struct err *err)
{
	json_t *boottime = json_object_get(json, "boottime");
	json_t *now = json_object_get(json, "now"), *boot = json_object_get(json, "boot");
	json_t *session = json_object_get(json, "session");
	int r = sandbox_read(json, item, err);
	if (r == 0 && boottime)
		r = number_read(boottime, "boottime", RULE_MILLISECONDS_MAX, &item->request.boottime_ms, err);
	if (r == 0 && now)
		r = number_read(now, "now", RULE_TIME_MAX, &item->request.now, err);
	if (r == 0 && boot)
		r = text_read(boot, "boot", RULE_BOOT_BYTES, &item->request.boot, err);
	return r == 0 && session ? session_read(session, item, err) : r;
}

static int expectation_read(json_t *json, struct policy_case *item, struct err *err)
{
	const char *const words[] = {rule_effect_name(RULE_ASK), rule_effect_name(RULE_ALLOW),
				     rule_effect_name(RULE_DENY)};
	json_t *rule = json_object_get(json, "rule");
	size_t expect = 0;
	int r = word_read(json_object_get(json, "expect"), "expect", words, ARRAY_COUNT(words), &expect, err);
	item->expect = (enum rule_effect)expect;
	return r == 0 && rule ? text_read(rule, "rule", RULE_ID_BYTES_MAX, &item->rule, err) : r;
}

// ---------------------------------------------------------------------------------------------------------------- file

static int case_read(json_t *json, struct policy_case *item, struct err *err)
{
	static const char *const required[] = {"name", "secrets", "program", "argv", "directory", "expect", NULL};
	static const char *const optional[] = {"script", "script_unread", "kept", "tier", "read", "write", "network",
					      "endpoints", "shield", "degrade", "redaction", "now", "boottime", "boot",
					      "session", "rule", NULL};
	const char *directory = NULL;
	item->request.program = &item->program;
	item->request.sandbox = &item->sandbox;
	item->request.uses = 1;
	int r = object_check(json, "cases", required, optional, err);
	if (r == 0)
		r = text_read(json_object_get(json, "name"), "name", POLICY_CASE_NAME_BYTES_MAX, &item->name, err);
	if (r == 0)
		r = secrets_read(json_object_get(json, "secrets"), item, err);
	if (r == 0)
		r = program_read(json_object_get(json, "program"), item, err);
	if (r == 0)
		r = argv_read(json_object_get(json, "argv"), item, err);
	if (r == 0)
		r = path_read(json_object_get(json, "directory"), "directory", &directory, err);
	if (r == 0)
		r = surroundings_read(json, item, err);
	if (r == 0)
		r = conditions_read(json, item, err);
	item->request.directory = directory;
	return r < 0 ? r : expectation_read(json, item, err);
}

static int cases_read(json_t *json, struct policy_cases *cases, struct err *err)
{
	int r = list_check(json, "cases", POLICY_CASES_MAX, err);
	if (r < 0)
		return r;
	cases->items = calloc(json_array_size(json) + 1, sizeof(*cases->items));
	if (!cases->items)
		return out_of_memory(err);
	for (size_t i = 0; r == 0 && i < json_array_size(json); i++) {
		cases->count++;
		r = case_read(json_array_get(json, i), &cases->items[i], err);
		if (r < 0)
			return err_prefix(err, "case %zu", i + 1);
	}
	return r;
}

static int rules_read(json_t *json, struct policy_cases *cases, struct err *err)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_COMPACT);
	if (!text)
		return out_of_memory(err);
	cases->has_rules = true;
	return rules_parse(span_text(text), &cases->rules, err);
}

void policy_cases_done(struct policy_cases *cases)
{
	for (size_t i = 0; i < cases->count; i++) {
		struct policy_case *item = &cases->items[i];
		for (size_t j = 0; item->argv && item->argv[j]; j++)
			free(item->argv[j]);
		free(item->argv);
		free(item->secrets);
		free(item->tags);
		free(item->kept);
		free(item->program.path);
		free(item->interpreter.path);
		rule_sandbox_done(&item->sandbox);
	}
	free(cases->items);
	rules_done(&cases->rules);
	json_decref(cases->json);
	*cases = (struct policy_cases){0};
}

int policy_cases_parse(struct span text, struct policy_cases *out, struct err *err)
{
	static const char *const required[] = {"version", "cases", NULL}, *const optional[] = {"rules", NULL};
	json_error_t error = {0};
	char brief[120];
	out->json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!out->json)
		return err_set(err, ERR_INPUT, "line %d, column %d: %s", error.line, error.column,
			       text_brief(span_text(error.text), brief, sizeof(brief)));
	json_t *rules = json_object_get(out->json, "rules");
	int r = object_check(out->json, "of the whole", required, optional, err);
	if (r == 0 && json_integer_value(json_object_get(out->json, "version")) != 1)
		return refuse(err, "version", "is not 1; these cases are for another version of envseal");
	if (r == 0 && rules)
		r = rules_read(rules, out, err);
	return r < 0 ? r : cases_read(json_object_get(out->json, "cases"), out, err);
}
