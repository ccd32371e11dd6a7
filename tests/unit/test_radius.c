#include "engine/radius.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// A log from JSON text. Numbers and times are put in: record N is of second N.
static json_t *log_parse(const char *text)
{
	json_error_t error;
	json_t *records = json_loads(text, 0, &error), *record;
	if (!records)
		fail_msg("%s at %d", error.text, error.position);
	size_t i;
	json_array_foreach(records, i, record) {
		char time[CLOCK_TEXT_BYTES];
		clock_format((int64_t)i + 1, time);
		json_object_set_new(record, "seq", json_integer((json_int_t)i + 1));
		if (!json_object_get(record, "time"))
			json_object_set_new(record, "time", json_string(time));
	}
	return records;
}

static json_t *radius_read(json_t *records, const struct life_history *history, const char *name, bool all)
{
	_cleanup_radius_ struct radius radius = {0};
	struct err err;
	size_t i;
	json_t *record;
	assert_int_equal(radius_init(&radius, history, life_find(&history->life, name), all, &err), 0);
	json_array_foreach(records, i, record)
		assert_int_equal(radius_add(&radius, record, &err), 0);
	return radius_json(&radius);
}

static json_t *radius_of_records(json_t *records, const char *name, bool all, uint64_t generation)
{
	_cleanup_(history_done) struct life_history history = {0};
	struct err err;
	size_t i;
	json_t *record;
	assert_int_equal(history_init(&history, &err), 0);
	json_array_foreach(records, i, record)
		assert_int_equal(history_add(&history, record, &err), 0);
	assert_int_equal(history_end(&history, generation, &err), 0);
	assert_int_equal(life_note(&history.life, name, &err), 0);
	return radius_read(records, &history, name, all);
}

static json_t *radius_of(const char *text, const char *name, bool all, uint64_t generation)
{
	json_t *records = log_parse(text);
	json_t *report = radius_of_records(records, name, all, generation);
	json_decref(records);
	return report;
}

// The rows of programs as "path runs/not_started/denied/leaks", in order.
static void assert_rows(json_t *report, const char *expected)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	struct err err;
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(report, "programs"), i, row)
		buf_printf(&text, &err, "%s%s %lld/%lld/%lld/%lld", i > 0 ? ", " : "", json_string_value(json_object_get(row, "path")),
			   json_integer_value(json_object_get(row, "runs")), json_integer_value(json_object_get(row, "not_started")),
			   json_integer_value(json_object_get(row, "denied")), json_integer_value(json_object_get(row, "leak_total")));
	json_decref(report);
	assert_string_equal(buf_text(&text), expected);
}

static void assert_opened(json_t *report, const char *expected)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	struct err err;
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(report, "opened"), i, row)
		buf_printf(&text, &err, "%s%s %lld", i > 0 ? ", " : "", json_string_value(json_object_get(row, "reason")),
			   json_integer_value(json_object_get(row, "count")));
	json_decref(report);
	assert_string_equal(buf_text(&text), expected);
}

#define INIT "{\"kind\":\"vault.init\"},"
#define SET(name, version) "{\"kind\":\"secret.set\",\"secret\":\"" name "\",\"version\":" #version "}"
#define SET_IN(name, version, generation) \
	"{\"kind\":\"secret.set\",\"secret\":\"" name "\",\"version\":" #version ",\"generation\":" #generation "}"
#define NAMED(kind, name) "{\"kind\":\"" kind "\",\"secrets\":[\"" name "\"]}"
#define TO(kind, from, to) "{\"kind\":\"" kind "\",\"secret\":\"" from "\",\"to\":\"" to "\"}"
#define BACK(name, from, version) \
	"{\"kind\":\"secret.rollback\",\"secret\":\"" name "\",\"from\":" #from ",\"version\":" #version "}"
#define USE(name, path) "\"secrets\":[{\"name\":\"" name "\",\"delivery\":\"variable\",\"variable\":\"V\"}]," \
	"\"program\":{\"path\":\"" path "\",\"digest\":\"d\",\"binding\":\"copy\"}"
