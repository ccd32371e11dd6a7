#include "engine/radius.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine_internal.h"

// What vault and log say of the name.
struct facts {
	const char *name;
	const struct life_name *asked; // of the history
	const struct life_name *now;   // the same, or what it was renamed to
	struct vault_entry entry;      // of `now`
	bool exists;
	int64_t stored; // when the vault stored its current version
	struct life_origin origin;
	struct engine_audit_report log;
};

#define SENTENCE_BYTES_MAX 8192

static void say(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(json_t *list, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	json_array_append_new(list, json_vsprintf(format, args));
	va_end(args);
}

// A name as text that can be printed; names in a log are not always such as the vault would take.
static const char *name_shown(const char *name, char out[4 * NAME_BYTES_MAX])
{
	return text_brief(span_text(name), out, 4 * NAME_BYTES_MAX);
}

static json_t *time_json(int64_t seconds)
{
	char text[CLOCK_TEXT_BYTES];
	clock_format(seconds, text);
	return seconds == 0 ? json_null() : json_string(text);
}

// -------------------------------------------------------------------------------------------------------------- notes

static void note_name(json_t *notes, const struct facts *facts)
{
	char shown[4 * NAME_BYTES_MAX], when[CLOCK_TEXT_BYTES];
	if (facts->asked->state == LIFE_RENAMED) {
		clock_format(facts->asked->ended, when);
		say(notes, "%s was renamed at %s; it is %s now", facts->name, when, name_shown(facts->now->name, shown));
	}
	name_shown(facts->now->name, shown);
	clock_format(facts->now->ended, when);
	if (facts->exists && facts->entry.version > 0)
		return;
	if (facts->exists)
		say(notes, "%s has no confirmed value; what waits to be confirmed was given to nobody", shown);
	else if (facts->now->state == LIFE_REMOVED)
		say(notes, "%s was removed at %s; this is about the value that it had last", shown, when);
	else
		say(notes, "%s is not in the vault, and the log does not tell what became of it", shown);
}

static uint32_t version_told(const struct life_name *name)
{
	return name->held_count > 0 ? name->held[name->held_count - 1].version : 0;
}

static void note_log(json_t *notes, const struct facts *facts, const struct life_history *history)
{
	char when[CLOCK_TEXT_BYTES];
	uint32_t told = version_told(facts->now);
	clock_format(history->begins, when);
	if (facts->origin.record == 0)
		say(notes, "no record tells when the value was stored: the log begins at %s, what happened before is not known",
		    when);
	clock_format(history->accepted.time, when);
	if (history->accepted.record > facts->origin.record)
		say(notes, "the log was accepted as it was at %s: records from before may be missing", when);
	if (facts->exists && told > 0 && facts->entry.version > 0 && told != facts->entry.version)
		say(notes, "the vault has version %u, the log tells of version %u last: this may be about another value",
		    facts->entry.version, told);
}

static void note_limits(json_t *notes, const struct radius *radius)
{
	if (radius->names_left_out > 0)
		say(notes, "%llu records of the log do not tell all their secrets; this one may be among them",
		    (unsigned long long)radius->names_left_out);
	if (radius->programs_left_out > 0)
		say(notes, "only the first %d programs are listed; %llu records are about others", RADIUS_PROGRAMS_MAX,
		    (unsigned long long)radius->programs_left_out);
}

static json_t *notes_json(const struct facts *facts, const struct life_history *history, const struct radius *radius)
{
	json_t *notes = json_array();
	note_name(notes, facts);
	note_log(notes, facts, history);
	note_limits(notes, radius);
	return notes;
}

// ---------------------------------------------------------------------------------------------------------- checklist

struct sums {
	size_t programs; // that got the value
	json_int_t leaks;
	json_int_t injected;
};

static json_int_t member_count(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static struct sums sums_of(const json_t *programs)
{
	struct sums sums = {0};
	for (size_t i = 0; i < json_array_size(programs); i++) {
		const json_t *row = json_array_get(programs, i), *actions = json_object_get(row, "actions");
		sums.programs += member_count(row, "runs") > member_count(row, "not_started");
		sums.leaks += member_count(row, "leak_total") > 0;
		for (size_t j = 0; j < json_array_size(actions); j++) {
			const char *action = json_string_value(json_object_get(json_array_get(actions, j), "action"));
			sums.injected += action && strcmp(action, "inject") == 0;
		}
	}
	return sums;
}

// Other names that have the same value now.
static json_t *twins_json(const struct life *life, const struct life_name *name)
{
	json_t *names = json_array();
	size_t value = life_value(life, name);
	for (size_t i = 0; i < life->name_count; i++) {
		const struct life_name *other = &life->names[i];
		if (other != name && other->state == LIFE_HELD && other->held_count > 0 && life_value(life, other) == value)
			json_array_append_new(names, shown_json(other->name));
	}
	return names;
}

static void say_twins(json_t *list, const json_t *twins)
{
	_cleanup_buf_ struct buf names = BUF_INIT(SENTENCE_BYTES_MAX);
	struct err err;
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(twins); i++)
		r = buf_printf(&names, &err, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(twins, i)));
	if (names.len > 0)
		say(list, "the same value is stored as %s%s: replace it there too", buf_text(&names), r < 0 ? ", …" : "");
}

