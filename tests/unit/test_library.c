// The contract of include/envseal/redact.h for values and redactors, through nothing but that header.
#include "unit/library_scene.h"

#include <pthread.h>
#include <stdlib.h>

// ----------------------------------------------------------------------------------------------------------- values

static void test_version(void **state)
{
	(void)state;
	char numbers[32];
	snprintf(numbers, sizeof(numbers), "%d.%d.%d", ENVSEAL_VERSION_MAJOR, ENVSEAL_VERSION_MINOR,
		 ENVSEAL_VERSION_PATCH);
	assert_string_equal(envseal_version(), ENVSEAL_VERSION);
	assert_string_equal(numbers, ENVSEAL_VERSION);
}

static void test_names(void **state)
{
	(void)state;
	char longest[ENVSEAL_NAME_BYTES_MAX + 2];
	memset(longest, 'n', sizeof(longest));
	longest[ENVSEAL_NAME_BYTES_MAX + 1] = 0;
	const char *const bad[] = {NULL, "", "A B", "A,B", "[A", "A]", "A\n", "A\x1b", "A\x7f", "\xc3\xa4", longest};
	struct envseal_values *values = NULL;
	assert_int_equal(envseal_values_new(&values, &error), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error = (struct envseal_error){0};
		assert_int_equal(envseal_values_add(values, bad[i], TOKEN, strlen(TOKEN), &error), ENVSEAL_ERR_INVALID);
		assert_int_equal(error.code, ENVSEAL_ERR_INVALID);
		assert_non_null(strstr(error.text, "name"));
	}
	longest[ENVSEAL_NAME_BYTES_MAX] = 0;
	const char *const good[] = {"A", "_TOKEN", "shop/key.2-x", "A{b}~!", longest};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(envseal_values_add(values, good[i], TOKEN, strlen(TOKEN), &error), 0);
	envseal_values_free(values);
}

