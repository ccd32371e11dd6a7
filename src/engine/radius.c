#include "engine/radius_row.h"

#include <stdlib.h>
#include <string.h>

// ------------------------------------------------------------------------------------------------------------- values

static bool is_wanted(const struct radius *radius, size_t value)
{
	return value < radius->wanted_end && radius->wanted[value];
}

// Whether the name has a value that is looked for: when the run began, where that is known (`held`: name -> value).
static bool name_is_wanted(const struct radius *radius, const char *name, const json_t *held)
{
	const json_t *then = name ? json_object_get(held, name) : NULL;
	const struct life_name *now = name ? life_find(&radius->life, name) : NULL;
	if (then)
		return is_wanted(radius, (size_t)json_integer_value(then));
	return now && is_wanted(radius, life_value(&radius->life, now));
}

static bool record_is_wanted(const struct radius *radius, const json_t *record, const json_t *held)
{
	const json_t *list = json_object_get(record, "secrets");
	bool wanted = name_is_wanted(radius, record_text(record, "secret"), held);
	for (size_t i = 0; !wanted && i < json_array_size(list); i++)
		wanted = name_is_wanted(radius, record_listed_name(json_array_get(list, i)), held);
	return wanted;
}

static int row_leaks(const struct radius *radius, json_t *row, const json_t *record, const json_t *held,
		     struct err *err)
{
	const json_t *list = json_object_get(record, "leaks");
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *leak = json_array_get(list, i);
		json_int_t count = json_integer_value(json_object_get(leak, "count"));
		if (!name_is_wanted(radius, record_text(leak, "secret"), held))
			continue;
		count_add(row, "leak_total", count);
		r = row_tally(row, "leaks", json_pack("{s:o, s:o}", "form", shown_json(record_text(leak, "form")), "stream",
						      shown_json(record_text(leak, "stream"))), count, err);
	}
	return r;
}

// --------------------------------------------------------------------------------------------------------------- runs

// name -> value, of all secrets of a run as it begins: a name may get another value before the run ends.
static json_t *held_json(const struct radius *radius, const json_t *record)
{
	const json_t *list = json_object_get(record, "secrets");
	json_t *held = json_object();
	for (size_t i = 0; held && i < json_array_size(list); i++) {
		const char *name = record_listed_name(json_array_get(list, i));
		const struct life_name *found = name ? life_find(&radius->life, name) : NULL;
		if (found)
			json_object_set_new(held, name, json_integer((json_int_t)life_value(&radius->life, found)));
	}
	return held;
}

static int run_open(struct radius *radius, const char *action, const json_t *record, struct err *err)
{
	if (json_array_size(radius->open) == RADIUS_OPEN_MAX)
		json_array_remove(radius->open, 0);
	json_t *run = json_pack("{s:s, s:O?, s:O?, s:I, s:o}", "action", action, "program",
				json_object_get(record, "program"), "secrets", json_object_get(record, "secrets"), "time",
				(json_int_t)record_time(record), "held", held_json(radius, record));
	return json_array_append_new(radius->open, run) < 0 ? err_memory(err) : 0;
}

static bool member_is_same(const json_t *run, const json_t *record, const char *key)
{
	const json_t *a = json_object_get(run, key), *b = json_object_get(record, key);
	return json_is_null(a) ? !b : json_equal(a, b);
}

// Of the runs that fit an outcome, the one that began when the outcome says that its own did. -1: none.
static ssize_t run_find(const struct radius *radius, const char *action, const json_t *record)
{
	int64_t began = record_time(record) - json_integer_value(json_object_get(record, "milliseconds")) / 1000;
	ssize_t best = -1;
	int64_t best_distance = INT64_MAX;
	for (size_t i = 0; i < json_array_size(radius->open); i++) {
		const json_t *run = json_array_get(radius->open, i);
		int64_t distance = llabs(json_integer_value(json_object_get(run, "time")) - began);
		if (distance <= best_distance && strcmp(record_text(run, "action"), action) == 0 &&
		    member_is_same(run, record, "program") && member_is_same(run, record, "secrets")) {
			best = (ssize_t)i;
			best_distance = distance;
		}
	}
	return best;
}

