// One stream: what may be shown, what is held, what is masked.
//
// The stream is read in slices. Each lane looks for needles in one view of the slice; what the lanes find is entered in
// the order in which it ends. Then everything is shown or masked up to the first byte that some lane still holds.
#include "redact/filter_internal.h"

#include <stdlib.h>

// At most this many bytes of a value are shown when the stream is quiet, and at most 1/EXPOSURE_PART of it.
#define EXPOSURE_BYTES_MAX 3
#define EXPOSURE_PART 4
// The name lists of masks: more than any set of secrets that fits into memory can fill.
#define MASK_BYTES_MAX ((size_t)1 << 40)

static void filter_init_lanes(struct filter *f)
{
	const struct matcher *strong = f->redactor->strong;
	const struct matcher *weak = f->redactor->weak;
	const struct shadow *shadow = &f->shadow;
	lane_init(&f->lanes[LANE_STREAM], strong, &f->stream);
	lane_init(&f->lanes[LANE_LOOSE], strong, &shadow->loose);
	lane_init(&f->lanes[LANE_CLEAN], strong, &shadow->clean.view);
	lane_init(&f->lanes[LANE_DUMP], strong, &shadow->dump.view);
	lane_init(&f->lanes[LANE_TEXT], strong, &shadow->text.view);
	lane_init(&f->lanes[LANE_WEAK_STREAM], weak, &f->stream);
	lane_init(&f->lanes[LANE_WEAK_CLEAN], weak, &shadow->clean.view);
	f->lanes[LANE_STREAM].is_stream = f->lanes[LANE_WEAK_STREAM].is_stream = true;
	f->lanes[LANE_WEAK_STREAM].is_weak = f->lanes[LANE_WEAK_CLEAN].is_weak = true;
	f->lanes[LANE_LOOSE].skips_space = true;
	bool has_shadow = f->redactor->has_shadow;
	bool has_strong = matcher_output_count(strong) > 0;
	bool has_weak = matcher_output_count(weak) > 0;
	f->is_active[LANE_LOOSE] = f->is_active[LANE_DUMP] = f->is_active[LANE_TEXT] = has_shadow && has_strong;
	f->is_active[LANE_CLEAN] = has_shadow && f->redactor->needs_clean;
	f->is_active[LANE_WEAK_STREAM] = has_weak;
	f->is_active[LANE_WEAK_CLEAN] = has_shadow && has_weak;
}

int filter_new(const struct redactor *redactor, const struct redact_sink *sink, struct filter **out, struct err *err)
{
	_cleanup_filter_ struct filter *filter = calloc(1, sizeof(*filter));
	if (!filter)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	filter->redactor = redactor;
	filter->sink = *sink;
	filter->mask = BUF_INIT(MASK_BYTES_MAX);
	shadow_init(&filter->shadow);
	filter_init_lanes(filter);
	size_t marks = matcher_output_count(redactor->strong) + matcher_output_count(redactor->weak) + 2;
	int r = stretches_init(&filter->stretches, redactor->value_count, marks, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(filter);
	return 0;
}

struct filter *filter_free(struct filter *filter)
{
	if (!filter)
		return NULL;
	for (size_t i = 0; i < LANE_COUNT; i++)
		lane_done(&filter->lanes[i]);
	shadow_done(&filter->shadow);
	stretches_done(&filter->stretches);
	buf_done(&filter->mask);
	secret_free(filter->hold.room);
	free(filter);
	return NULL;
}

void filter_free_ptr(struct filter **filter)
{
	*filter = filter_free(*filter);
}

// -------------------------------------------------------------------------------------------------------------- slices

// The first byte that a lane holds.
static uint64_t filter_safe(const struct filter *f)
{
	uint64_t safe = f->position;
	for (size_t i = 0; i < LANE_COUNT; i++) {
		uint64_t hold = f->is_active[i] ? lane_hold(&f->lanes[i], f->position) : safe;
		safe = hold < safe ? hold : safe;
	}
	return safe;
}

static bool filter_needs_stream(const struct filter *f)
{
	if (matcher_output_count(f->redactor->strong) == 0)
		return false;
	return !f->redactor->has_shadow || f->redactor->needs_stream || !shadow_is_plain(&f->shadow) ||
	       f->lanes[LANE_STREAM].cursor.state != MATCHER_START;
}

static int filter_open(struct filter *f, struct err *err)
{
	int r = f->redactor->has_shadow ? shadow_read(&f->shadow, f->base, f->stream.bytes, err) : 0;
	f->is_active[LANE_STREAM] = filter_needs_stream(f);
	for (size_t i = 0; i < LANE_COUNT && r == 0; i++) {
		struct lane *lane = &f->lanes[i];
		if (!f->is_active[i])
			continue;
		lane_open(lane, f->base);
		bool is_known;
		bool before_word = lane_is_before_word(lane, &is_known);
		if (lane->pending && is_known)
			r = filter_resolve(f, lane, before_word, err);
		lane_advance(lane);
	}
	return r;
}

// The lane whose output ends first; NULL when all have read the slice.
static struct lane *filter_next(struct filter *f)
{
	struct lane *next = NULL;
	for (size_t i = 0; i < LANE_COUNT; i++) {
		struct lane *lane = &f->lanes[i];
		if (f->is_active[i] && lane->output && (!next || lane->output_end < next->output_end))
			next = lane;
	}
	return next;
}

static int filter_close(struct filter *f, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < LANE_COUNT && r == 0; i++) {
		struct lane *lane = &f->lanes[i];
		if (!f->is_active[i])
			continue;
		// Whatever comes next is too far away to go on with.
		if (f->position - lane->view->end > SHADOW_GAP_MAX) {
			r = filter_resolve(f, lane, false, err);
			lane_drop(lane);
		}
		if (r == 0)
			r = lane_close(lane, f->position, err);
	}
	return r;
}

