#include "redact/shadow.h"

#include <stdlib.h>
#include <string.h>

void shadow_init(struct shadow *shadow)
{
	*shadow = (struct shadow){0};
	shadow->loose.parent = &shadow->clean.view;
	shadow->dump.view.parent = &shadow->clean.view;
	shadow->text.view.parent = &shadow->clean.view;
	escapes_init(&shadow->escapes);
}

static void column_done(struct column *column)
{
	secret_free(column->room);
	free(column->kept);
	free(column->before);
	free(column->view.breaks.list);
}

void shadow_done(struct shadow *shadow)
{
	column_done(&shadow->clean);
	column_done(&shadow->dump);
	column_done(&shadow->text);
	free(shadow->loose.breaks.list);
	escapes_done(&shadow->escapes);
	shadow_init(shadow);
}

bool shadow_is_plain(const struct shadow *shadow)
{
	return shadow->clean.view.kept == NULL;
}

// ------------------------------------------------------------------------------------------------------------ columns

static size_t word_select(uint64_t word, size_t n)
{
	while (n-- > 0)
		word &= word - 1;
	return (size_t)__builtin_ctzll(word);
}

static size_t view_parent_place(const struct view *view, size_t i)
{
	size_t low = 0;
	size_t high = view->words;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (view->before[middle] <= i)
			low = middle;
		else
			high = middle;
	}
	return 64 * low + word_select(view->kept[low], i - view->before[low]);
}

size_t view_place(const struct view *view, size_t i)
{
	for (; view; view = view->parent)
		if (view->kept)
			i = view_parent_place(view, i);
	return i;
}

int breaks_add(struct breaks *breaks, size_t place, struct err *err)
{
	if (breaks->count > 0 && breaks->list[breaks->count - 1] == place)
		return 0;
	if (breaks->count == breaks->cap) {
		size_t cap = breaks->cap ? 2 * breaks->cap : 16;
		uint32_t *list = reallocarray(breaks->list, cap, sizeof(*list));
		if (!list)
			return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
		breaks->list = list;
		breaks->cap = cap;
	}
	breaks->list[breaks->count++] = (uint32_t)place;
	return 0;
}

// The least room for bytes of a view; a page.
#define ROOM_BYTES_MIN 4096

// Makes the tables for a slice with `parent_len` bytes in the parent, empty. Rooms grow with the slices: pages of secret
// memory are dear, and all of them are wiped in the end.
static int column_make_room(struct column *column, size_t parent_len, struct err *err)
{
	size_t bytes = ROOM_BYTES_MIN;
	while (bytes < parent_len)
		bytes *= 2;
	if (!column->kept)
		column->kept = calloc(SHADOW_WORDS, sizeof(*column->kept));
	if (!column->before)
		column->before = calloc(SHADOW_WORDS, sizeof(*column->before));
	if (!column->kept || !column->before)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	column->room = secret_free(column->room);
	column->view.kept = column->kept;
	column->view.before = column->before;
	return secret_new(bytes, SECRET_LOCK_PREFERRED, &column->room, err);
}

void column_prepare(struct column *column, size_t parent_len)
{
	column->view.words = (parent_len + 63) / 64;
	column->view.bytes = (struct span){0};
	if (!column->room)
		return;
	memset(column->kept, 0, column->view.words * sizeof(*column->kept));
	column->view.kept = column->kept;
	column->view.bytes = span_of(secret_data(column->room), 0);
}

static void bits_set(uint64_t *words, size_t from, size_t to)
{
	while (from < to) {
		size_t end = (from / 64 + 1) * 64 < to ? (from / 64 + 1) * 64 : to;
		uint64_t ones = end - from == 64 ? UINT64_MAX : ((uint64_t)1 << (end - from)) - 1;
		words[from / 64] |= ones << from % 64;
		from = end;
	}
}