// Takes the run of an outcome off the list. What its names held when it began is for the caller to release; NULL: not
// known.
static json_t *run_close(struct radius *radius, const char *action, const json_t *record)
{
	ssize_t at = run_find(radius, action, record);
	if (at < 0)
		return NULL;
	json_t *held = json_incref(json_object_get(json_array_get(radius->open, (size_t)at), "held"));
	json_array_remove(radius->open, (size_t)at);
	return held;
}

static int row_deliveries(const struct radius *radius, json_t *row, const json_t *record, struct err *err)
{
	const json_t *list = json_object_get(record, "secrets");
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *secret = json_array_get(list, i);
		if (!name_is_wanted(radius, record_listed_name(secret), NULL))
			continue;
		json_t *entry = json_pack("{s:o, s:o, s:o}", "name", shown_json(record_listed_name(secret)), "delivery",
					  shown_json(record_text(secret, "delivery")), "variable",
					  shown_json(record_text(secret, "variable")));
		r = row_tally(row, "deliveries", entry, 1, err);
	}
	return r;
}

static int add_intent(struct radius *radius, const char *action, const json_t *record, struct err *err)
{
	// The outcome of inject is recorded only where the program did not start, and then at once.
	int r = strcmp(action, "inject") == 0 ? 0 : run_open(radius, action, record, err);
	json_t *row = NULL;
	if (r == 0 && record_is_wanted(radius, record, NULL))
		r = program_row(radius, record, &row, err);
	if (r < 0 || !row)
		return r;
	count_add(row, "runs", 1);
	row_times(row, record);
	r = row_tally(row, "actions", json_pack("{s:s}", "action", action), 1, err);
	if (r == 0)
		r = row_tally(row, "tiers", json_pack("{s:o}", "tier", shown_json(record_text(record, "tier"))), 1, err);
	return r == 0 ? row_deliveries(radius, row, record, err) : r;
}

static int add_outcome(struct radius *radius, const char *action, const json_t *record, struct err *err)
{
	json_t *held = run_close(radius, action, record);
	json_t *row = NULL;
	int r = record_is_wanted(radius, record, held) ? program_row(radius, record, &row, err) : 0;
	if (r == 0 && row) {
		count_add(row, "not_started", record_text(record, "error") ? 1 : 0);
		count_add(row, "killed_for_leak", json_is_true(json_object_get(record, "killed_for_leak")) ? 1 : 0);
		r = row_leaks(radius, row, record, held, err);
	}
	json_decref(held);
	return r;
}

static int add_denied(struct radius *radius, const char *action, const json_t *record, struct err *err)
{
	json_t *row = NULL;
	(void)action;
	int r = record_is_wanted(radius, record, NULL) ? program_row(radius, record, &row, err) : 0;
	if (r == 0 && row) {
		count_add(row, "denied", 1);
		json_object_set_new(row, "denied_last", shown_json(record_text(record, "time")));
	}
	return r;
}

typedef int stage_fn(struct radius *radius, const char *action, const json_t *record, struct err *err);

static int add_run(struct radius *radius, const char *kind, const json_t *record, struct err *err)
{
	static const char *const actions[] = {"run", "inject", "pipe"};
	static const struct {
		const char *name;
		stage_fn *add;
	} stages[] = {{".intent", add_intent}, {".outcome", add_outcome}, {".denied", add_denied}};
	for (size_t i = 0; i < ARRAY_COUNT(actions); i++)
		for (size_t j = 0; j < ARRAY_COUNT(stages); j++)
			if (span_has_prefix(span_text(kind), span_text(actions[i])) &&
			    strcmp(kind + strlen(actions[i]), stages[j].name) == 0)
				return stages[j].add(radius, actions[i], record, err);
	return 0;
}

// --------------------------------------------------------------------------------------------------- opened by envseal