static void test_sizes_of_values(void **state)
{
	(void)state;
	size_t size = ENVSEAL_VALUE_BYTES_MAX;
	char *large = malloc(size + 1);
	assert_non_null(large);
	memset(large, 'x', size + 1);
	struct envseal_values *values = NULL;
	assert_int_equal(envseal_values_new(&values, &error), 0);
	assert_int_equal(envseal_values_add(values, "A", large, size + 1, &error), ENVSEAL_ERR_LIMIT);
	assert_int_equal(envseal_values_add(values, "A", large, 0, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_values_add(values, "A", NULL, 0, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_values_add(values, "A", NULL, 8, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_values_add(values, "A", large, size, &error), 0);
	assert_int_equal(envseal_values_add(values, "B", "\0", 1, &error), 0);
	envseal_values_free(values);
	free(large);
}

// The caller's copies of value and name are gone before the tables are made.
static void test_copies_are_made_at_once(void **state)
{
	(void)state;
	char name[] = "TOKEN";
	char value[] = TOKEN;
	struct envseal_values *values = values_of(name, value);
	memset(name, '?', sizeof(name) - 1);
	memset(value, '?', sizeof(value) - 1);
	struct envseal_redactor *redactor = redactor_take(values);
	check_cut(redactor, "a " TOKEN " z", 5, "a " MASK " z");
	check_cut(redactor, "a ?????????????????? z", 5, "a ?????????????????? z");
	envseal_redactor_free(redactor);
}

// More than one block of secret memory, and values that leave no room behind them.
static void test_many_values(void **state)
{
	(void)state;
	enum { COUNT = 60 };
	char value[COUNT][1600];
	struct envseal_values *values = NULL;
	assert_int_equal(envseal_values_new(&values, &error), 0);
	for (size_t i = 0; i < COUNT; i++) {
		char name[16];
		snprintf(name, sizeof(name), "S%zu", i);
		for (size_t j = 0; j < sizeof(value[i]); j++)
			value[i][j] = (char)('a' + (i * 31 + j * (i % 5 + 1) + j / 26) % 26);
		snprintf(value[i], 8, "v%06zu", i);
		assert_int_equal(envseal_values_add(values, name, value[i], sizeof(value[i]), &error), 0);
	}
	struct envseal_redactor *redactor = redactor_take(values);
	for (size_t i = 0; i < COUNT; i++) {
		struct record record = {0};
		struct envseal_stream *stream = stream_of(redactor, &record);
		assert_int_equal(envseal_stream_feed(stream, value[i], sizeof(value[i]), &error), 0);
		assert_int_equal(envseal_stream_end(stream, &error), 0);
		assert_int_equal(record.told_count, 1);
		assert_int_equal(record.told[0].leak.value_index, i);
		assert_int_equal(record.told[0].leak.len, sizeof(value[i]));
		envseal_stream_free(stream);
	}
	envseal_redactor_free(redactor);
}

static void test_weak_values(void **state)
{
	(void)state;
	const char *reason = NULL;
	assert_true(envseal_value_is_weak("1234", 4, &reason));
	assert_non_null(reason);
	assert_true(envseal_value_is_weak("", 0, NULL));
	assert_false(envseal_value_is_weak(TOKEN, strlen(TOKEN), NULL));
	struct envseal_redactor *redactor = redactor_take(values_of("PIN", "4711"));
	check_cut(redactor, "pin=4711 a4711 47110", 6, "pin=[ENVSEAL:REDACTED PIN] a4711 47110");
	envseal_redactor_free(redactor);
}

// --------------------------------------------------------------------------------------------------------- coverage

struct rows {
	size_t count;
	size_t watched;
	size_t raw_count;
	size_t base64_count;
	bool base64_has_reason;
	bool is_torn; // a row that has both needles and a reason, or neither
};

static void rows_take(void *context, const struct envseal_coverage *coverage)
{
	struct rows *rows = context;
	rows->count++;
	rows->watched += coverage->needle_count > 0;
	rows->is_torn |= (coverage->needle_count > 0) == (coverage->reason != NULL);
	if (!strcmp(coverage->form, "raw"))
		rows->raw_count = coverage->needle_count;
	if (!strcmp(coverage->form, "base64")) {
		rows->base64_count = coverage->needle_count;
		rows->base64_has_reason = coverage->reason != NULL;
	}
}

static void test_coverage(void **state)
{
	(void)state;
	struct rows rows = {0};
	assert_int_equal(envseal_value_coverage(TOKEN, strlen(TOKEN), rows_take, &rows, &error), 0);
	assert_int_equal(rows.raw_count, 1);
	assert_int_equal(rows.base64_count, 3);
	assert_true(rows.count >= 7 && rows.watched < rows.count && !rows.is_torn);
	struct rows weak = {0};
	assert_int_equal(envseal_value_coverage("4711", 4, rows_take, &weak, &error), 0);
	assert_int_equal(weak.count, rows.count);
	assert_int_equal(weak.base64_count, 0);
	assert_true(weak.base64_has_reason && !weak.is_torn);
	struct rows none = {0};
	assert_int_equal(envseal_value_coverage("", 0, rows_take, &none, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_value_coverage("x", (size_t)ENVSEAL_VALUE_BYTES_MAX + 1, rows_take, &none, &error),
			 ENVSEAL_ERR_LIMIT);
	assert_int_equal(none.count, 0);
}

// --------------------------------------------------------------------------------------------------------- redactor

static void test_no_values(void **state)
{
	(void)state;
	struct envseal_values *values = NULL;
	assert_int_equal(envseal_values_new(&values, &error), 0);
	struct envseal_redactor *redactor = redactor_take(values);
	check_cut(redactor, "everything passes: " TOKEN, 25, "everything passes: " TOKEN);
	envseal_redactor_free(redactor);
}

// Values may be added between two redactors; the first does not change.
static void test_two_redactors(void **state)
{
	(void)state;
	struct envseal_values *values = values_of("TOKEN", TOKEN);
	struct envseal_redactor *one = NULL;
	assert_int_equal(envseal_redactor_new(values, &one, &error), 0);
	assert_int_equal(envseal_values_add(values, "OTHER", "zebra-9-lantern", 15, &error), 0);
	struct envseal_redactor *both = redactor_take(values);
	const char *text = "zebra-9-lantern " TOKEN "\n";
	check_cut(one, text, 3, "zebra-9-lantern " MASK "\n");
	check_cut(both, text, 3, "[ENVSEAL:REDACTED OTHER] " MASK "\n");
	assert_true(envseal_redactor_bytes(both) > envseal_redactor_bytes(one));
	envseal_redactor_free(one);
	envseal_redactor_free(both);
}

#define THREADS 4

static void *thread_run(void *context)
{
	for (size_t i = 0; i < 200; i++)
		check_cut(context, "one " TOKEN " two " TOKEN_BASE64 " three", i % 40,
			  "one " MASK " two [ENVSEAL:REDACTED TOKEN base64] three");
	return NULL;
}

static void test_threads_share_a_redactor(void **state)
{
	(void)state;
	struct envseal_redactor *redactor = redactor_take(values_of("TOKEN", TOKEN));
	pthread_t threads[THREADS];
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_run, redactor), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	envseal_redactor_free(redactor);
}

static int null_write(void *context, const void *bytes, size_t len)
{
	(void)context;
	(void)bytes;
	(void)len;
	return 0;
}

static void test_null_is_told(void **state)
{
	(void)state;
	struct envseal_values *values = NULL;
	struct envseal_redactor *redactor = NULL;
	struct envseal_stream *stream = NULL;
	const struct envseal_sink sink = {.size = sizeof(sink), .write = null_write};
	assert_int_equal(envseal_values_new(&values, &error), 0);
	assert_int_equal(envseal_redactor_new(values, &redactor, &error), 0);
	assert_int_equal(envseal_stream_new(redactor, &sink, &stream, &error), 0);
	assert_int_equal(envseal_values_new(NULL, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_values_add(NULL, "A", TOKEN, 8, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_values_add(values, NULL, TOKEN, 8, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_value_coverage(TOKEN, 8, NULL, NULL, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_redactor_new(NULL, &redactor, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_redactor_new(values, NULL, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_new(NULL, &sink, &stream, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_new(redactor, NULL, &stream, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_new(redactor, &sink, NULL, NULL), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_feed(NULL, "x", 1, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_feed(stream, NULL, 1, &error), ENVSEAL_ERR_INVALID);
	assert_string_equal(error.text, "an argument is NULL that must not be");
	assert_int_equal(envseal_stream_quiet(NULL, &error), ENVSEAL_ERR_INVALID);
	assert_int_equal(envseal_stream_end(NULL, &error), ENVSEAL_ERR_INVALID);
	assert_false(envseal_redactor_is_locked(NULL) || envseal_stream_can_show(NULL));
	assert_false(envseal_value_is_weak(NULL, 8, NULL));
	assert_int_equal(envseal_redactor_bytes(NULL) + envseal_stream_held(NULL), 0);
	// The stream is as it was.
	assert_int_equal(envseal_stream_feed(stream, NULL, 0, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	envseal_stream_free(stream);
	envseal_redactor_free(redactor);
	envseal_values_free(values);
}

static void test_free_allows_null(void **state)
{
	(void)state;
	envseal_values_free(NULL);
	envseal_redactor_free(NULL);
	envseal_stream_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sizes_of_values),
		cmocka_unit_test(test_copies_are_made_at_once),
		cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_weak_values),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_no_values),
		cmocka_unit_test(test_two_redactors),
		cmocka_unit_test(test_threads_share_a_redactor),
		cmocka_unit_test(test_null_is_told),
		cmocka_unit_test(test_free_allows_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