#define RUN(name, path) "{\"kind\":\"run.intent\",\"tier\":\"standard\"," USE(name, path) "}"
#define DENIED(name, path) "{\"kind\":\"run.denied\",\"status\":125,\"error\":\"denied\"," USE(name, path) "}"
#define LEAK(name, count) "\"leaks\":[{\"secret\":\"" name "\",\"form\":\"raw\",\"stream\":\"stdout\",\"count\":" #count "}]"
#define END(name, path, count) "{\"kind\":\"run.outcome\",\"status\":0,\"milliseconds\":0," USE(name, path) "," LEAK(name, count) "}"

static void test_runs_are_counted_by_program(void **state)
{
	(void)state;
	assert_rows(radius_of("[" INIT SET("A", 1) "," RUN("A", "/p") "," END("A", "/p", 2) "," RUN("A", "/q") "," RUN("B", "/r") ","
			      RUN("A", "/p") "," END("A", "/p", 3) "]", "A", false, 0), "/p 2/0/0/5, /q 1/0/0/0");
}

static void test_programs_differ_by_digest_and_interpreter(void **state)
{
	(void)state;
	static const char program[] = "{\"kind\":\"run.intent\",\"secrets\":[{\"name\":\"A\"}],\"program\":{\"path\":\"/s\",\"digest\":\"%s\","
				      "\"interpreter\":{\"path\":\"/i\",\"digest\":\"%s\"}}}";
	char one[256], two[256], three[256], log[2048];
	snprintf(one, sizeof(one), program, "1", "1");
	snprintf(two, sizeof(two), program, "2", "1");
	snprintf(three, sizeof(three), program, "2", "2");
	snprintf(log, sizeof(log), "[%s,%s,%s,%s]", one, two, three, two);
	assert_rows(radius_of(log, "A", false, 0), "/s 1/0/0/0, /s 2/0/0/0, /s 1/0/0/0");
}

static void test_a_new_value_begins_anew(void **state)
{
	(void)state;
	static const char *const stores[] = {SET("A", 2), NAMED("import", "A"), NAMED("secret.confirm", "A")};
	for (size_t i = 0; i < ARRAY_COUNT(stores); i++) {
		char log[2048];
		snprintf(log, sizeof(log), "[" INIT SET("A", 1) "," RUN("A", "/old") ",%s," RUN("A", "/new") "]", stores[i]);
		assert_rows(radius_of(log, "A", false, 0), "/new 1/0/0/0");
		assert_rows(radius_of(log, "A", true, 0), "/old 1/0/0/0, /new 1/0/0/0");
	}
}

static void test_what_stores_nothing_ends_nothing(void **state)
{
	(void)state;
	assert_rows(radius_of("[" INIT SET("A", 1) "," RUN("A", "/p") ",{\"kind\":\"secret.deposit\",\"secret\":\"A\",\"version\":1},"
			      NAMED("secret.discard", "A") ",{\"kind\":\"secret.tag\",\"secret\":\"A\"}," SET("B", 1) ","
			      RUN("A", "/p") "]", "A", false, 0), "/p 2/0/0/0");
}

static void test_rollback_brings_a_value_back(void **state)
{
	(void)state;
#define ROLLED "[" INIT SET("A", 1) "," RUN("A", "/one") "," SET("A", 2) "," RUN("A", "/two") "," BACK("A", 1, 3) "," RUN("A", "/three")
	assert_rows(radius_of(ROLLED "]", "A", false, 0), "/one 1/0/0/0, /three 1/0/0/0");
	assert_rows(radius_of(ROLLED "," BACK("A", 2, 4) "]", "A", false, 0), "/two 1/0/0/0");
	assert_opened(radius_of(ROLLED "]", "A", false, 0), "rollback 1");
	assert_rows(radius_of(ROLLED "," BACK("A", 3, 4) "]", "A", false, 0), "/one 1/0/0/0, /three 1/0/0/0");
}

