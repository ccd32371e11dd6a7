#include "redact/filter_internal.h"

#include <string.h>

#define HOLD_BYTES_MIN 4096

// Gives what is left of from..to in one piece of the stream: the bytes held, or the slice.
static struct span filter_piece(void *context, uint64_t from, uint64_t to)
{
	struct filter *f = context;
	if (from >= f->base)
		return span_of(f->stream.bytes.data + (from - f->base), to - from);
	uint64_t begin = f->base - f->hold.len;
	uint64_t end = to < f->base ? to : f->base;
	return span_of(f->hold.data + (from - begin), end - from);
}

static int filter_show(struct filter *f, uint64_t to, struct err *err)
{
	int r = 0;
	while (f->settled < to && r == 0) {
		struct span piece = filter_piece(f, f->settled, to);
		f->settled += piece.len;
		f->shown = f->settled;
		r = f->sink.write(f->sink.context, piece, err);
	}
	return r;
}

// --------------------------------------------------------------------------------------------------------------- masks

static int mask_name(struct filter *f, const struct label *label, const char *before, struct err *err)
{
	int r = buf_append_text(&f->mask, before, err);
	if (r == 0)
		r = buf_append_text(&f->mask, f->redactor->names[label->value], err);
	if (r == 0 && label->form != REDACT_FORM_RAW)
		r = buf_append_text(&f->mask, " ", err);
	if (r == 0 && label->form != REDACT_FORM_RAW)
		r = buf_append_text(&f->mask, redact_form_name(label->form), err);
	return r;
}

// Gathers the escape sequences of the first stretch up to `to`.
static int mask_gather(struct filter *f, const struct stretch *stretch, uint64_t to, struct err *err)
{
	uint64_t from = stretch->from > f->gathered ? stretch->from : f->gathered;
	if (from >= to)
		return 0;
	f->gathered = to;
	return escapes_gather(&f->shadow.escapes, from, to, filter_piece, f, err);
}

static int mask_escapes(struct filter *f, const struct stretch *stretch, struct err *err)
{
	int r = mask_gather(f, stretch, stretch->to, err);
	if (r == 0)
		r = buf_append(&f->mask, escapes_kept(&f->shadow.escapes), err);
	escapes_forget(&f->shadow.escapes);
	return r;
}

int filter_mask(struct filter *f, struct err *err)
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
		r = mask_name(f, label, i == 0 ? "[ENVSEAL:REDACTED " : ", ", err);
	}
	if (r == 0)
		r = buf_append_byte(&f->mask, ']', err);
	if (r == 0)
		r = mask_escapes(f, &stretch, err);
	if (r < 0)
		return r;
	f->settled = stretch.to;
	stretches_drop(&f->stretches);
	return f->sink.write(f->sink.context, buf_span(&f->mask), err);
}

int filter_settle(struct filter *f, uint64_t safe, struct err *err)
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

// ---------------------------------------------------------------------------------------------------------------- hold

// Makes the room hold the last `kept` of the bytes held now, with space for `more` behind them.
static int hold_reserve(struct hold *hold, size_t kept, size_t more, struct err *err)
{
	size_t room = hold->room ? secret_len(hold->room) : 0;
	const uint8_t *from = hold->data ? hold->data + (hold->len - kept) : NULL;
	const uint8_t *begin = hold->room ? secret_data(hold->room) : NULL;
	bool is_here = begin && from >= begin && from < begin + room;
	if (is_here && (size_t)(from - begin) + kept + more <= room) {
		hold->data = from;
		return 0;
	}
	struct secret *old = NULL;
	if (2 * (kept + more) > room) {
		size_t bytes = room ? room : HOLD_BYTES_MIN;
		while (bytes < 4 * (kept + more))
			bytes *= 2;
		struct secret *wider;
		int r = secret_new(bytes, SECRET_LOCK_PREFERRED, &wider, err);
		if (r < 0)
			return r;
		old = hold->room;
		hold->room = wider;
	}
	if (kept > 0)
		memmove(secret_data(hold->room), from, kept);
	hold->data = secret_data(hold->room);
	secret_free(old);
	return 0;
}

// The bytes that a lane holds, when they are all that is to be kept.
static bool hold_borrow(struct filter *f, uint64_t from)
{
	for (size_t i = 0; i < LANE_COUNT; i++) {
		if (!f->is_active[i])
			continue;
		struct span keep = lane_keep(&f->lanes[i]);
		if (keep.len != f->position - from || lane_hold(&f->lanes[i], f->position) != from)
			continue;
		f->hold.data = keep.data;
		f->hold.len = keep.len;
		return true;
	}
	return false;
}

static int hold_update(struct filter *f, uint64_t from, struct err *err)
{
	struct hold *hold = &f->hold;
	if (hold_borrow(f, from))
		return 0;
	size_t before = from < f->base ? (size_t)(f->base - from) : 0; // of what is held now
	size_t after = from < f->base ? f->stream.bytes.len : (size_t)(f->position - from);
	int r = before + after > 0 ? hold_reserve(hold, before, after, err) : 0;
	if (r < 0)
		return r;
	size_t at = after > 0 ? (size_t)(hold->data - secret_data(hold->room)) : 0;
	if (after > 0)
		memcpy(secret_data(hold->room) + at + before, f->stream.bytes.data + (f->stream.bytes.len - after), after);
	hold->len = before + after;
	return 0;
}

int filter_keep(struct filter *f, uint64_t safe, struct err *err)
{
	const struct stretch *first = stretches_first(&f->stretches);
	int r = 0;
	// What a stretch has before this place is dropped with the bytes.
	if (first && first->from < safe)
		r = mask_gather(f, first, first->to < safe ? first->to : safe, err);
	if (r == 0)
		r = hold_update(f, safe, err);
	escapes_drop(&f->shadow.escapes, safe);
	f->is_exposed = f->is_exposed && safe < f->shown;
	f->base = f->position;
	f->stream.bytes = (struct span){0};
	return r;
}
