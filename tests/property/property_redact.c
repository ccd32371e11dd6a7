// Random needles over tiny alphabets, random streams and cuts: the filter against the oracle. Also random values in all
// their forms, and streams that fall quiet.
//
// property_redact [CASES]; the seed is PROPERTY_SEED, or a fixed one. A case is named by its own seed, which replays
// it: PROPERTY_SEED=<that> property_redact 1.
#include "redact/redactor.h"
#include "redact_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A case takes thirty times as long under AddressSanitizer.
#ifdef __SANITIZE_ADDRESS__
#define CASES_DEFAULT 500
#else
#define CASES_DEFAULT 10000
#endif
#define STREAM_MAX 1400

static uint64_t state;

static uint64_t rand_next(void)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t rand_below(size_t n)
{
	return (size_t)(rand_next() % n);
}

struct world {
	struct oracle_needles needles;
	struct redactor *redactor;
	uint8_t stream[STREAM_MAX + 64];
	size_t len;
	const char *alphabet;
	size_t letters;
};

static const char *const names[] = {"A", "B/b", "C", "D.d", "E", "F-f"};
static const char *const alphabets[] = {"a-b1", "ab", "-a", "a1", "a\n-b", "[]A", "+=/x", "a b-", "a\033[m", "0a1b", "\007a]\033"};

static void world_letters(const struct world *w, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)w->alphabet[rand_below(w->letters)];
}

// Sometimes with its twin.
static void world_add(struct world *w, struct needle needle)
{
	uint8_t bytes[40];
	size_t len = 0;
	for (size_t i = 0; i < needle.bytes.len; i++)
		if (!strchr("\t\n\v\f\r ", needle.bytes.data[i]))
			bytes[len++] = needle.bytes.data[i];
	needle.has_twin = !needle.weak && len > 0 && len < needle.bytes.len && rand_below(2) == 0;
	oracle_needles_add(&w->needles, needle);
	struct needle twin = {span_of(bytes, len), needle.value, needle.form, false, false};
	if (needle.has_twin)
		oracle_needles_add(&w->needles, twin);
}

static void world_needles(struct world *w)
{
	uint8_t bytes[40];
	size_t count = 1 + rand_below(8);
	for (size_t i = 0; i < count; i++) {
		size_t len = 1 + rand_below(rand_below(5) == 0 ? 30 : 7);
		size_t period = 1 + rand_below(len);
		world_letters(w, bytes, len);
		for (size_t at = period; at < len && rand_below(3) == 0; at++)
			bytes[at] = bytes[at - period];
		struct needle needle = {span_of(bytes, len), (uint32_t)rand_below(ARRAY_COUNT(names)),
					(enum redact_form)rand_below(REDACT_FORM_COUNT), rand_below(3) == 0, false};
		world_add(w, needle);
	}
	struct err err;
	if (redactor_new_needles(w->needles.list, w->needles.count, names, ARRAY_COUNT(names), &w->redactor, &err) != 0)
		abort();
}

static void world_values(struct world *w)
{
	uint8_t bytes[4][24];
	struct redact_value values[4];
	size_t count = rand_below(4) + 1;
	for (size_t i = 0; i < count; i++) {
		size_t len = rand_below(24);
		for (size_t at = 0; at < len; at++)
			bytes[i][at] = (uint8_t)rand_next();
		if (len > 0 && rand_below(3) == 0)
			bytes[i][len - 1] = '\n';
		if (i > 0 && rand_below(4) == 0) {
			len = values[0].value.len;
			memcpy(bytes[i], bytes[0], len);
		}
		values[i] = (struct redact_value){names[i], span_of(bytes[i], len)};
		oracle_needles_add_value(&w->needles, values[i].value, (uint32_t)i);
	}
	struct err err;
	if (redactor_new(values, count, &w->redactor, &err) != 0)
		abort();
}

static void world_text(struct world *w, const char *text)
{
	for (; *text && w->len < STREAM_MAX; text++)
		w->stream[w->len++] = (uint8_t)*text;
}

static void world_run(struct world *w, uint8_t byte, size_t count)
{
	for (; count > 0 && w->len < STREAM_MAX; count--)
		w->stream[w->len++] = byte;
}

// What stands between the parts of a value on a terminal: colours, wraps, dumps; whole, cut, and too much of it.
static void world_noise(struct world *w)
{
	static const char *const texts[] = {"\033[31m", "\033[0m", "\033[1;", "\033", "\033]0;t", "\007", "\033\\", "\033]8;;\033\\",
					    "\033(B", "\033[m\033[K", "\n", "\r\n", " ", "\t", "\n00000010  ", "\n00000010: ",
					    "\n0000020 ", "  |", "|\n", "  >", "<\n", "\033P", "\030", "  ", "   ", "    ", "\n0000020\n"};
	size_t kind = rand_below(40);
	if (kind == 0)
		world_run(w, ' ', 500 + rand_below(30));
	else if (kind == 1)
		world_run(w, ';', 495 + rand_below(30));
	else
		world_text(w, texts[rand_below(ARRAY_COUNT(texts))]);
}

// Letters, and whole and cut needles, with noise in between and within.
static void world_stream(struct world *w)
{
	size_t len = rand_below(rand_below(4) == 0 ? 400 : 40);
	size_t noise = rand_below(3) == 0 ? 0 : 1 + rand_below(4);
	size_t spread = rand_below(3) == 0 ? 1 + rand_below(6) : 0;
	len = rand_below(40) == 0 ? STREAM_MAX : len;
	while (w->len < len) {
		if (noise && rand_below(5) < noise)
			world_noise(w);
		if (rand_below(3) == 0 || w->needles.count == 0) {
			world_letters(w, w->stream + w->len++, 1);
			continue;
		}
		struct span needle = w->needles.list[rand_below(w->needles.count)].bytes;
		size_t part = rand_below(2) ? needle.len : rand_below(needle.len + 1);
		part = part < 64 ? part : 64;
		for (size_t i = 0; i < part && w->len < STREAM_MAX; i++) {
			w->stream[w->len++] = needle.data[i];
			if (spread && rand_below(spread) == 0)
				world_noise(w);
		}
	}
}