static int add_stream_end(struct radius *radius, const json_t *record, struct err *err)
{
	json_t *held = run_close(radius, "redact", record);
	json_t *row = NULL;
	int r = record_is_wanted(radius, record, held) ? own_row(radius, "redact", &row, err) : 0;
	if (r == 0 && row)
		r = row_leaks(radius, row, record, held, err);
	json_decref(held);
	return r;
}

// What a rollback opens is the earlier version; every other record is about the value of its name.
static bool opening_is_wanted(const struct radius *radius, const json_t *record)
{
	const char *name = record_text(record, "secret"), *kind = record_text(record, "kind");
	const struct life_name *found = name ? life_find(&radius->life, name) : NULL;
	if (strcmp(kind, "secret.rollback") != 0 || !found)
		return record_is_wanted(radius, record, NULL);
	return is_wanted(radius, life_value_of_version(&radius->life, found, record_version(record, "from")));
}

static const char *opening_reason(const char *kind)
{
	static const char *const reasons[] = {"confirm", "copy", "coverage", "health", "rename", "rollback", "verify"};
	struct span prefix = SPAN_LITERAL("secret.");
	if (strcmp(kind, "redact.intent") == 0)
		return "redact";
	for (size_t i = 0; i < ARRAY_COUNT(reasons) && span_has_prefix(span_text(kind), prefix); i++)
		if (strcmp(kind + prefix.len, reasons[i]) == 0)
			return reasons[i];
	return NULL;
}

static int add_opening(struct radius *radius, const char *kind, const json_t *record, struct err *err)
{
	const char *reason = opening_reason(kind);
	json_t *row;
	if (reason && json_integer_value(json_object_get(record, "secrets_left_out")) > 0)
		radius->names_left_out++;
	if (!reason || !opening_is_wanted(radius, record))
		return 0;
	int r = own_row(radius, reason, &row, err);
	if (r < 0)
		return r;
	count_add(row, "count", 1);
	row_times(row, record);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- whole

int radius_init(struct radius *radius, const struct life_history *history, const struct life_name *name, bool all,
		struct err *err)
{
	const struct life *life = &history->life;
	*radius = (struct radius){.history = history, .wanted_end = life_value_end(life), .programs = json_object(),
				  .own = json_object(), .open = json_array()};
	radius->wanted = calloc(radius->wanted_end, sizeof(*radius->wanted));
	int r = life_init(&radius->life, err);
	if (r < 0 || !radius->wanted || !radius->programs || !radius->own || !radius->open) {
		radius_done(radius);
		return err_memory(err);
	}
	radius->wanted[life_value(life, name)] = true;
	name = life_now(life, name);
	for (size_t i = 0; all && i < name->held_count; i++)
		radius->wanted[name->held[i].value] = true;
	return 0;
}

void radius_done(struct radius *radius)
{
	life_done(&radius->life);
	free(radius->wanted);
	json_decref(radius->programs);
	json_decref(radius->own);
	json_decref(radius->open);
	*radius = (struct radius){0};
}

int radius_add(struct radius *radius, json_t *record, struct err *err)
{
	const char *kind = record_text(record, "kind");
	if (!kind || json_integer_value(json_object_get(record, "seq")) > (json_int_t)radius->history->last)
		return 0;
	// What a change opened has its number after it as well.
	int r = life_add(&radius->life, &radius->history->voids, record, err);
	if (r == 0)
		r = add_opening(radius, kind, record, err);
	if (r == 0 && strcmp(kind, "redact.intent") == 0)
		r = run_open(radius, "redact", record, err);
	if (r == 0 && strcmp(kind, "redact.outcome") == 0)
		r = add_stream_end(radius, record, err);
	return r == 0 ? add_run(radius, kind, record, err) : r;
}

static json_t *values_json(json_t *object)
{
	json_t *array = json_array();
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
		json_array_append(array, json_object_iter_value(at));
	return array;
}

json_t *radius_json(const struct radius *radius)
{
	return json_pack("{s:o, s:I, s:o}", "programs", values_json(radius->programs), "programs_left_out",
			 (json_int_t)radius->programs_left_out, "opened", values_json(radius->own));
}
