// The filter against the oracle: the input decodes to needles over a small alphabet, and to a program that makes a
// stream, its cuts and its silences.
//
// Byte 0: number of needles - 1 (0x07), 0x10 the lane PLAIN alone, 0x20 with silences. Then for each needle a byte with
// value (0x03), form (0x7c) and weakness (0x80), a byte with its length, and its letters, two in a byte. The rest is
// the program: each byte is a step (0xf0) and its argument (0x0f); see add_step.
#include "property/redact_oracle.h"
#include "redact/redactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDLE_BYTES_MAX 24
#define STREAM_BYTES_MAX 6000
#define CUTS_MAX 600
#define GAP_BYTES 512

static const char *const names[] = {"A", "B", "C", "D"};
static const uint8_t letters[16] = "ab-1 \n\033[m:06|>]\t";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "the filter and the oracle differ in %s\n", what);
	abort();
}

// ----------------------------------------------------------------------------------------------------------- decoding

struct input {
	struct oracle_needles needles;
	uint8_t stream[STREAM_BYTES_MAX];
	size_t len;
	size_t cuts[CUTS_MAX]; // ends of feeds
	bool quiet[CUTS_MAX];  // a silence comes then
	size_t cut_count;
};

static bool is_white_space(uint8_t c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0d);
}

// Needles have no white space at their ends.
static struct span trimmed(const uint8_t *bytes, size_t len)
{
	size_t from = 0;
	size_t to = len;
	while (from < to && is_white_space(bytes[from]))
		from++;
	while (to > from && is_white_space(bytes[to - 1]))
		to--;
	return from < to ? span_of(bytes + from, to - from) : span_of(bytes, len);
}

static void read_needle(struct reader *r, struct oracle_needles *needles)
{
	uint8_t bytes[NEEDLE_BYTES_MAX];
	uint8_t twin[NEEDLE_BYTES_MAX];
	uint8_t kind = reader_u8(r);
	uint8_t size = reader_u8(r);
	size_t len = 1 + size % NEEDLE_BYTES_MAX;
	uint8_t packed = 0;
	for (size_t i = 0; i < len; i++) {
		packed = i % 2 == 0 ? reader_u8(r) : packed >> 4;
		bytes[i] = letters[packed & 15];
	}
	struct needle needle = {.bytes = trimmed(bytes, len),
				.value = kind & 3,
				.form = (enum redact_form)((kind >> 2 & 31) % REDACT_FORM_COUNT),
				.weak = kind & 0x80};
	size_t twin_len = 0;
	for (size_t i = 0; i < needle.bytes.len; i++)
		if (!is_white_space(needle.bytes.data[i]))
			twin[twin_len++] = needle.bytes.data[i];
	needle.has_twin = !needle.weak && size >= 128 && twin_len > 0 && twin_len < needle.bytes.len;
	oracle_needles_add(needles, needle);
	if (!needle.has_twin)
		return;
	needle.bytes = span_of(twin, twin_len);
	needle.has_twin = false;
	oracle_needles_add(needles, needle);
}

static void add(struct input *in, const void *bytes, size_t len)
{
	len = len < STREAM_BYTES_MAX - in->len ? len : STREAM_BYTES_MAX - in->len;
	memcpy(in->stream + in->len, bytes, len);
	in->len += len;
}

static void add_text(struct input *in, const char *text)
{
	add(in, text, strlen(text));
}

static void add_cut(struct input *in, bool quiet)
{
	if (in->cut_count == CUTS_MAX)
		return;
	in->cuts[in->cut_count] = in->len;
	in->quiet[in->cut_count++] = quiet;
}

static struct span needle_of(const struct input *in, unsigned arg)
{
	return in->needles.list[arg % in->needles.count].bytes;
}

// A needle with something between all its bytes.
static void add_torn(struct input *in, unsigned arg, const char *between)
{
	struct span needle = needle_of(in, arg);
	for (size_t i = 0; i < needle.len; i++) {
		add(in, needle.data + i, 1);
		if (i + 1 < needle.len)
			add_text(in, between);
	}
}

static void add_digits(struct input *in, uint8_t arg)
{
	struct span needle = needle_of(in, arg);
	for (size_t i = 0; i < needle.len; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%02x%s", needle.data[i], i % 2 ? " " : "");
		add_text(in, text);
	}
}

static void add_run(struct input *in, char byte, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add(in, &byte, 1);
}

static void add_piece(struct input *in, uint8_t arg)
{
	static const char *const pieces[16] = {
		"\033[31m", "\033[m", "\033]0;", "\007", "\033\\", "\033P", "\033(B", "\033[", "\r\n", "  ",
		"\n00000010: ", "\n0000000  ", "  |", "  ", "\n*\n", "\n0000020\n"};
	add_text(in, pieces[arg]);
}

