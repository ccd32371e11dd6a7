#include "engine/precedent.h"

#include "engine/record.h"

#include <stdio.h>
#include <string.h>

struct search {
	json_t *fields; // of the record that this run would have
	struct precedent *found;
};

static bool is_same(const json_t *record, const json_t *fields, const char *key)
{
	const json_t *value = json_object_get(record, key);
	return value && json_equal(value, json_object_get(fields, key));
}

static bool is_changed(const json_t *then, const json_t *now)
{
	return !is_same(then, now, "digest");
}

static int record_take(void *context, json_t *record)
{
	struct search *search = context;
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *time = json_string_value(json_object_get(record, "time"));
	const char *effect = json_string_value(json_object_get(json_object_get(record, "decision"), "effect"));
	if (!kind || !time || !strstr(kind, ".intent") || !is_same(record, search->fields, "secrets") ||
	    !is_same(record, search->fields, "argv_digest") || !is_same(record, search->fields, "directory"))
		return 0;
	const json_t *then = json_object_get(record, "program"), *now = json_object_get(search->fields, "program");
	const json_t *run_by_then = json_object_get(then, "interpreter"), *run_by_now = json_object_get(now, "interpreter");
	struct precedent found = {.was_allowed = effect && strcmp(effect, rule_effect_name(RULE_ALLOW)) == 0,
				  .program_changed = is_changed(then, now),
				  .interpreter_changed = (run_by_then || run_by_now) && is_changed(run_by_then, run_by_now)};
	snprintf(found.when, sizeof(found.when), "%s", time);
	*search->found = found;
	return 0;
}

void precedent_find(struct engine *engine, const struct plan *plan, struct precedent *out)
{
	_cleanup_audit_ struct audit *audit = NULL;
	struct err ignored;
	struct audit_filter filter = {.kind = engine_action_name(plan->action), .program = plan->program->path,
				      .since = clock_now() - PRECEDENT_DAYS * INT64_C(86400)};
	struct precedent found = {0};
	struct search search = {.fields = plan_json(plan, NULL), .found = &found};
	if (search.fields && audit_open_existing(engine->home.state_dir, &audit, &ignored) == 0)
		audit_query(audit, &filter, record_take, &search, &ignored);
	json_decref(search.fields);
	*out = found;
}
