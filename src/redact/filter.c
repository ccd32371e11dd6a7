// One stream: what may be shown, what is held, what is masked.
//
// Nothing that came from the stream is kept here. Held bytes are always a prefix of some needle (or a weak needle that
// waits for its right neighbour), so they are shown from the matcher's own tables, which are secret memory; masked
// bytes are dropped as soon as they are matched.
#include "redact/redactor.h"
#include "redact/stretch.h"

#include <stdlib.h>

// At most this many bytes of a value are shown when the stream is quiet, and at most 1/EXPOSURE_PART of it.
#define EXPOSURE_BYTES_MAX 3
#define EXPOSURE_PART 4
// At the end of the stream a prefix of a needle is masked from this length on, or when it is half the needle.
#define END_BYTES_MIN 6
// The name lists of masks: more than any set of secrets that fits into memory can fill.
#define MASK_BYTES_MAX ((size_t)1 << 40)

struct filter {
	const struct matcher *matcher;
	const char *const *names;
	struct redact_sink sink;
	struct stretches stretches;
	struct buf mask;
	uint32_t state;
	uint32_t pending; // longest weak output at `pos` that fits on its left and waits for its right neighbour; or 0
	uint64_t pos;     // bytes read
	uint64_t settled; // bytes shown or masked
	uint64_t shown;   // end of the last byte shown
	// Two pieces make up the part of the stream that is still needed: `held`, which ends at `base`, and `bytes`,
	// the caller's, which begins there and is empty between calls.
	uint64_t base;
	struct span held;
	struct span bytes;
	bool held_after_word; // the byte before `held` is a word byte
};

int filter_new(const struct redactor *redactor, const struct redact_sink *sink, struct filter **out, struct err *err)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	if (!filter)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	filter->matcher = redactor->matcher;
	filter->names = redactor->names;
	filter->sink = *sink;
	filter->state = MATCHER_START;
	filter->mask = BUF_INIT(MASK_BYTES_MAX);
	size_t marks = 2 * (matcher_output_count(redactor->matcher) + 1);
	int r = stretches_init(&filter->stretches, redactor->value_count, marks, err);
	if (r < 0) {
		free(filter);
		return r;
	}
	*out = filter;
	return 0;
}

struct filter *filter_free(struct filter *filter)
{
	if (!filter)
		return NULL;
	stretches_done(&filter->stretches);
	buf_done(&filter->mask);
	free(filter);
	return NULL;
}

void filter_free_ptr(struct filter **filter)
{
	*filter = filter_free(*filter);
}

// -------------------------------------------------------------------------------------------------------- the stream

// True when the byte before `offset` is a word byte. `offset` lies within held and bytes.
static bool filter_is_after_word(const struct filter *f, uint64_t offset)
{
	uint64_t begin = f->base - f->held.len;
	if (offset > f->base)
		return needle_is_word(f->bytes.data[offset - f->base - 1]);
	if (offset > begin)
		return needle_is_word(f->held.data[offset - begin - 1]);
	return f->held_after_word;
}

static struct span filter_pending_text(const struct filter *f)
{
	return f->pending ? matcher_output_text(f->matcher, f->pending) : (struct span){0};
}

// What must be kept: the longest suffix that may become a needle or, longer still, a weak one that waits.
static struct span filter_keep(const struct filter *f)
{
	struct span prefix = matcher_prefix(f->matcher, f->state);
	struct span pending = filter_pending_text(f);
	return pending.len > prefix.len ? pending : prefix;
}

// ------------------------------------------------------------------------------------------------------------ output

static int filter_write(struct filter *f, struct span bytes, struct err *err)
{
	return bytes.len > 0 ? f->sink.write(f->sink.context, bytes, err) : 0;
}

static int filter_show(struct filter *f, uint64_t to, struct err *err)
{
	if (to <= f->settled)
		return 0;
	uint64_t begin = f->base - f->held.len;
	uint64_t from = f->settled;
	f->settled = f->shown = to;
	if (from < f->base) {
		uint64_t stop = to < f->base ? to : f->base;
		int r = filter_write(f, span_of(f->held.data + (from - begin), stop - from), err);
		if (r != 0 || to <= f->base)
			return r;
		from = f->base;
	}
	return filter_write(f, span_of(f->bytes.data + (from - f->base), to - from), err);
}

static int filter_mask_name(struct filter *f, const struct label *label, const char *before, struct err *err)
{
	int r = buf_append_text(&f->mask, before, err);
	if (r == 0)
		r = buf_append_text(&f->mask, f->names[label->value], err);
	if (r == 0 && label->form != REDACT_FORM_RAW)
		r = buf_append_text(&f->mask, " ", err);
	if (r == 0 && label->form != REDACT_FORM_RAW)
		r = buf_append_text(&f->mask, redact_form_name(label->form), err);
	return r;
}

