#include "engine/precedent.h"

#include "engine/record.h"

#include <stdio.h>
#include <string.h>

struct search {
	json_t *fields; // of the record that this run would have
	struct precedent *found;
	char kind[32];
};

static bool is_same(const json_t *record, const json_t *fields, const char *key)
{
	const json_t *value = json_object_get(record, key);
	return value && json_equal(value, json_object_get(fields, key));
}

// The digest of a large system file may not be known yet.
static bool is_changed(const json_t *then, const json_t *now)
{
	const json_t *digest_then = json_object_get(then, "digest"), *digest_now = json_object_get(now, "digest");
	return digest_then && digest_now && !json_equal(digest_then, digest_now);
}

static bool member_is_changed(const json_t *then, const json_t *now, const char *key)
{
	return is_changed(json_object_get(then, key), json_object_get(now, key));
}

static bool is_like(const json_t *record, const json_t *fields)
{
	return is_same(record, fields, "secrets") && is_same(record, fields, "argv_digest") && is_same(record, fields, "directory");
}

// By a rule, or by an answer that made one.
static bool is_allowed(const json_t *decision)
{
	const char *effect = json_string_value(json_object_get(decision, "effect"));
	return (effect && strcmp(effect, rule_effect_name(RULE_ALLOW)) == 0) || json_object_get(decision, "made");
}

static void run_take(const json_t *record, const char *time, struct search *search)
{
	const json_t *then = json_object_get(record, "program"), *now = json_object_get(search->fields, "program");
	struct precedent *found = search->found;
	if (!is_like(record, search->fields) || !is_same(then, now, "path"))
		return;
	found->was_allowed = is_allowed(json_object_get(record, "decision"));
	found->program_changed = is_changed(then, now);
	found->interpreter_changed = member_is_changed(then, now, "interpreter");
	found->script_changed = member_is_changed(record, search->fields, "script");
	snprintf(found->when, sizeof(found->when), "%s", time);
}

static int record_take(void *context, json_t *record)
{
	struct search *search = context;
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *time = json_string_value(json_object_get(record, "time"));
	const char *level = json_string_value(json_object_get(json_object_get(record, "new"), "level"));
	if (kind && level && strcmp(kind, "security.set") == 0)
		security_level_parse(level, &search->found->level);
	if (kind && time && strcmp(kind, search->kind) == 0)
		run_take(record, time, search);
	return 0;
}

void precedent_find(struct engine *engine, const struct plan *plan, struct precedent *out)
{
	_cleanup_audit_ struct audit *audit = NULL;
	struct err ignored;
	struct precedent found = {0};
	struct search search = {.fields = plan_json(plan, NULL), .found = &found};
	snprintf(search.kind, sizeof(search.kind), "%s.intent", engine_action_name(plan->action));
	if (search.fields && audit_open_existing(engine->home.state_dir, &audit, &ignored) == 0)
		audit_query(audit, NULL, record_take, &search, &ignored);
	json_decref(search.fields);
	*out = found;
}