int column_add(struct column *column, size_t place, uint64_t offset, struct span bytes, struct err *err)
{
	struct view *view = &column->view;
	int r = 0;
	if (view->bytes.len == 0 && (!column->room || secret_len(column->room) < 64 * view->words))
		r = column_make_room(column, 64 * view->words, err);
	if (r < 0)
		return r;
	if (view->end != 0 && offset - view->end > SHADOW_GAP_MAX)
		r = breaks_add(&view->breaks, view->bytes.len, err);
	memcpy(secret_data(column->room) + view->bytes.len, bytes.data, bytes.len);
	view->bytes = span_of(secret_data(column->room), view->bytes.len + bytes.len);
	bits_set(column->kept, place, place + bytes.len);
	view->end = offset + bytes.len;
	return r;
}

void column_finish(struct column *column)
{
	uint32_t count = 0;
	if (!column->room)
		return;
	for (size_t i = 0; i < column->view.words; i++) {
		column->before[i] = count;
		count += (uint32_t)__builtin_popcountll(column->kept[i]);
	}
}

// ---------------------------------------------------------------------------------------------------- escape sequences

static bool is_between(uint8_t byte, uint8_t first, uint8_t last)
{
	return byte >= first && byte <= last;
}

// The ESC before this byte was no end of the string: it began a sequence of its own.
static int escape_restart(struct shadow *s, uint64_t offset, struct err *err)
{
	escapes_extend(&s->escapes, offset - 1);
	s->state = ESCAPE_START;
	s->sequence_len = 1;
	return escapes_begin(&s->escapes, offset - 1, err);
}

static enum escape_state escape_after_start(uint8_t byte, bool *ret_is_taken)
{
	*ret_is_taken = true;
	if (byte == '[')
		return ESCAPE_CONTROL;
	if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
		return ESCAPE_STRING;
	if (is_between(byte, 0x20, 0x2f))
		return ESCAPE_INTERMEDIATE;
	*ret_is_taken = is_between(byte, 0x30, 0x7e);
	return ESCAPE_GROUND;
}

// What a byte that is no ESC makes of a state; false: the sequence has ended before it.
static bool escape_next(enum escape_state *state, uint8_t byte)
{
	bool is_taken = true;
	switch (*state) {
	case ESCAPE_START:
		*state = escape_after_start(byte, &is_taken);
		return is_taken;
	case ESCAPE_INTERMEDIATE:
		is_taken = is_between(byte, 0x20, 0x7e);
		if (!is_between(byte, 0x20, 0x2f))
			*state = ESCAPE_GROUND;
		return is_taken;
	case ESCAPE_CONTROL:
		is_taken = is_between(byte, 0x20, 0x7e);
		if (!is_between(byte, 0x20, 0x3f))
			*state = ESCAPE_GROUND;
		return is_taken;
	case ESCAPE_STRING:
		if (byte == 0x07 || byte == 0x18 || byte == 0x1a)
			*state = ESCAPE_GROUND;
		return true;
	case ESCAPE_STRING_END:
	case ESCAPE_GROUND:
		break;
	}
	*state = ESCAPE_GROUND;
	return true; // the backslash that ends a string
}

// One byte at `offset` while a sequence is open. *ret_is_taken: it belongs to a sequence.
static int escape_step(struct shadow *s, uint8_t byte, uint64_t offset, bool *ret_is_taken, struct err *err)
{
	int r = 0;
	*ret_is_taken = false;
	if (s->sequence_len == SHADOW_GAP_MAX) {
		s->state = ESCAPE_GROUND;
		return 0;
	}
	if (s->state == ESCAPE_STRING_END && byte != 0x1b && byte != '\\')
		r = escape_restart(s, offset, err);
	bool is_string = s->state == ESCAPE_STRING || s->state == ESCAPE_STRING_END;
	if (byte == 0x1b && !is_string) {
		s->state = ESCAPE_GROUND;
		return r;
	}
	if (byte == 0x1b)
		s->state = ESCAPE_STRING_END;
	else if (!escape_next(&s->state, byte))
		return r;
	*ret_is_taken = true;
	s->sequence_len++;
	escapes_extend(&s->escapes, offset + 1);
	return r;
}

