// One stream through the filter, for the tests of redaction: a redactor, the oracle's needles for the same, and a
// filter whose output is recorded.
#pragma once

#include "property/redact_oracle.h"
#include "redact/redactor.h"

#include <string.h>

static struct err err; // of the last call

static inline uint64_t rand_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

struct bench {
	struct oracle_needles needles;
	struct redactor *redactor;
	struct oracle_result got;
	struct filter *filter;
};

static const char *const names[] = {"A", "B", "C", "D"};

static inline void bench_start(struct bench *b, size_t stream_bytes)
{
	oracle_result_init(&b->got, stream_bytes);
	struct redact_sink sink = oracle_recorder(&b->got);
	assert_int_equal(filter_new(b->redactor, &sink, &b->filter, &err), 0);
}

static inline void bench_stop(struct bench *b)
{
	b->filter = filter_free(b->filter);
	oracle_result_done(&b->got);
}

static inline struct bench bench_of_values(const struct span *values, size_t count)
{
	struct redact_value list[ARRAY_COUNT(names)] = {0};
	struct bench b = {.needles = {.names = names, .value_count = count}};
	for (size_t i = 0; i < count; i++) {
		list[i] = (struct redact_value){names[i], values[i]};
		oracle_needles_add_value(&b.needles, values[i], (uint32_t)i);
	}
	assert_int_equal(redactor_new(list, count, &b.redactor, &err), 0);
	return b;
}

// One needle for each text, matched everywhere.
static inline struct bench bench_of_texts(const char *const *texts, size_t count)
{
	struct bench b = {.needles = {.names = names, .value_count = count}};
	for (size_t i = 0; i < count; i++)
		oracle_needles_add(&b.needles,
				   (struct needle){span_text(texts[i]), (uint32_t)i, REDACT_FORM_RAW, false, false});
	assert_int_equal(redactor_new_needles(b.needles.list, count, names, count, &b.redactor, &err), 0);
	return b;
}

static inline void bench_done(struct bench *b)
{
	b->redactor = redactor_free(b->redactor);
	oracle_needles_done(&b->needles);
}

static inline void feed(struct bench *b, struct span bytes)
{
	assert_int_equal(filter_feed(b->filter, bytes, &err), 0);
}

static inline void assert_got(struct bench *b, const char *text)
{
	assert_string_equal(buf_text(&b->got.text), text);
}

static inline void assert_same(const struct oracle_result *want, const struct oracle_result *got, const char *how,
			       size_t at)
{
	const char *wrong = oracle_compare(want, got);
	if (wrong)
		fail_msg("%s %zu: the filter and the oracle differ in %s", how, at, wrong);
}

// In two pieces, the first of `cut` bytes.
static inline void check_cut(struct bench *b, const struct oracle_result *want, struct span stream, size_t cut)
{
	bench_start(b, stream.len);
	feed(b, span_of(stream.data, cut));
	feed(b, span_of(stream.data + cut, stream.len - cut));
	assert_int_equal(filter_end(b->filter, &err), 0);
	assert_same(want, &b->got, "cut at", cut);
	bench_stop(b);
}

// In pieces of 1 to `most` bytes.
static inline void check_pieces(struct bench *b, const struct oracle_result *want, struct span stream, size_t most,
			 uint64_t seed)
{
	bench_start(b, stream.len);
	for (size_t at = 0; at < stream.len;) {
		size_t len = 1 + rand_next(&seed) % most;
		len = len < stream.len - at ? len : stream.len - at;
		feed(b, span_of(stream.data + at, len));
		at += len;
	}
	assert_int_equal(filter_end(b->filter, &err), 0);
	assert_same(want, &b->got, "pieces up to", most);
	bench_stop(b);
}

static inline void check_stream(struct bench *b, struct span stream)
{
	struct oracle_result want;
	oracle_run(&b->needles, stream, &want);
	for (size_t cut = 0; cut <= stream.len; cut++)
		check_cut(b, &want, stream, cut);
	check_pieces(b, &want, stream, 1, 1);
	oracle_result_done(&want);
}

// What a stream gives, whatever its cuts.
static inline void check_text(struct bench *b, const char *stream, const char *text)
{
	check_stream(b, span_text(stream));
	bench_start(b, strlen(stream));
	feed(b, span_text(stream));
	assert_int_equal(filter_end(b->filter, &err), 0);
	assert_got(b, text);
	bench_stop(b);
}