// Tells the leaks of the first stretch, writes its mask and forgets it. All before it has been shown.
static int filter_mask(struct filter *f, struct err *err)
{
	struct stretch stretch = *stretches_first(&f->stretches);
	const uint32_t *sorted = stretches_sort(&f->stretches);
	int r = 0;
	f->mask.len = 0;
	for (uint32_t i = 0; i < stretch.label_count && r == 0; i++) {
		const struct label *label = &f->stretches.labels[sorted[i]];
		struct redact_leak leak = {stretch.from, stretch.to - stretch.from, label->value, label->form,
					   label->partial};
		if (f->sink.leak)
			f->sink.leak(f->sink.context, &leak);
		r = filter_mask_name(f, label, i == 0 ? "[ENVSEAL:REDACTED " : ", ", err);
	}
	if (r == 0)
		r = buf_append_byte(&f->mask, ']', err);
	if (r < 0)
		return r;
	f->settled = stretch.to;
	stretches_drop(&f->stretches);
	return filter_write(f, buf_span(&f->mask), err);
}

// Shows and masks everything before `safe`, which no later match can reach. A stretch that goes beyond may still grow.
static int filter_settle(struct filter *f, uint64_t safe, struct err *err)
{
	const struct stretch *first;
	while ((first = stretches_first(&f->stretches)) && first->to <= safe) {
		int r = filter_show(f, first->from, err);
		if (r == 0)
			r = filter_mask(f, err);
		if (r != 0)
			return r;
	}
	return filter_show(f, first && first->from < safe ? first->from : safe, err);
}

// ----------------------------------------------------------------------------------------------------------- matches

static int filter_label(struct filter *f, const struct matcher_needle *needle, uint64_t len, bool cut, struct err *err)
{
	struct label label = {
		.value = needle->value,
		.len = len,
		.form = (enum redact_form)needle->form,
		.partial = cut || f->pos - len < f->shown,
	};
	return stretches_label(&f->stretches, &label, err);
}

static int filter_label_output(struct filter *f, uint32_t output, bool weak, struct err *err)
{
	const struct matcher_output *o = matcher_find_output(f->matcher, output);
	int r = 0;
	for (uint32_t i = 0; i < o->count && r == 0; i++) {
		const struct matcher_needle *needle = matcher_find_needle(f->matcher, o->first + i);
		if (needle->weak == weak)
			r = filter_label(f, needle, needle->len, false, err);
	}
	return r;
}

// Adds the last `len` bytes as a match. What was shown or masked already (when the stream was quiet) stays as it is.
static int filter_cover(struct filter *f, uint64_t len, struct err *err)
{
	uint64_t from = f->pos - len;
	return stretches_cover(&f->stretches, from > f->settled ? from : f->settled, f->pos, err);
}

static uint32_t output_next_strong(const struct filter *f, uint32_t output)
{
	return matcher_find_output(f->matcher, matcher_find_output(f->matcher, output)->link)->strong;
}

static uint32_t output_next_weak(const struct filter *f, uint32_t output)
{
	return matcher_find_output(f->matcher, matcher_find_output(f->matcher, output)->link)->weak;
}

// All needles that end at `pos` and match everywhere. A mark says that an output and all shorter ones behind it have
// been entered in this stretch, so each is walked once in a stretch however often it comes.
static int filter_match_strong(struct filter *f, uint32_t output, struct err *err)
{
	struct stretches *s = &f->stretches;
	int r = filter_cover(f, matcher_output_text(f->matcher, output).len, err);
	for (; r == 0 && output && !stretches_is_marked(s, output); output = output_next_strong(f, output)) {
		stretches_mark(s, output);
		r = filter_label_output(f, output, false, err);
	}
	return r;
}

static bool filter_fits_left(const struct filter *f, uint32_t output)
{
	return !filter_is_after_word(f, f->pos - matcher_output_text(f->matcher, output).len);
}

// The longest weak output from this one on whose left neighbour is right.
static uint32_t filter_fit_weak(const struct filter *f, uint32_t output)
{
	while (output && !filter_fits_left(f, output))
		output = output_next_weak(f, output);
	return output;
}

// All weak needles that end at `pos`, now that its right neighbour is known to be right. Marks as for strong ones, in
// numbers of their own; only a tail of which each output fits is complete.
static int filter_match_weak(struct filter *f, uint32_t output, struct err *err)
{
	struct stretches *s = &f->stretches;
	size_t marks = matcher_output_count(f->matcher) + 1;
	uint32_t tail = 0;
	int r = filter_cover(f, matcher_output_text(f->matcher, output).len, err);
	for (; r == 0 && output && !stretches_is_marked(s, marks + output); output = output_next_weak(f, output)) {
		bool fits = filter_fits_left(f, output);
		if (fits)
			r = filter_label_output(f, output, true, err);
		tail = !fits ? 0 : tail ? tail : output;
	}
	for (; r == 0 && tail && !stretches_is_marked(s, marks + tail); tail = output_next_weak(f, tail))
		stretches_mark(s, marks + tail);
	return r;
}

