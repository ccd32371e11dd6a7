#include "redact/lane.h"
#include "redact/queue.h"

#include <stdlib.h>
#include <string.h>

void lane_init(struct lane *lane, const struct matcher *matcher, const struct view *view)
{
	*lane = (struct lane){.matcher = matcher, .view = view};
}

void lane_done(struct lane *lane)
{
	free(lane->trail.list);
	*lane = (struct lane){0};
}

// -------------------------------------------------------------------------------------------------------------- trail

static void trail_shorten(struct trail *t, size_t count)
{
	t->head += t->count - count;
	t->count = count;
}

static int trail_reserve(struct trail *t, size_t more, struct err *err)
{
	uint64_t *list = queue_room(t->list, &t->head, t->count, &t->cap, more, sizeof(*list));
	if (!list)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	t->list = list;
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- places

// Goes back over `len` bytes from the last one read. Returns how many of them are before the slice; else *ret_at is the
// place of the first.
static size_t lane_back(const struct lane *lane, size_t len, size_t *ret_at)
{
	size_t at = lane->at;
	if (!lane->skips_space) {
		*ret_at = at - (len < at ? len : at);
		return len > at ? len - at : 0;
	}
	while (len > 0 && at > 0)
		len -= !byte_is_space(lane->view->bytes.data[--at]);
	*ret_at = at;
	return len;
}

static uint64_t lane_offset(const struct lane *lane, size_t at)
{
	return lane->base + view_place(lane->view, at);
}

uint64_t lane_start(const struct lane *lane, size_t len)
{
	if (lane->is_stream)
		return lane->base + lane->at - len;
	size_t at;
	size_t before = lane_back(lane, len, &at);
	return before > 0 ? lane->trail.list[lane->trail.head + lane->trail.count - before] : lane_offset(lane, at);
}

uint64_t lane_end(const struct lane *lane)
{
	size_t at = lane->at;
	while (lane->skips_space && at > 0 && byte_is_space(lane->view->bytes.data[at - 1]))
		at--;
	return at > 0 ? lane_offset(lane, at - 1) + 1 : lane->end;
}

bool lane_is_after_word(const struct lane *lane, size_t len)
{
	if (len < lane->at - lane->unbroken)
		return byte_is_word(lane->view->bytes.data[lane->at - len - 1]);
	if (lane->unbroken > 0)
		return false;
	size_t before = len - lane->at;
	if (before < lane->held.len)
		return byte_is_word(lane->held.data[lane->held.len - before - 1]);
	return lane->held_after_word;
}

bool lane_is_before_word(const struct lane *lane, bool *ret_known)
{
	*ret_known = true;
	if (lane->next_break < lane->view->breaks.count && lane->view->breaks.list[lane->next_break] == lane->at)
		return false;
	if (lane->at < lane->view->bytes.len)
		return byte_is_word(lane->view->bytes.data[lane->at]);
	*ret_known = false;
	return false;
}

struct span lane_prefix(const struct lane *lane)
{
	return matcher_prefix(lane->matcher, lane->cursor.state);
}

struct span lane_pending(const struct lane *lane)
{
	return lane->pending ? matcher_output_text(lane->matcher, lane->pending) : (struct span){0};
}

struct span lane_keep(const struct lane *lane)
{
	struct span prefix = lane_prefix(lane);
	struct span pending = lane_pending(lane);
	return pending.len > prefix.len ? pending : prefix;
}

uint64_t lane_hold(const struct lane *lane, uint64_t position)
{
	if (lane->is_stream)
		return position - lane_keep(lane).len;
	return lane->trail.count > 0 ? lane->trail.list[lane->trail.head] : position;
}

uint64_t lane_pending_hold(const struct lane *lane, uint64_t position)
{
	size_t len = lane_pending(lane).len;
	if (len == 0)
		return position;
	if (lane->is_stream)
		return position - len;
	return lane->trail.list[lane->trail.head + lane->trail.count - len];
}

// ------------------------------------------------------------------------------------------------------------- reading

void lane_open(struct lane *lane, uint64_t base)
{
	lane->base = base;
	lane->next_break = 0;
	lane->at = 0;
	lane->unbroken = 0;
	lane->output = 0;
	lane->last_output = 0;
}

void lane_drop(struct lane *lane)
{
	lane->pending = 0;
	lane->cursor = (struct matcher_cursor){.state = MATCHER_START};
	lane->trail.count = 0;
	lane->held = (struct span){0};
	lane->held_after_word = false;
	lane->last_output = 0;
}

static void lane_note(struct lane *lane)
{
	bool again = lane->output == lane->last_output && lane->cursor.state == lane->last_state;
	lane->output_end = lane_offset(lane, lane->at - 1) + 1;
	lane->period = again ? lane->at - lane->last_at : 0;
	lane->last_output = lane->output;
	lane->last_state = lane->cursor.state;
	lane->last_at = lane->at;
}

void lane_advance(struct lane *lane)
{
	struct span bytes = lane->view->bytes;
	const struct breaks *breaks = &lane->view->breaks;
	lane->output = 0;
	for (;;) {
		bool has_break = lane->next_break < breaks->count;
		size_t end = has_break ? breaks->list[lane->next_break] : bytes.len;
		if (lane->at < end)
			lane->at += matcher_scan(lane->matcher, &lane->cursor, span_of(bytes.data + lane->at, end - lane->at),
						 lane->skips_space, &lane->output);
		if (lane->output != 0) {
			lane_note(lane);
			return;
		}
		if (!has_break)
			return;
		lane->next_break++;
		lane_drop(lane);
		lane->unbroken = lane->at;
	}
}

// How many bytes from `at` on are those `period` before them.
static size_t period_run(struct span bytes, size_t at, size_t period)
{
	const uint8_t *next = bytes.data + at;
	size_t left = bytes.len - at;
	size_t run = 0;
	while (left - run >= 8 && bytes_load(next + run) == bytes_load(next + run - period))
		run += 8;
	while (run < left && next[run] == *(next + run - period))
		run++;
	return run;
}

void lane_repeat(struct lane *lane, size_t len)
{
	const struct breaks *breaks = &lane->view->breaks;
	if (lane->period == 0 || lane->period >= len)
		return;
	size_t end = lane->next_break < breaks->count ? breaks->list[lane->next_break] : lane->view->bytes.len;
	size_t run = period_run(span_of(lane->view->bytes.data, end), lane->at, lane->period);
	lane->at += run - run % lane->period;
	lane->output_end = lane_offset(lane, lane->at - 1) + 1;
	lane->last_at = lane->at;
}

// ------------------------------------------------------------------------------------------------------------- closing

// Lets go of prefixes that cannot become a match.
static void lane_shorten(struct lane *lane)
{
	for (;;) {
		size_t len = lane_prefix(lane).len;
		bool is_unfit = lane->is_weak ? len > 0 && lane_is_after_word(lane, len) :
						!lane->is_stream && len > SHADOW_NEEDLE_MAX;
		if (!is_unfit)
			return;
		lane->cursor.state = matcher_fall(lane->matcher, lane->cursor.state);
	}
}

// Notes the offsets of the last `len` bytes read.
static int lane_trace(struct lane *lane, size_t len, struct err *err)
{
	struct trail *trail = &lane->trail;
	size_t at;
	size_t before = lane_back(lane, len, &at);
	size_t more = len - before;
	trail_shorten(trail, before < trail->count ? before : trail->count);
	int r = more > 0 ? trail_reserve(trail, more, err) : 0;
	if (r < 0)
		return r;
	for (; more > 0; at++) {
		if (lane->skips_space && byte_is_space(lane->view->bytes.data[at]))
			continue;
		trail->list[trail->head + trail->count++] = lane_offset(lane, at);
		more--;
	}
	return 0;
}

int lane_close(struct lane *lane, uint64_t position, struct err *err)
{
	lane_shorten(lane);
	struct span keep = lane_keep(lane);
	int r = lane->is_stream ? 0 : lane_trace(lane, keep.len, err);
	if (r < 0)
		return r;
	if (lane->is_weak) {
		lane->held_after_word = lane_is_after_word(lane, keep.len);
		lane->held = keep;
	}
	lane->end = lane->view->end;
	lane_open(lane, position);
	return 0;
}
