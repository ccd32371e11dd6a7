// What the tests of include/envseal/redact.h share: a stream whose output and leaks are recorded.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <envseal/redact.h>

#define TOKEN "kX93-tulip-harbour"
#define TOKEN_BASE64 "a1g5My10dWxpcC1oYXJib3Vy"
#define MASK "[ENVSEAL:REDACTED TOKEN]"
#define LEAKS_MAX 16

static struct envseal_error error;

struct told {
	struct envseal_leak leak;
	char name[32];
	char form[16];
};

// What a stream gave out, and how its callbacks are to behave.
struct record {
	char text[4096];
	size_t len;
	struct told told[LEAKS_MAX];
	size_t told_count;
	size_t told_before_text; // length of the text when the last leak was told
	size_t stop_after;       // write answers non-zero from this call on; 0 for never
	size_t writes;
	struct envseal_stream *meddle; // the callback calls functions on it
	int meddled[3];
};

static inline int record_write(void *context, const void *bytes, size_t len)
{
	struct record *record = context;
	assert_true(len > 0);
	record->writes++;
	if (record->meddle) {
		record->meddled[0] = envseal_stream_feed(record->meddle, "x", 1, NULL);
		record->meddled[1] = envseal_stream_quiet(record->meddle, NULL);
		record->meddled[2] = envseal_stream_end(record->meddle, NULL);
	}
	if (record->stop_after != 0 && record->writes >= record->stop_after)
		return 42;
	assert_true(record->len + len < sizeof(record->text));
	memcpy(record->text + record->len, bytes, len);
	record->len += len;
	return 0;
}

static inline void record_leak(void *context, const struct envseal_leak *leak)
{
	struct record *record = context;
	assert_true(record->told_count < LEAKS_MAX);
	struct told *told = &record->told[record->told_count++];
	told->leak = *leak;
	snprintf(told->name, sizeof(told->name), "%s", leak->name);
	snprintf(told->form, sizeof(told->form), "%s", leak->form);
	record->told_before_text = record->len;
}

static inline struct envseal_sink record_sink(struct record *record)
{
	return (struct envseal_sink){sizeof(struct envseal_sink), record_write, record_leak, record};
}

static inline struct envseal_values *values_of(const char *name, const char *value)
{
	struct envseal_values *values = NULL;
	assert_int_equal(envseal_values_new(&values, &error), 0);
	assert_int_equal(envseal_values_add(values, name, value, strlen(value), &error), 0);
	return values;
}

static inline struct envseal_redactor *redactor_take(struct envseal_values *values)
{
	struct envseal_redactor *redactor = NULL;
	assert_int_equal(envseal_redactor_new(values, &redactor, &error), 0);
	envseal_values_free(values);
	return redactor;
}

static inline struct envseal_stream *stream_of(const struct envseal_redactor *redactor, struct record *record)
{
	struct envseal_stream *stream = NULL;
	struct envseal_sink sink = record_sink(record);
	assert_int_equal(envseal_stream_new(redactor, &sink, &stream, &error), 0);
	return stream;
}

static inline void record_check(const struct record *record, const char *text)
{
	assert_int_equal(record->len, strlen(text));
	assert_memory_equal(record->text, text, record->len);
}

// Feeds `text` in two pieces and ends the stream.
static inline void check_cut(const struct envseal_redactor *redactor, const char *text, size_t cut,
			     const char *expected)
{
	struct record record = {0};
	struct envseal_stream *stream = stream_of(redactor, &record);
	assert_int_equal(envseal_stream_feed(stream, text, cut, &error), 0);
	assert_int_equal(envseal_stream_feed(stream, text + cut, strlen(text) - cut, &error), 0);
	assert_int_equal(envseal_stream_end(stream, &error), 0);
	record_check(&record, expected);
	envseal_stream_free(stream);
}
