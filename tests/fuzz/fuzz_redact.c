// The filter against the oracle: the input decodes to needles over a tiny alphabet, a stream and the cuts in it.
//
// Byte 0: number of needles. Then for each: a byte with value, form and weakness, a byte with its length, and its
// letters, two bits each. The rest: one byte for each letter of the stream, with a flag for a cut behind it.
#include "property/redact_oracle.h"
#include "redact/redactor.h"

#include <stdio.h>
#include <stdlib.h>

#define NEEDLES_MAX 8
#define NEEDLE_BYTES_MAX 24
#define STREAM_BYTES_MAX 600

static const char *const names[] = {"A", "B", "C", "D"};
static const char letters[] = "ab-1";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "the filter and the oracle differ in %s\n", what);
	abort();
}

static void read_needle(struct reader *r, struct oracle_needles *needles)
{
	uint8_t bytes[NEEDLE_BYTES_MAX];
	uint8_t kind = reader_u8(r);
	size_t len = 1 + reader_u8(r) % NEEDLE_BYTES_MAX;
	uint8_t packed = 0;
	for (size_t i = 0; i < len; i++) {
		packed = i % 4 == 0 ? reader_u8(r) : packed >> 2;
		bytes[i] = (uint8_t)letters[packed & 3];
	}
	struct needle needle = {span_of(bytes, len), kind & 3, (enum redact_form)((kind >> 2) % REDACT_FORM_COUNT),
				kind & 0x80, false};
	oracle_needles_add(needles, needle);
}

static void check_stream(const struct oracle_needles *needles, const struct redactor *redactor, struct span input)
{
	uint8_t stream[STREAM_BYTES_MAX];
	size_t len = input.len < sizeof(stream) ? input.len : sizeof(stream);
	for (size_t i = 0; i < len; i++)
		stream[i] = (uint8_t)letters[input.data[i] & 3];
	struct oracle_result want, got;
	struct err err;
	struct filter *filter;
	oracle_run(needles, span_of(stream, len), &want);
	oracle_result_init(&got, len);
	struct redact_sink sink = oracle_recorder(&got);
	check(filter_new(redactor, &sink, &filter, &err) == 0, "memory");
	size_t from = 0;
	for (size_t i = 0; i < len; i++) {
		if (!(input.data[i] & 4) && i + 1 < len)
			continue;
		check(filter_feed(filter, span_of(stream + from, i + 1 - from), &err) == 0, "feeding");
		from = i + 1;
		if (input.data[i] & 8)
			check(filter_held(filter) == oracle_held(needles, span_of(stream, from)), "what is held");
	}
	check(filter_end(filter, &err) == 0, "ending");
	const char *wrong = oracle_compare(&want, &got);
	check(!wrong, wrong);
	filter_free(filter);
	oracle_result_done(&want);
	oracle_result_done(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(span_of(data, size));
	struct oracle_needles needles = {.names = names, .value_count = ARRAY_COUNT(names)};
	struct redactor *redactor;
	struct err err;
	size_t count = reader_u8(&r) % (NEEDLES_MAX + 1);
	for (size_t i = 0; i < count; i++)
		read_needle(&r, &needles);
	if (!r.failed && redactor_new_needles(needles.list, count, names, ARRAY_COUNT(names), &redactor, &err) == 0) {
		check_stream(&needles, redactor, r.rest);
		redactor_free(redactor);
	}
	oracle_needles_done(&needles);
	return 0;
}
