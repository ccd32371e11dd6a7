#include "audit/audit_internal.h"

#include <string.h>

struct query {
	const struct audit_filter *filter;
	int (*each)(void *context, json_t *record);
	void *context;
};

static bool text_is(const json_t *value, const char *wanted)
{
	const char *text = json_string_value(value);
	return text && strcmp(text, wanted) == 0;
}

static bool record_has_secret(json_t *record, const char *name)
{
	// A secret's life begins with the record that gave it its name: renames and copies have it as "to".
	if (text_is(json_object_get(record, "secret"), name) || text_is(json_object_get(record, "to"), name))
		return true;
	size_t i;
	json_t *member;
	json_array_foreach(json_object_get(record, "secrets"), i, member)
		if (text_is(member, name) || text_is(json_object_get(member, "name"), name))
			return true;
	return false;
}

static bool record_has_program(json_t *record, const char *program)
{
	json_t *member = json_object_get(record, "program");
	const char *path = json_string_value(json_is_object(member) ? json_object_get(member, "path") : member);
	if (!path)
		return false;
	return strcmp(path, program) == 0 || strcmp(path_base(path), program) == 0;
}

static bool kind_is_of(struct span kind, const char *wanted)
{
	struct span prefix = span_text(wanted);
	return span_has_prefix(kind, prefix) && (kind.len == prefix.len || kind.data[prefix.len] == '.');
}

// By what can be told without parsing the whole line.
static bool head_is_wanted(const struct record *scanned, const struct audit_filter *filter)
{
	return (!filter->after || scanned->number > filter->after->count) &&
	       (filter->since == 0 || scanned->time_s >= filter->since) &&
	       (filter->until == 0 || scanned->time_s <= filter->until) &&
	       (!filter->kind || kind_is_of(scanned->kind, filter->kind));
}

static bool record_is_wanted(json_t *record, const struct audit_filter *filter)
{
	return (!filter->secret || record_has_secret(record, filter->secret)) &&
	       (!filter->program || record_has_program(record, filter->program));
}

static int query_line(void *context, const struct place *place, struct span line, struct err *err)
{
	const struct query *query = context;
	struct record scanned;
	const char *reason = record_scan(line, &scanned);
	json_t *record = reason ? NULL : record_parse(line);
	reason = record || reason ? reason : "it is not valid JSON";
	if (reason && place->line == 0)
		return err_set(err, ERR_DAMAGED, "%s: %s", place->file, reason);
	if (reason)
		return err_set(err, ERR_DAMAGED, "%s line %llu: %s", place->file, (unsigned long long)place->line, reason);
	int r = head_is_wanted(&scanned, query->filter) && record_is_wanted(record, query->filter) ? query->each(query->context, record) : 0;
	json_decref(record);
	return r;
}

int audit_query(struct audit *audit, const struct audit_filter *filter, int (*each)(void *context, json_t *record),
		void *context, struct err *err)
{
	static const struct audit_filter everything;
	struct query query = {.filter = filter ? filter : &everything, .each = each, .context = context};
	_cleanup_snapshot_ struct snapshot snapshot = SNAPSHOT_INIT;
	int r = snapshot_take(audit, &snapshot, err);
	if (r < 0)
		return r;
	const struct audit_head *after = query.filter->after;
	size_t index = after ? snapshot_find(&snapshot, after->count) : 0;
	uint64_t offset = after && snapshot_hint_is_right(audit, &snapshot, index, after) ? after->file_offset : 0;
	return snapshot_walk(audit, &snapshot, index, offset, query_line, &query, err);
}
