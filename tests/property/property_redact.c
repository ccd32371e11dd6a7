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
#define CASES_DEFAULT 1000
#else
#define CASES_DEFAULT 20000
#endif
#define STREAM_MAX 400

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
static const char *const alphabets[] = {"a-b1", "ab", "-a", "a1", "a\n-b", "[]A", "+=/x"};

static void world_letters(const struct world *w, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)w->alphabet[rand_below(w->letters)];
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
					(enum redact_form)rand_below(REDACT_FORM_COUNT), rand_below(3) == 0};
		oracle_needles_add(&w->needles, needle);
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

// Letters, and whole and cut needles.
static void world_stream(struct world *w)
{
	size_t len = rand_below(rand_below(4) == 0 ? STREAM_MAX : 40);
	while (w->len < len) {
		if (rand_below(3) == 0 || w->needles.count == 0) {
			world_letters(w, w->stream + w->len++, 1);
			continue;
		}
		struct span needle = w->needles.list[rand_below(w->needles.count)].bytes;
		size_t part = rand_below(2) ? needle.len : rand_below(needle.len + 1);
		part = part < 64 ? part : 64;
		memcpy(w->stream + w->len, needle.data, part);
		w->len += part;
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
		if (!quiet && filter_held(filter) != oracle_held(&w->needles, span_of(w->stream, at)))
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
	if (rand_below(5) == 0)
		world_values(&w);
	else
		world_needles(&w);
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