static void test_renames_are_followed_both_ways(void **state)
{
	(void)state;
#define RENAMED "[" INIT SET("A", 1) "," RUN("A", "/a") "," TO("secret.rename", "A", "B") "," RUN("B", "/b") "," \
		TO("secret.rename", "B", "C") "," RUN("C", "/c")
	static const char *const names[] = {"A", "B", "C"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_rows(radius_of(RENAMED "]", names[i], false, 0), "/a 1/0/0/0, /b 1/0/0/0, /c 1/0/0/0");
	assert_rows(radius_of(RENAMED "," SET("A", 1) "," RUN("A", "/new") "]", "A", false, 0), "/new 1/0/0/0");
	assert_rows(radius_of(RENAMED "," TO("secret.rename", "C", "A") "," RUN("A", "/d") "]", "B", false, 0),
		    "/a 1/0/0/0, /b 1/0/0/0, /c 1/0/0/0, /d 1/0/0/0");
}

static void test_a_copy_is_the_same_value(void **state)
{
	(void)state;
#define COPIED "[" INIT SET("A", 1) "," RUN("A", "/a") "," TO("secret.copy", "A", "B") "," RUN("B", "/b") "," SET("A", 2) "," \
		RUN("A", "/new") "," RUN("B", "/b") "]"
	assert_rows(radius_of(COPIED, "B", false, 0), "/a 1/0/0/0, /b 2/0/0/0");
	assert_rows(radius_of(COPIED, "A", false, 0), "/new 1/0/0/0");
	assert_rows(radius_of(COPIED, "A", true, 0), "/a 1/0/0/0, /b 2/0/0/0, /new 1/0/0/0");
	assert_opened(radius_of(COPIED, "B", false, 0), "copy 1");
}

static void test_a_removed_name_keeps_its_last_value(void **state)
{
	(void)state;
#define REMOVED "[" INIT SET("A", 1) "," RUN("A", "/a") "," NAMED("secret.remove", "A")
	assert_rows(radius_of(REMOVED "]", "A", false, 0), "/a 1/0/0/0");
	assert_rows(radius_of(REMOVED "," NAMED("import", "A") "]", "A", false, 0), "");
	assert_rows(radius_of(REMOVED "," NAMED("import", "A") "]", "A", true, 0), "/a 1/0/0/0");
}

// A crash between log and vault: the next record has the same generation once more.
static void test_a_change_that_never_happened(void **state)
{
	(void)state;
#define CRASHED "[" INIT SET_IN("A", 1, 2) "," RUN("A", "/a") "," SET_IN("A", 2, 3) "," DENIED("A", "/no")
	assert_rows(radius_of(CRASHED "]", "A", false, 2), "/a 1/0/0/0, /no 0/0/1/0");
	assert_rows(radius_of(CRASHED "]", "A", false, 3), "/no 0/0/1/0");
	assert_rows(radius_of(CRASHED ",{\"kind\":\"secret.tag\",\"secret\":\"A\",\"generation\":3}]", "A", false, 3),
		    "/a 1/0/0/0, /no 0/0/1/0");
	assert_rows(radius_of(CRASHED ",{\"kind\":\"secret.tag\",\"secret\":\"A\",\"generation\":4}]", "A", false, 4), "/no 0/0/1/0");
	assert_rows(radius_of(CRASHED "," SET_IN("A", 2, 3) "," RUN("A", "/b") "]", "A", false, 3), "/b 1/0/0/0");
	// Nor did what a power cut took before it.
	assert_rows(radius_of(CRASHED ",{\"kind\":\"secret.tag\",\"secret\":\"A\",\"generation\":2}]", "A", false, 2),
		    "/a 1/0/0/0, /no 0/0/1/0");
}

static void test_a_leak_is_of_the_value_that_the_run_began_with(void **state)
{
	(void)state;
#define LATE "[" INIT SET("A", 1) "," RUN("A", "/p") "," SET("A", 2) "," RUN("A", "/p") ",{\"kind\":\"run.outcome\",\"milliseconds\":%d," \
		USE("A", "/p") "," LEAK("A", 1) "}]"
	char log[2048];
	snprintf(log, sizeof(log), LATE, 1000);
	assert_rows(radius_of(log, "A", false, 0), "/p 1/0/0/1");
	snprintf(log, sizeof(log), LATE, 3000);
	assert_rows(radius_of(log, "A", false, 0), "/p 1/0/0/0");
	assert_rows(radius_of("[" INIT SET("A", 1) "," RUN("A", "/p") "," TO("secret.rename", "A", "B") "," SET("A", 1) ","
			      END("A", "/p", 1) "]", "B", false, 0), "/p 1/0/0/1");
}

static void test_failures_and_refusals(void **state)
{
	(void)state;
	assert_rows(radius_of("[" INIT SET("A", 1) "," DENIED("A", "/p") "," RUN("A", "/p") ",{\"kind\":\"run.outcome\",\"status\":126,"
			      "\"error\":\"no-exec\"," USE("A", "/p") "}]", "A", false, 0), "/p 1/1/1/0");
}

static void test_a_log_that_begins_late(void **state)
{
	(void)state;
	assert_rows(radius_of("[" RUN("A", "/a") "," END("A", "/a", 1) "," RUN("A", "/a") "]", "A", false, 0), "/a 2/0/0/1");
	assert_rows(radius_of("[" END("A", "/a", 1) "," NAMED("import", "A") "," RUN("A", "/b") "]", "A", false, 0), "/b 1/0/0/0");
	assert_rows(radius_of("[" END("A", "/a", 1) "," SET("A", 5) "," BACK("A", 4, 6) "]", "A", false, 0), "/a 0/0/0/1");
	assert_rows(radius_of("[" RUN("B", "/b") "]", "A", false, 0), "");
}

static void test_what_envseal_opens_itself(void **state)
{
	(void)state;
	json_t *report = radius_of(
		"[" INIT SET("A", 1) ",{\"kind\":\"secret.verify\",\"secret\":\"A\"},{\"kind\":\"secret.coverage\",\"secret\":\"A\"},"
		"{\"kind\":\"redact.intent\",\"secrets\":[\"A\",\"B\"]},{\"kind\":\"redact.outcome\",\"secrets\":[\"A\",\"B\"],"
		"\"leaks\":[{\"secret\":\"A\",\"form\":\"hex\",\"stream\":\"stdin\",\"count\":4},"
		"{\"secret\":\"B\",\"form\":\"hex\",\"stream\":\"stdin\",\"count\":8}]},{\"kind\":\"secret.verify\",\"secret\":\"A\"},"
		"{\"kind\":\"secret.verify\",\"secret\":\"B\"}]", "A", false, 0);
	json_t *redact = json_array_get(json_object_get(report, "opened"), 2);
	assert_int_equal(json_integer_value(json_object_get(redact, "leak_total")), 4);
	assert_opened(report, "verify 2, coverage 1, redact 1");
}

static void test_a_look_at_the_health_of_all(void **state)
{
	(void)state;
	assert_opened(radius_of("[" INIT SET("A", 1) ",{\"kind\":\"secret.health\",\"secrets\":[\"B\",\"A\"]},"
				"{\"kind\":\"secret.health\",\"secrets\":[\"B\"]}]", "A", false, 0), "health 1");
}

// Nothing of a forged log may reach a terminal as it is, nor count for more than it can.
static void test_forged_records(void **state)
{
	(void)state;
	json_t *report = radius_of(
		"[{\"kind\":\"run.intent\",\"secrets\":[{\"name\":\"A\",\"variable\":\"\\u202e\"}],\"tier\":7,\"program\":{\"path\":"
		"\"/a\\u001b[2J\\n\",\"digest\":[]}},{\"kind\":\"run.intent\",\"secrets\":{},\"program\":3},"
		"{\"kind\":\"run.outcome\",\"secrets\":[{\"name\":\"A\"},3,null],\"program\":null,\"leaks\":[{\"secret\":\"A\",\"count\":"
		"9223372036854775807},{\"secret\":\"A\",\"count\":9223372036854775807},{\"secret\":\"A\",\"count\":-5},7]},"
		"{\"kind\":7},{\"kind\":\"secret.rename\",\"secret\":\"A\",\"to\":\"A\"},{\"kind\":\"secret.rename\",\"secret\":4},"
		"{\"kind\":\"secret.rollback\"},{\"kind\":\"secret.set\",\"version\":-1},{\"kind\":\"import\",\"secrets\":7}]",
		"A", false, 0);
	char *text = json_dumps(report, 0);
	for (const char *at = text; *at; at++)
		assert_true(*at >= 0x20 && *at <= 0x7e);
	free(text);
	json_t *row = json_array_get(json_object_get(report, "programs"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "path")), "/a\\x1b[2J\\n");
	row = json_array_get(json_object_get(report, "programs"), 1);
	assert_true(json_integer_value(json_object_get(row, "leak_total")) == INT64_MAX);
	json_decref(report);
}