static int filter_slice(struct filter *f, struct span bytes, struct err *err)
{
	f->stream.bytes = bytes;
	f->stream.end = f->base + bytes.len;
	int r = filter_open(f, err);
	struct lane *lane;
	while (r == 0 && (lane = filter_next(f))) {
		r = filter_match(f, lane, err);
		lane_advance(lane);
	}
	f->position += bytes.len;
	if (r == 0)
		r = filter_close(f, err);
	uint64_t safe = filter_safe(f);
	if (r == 0)
		r = filter_settle(f, safe, err);
	return r == 0 ? filter_keep(f, safe, err) : r;
}

int filter_feed(struct filter *filter, struct span bytes, struct err *err)
{
	int r = 0;
	if (bytes.len > 0)
		filter->ends_line = bytes.data[bytes.len - 1] == '\n';
	while (bytes.len > 0 && r == 0) {
		size_t len = bytes.len < SHADOW_SLICE_BYTES ? bytes.len : SHADOW_SLICE_BYTES;
		r = filter_slice(filter, span_of(bytes.data, len), err);
		bytes = span_of(bytes.data + len, bytes.len - len);
	}
	return r;
}

// ------------------------------------------------------------------------------------------------------ quiet and end

// Every needle that the held bytes may become is judged by its own prefix, but all are shown or none: they overlap.
static bool lane_has_budget(const struct lane *lane)
{
	if (lane->pending || lane_prefix(lane).len > EXPOSURE_BYTES_MAX)
		return false;
	for (uint32_t at = lane->cursor.state; at != MATCHER_START; at = matcher_fall(lane->matcher, at)) {
		size_t len = matcher_prefix(lane->matcher, at).len;
		struct matcher_reach reach;
		if (lane->is_weak && lane_is_after_word(lane, len))
			continue;
		if (matcher_find_reach(lane->matcher, at, &reach) && len * EXPOSURE_PART > reach.shortest)
			return false;
	}
	return true;
}

// Where the stream itself was not read for strong needles, all that its lane would hold is held without white space too:
// it is read now. The same rules must hold for it however the stream was cut.
static struct lane filter_stream_lane(const struct filter *f)
{
	struct lane lane = f->lanes[LANE_STREAM];
	if (f->is_active[LANE_STREAM] || f->hold.len == 0)
		return lane;
	struct span rest = span_of(f->hold.data, f->hold.len);
	while (rest.len > 0) {
		uint32_t ignored;
		size_t len = matcher_scan(lane.matcher, &lane.cursor, rest, false, &ignored);
		rest = span_of(rest.data + len, rest.len - len);
	}
	lane.base = lane.end = f->position;
	return lane;
}

static bool filter_has_budget(const struct filter *f)
{
	for (size_t i = 0; i < LANE_COUNT; i++)
		if (i != LANE_STREAM && f->is_active[i] && !lane_has_budget(&f->lanes[i]))
			return false;
	const struct lane stream = filter_stream_lane(f);
	return lane_has_budget(&stream);
}

// True when the first mask is complete and nothing is held in front of it or could complete within it.
static bool filter_has_mask(const struct filter *f)
{
	const struct stretch *first = stretches_first(&f->stretches);
	if (!first || first->from > f->settled)
		return false;
	for (size_t i = 0; i < LANE_COUNT; i++)
		if (f->is_active[i] && first->to > lane_pending_hold(&f->lanes[i], f->position))
			return false;
	return true;
}

bool filter_can_show(const struct filter *filter)
{
	return filter_has_mask(filter) || (filter->settled < filter->position && filter_has_budget(filter));
}

int filter_quiet_ms(const struct filter *filter)
{
	if (!filter_can_show(filter))
		return -1;
	return filter->ends_line ? 0 : REDACT_QUIET_MS;
}

int filter_quiet(struct filter *filter, struct err *err)
{
	int r = 0;
	if (filter_has_budget(filter)) {
		r = filter_settle(filter, filter->position, err);
		filter->is_exposed = filter_safe(filter) < filter->shown;
		return r;
	}
	while (r == 0 && filter_has_mask(filter))
		r = filter_mask(filter, err);
	return r;
}

int filter_end(struct filter *filter, struct err *err)
{
	int r = 0;
	filter->lanes[LANE_STREAM] = filter_stream_lane(filter);
	filter->is_active[LANE_STREAM] = true;
	for (size_t i = 0; i < LANE_COUNT && r == 0; i++)
		if (filter->is_active[i])
			r = filter_resolve(filter, &filter->lanes[i], false, err);
	for (size_t i = 0; i < LANE_COUNT && r == 0; i++)
		if (filter->is_active[i])
			r = filter_match_cut(filter, &filter->lanes[i], err);
	return r == 0 ? filter_settle(filter, filter->position, err) : r;
}

size_t filter_held(const struct filter *filter)
{
	uint64_t from = filter_safe(filter);
	from = from > filter->settled ? from : filter->settled;
	const struct stretches *s = &filter->stretches;
	uint64_t held = filter->position - from;
	for (size_t i = s->head; i < s->head + s->count; i++) {
		const struct stretch *stretch = &s->list[i];
		uint64_t begin = stretch->from > from ? stretch->from : from;
		held -= stretch->to > begin ? stretch->to - begin : 0;
	}
	return (size_t)held;
}