// A heap copy of each piece, so that a reader of the past or the future is caught by a sanitizer.
static void feed_piece(struct filter *filter, struct span piece)
{
	struct err err;
	uint8_t *copy = malloc(piece.len + 1);
	if (!copy)
		abort();
	memcpy(copy, piece.data, piece.len);
	if (filter_feed(filter, span_of(copy, piece.len), &err) != 0)
		abort();
	memset(copy, 'X', piece.len);
	free(copy);
}

static void show_bytes(const char *what, struct span bytes)
{
	printf("  %s: \"", what);
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.data[i];
		printf(byte >= 0x20 && byte < 0x7f && byte != '\\' ? "%c" : "\\%03o", byte);
	}
	printf("\"\n");
}

static void show_result(const char *what, const struct oracle_result *result)
{
	show_bytes(what, buf_span(&result->text));
	for (size_t i = 0; i < result->leak_count; i++) {
		const struct redact_leak *leak = &result->leaks[i];
		printf("    %" PRIu64 "+%" PRIu64 " %s %s%s\n", leak->offset, leak->len, names[leak->value_index],
		       redact_form_name(leak->form), leak->partial ? " partial" : "");
	}
}

// For whoever looks for the reason: PROPERTY_SHOW=1.
static void world_show(const struct world *w, const struct oracle_result *want, const struct oracle_result *got)
{
	for (size_t i = 0; i < w->needles.count; i++) {
		const struct needle *needle = &w->needles.list[i];
		printf("  %s %s%s%s", names[needle->value], redact_form_name(needle->form), needle->weak ? " weak" : "",
		       needle->has_twin ? " twin" : "");
		show_bytes("", needle->bytes);
	}
	show_bytes("stream", span_of(w->stream, w->len));
	show_result("want", want);
	show_result("got ", got);
}

static const char *world_check(struct world *w, bool quiet)
{
	struct span stream = span_of(w->stream, w->len);
	struct oracle_result want, got;
	struct err err;
	_cleanup_filter_ struct filter *filter = NULL;
	const char *wrong = NULL;
	oracle_run(&w->needles, stream, &want);
	oracle_result_init(&got, w->len);
	struct redact_sink sink = oracle_recorder(&got);
	if (filter_new(w->redactor, &sink, &filter, &err) != 0)
		abort();
	size_t most = rand_below(3) == 0 ? 1 : 1 + rand_below(20);
	for (size_t at = 0; at < w->len;) {
		size_t len = 1 + rand_below(most);
		len = len < w->len - at ? len : w->len - at;
		feed_piece(filter, span_of(w->stream + at, len));
		at += len;
		if (!quiet && rand_below(8) == 0 && filter_held(filter) != oracle_held(&w->needles, span_of(w->stream, at)))
			wrong = "what is held";
		bool can_show = filter_can_show(filter);
		size_t before = got.text.len;
		if (quiet && rand_below(2) && filter_quiet(filter, &err) != 0)
			abort();
		if (got.text.len > before && (!can_show || filter_can_show(filter)))
			wrong = "can_show";
	}
	if (filter_end(filter, &err) != 0)
		abort();
	if (!quiet && !wrong)
		wrong = oracle_compare(&want, &got);
	if (wrong && getenv("PROPERTY_SHOW"))
		world_show(w, &want, &got);
	if (quiet && !wrong && !oracle_budget_is_kept(&w->needles, stream, &got))
		wrong = "the exposure budget";
	oracle_result_done(&want);
	oracle_result_done(&got);
	return wrong;
}

static const char *case_run(uint64_t seed)
{
	state = seed;
	struct world w = {.alphabet = alphabets[rand_below(ARRAY_COUNT(alphabets))]};
	w.letters = 1 + rand_below(strlen(w.alphabet));
	w.needles = (struct oracle_needles){.names = names, .value_count = ARRAY_COUNT(names)};
	if (rand_below(40) == 0)
		world_values(&w);
	else
		world_needles(&w);
	w.needles.no_shadow = rand_below(4) == 0;
	if (w.needles.no_shadow)
		redactor_disable_shadow(w.redactor);
	world_stream(&w);
	const char *wrong = world_check(&w, false);
	if (!wrong)
		wrong = world_check(&w, true);
	redactor_free(w.redactor);
	oracle_needles_done(&w.needles);
	return wrong;
}

int main(int argc, char **argv)
{
	const char *text = getenv("PROPERTY_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;
	unsigned long cases = argc > 1 ? strtoul(argv[1], NULL, 10) : CASES_DEFAULT;
	setvbuf(stdout, NULL, _IOLBF, 0); // the seed must be seen even when a case aborts
	printf("property_redact: seed %" PRIu64 ", %lu cases\n", seed, cases);
	for (unsigned long i = 0; i < cases; i++) {
		const char *wrong = case_run(seed + i);
		if (wrong) {
			printf("PROPERTY_SEED=%" PRIu64 ": the filter and the oracle differ in %s\n", seed + i, wrong);
			return 1;
		}
	}
	printf("property_redact: %lu passed, 0 failed\n", cases);
	return 0;
}