static json_t *run_record(int number)
{
	char path[32];
	snprintf(path, sizeof(path), "/p%d", number);
	return json_pack("{s:s, s:I, s:s, s:[{s:s, s:s}], s:{s:s, s:s}}", "kind", "run.intent", "seq", (json_int_t)number + 1, "time",
			 "2026-01-31T12:00:00Z", "secrets", "name", "A", "variable", path, "program", "path", path, "digest", "d");
}

static void test_rows_and_lists_are_bounded(void **state)
{
	(void)state;
	json_t *records = json_array(), *record;
	size_t i;
	for (int n = 0; n < RADIUS_PROGRAMS_MAX + 5; n++)
		json_array_append_new(records, run_record(n));
	json_t *report = radius_of_records(records, "A", false, 0);
	assert_int_equal(json_array_size(json_object_get(report, "programs")), RADIUS_PROGRAMS_MAX);
	assert_int_equal(json_integer_value(json_object_get(report, "programs_left_out")), 5);
	json_decref(report);
	json_array_foreach(records, i, record)
		json_object_set_new(record, "program", json_pack("{s:s}", "path", "/p"));
	report = radius_of_records(records, "A", false, 0);
	json_t *row = json_array_get(json_object_get(report, "programs"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "runs")), RADIUS_PROGRAMS_MAX + 5);
	assert_int_equal(json_array_size(json_object_get(row, "deliveries")), RADIUS_LIST_MAX);
	assert_true(json_is_true(json_object_get(row, "more")));
	json_decref(report);
	json_decref(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_are_counted_by_program),
		cmocka_unit_test(test_programs_differ_by_digest_and_interpreter),
		cmocka_unit_test(test_a_new_value_begins_anew),
		cmocka_unit_test(test_what_stores_nothing_ends_nothing),
		cmocka_unit_test(test_rollback_brings_a_value_back),
		cmocka_unit_test(test_renames_are_followed_both_ways),
		cmocka_unit_test(test_a_copy_is_the_same_value),
		cmocka_unit_test(test_a_removed_name_keeps_its_last_value),
		cmocka_unit_test(test_a_change_that_never_happened),
		cmocka_unit_test(test_a_leak_is_of_the_value_that_the_run_began_with),
		cmocka_unit_test(test_failures_and_refusals),
		cmocka_unit_test(test_a_log_that_begins_late),
		cmocka_unit_test(test_what_envseal_opens_itself),
		cmocka_unit_test(test_a_look_at_the_health_of_all),
		cmocka_unit_test(test_forged_records),
		cmocka_unit_test(test_rows_and_lists_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