static int clean_read(struct shadow *s, uint64_t base, struct span slice, struct err *err)
{
	int r = 0;
	if (!s->clean.room || secret_len(s->clean.room) < slice.len)
		r = column_make_room(&s->clean, slice.len, err);
	column_prepare(&s->clean, slice.len);
	for (size_t i = 0; i < slice.len && r == 0;) {
		bool is_taken = true;
		if (s->state != ESCAPE_GROUND) {
			r = escape_step(s, slice.data[i], base + i, &is_taken, err);
			i += is_taken;
			continue;
		}
		const uint8_t *found = memchr(slice.data + i, 0x1b, slice.len - i);
		size_t end = found ? (size_t)(found - slice.data) : slice.len;
		if (end > i)
			r = column_add(&s->clean, i, base + i, span_of(slice.data + i, end - i), err);
		i = end;
		if (i == slice.len || r != 0)
			break;
		r = escapes_begin(&s->escapes, base + i++, err);
		s->state = ESCAPE_START;
		s->sequence_len = 1;
	}
	if (r == 0)
		column_finish(&s->clean);
	return r;
}

// ---------------------------------------------------------------------------------------------------------- white space

#define LOOSE_PROBE (SHADOW_GAP_MAX / 2)

static bool loose_is_kept(const struct shadow *s, struct span slice, size_t place)
{
	const uint64_t *kept = s->clean.view.kept;
	return !byte_is_space(slice.data[place]) && (!kept || (kept[place / 64] >> place % 64 & 1));
}

// How many bytes of CLEAN are before `place` in the slice.
static size_t clean_rank(const struct shadow *s, size_t place)
{
	const struct view *clean = &s->clean.view;
	if (!clean->kept)
		return place;
	uint64_t below = clean->kept[place / 64] & (((uint64_t)1 << place % 64) - 1);
	return clean->before[place / 64] + (size_t)__builtin_popcountll(below);
}

// A gap that is too long has one of every LOOSE_PROBE bytes in it, so only these are looked at.
static int loose_read(struct shadow *s, uint64_t base, struct span slice, struct err *err)
{
	int r = 0;
	s->loose.bytes = s->clean.view.bytes;
	s->loose.breaks.count = 0;
	for (size_t probe = 0; probe < slice.len && r == 0;) {
		if (loose_is_kept(s, slice, probe)) {
			probe += LOOSE_PROBE;
			continue;
		}
		size_t from = probe;
		while (from > 0 && !loose_is_kept(s, slice, from - 1))
			from--;
		size_t to = probe;
		while (to < slice.len && !loose_is_kept(s, slice, to))
			to++;
		uint64_t end = from > 0 ? base + from : s->loose.end;
		if (to < slice.len && end != 0 && base + to - end > SHADOW_GAP_MAX)
			r = breaks_add(&s->loose.breaks, clean_rank(s, to), err);
		probe = to;
	}
	for (size_t last = slice.len; last > 0; last--) {
		if (!loose_is_kept(s, slice, last - 1))
			continue;
		s->loose.end = base + last;
		break;
	}
	return r;
}

// --------------------------------------------------------------------------------------------------------------- slices

int shadow_read(struct shadow *shadow, uint64_t base, struct span slice, struct err *err)
{
	shadow->clean.view.breaks.count = 0;
	int r = 0;
	bool is_ground = shadow->state == ESCAPE_GROUND;
	bool is_plain_text = is_ground && shadow_is_plain_text(shadow, slice);
	if (!is_plain_text && (!is_ground || memchr(slice.data, 0x1b, slice.len))) {
		r = clean_read(shadow, base, slice, err);
	} else {
		struct view *clean = &shadow->clean.view;
		if (clean->end != 0 && base - clean->end > SHADOW_GAP_MAX)
			r = breaks_add(&clean->breaks, 0, err);
		clean->bytes = slice;
		clean->kept = NULL;
		clean->end = base + slice.len;
	}
	if (r == 0)
		r = loose_read(shadow, base, slice, err);
	if (r == 0)
		r = shadow_read_dump(shadow, base, is_plain_text, err);
	return r;
}
