// Random needles over tiny alphabets, random streams and cuts: the filter against the oracle. Also random values in all
// their forms, and streams that fall quiet.
//
// property_redact [CASES]; the seed is PROPERTY_SEED, or a fixed one. A case is named by its own seed, which replays
// it: PROPERTY_SEED=<that> property_redact 1.
#include "redact_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A case takes thirty times as long under AddressSanitizer.
#ifdef __SANITIZE_ADDRESS__
#define CASES_DEFAULT 3000
#else
#define CASES_DEFAULT 40000
#endif
// Tables cost more than streams, so that one set of needles serves this many cases.
#define CASES_PER_WORLD 32
#define CASES_PER_REPORT 1000000
#define STREAM_BYTES_MAX ((size_t)1 << 20)

// A heap copy of each piece, so that a reader of the past or the future is caught by a sanitizer.
static void feed_piece(struct filter *filter, struct span piece)
{
	struct err err;
	uint8_t *copy = malloc(piece.len);
	if (!copy)
		abort();
	memcpy(copy, piece.data, piece.len);
	if (filter_feed(filter, span_of(copy, piece.len), &err) != 0)
		abort();
	memset(copy, 'X', piece.len);
	free(copy);
}

// One stream on its way through the filter.
struct course {
	const struct world *world;
	struct span stream;
	struct filter *filter;
	struct oracle_result got;
	bool quiet; // silences have come
	bool tells; // the case has failed and is run once more
};

static const char *check_look(const struct course *c, size_t at)
{
	struct oracle_look look;
	oracle_look(&c->world->needles, span_of(c->stream.data, at), c->quiet ? c->got.position : 0, &look);
	if (c->tells)
		printf("held %zu, want %zu; settled %" PRIu64 ", want %zu\n", filter_held(c->filter), look.held,
		       c->got.position, look.settled);
	if (filter_held(c->filter) != look.held)
		return "what is held";
	if (c->quiet ? c->got.position < look.settled : c->got.position != look.settled)
		return "what is given out at once";
	return NULL;
}

// A silence after the first `at` bytes.
static const char *check_quiet(struct course *c, size_t at)
{
	struct oracle_look look;
	struct err err;
	size_t text = c->got.text.len;
	size_t shown = c->got.shown_count;
	bool can_show = filter_can_show(c->filter);
	oracle_look(&c->world->needles, span_of(c->stream.data, at), 0, &look);
	if (filter_quiet(c->filter, &err) != 0)
		abort();
	c->quiet = true;
	if (c->tells)
		printf("quiet: settled %" PRIu64 " of %zu, budget %d\n", c->got.position, at, look.can_show);
	if (filter_can_show(c->filter) || can_show != (c->got.text.len > text))
		return "can_show";
	if (look.can_show ? c->got.position != at : c->got.shown_count != shown)
		return "what silence shows";
	return NULL;
}

static const char *course_run(struct course *c, struct dice *dice, bool is_quiet)
{
	struct err err;
	const char *wrong = NULL;
	size_t most = dice_below(dice, 4) == 0 ? 1 : 1 + dice_below(dice, c->stream.len + 1);
	size_t look_each = c->stream.len > 200 ? 50 : dice_below(dice, 4) == 0 ? 1 : 8;
	for (size_t at = 0; at < c->stream.len && !wrong;) {
		size_t len = 1 + dice_below(dice, most);
		len = len < c->stream.len - at ? len : c->stream.len - at;
		if (c->tells)
			bytes_tell("feed", span_of(c->stream.data + at, len));
		feed_piece(c->filter, span_of(c->stream.data + at, len));
		at += len;
		if (dice_below(dice, look_each) == 0)
			wrong = check_look(c, at);
		if (!wrong && is_quiet && dice_below(dice, 2 * look_each) == 0)
			wrong = check_quiet(c, at);
	}
	if (filter_end(c->filter, &err) != 0)
		abort();
	return wrong;
}

static void result_tell(const char *label, const struct oracle_result *result)
{
	bytes_tell(label, buf_span(&result->text));
	for (size_t i = 0; i < result->leak_count; i++) {
		const struct redact_leak *leak = &result->leaks[i];
		printf("%s leak at %" PRIu64 ", %" PRIu64 " bytes, value %zu, %s%s\n", label, leak->offset, leak->len,
		       leak->value_index, redact_form_name(leak->form), leak->partial ? ", partial" : "");
	}
}

static const char *course_check(const struct course *c)
{
	const struct oracle_needles *needles = &c->world->needles;
	if (c->quiet)
		return oracle_budget_is_kept(needles, c->stream, &c->got) ? NULL : "the exposure budget";
	struct oracle_result want;
	oracle_run(needles, c->stream, &want);
	const char *wrong = oracle_compare(&want, &c->got);
	if (c->tells) {
		result_tell("want", &want);
		result_tell("got ", &c->got);
	}
	oracle_result_done(&want);
	return wrong;
}

static const char *case_run(const struct world *world, uint64_t seed, bool tells)
{
	struct dice dice = {~seed};
	struct err err;
	_cleanup_buf_ struct buf stream = BUF_INIT(STREAM_BYTES_MAX);
	world_stream(world, &dice, &stream);
	struct course c = {.world = world, .stream = buf_span(&stream), .tells = tells};
	oracle_result_init(&c.got, stream.len);
	struct redact_sink sink = oracle_recorder(&c.got);
	if (filter_new(world->redactor, &sink, &c.filter, &err) != 0)
		abort();
	const char *wrong = course_run(&c, &dice, dice_below(&dice, 3) == 0);
	if (!wrong)
		wrong = course_check(&c);
	filter_free(c.filter);
	oracle_result_done(&c.got);
	return wrong;
}

static void case_tell(const struct world *world, uint64_t seed, const char *wrong)
{
	world_tell(world);
	case_run(world, seed, true);
	printf("PROPERTY_SEED=%" PRIu64 ": the filter and the oracle differ in %s\n", seed, wrong);
}

int main(int argc, char **argv)
{
	const char *text = getenv("PROPERTY_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;
	unsigned long cases = argc > 1 ? strtoul(argv[1], NULL, 10) : CASES_DEFAULT;
	setvbuf(stdout, NULL, _IOLBF, 0); // the seed must be seen even when a case aborts
	printf("property_redact: seed %" PRIu64 ", %lu cases\n", seed, cases);
	struct world world;
	world_init(&world, seed / CASES_PER_WORLD);
	const char *wrong = NULL;
	for (unsigned long i = 0; i < cases && !wrong; i++) {
		if (i > 0 && (seed + i) % CASES_PER_WORLD == 0) {
			world_done(&world);
			world_init(&world, (seed + i) / CASES_PER_WORLD);
		}
		wrong = case_run(&world, seed + i, false);
		if (wrong)
			case_tell(&world, seed + i, wrong);
		else if ((i + 1) % CASES_PER_REPORT == 0)
			printf("property_redact: %lu cases so far\n", i + 1);
	}
	world_done(&world);
	if (wrong)
		return 1;
	printf("property_redact: %lu passed, 0 failed\n", cases);
	return 0;
}