static int filter_match(struct filter *f, uint32_t output, struct err *err)
{
	const struct matcher_output *o = matcher_find_output(f->matcher, output);
	bool last = f->pos == f->base + f->bytes.len;
	uint32_t weak = 0;
	if (o->weak && (last || !needle_is_word(f->bytes.data[f->pos - f->base])))
		weak = filter_fit_weak(f, o->weak);
	int r = o->strong ? filter_match_strong(f, o->strong, err) : 0;
	if (last)
		f->pending = weak;
	else if (r == 0 && weak)
		r = filter_match_weak(f, weak, err);
	return r;
}

// The right neighbour of `pos` has come, or the end of the stream in its place.
static int filter_resolve(struct filter *f, bool before_word, struct err *err)
{
	uint32_t weak = f->pending;
	f->pending = 0;
	return weak && !before_word ? filter_match_weak(f, weak, err) : 0;
}

// -------------------------------------------------------------------------------------------------------- operations

// Between calls only `held` is left of the stream.
static void filter_close_bytes(struct filter *f)
{
	struct span keep = filter_keep(f);
	f->held_after_word = f->pos > keep.len && filter_is_after_word(f, f->pos - keep.len);
	f->held = keep;
	f->base = f->pos;
	f->bytes = (struct span){0};
}

int filter_feed(struct filter *filter, struct span bytes, struct err *err)
{
	if (bytes.len == 0)
		return 0;
	filter->bytes = bytes;
	int r = filter_resolve(filter, needle_is_word(bytes.data[0]), err);
	for (size_t i = 0; i < bytes.len && r == 0;) {
		uint32_t output;
		struct span rest = span_of(bytes.data + i, bytes.len - i);
		i += matcher_scan(filter->matcher, &filter->state, rest, &output);
		filter->pos = filter->base + i;
		if (output)
			r = filter_match(filter, output, err);
		if (r == 0)
			r = filter_settle(filter, filter->pos - filter_keep(filter).len, err);
	}
	if (r == 0)
		filter_close_bytes(filter);
	return r;
}

// Every needle that the held bytes may become is judged by its own prefix, but all are shown or none: they overlap.
static bool filter_has_budget(const struct filter *f)
{
	size_t held = matcher_prefix(f->matcher, f->state).len;
	if (f->pending || held > EXPOSURE_BYTES_MAX)
		return false;
	for (uint32_t at = f->state; at != MATCHER_START; at = matcher_fall(f->matcher, at)) {
		size_t len = matcher_prefix(f->matcher, at).len;
		struct matcher_reach reach;
		if (matcher_find_reach(f->matcher, at, true, &reach) && len * EXPOSURE_PART > reach.shortest)
			return false;
	}
	return true;
}

// True when the first mask is complete and nothing is held in front of it or could complete within it.
static bool filter_has_mask(const struct filter *f)
{
	const struct stretch *first = stretches_first(&f->stretches);
	return first && first->from <= f->settled && first->to <= f->pos - filter_pending_text(f).len;
}

bool filter_can_show(const struct filter *filter)
{
	return filter_has_mask(filter) || (filter->settled < filter->pos && filter_has_budget(filter));
}

int filter_quiet(struct filter *filter, struct err *err)
{
	if (filter_has_budget(filter))
		return filter_settle(filter, filter->pos, err);
	int r = 0;
	while (r == 0 && filter_has_mask(filter))
		r = filter_mask(filter, err);
	return r;
}

// Masks the longest suffix that has too much of a needle in it to be shown. Weak needles count where they could still
// have matched.
static int filter_mask_end(struct filter *f, struct err *err)
{
	if (f->settled == f->pos) // masked when the stream was quiet, within another match
		return 0;
	for (uint32_t at = f->state; at != MATCHER_START; at = matcher_fall(f->matcher, at)) {
		size_t len = matcher_prefix(f->matcher, at).len;
		struct matcher_reach reach;
		bool with_weak = !filter_is_after_word(f, f->pos - len);
		if (!matcher_find_reach(f->matcher, at, with_weak, &reach))
			continue;
		if (len < END_BYTES_MIN && 2 * len < reach.shortest)
			continue;
		int r = filter_cover(f, len, err);
		return r < 0 ? r : filter_label(f, matcher_find_needle(f->matcher, reach.first), len, true, err);
	}
	return 0;
}

int filter_end(struct filter *filter, struct err *err)
{
	int r = filter_resolve(filter, false, err);
	if (r == 0)
		r = filter_mask_end(filter, err);
	if (r == 0)
		r = filter_settle(filter, filter->pos, err);
	filter->state = MATCHER_START;
	return r;
}

size_t filter_held(const struct filter *filter)
{
	uint64_t from = filter->pos - filter->held.len;
	from = from > filter->settled ? from : filter->settled;
	const struct stretches *s = &filter->stretches;
	uint64_t held = filter->pos - from;
	for (size_t i = s->head; i < s->head + s->count; i++) {
		const struct stretch *stretch = &s->list[i];
		uint64_t begin = stretch->from > from ? stretch->from : from;
		held -= stretch->to > begin ? stretch->to - begin : 0;
	}
	return (size_t)held;
}
