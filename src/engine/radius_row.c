#include "engine/radius_row.h"

#include <stdlib.h>

static bool is_shown(const char *text)
{
	while (*text >= 0x20 && *text <= 0x7e)
		text++;
	return *text == 0;
}

json_t *shown_json(const char *text)
{
	// Printable ASCII is what a record holds; made printable once more, its backslashes would double.
	if (!text || is_shown(text))
		return text ? json_string(text) : json_null();
	_cleanup_buf_ struct buf out = BUF_INIT(4 * AUDIT_LINE_BYTES_MAX);
	struct err err;
	return text_printable(span_text(text), &out, &err) < 0 ? NULL : json_string(buf_text(&out));
}

// What somebody writes into a log may be any number; sums stay within theirs.
void count_add(json_t *object, const char *key, json_int_t more)
{
	json_int_t sum;
	if (more > 0 && __builtin_add_overflow(json_integer_value(json_object_get(object, key)), more, &sum))
		sum = INT64_MAX;
	if (more > 0)
		json_object_set_new(object, key, json_integer(sum));
}

static bool entry_is(const json_t *entry, json_t *wanted)
{
	for (void *at = json_object_iter(wanted); at; at = json_object_iter_next(wanted, at))
		if (!json_equal(json_object_iter_value(at), json_object_get(entry, json_object_iter_key(at))))
			return false;
	return true;
}

int row_tally(json_t *row, const char *list_name, json_t *entry, json_int_t count, struct err *err)
{
	json_t *list = json_object_get(row, list_name);
	if (!entry)
		return err_memory(err);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (entry_is(json_array_get(list, i), entry)) {
			count_add(json_array_get(list, i), "count", count);
			json_decref(entry);
			return 0;
		}
	if (json_array_size(list) == RADIUS_LIST_MAX) {
		json_object_set_new(row, "more", json_true());
		json_decref(entry);
		return 0;
	}
	json_object_set_new(entry, "count", json_integer(0));
	count_add(entry, "count", count);
	return json_array_append_new(list, entry) < 0 ? err_memory(err) : 0;
}

void row_times(json_t *row, const json_t *record)
{
	json_t *time = shown_json(record_text(record, "time"));
	if (json_is_null(json_object_get(row, "first")))
		json_object_set(row, "first", time);
	json_object_set_new(row, "last", time);
}

static json_t *program_shown(const json_t *program)
{
	return json_pack("{s:o, s:o, s:o}", "path", shown_json(record_text(program, "path")), "digest",
			 shown_json(record_text(program, "digest")), "binding", shown_json(record_text(program, "binding")));
}

static json_t *program_row_new(const json_t *program)
{
	const json_t *interpreter = json_object_get(program, "interpreter");
	json_t *row = program_shown(program);
	json_t *rest = json_pack("{s:o, s:n, s:n, s:i, s:i, s:i, s:n, s:i, s:[], s:[], s:[], s:[], s:i, s:b}",
				 "interpreter", json_is_object(interpreter) ? program_shown(interpreter) : json_null(), "first",
				 "last", "runs", 0, "not_started", 0, "denied", 0, "denied_last", "killed_for_leak", 0, "actions",
				 "tiers", "deliveries", "leaks", "leak_total", 0, "more", 0);
	if (json_object_update(row, rest) < 0)
		json_decref(TAKE_PTR(row));
	json_decref(rest);
	return row;
}

// malloc'd: what makes two programs one.
static char *program_key(const json_t *program)
{
	const json_t *interpreter = json_object_get(program, "interpreter");
	json_t *parts = json_pack("[s?, s?, s?, s?]", record_text(program, "path"), record_text(program, "digest"),
				  record_text(interpreter, "path"), record_text(interpreter, "digest"));
	char *key = parts ? json_dumps(parts, JSON_COMPACT) : NULL;
	json_decref(parts);
	return key;
}

int program_row(struct radius *radius, const json_t *record, json_t **out, struct err *err)
{
	const json_t *program = json_object_get(record, "program");
	_cleanup_free_ char *key = program_key(program);
	if (!key)
		return err_memory(err);
	json_t *row = json_object_get(radius->programs, key);
	if (!row && json_object_size(radius->programs) == RADIUS_PROGRAMS_MAX) {
		radius->programs_left_out++;
		*out = NULL;
		return 0;
	}
	if (!row) {
		row = program_row_new(program);
		if (json_object_set_new(radius->programs, key, row) < 0)
			return err_memory(err);
	}
	*out = row;
	return 0;
}

int own_row(struct radius *radius, const char *reason, json_t **out, struct err *err)
{
	json_t *row = json_object_get(radius->own, reason);
	if (!row) {
		row = json_pack("{s:s, s:i, s:n, s:n, s:[], s:i, s:b}", "reason", reason, "count", 0, "first", "last", "leaks",
				"leak_total", 0, "more", 0);
		if (json_object_set_new(radius->own, reason, row) < 0)
			return err_memory(err);
	}
	*out = row;
	return 0;
}