static json_t *checklist_json(const struct facts *facts, const json_t *programs, const json_t *twins)
{
	json_t *list = json_array();
	struct sums sums = sums_of(programs);
	char shown[4 * NAME_BYTES_MAX];
	name_shown(facts->now->name, shown);
	if (sums.programs == 0)
		say(list, "no program got the value, as far as the log tells");
	else
		say(list, "%zu program%s got the value: look at what each of them keeps, writes and sends", sums.programs,
		    sums.programs == 1 ? "" : "s");
	if (sums.leaks > 0)
		say(list, "the output of %lld of them had it: masked there, but look at why it is printed",
		    (long long)sums.leaks);
	if (sums.injected > 0)
		say(list, "inject does not watch output: look at where that of %lld of them went", (long long)sums.injected);
	say(list, "rotate it at its issuer, so that the old one is worth nothing");
	say(list, "store the new one with `envseal set %s%s`", shown, facts->exists ? " --force" : "");
	say_twins(list, twins);
	say(list, "start again what runs with the old one; then `envseal audit blast-radius %s` lists what got the new one",
	    shown);
	return list;
}

// -------------------------------------------------------------------------------------------------------- the use-case

// One of the two readings.
struct reading {
	struct life_history *history;
	struct radius *radius;
	struct err *err;
};

static int history_each(void *context, json_t *record)
{
	const struct reading *reading = context;
	return history_add(reading->history, record, reading->err);
}

static int radius_each(void *context, json_t *record)
{
	const struct reading *reading = context;
	return radius_add(reading->radius, record, reading->err);
}

static int session_open_checked(struct engine *engine, const struct engine_unlock *unlock, struct session *session,
				struct engine_audit_report *report, struct err *err)
{
	if (unlock)
		return log_open_checked(engine, unlock, session, report, err);
	int r = vault_open(engine->home.data_dir, &session->vault, err);
	if (r == 0)
		r = audit_open_existing(engine->home.state_dir, &session->audit, err);
	return r == 0 ? audit_verify(session->audit, NULL, &report->log, err) : r;
}

static int facts_find(struct session *session, struct life_history *history, struct facts *facts, struct err *err)
{
	bool is_told = life_find(&history->life, facts->name) != NULL;
	int r = life_note(&history->life, facts->name, err);
	if (r < 0)
		return r;
	facts->asked = life_find(&history->life, facts->name);
	facts->now = life_now(&history->life, facts->asked);
	facts->origin = life_origin(&history->life, life_value(&history->life, facts->now));
	r = vault_find(session->vault, facts->now->name, &facts->entry, err);
	facts->exists = r == 0;
	if (r == 0)
		return secret_stored(session->vault, facts->now->name, &facts->stored, err);
	if (r == ERR_NOT_FOUND && !is_told)
		return err_set(err, ERR_NOT_FOUND, "there is no secret %s, and the audit log has nothing of it", facts->name);
	// A name that the vault would not take can stand in a log only.
	return r == ERR_NOT_FOUND || r == ERR_USAGE ? 0 : r;
}

static json_t *report_json(const struct facts *facts, const struct engine_radius *request,
			   const struct life_history *history, const struct radius *radius)
{
	json_t *rows = radius_json(radius);
	json_t *programs = json_object_get(rows, "programs");
	json_t *twins = facts->now->held_count > 0 ? twins_json(&history->life, facts->now) : json_array();
	json_t *report = json_pack(
		"{s:s, s:o, s:b, s:o?, s:o, s:b, s:o, s:o, s:I, s:b}", "name", request->name, "name_now",
		shown_json(facts->now->name), "exists", facts->exists ? 1 : 0, "value_version",
		facts->exists && facts->entry.version > 0 ? json_integer(facts->entry.version) : NULL, "stored",
		time_json(facts->origin.record > 0 ? facts->origin.time : facts->stored), "all", request->all ? 1 : 0,
		"log_begins", time_json(history->begins), "notes", notes_json(facts, history, radius), "records",
		(json_int_t)facts->log.log.records, "anchor_checked", facts->log.anchor_checked ? 1 : 0);
	json_object_update(report, rows);
	json_object_set_new(report, "checklist", checklist_json(facts, programs, twins));
	json_object_set_new(report, "same_value", twins);
	json_decref(rows);
	return report;
}

// Reads the whole log once more, for the rows.
static int rows_read(struct session *session, const struct facts *facts, const struct engine_radius *request,
		     const struct life_history *history, json_t **out, struct err *err)
{
	_cleanup_radius_ struct radius radius = {0};
	int r = radius_init(&radius, history, facts->asked, request->all, err);
	if (r == 0)
		r = audit_query(session->audit, NULL, radius_each, &(struct reading){.radius = &radius, .err = err}, err);
	json_t *report = r == 0 ? report_json(facts, request, history, &radius) : NULL;
	if (r == 0 && !report)
		return err_set(err, ERR_MEMORY, "out of memory");
	*out = report;
	return r;
}

int engine_radius(struct engine *engine, const struct engine_radius *request, json_t **out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(history_done) struct life_history history = {0};
	struct facts facts = {.name = request->name};
	int r = name_check(request->name, err);
	if (r == 0)
		r = session_open_checked(engine, request->unlock, &session, &facts.log, err);
	if (r == 0)
		r = history_init(&history, err);
	if (r == 0)
		r = audit_query(session.audit, NULL, history_each, &(struct reading){.history = &history, .err = err}, err);
	if (r == 0)
		r = history_end(&history, vault_generation(session.vault), err);
	if (r == 0)
		r = facts_find(&session, &history, &facts, err);
	// Nobody has to wait for the second reading.
	session.vault = vault_close(session.vault);
	return r == 0 ? rows_read(&session, &facts, request, &history, out, err) : r;
}