static void add_step(struct input *in, uint8_t step)
{
	static const char bytes[16] = "\0\377\303\251\v\f\r\030\032\\(#f9A";
	static const char *const between[8] = {
		" ", "\n", "\033[m", "\r\n", "\033]0;\007", "\033(B", "  ", "\033[1;32m"};
	uint8_t arg = step & 15;
	struct span needle = needle_of(in, arg);
	switch (step >> 4) {
	case 0:
	case 1:
	case 2:
		add(in, &letters[arg], 1);
		break;
	case 3:
		add(in, &bytes[arg], 1);
		break;
	case 4:
	case 5:
		add(in, needle.data, needle.len);
		break;
	case 6:
		add(in, needle.data, needle.len / 2);
		break;
	case 7:
		add(in, needle.data, needle.len - 1);
		break;
	case 8:
		add_torn(in, arg, between[arg >> 1]);
		break;
	case 9:
		add_torn(in, arg >> 1, arg & 1 ? "\n" : "\033[m");
		break;
	case 10:
	case 11:
		add_piece(in, arg);
		break;
	case 12:
		add_digits(in, arg);
		break;
	case 13:
		add_run(in, ' ', GAP_BYTES - 8 + arg);
		break;
	case 14:
		add_run(in, ';', GAP_BYTES - 12 + arg);
		break;
	default:
		add_cut(in, arg & 1);
	}
}

// ----------------------------------------------------------------------------------------------------------- checking

static void check_quiet(const struct input *in, struct filter *filter, struct oracle_result *got, size_t at)
{
	struct oracle_look look;
	struct err err;
	size_t shown = got->shown_count;
	oracle_look(&in->needles, span_of(in->stream, at), 0, &look);
	check(filter_quiet(filter, &err) == 0, "silence");
	check(look.can_show ? got->position == at : got->shown_count == shown, "what silence shows");
}

static void check_feeds(const struct input *in, struct filter *filter, struct oracle_result *got, bool with_quiet)
{
	bool was_quiet = false;
	struct err err;
	for (size_t i = 0, from = 0; i < in->cut_count; i++) {
		size_t to = in->cuts[i];
		struct oracle_look look;
		check(filter_feed(filter, span_of(in->stream + from, to - from), &err) == 0, "feeding");
		oracle_look(&in->needles, span_of(in->stream, to), was_quiet ? got->position : 0, &look);
		check(filter_held(filter) == look.held, "what is held");
		bool is_prompt = was_quiet ? got->position >= look.settled : got->position == look.settled;
		check(is_prompt, "what is given out at once");
		from = to;
		if (!with_quiet || !in->quiet[i])
			continue;
		check_quiet(in, filter, got, to);
		was_quiet = true;
	}
	check(filter_end(filter, &err) == 0, "ending");
	if (was_quiet) {
		check(oracle_budget_is_kept(&in->needles, span_of(in->stream, in->len), got), "the exposure budget");
		return;
	}
	struct oracle_result want;
	oracle_run(&in->needles, span_of(in->stream, in->len), &want);
	const char *wrong = oracle_compare(&want, got);
	check(!wrong, wrong);
	oracle_result_done(&want);
}

static void check_input(const struct input *in, bool with_quiet)
{
	struct redactor *redactor;
	struct filter *filter;
	struct err err;
	struct oracle_result got;
	if (redactor_new_needles(in->needles.list, in->needles.count, names, ARRAY_COUNT(names), &redactor, &err) != 0)
		return;
	if (in->needles.plain_only)
		redactor_disable_shadow(redactor);
	oracle_result_init(&got, in->len);
	struct redact_sink sink = oracle_recorder(&got);
	check(filter_new(redactor, &sink, &filter, &err) == 0, "memory");
	check_feeds(in, filter, &got, with_quiet);
	filter_free(filter);
	redactor_free(redactor);
	oracle_result_done(&got);
}

static void read_program(struct input *in, struct span steps)
{
	for (size_t i = 0; i < steps.len; i++)
		add_step(in, steps.data[i]);
	// The last feed ends where the stream does.
	if (in->cut_count == CUTS_MAX)
		in->cut_count--;
	add_cut(in, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ struct input *in = calloc(1, sizeof(*in));
	check(in != NULL, "memory");
	in->needles = (struct oracle_needles){.names = names, .value_count = ARRAY_COUNT(names)};
	struct reader r = reader_of(span_of(data, size));
	uint8_t head = reader_u8(&r);
	for (size_t i = 0; i <= (head & 7u); i++)
		read_needle(&r, &in->needles);
	in->needles.plain_only = head & 0x10;
	if (!r.failed) {
		read_program(in, r.rest);
		check_input(in, head & 0x20);
	}
	oracle_needles_done(&in->needles);
	return 0;
}
