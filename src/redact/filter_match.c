#include "redact/filter_internal.h"

// At the end of the stream a prefix of a needle is masked from this length on, or when it is half the needle.
#define END_BYTES_MIN 6

static size_t output_len(const struct lane *lane, uint32_t output)
{
	return matcher_output_text(lane->matcher, output).len;
}

static uint32_t output_link(const struct lane *lane, uint32_t output)
{
	return matcher_find_output(lane->matcher, output)->link;
}

// Marks of weak outputs come behind those of strong ones.
static size_t output_mark(const struct filter *f, const struct lane *lane, uint32_t output)
{
	return lane->is_weak ? matcher_output_count(f->redactor->strong) + 1 + output : output;
}

// How many of the needle's first `len` bytes are no white space: the same for a needle and its twin, of which the other is
// found in some views only.
static size_t match_visible(const struct matcher *matcher, const struct matcher_needle *needle, size_t len)
{
	struct span text = matcher_needle_text(matcher, needle);
	size_t visible = 0;
	for (size_t i = 0; i < len; i++)
		visible += !byte_is_space(text.data[i]);
	return visible;
}

// A match of one needle: the last `len` bytes of the lane, in the stretch at `place`. Silence may have shown some of it.
static int match_label(struct filter *f, const struct lane *lane, size_t place, const struct matcher_needle *needle,
		       size_t len, struct err *err)
{
	struct label label = {
		.value = needle->value,
		.len = match_visible(lane->matcher, needle, len),
		.form = (enum redact_form)needle->form,
		.partial = len < needle->len || (f->is_exposed && lane_start(lane, len) < f->shown),
	};
	return stretches_label(&f->stretches, place, &label, err);
}

static int match_label_output(struct filter *f, const struct lane *lane, size_t place, uint32_t output, struct err *err)
{
	const struct matcher_output *o = matcher_find_output(lane->matcher, output);
	int r = 0;
	for (uint32_t i = 0; i < o->count && r == 0; i++) {
		const struct matcher_needle *needle = matcher_find_needle(lane->matcher, o->first + i);
		r = match_label(f, lane, place, needle, needle->len, err);
	}
	return r;
}

// Adds from..to as a match. What was shown or masked already (when the stream was quiet) stays as it is: *ret_place is
// SIZE_MAX when that is all of it.
static int match_cover(struct filter *f, const struct lane *lane, uint64_t from, uint64_t to, size_t *ret_place,
		       struct err *err)
{
	*ret_place = SIZE_MAX;
	int r = lane->is_stream ? escapes_cover(&f->shadow.escapes, from, to, err) : 0;
	if (r < 0 || to <= f->settled)
		return r;
	return stretches_cover(&f->stretches, from > f->settled ? from : f->settled, to, ret_place, err);
}

// The last match of the lane began no later than this one, which is no longer and overlaps its stretch, and all its
// labels are there. So nothing is new but the end.
static bool match_repeats(const struct filter *f, const struct lane *lane, uint32_t output, size_t len)
{
	const struct stretches *s = &f->stretches;
	if (lane->is_stream || lane->match_epoch != s->epoch || len > lane->match_len || s->count == 0 || lane->at < len)
		return false;
	return stretches_is_marked(s, output) &&
	       lane->base + view_place(lane->view, lane->at - len) < stretches_last(s)->to;
}

// All needles that end here. A mark says that an output and all shorter ones behind it have been entered in this
// stretch, so each is walked once in a stretch however often it comes.
static int match_strong(struct filter *f, struct lane *lane, uint32_t output, struct err *err)
{
	struct stretches *s = &f->stretches;
	while (output && !lane->is_stream && output_len(lane, output) > SHADOW_NEEDLE_MAX)
		output = output_link(lane, output);
	if (output == 0)
		return 0;
	size_t len = output_len(lane, output);
	if (match_repeats(f, lane, output, len)) {
		lane_repeat(lane, len);
		stretches_extend(s, lane->output_end);
		return 0;
	}
	size_t place;
	int r = match_cover(f, lane, lane_start(lane, len), lane->output_end, &place, err);
	if (r < 0 || place == SIZE_MAX)
		return r;
	bool is_last = place + 1 == s->count;
	lane->match_epoch = is_last ? s->epoch : 0;
	lane->match_len = len;
	for (; r == 0 && output && !(is_last && stretches_is_marked(s, output)); output = output_link(lane, output)) {
		if (is_last)
			stretches_mark(s, output);
		r = match_label_output(f, lane, place, output, err);
	}
	return r;
}

static bool match_fits_left(const struct lane *lane, uint32_t output)
{
	return !lane_is_after_word(lane, output_len(lane, output));
}

// All weak needles that end at `end`, where the last byte of the lane was read, now that their right neighbour is known
// to be right. Only a tail of outputs of which each fits is complete, and marked.
static int match_weak(struct filter *f, struct lane *lane, uint32_t output, uint64_t end, struct err *err)
{
	struct stretches *s = &f->stretches;
	size_t place;
	int r = match_cover(f, lane, lane_start(lane, output_len(lane, output)), end, &place, err);
	if (r < 0 || place == SIZE_MAX)
		return r;
	bool is_last = place + 1 == s->count;
	uint32_t tail = 0;
	for (; r == 0 && output; output = output_link(lane, output)) {
		if (is_last && stretches_is_marked(s, output_mark(f, lane, output)))
			break;
		bool fits = match_fits_left(lane, output);
		if (fits)
			r = match_label_output(f, lane, place, output, err);
		tail = !fits ? 0 : tail ? tail : output;
	}
	for (; r == 0 && is_last && tail; tail = output_link(lane, tail)) {
		if (stretches_is_marked(s, output_mark(f, lane, tail)))
			break;
		stretches_mark(s, output_mark(f, lane, tail));
	}
	return r;
}

int filter_match(struct filter *f, struct lane *lane, struct err *err)
{
	uint32_t output = lane->output;
	if (!lane->is_weak)
		return match_strong(f, lane, output, err);
	while (output && !match_fits_left(lane, output))
		output = output_link(lane, output);
	bool is_known;
	bool before_word = lane_is_before_word(lane, &is_known);
	if (!is_known)
		lane->pending = output;
	return is_known && output && !before_word ? match_weak(f, lane, output, lane->output_end, err) : 0;
}

int filter_resolve(struct filter *f, struct lane *lane, bool before_word, struct err *err)
{
	uint32_t output = lane->pending;
	lane->pending = 0;
	return output && !before_word ? match_weak(f, lane, output, lane_end(lane), err) : 0;
}

int filter_match_cut(struct filter *f, struct lane *lane, struct err *err)
{
	for (uint32_t at = lane->cursor.state; at != MATCHER_START; at = matcher_fall(lane->matcher, at)) {
		size_t len = matcher_prefix(lane->matcher, at).len;
		struct matcher_reach reach;
		if ((lane->is_weak && lane_is_after_word(lane, len)) || !matcher_find_reach(lane->matcher, at, &reach))
			continue;
		if (len < END_BYTES_MIN && 2 * len < reach.shortest)
			continue;
		size_t place;
		int r = match_cover(f, lane, lane_start(lane, len), lane_end(lane), &place, err);
		if (r < 0 || place == SIZE_MAX)
			return r;
		return match_label(f, lane, place, matcher_find_needle(lane->matcher, reach.first), len, err);
	}
	return 0;
}
