// The contract of include/envseal/redact.h for streams, through nothing but that header.
#include "unit/library_scene.h"

static void test_every_cut(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	const char *text = "key: " TOKEN "\n" TOKEN_BASE64 " kX93-tuli";
	for (size_t cut = 0; cut <= strlen(text); cut++)
		check_cut(redactor, text, cut, "key: " MASK "\n[ENVSEAL:REDACTED TOKEN base64] " MASK);
	envseal_redactor_free(redactor);
}

static void told_check(const struct told *told, uint64_t offset, uint64_t len, const char *form, bool partial)
{
	assert_int_equal(told->leak.offset, offset);
	assert_int_equal(told->leak.len, len);
	assert_int_equal(told->leak.value_index, 1);
	assert_string_equal(told->name, "TOKEN");
	assert_string_equal(told->form, form);
	assert_int_equal(told->leak.partial, partial);
}

static void test_leaks_are_told(void **state)
{
	(void)state;
	struct envseal_values *values = values_of("FIRST", "never-comes-4433");
	assert_int_equal(envseal_values_add(values, "TOKEN", TOKEN, strlen(TOKEN), &error), 0);
	struct envseal_redactor *redactor = redactor_take(values);
	struct record record = {0};
	struct envseal_stream *stream = stream_of(redactor, &record);
	assert_int_equal(envseal_stream_feed(stream, "ab " TOKEN ".", 3 + strlen(TOKEN) + 1, &error), 0);
	assert_int_equal(record.told_count, 1);
	assert_int_equal(record.told_before_text, 3);
	assert_int_equal(envseal_stream_feed(stream, TOKEN_BASE64 ".kX93-tul", strlen(TOKEN_BASE64) + 9, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	assert_int_equal(record.told_count, 3);
	told_check(&record.told[0], 3, strlen(TOKEN), "raw", false);
	told_check(&record.told[1], 4 + strlen(TOKEN), strlen(TOKEN_BASE64), "base64", false);
	told_check(&record.told[2], 5 + strlen(TOKEN) + strlen(TOKEN_BASE64), 8, "raw", true);
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

static void test_leak_callback_is_optional(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {0};
	struct envseal_sink sink = record_sink(&record);
	sink.leak = NULL;
	struct envseal_stream *stream = NULL;
	assert_int_equal(envseal_stream_new(redactor, &sink, &stream, &error), 0);
	assert_int_equal(envseal_stream_feed(stream, TOKEN "\n", strlen(TOKEN) + 1, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	record_check(&record, MASK "\n");
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

static void test_quiet(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {0};
	struct envseal_stream *stream = stream_of(redactor, &record);
	assert_int_equal(envseal_stream_feed(stream, "? kX", 4, &error), 0);
	record_check(&record, "? ");
	assert_int_equal(envseal_stream_held(stream), 2);
	assert_true(envseal_stream_can_show(stream));
	assert_int_equal(envseal_stream_quiet(stream, &error), 0);
	record_check(&record, "? kX");
	assert_int_equal(envseal_stream_held(stream), 0);
	assert_false(envseal_stream_can_show(stream));
	assert_int_equal(envseal_stream_feed(stream, "93-tulip", 8, &error), 0);
	assert_false(envseal_stream_can_show(stream));
	assert_int_equal(envseal_stream_quiet(stream, &error), 0);
	record_check(&record, "? kX");
	assert_int_equal(envseal_stream_held(stream), 8);
	assert_int_equal(envseal_stream_feed(stream, "-harbour\n", 9, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	record_check(&record, "? kX" MASK "\n");
	assert_true(record.told[0].leak.partial);
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

static void check_over(struct envseal_stream *stream)
{
	assert_int_equal(envseal_stream_feed(stream, "x", 1, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_quiet(stream, NULL), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_end(stream, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_held(stream), 0);
	assert_false(envseal_stream_can_show(stream));
}

static void test_end_is_the_end(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {0};
	struct envseal_stream *stream = stream_of(redactor, &record);
	assert_int_equal(envseal_stream_feed(stream, NULL, 0, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	check_over(stream);
	record_check(&record, "");
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

// What a callback answers is not taken for a code, and nothing is written behind it.
static void test_write_stops_the_stream(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {.stop_after = 2};
	struct envseal_stream *stream = stream_of(redactor, &record);
	const char *text = "one " TOKEN " two";
	assert_int_equal(envseal_stream_feed(stream, text, strlen(text), &error), ENVSEAL_ERR_STOPPED);
	assert_int_equal(error.code, ENVSEAL_ERR_STOPPED);
	check_over(stream);
	record_check(&record, "one ");
	assert_int_equal(record.writes, 2);
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

static void test_callbacks_cannot_reenter(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {0};
	struct envseal_stream *stream = stream_of(redactor, &record);
	record.meddle = stream;
	assert_int_equal(envseal_stream_feed(stream, "text\n", 5, &error), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(record.meddled[i], ENVSEAL_ERR_INVALID);
	record.meddle = NULL;
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	record_check(&record, "text\n");
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
}

// A sink from a later version of the header: its further fields count only when they are set.
static void test_sinks_of_other_versions(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	struct record record = {0};
	struct {
		struct envseal_sink sink;
		void *later;
	} large = {record_sink(&record), NULL};
	large.sink.size = sizeof(large);
	struct envseal_stream *stream = NULL;
	assert_int_equal(envseal_stream_new(redactor, &large.sink, &stream, &error), 0);
	envseal_stream_free(stream);
	stream = NULL;
	large.later = &record;
	assert_int_equal(envseal_stream_new(redactor, &large.sink, &stream, &error), ENVSEAL_ERR_INVALID);
	large.sink.size = sizeof(struct envseal_sink) - 1;
	assert_int_equal(envseal_stream_new(redactor, &large.sink, &stream, &error), ENVSEAL_ERR_INVALID);
	large.sink.size = sizeof(struct envseal_sink);
	large.sink.write = NULL;
	assert_int_equal(envseal_stream_new(redactor, &large.sink, &stream, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_new(redactor, NULL, &stream, &error), ENVSEAL_ERR_INVALID);
	assert_null(stream);
	envseal_redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_leaks_are_told),
		cmocka_unit_test(test_leak_callback_is_optional),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_end_is_the_end),
		cmocka_unit_test(test_write_stops_the_stream),
		cmocka_unit_test(test_callbacks_cannot_reenter),
		cmocka_unit_test(test_sinks_of_other_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
