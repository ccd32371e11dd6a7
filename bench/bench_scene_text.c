// The texts of the scenes.
#include "bench_scene_internal.h"

#include <stdio.h>
#include <string.h>

#define HIT_EVERY 4096
#define NEAR_EVERY 128
#define PERIODIC_BREAK 8000 // below the length of the long periodic value
#define NESTED_NEAR 7       // below that of the shortest nested one
// In no value that is made of letters, and in none of its forms.
#define STRANGER '~'

static bool text_is_full(const struct text *t)
{
	return t->at == t->len;
}

static void text_add(struct text *t, struct span bytes)
{
	size_t take = bytes.len < t->len - t->at ? bytes.len : t->len - t->at;
	memcpy(t->bytes + t->at, bytes.data, take);
	t->at += take;
}

static void text_add_byte(struct text *t, char byte)
{
	text_add(t, span_of(&byte, 1));
}

static void text_add_line(struct text *t)
{
	char line[160];
	uint32_t r = (uint32_t)scene_random(&t->seed);
	int len = snprintf(line, sizeof(line),
			   "2026-01-31T12:%02u:%02uZ INFO request id=%08x path=/api/v1/items/%u status=%u\n",
			   r >> 8 & 31, r >> 13 & 31, r, r >> 20, 200 + (r >> 28));
	text_add(t, span_of(line, (size_t)len));
}

// Long enough to be strong, whatever the set is.
static struct span text_needle(struct text *t)
{
	struct span needle;
	do
		needle = t->data->needles[scene_random(&t->seed) % t->data->needle_count];
	while (needle.len < 8);
	return needle;
}

// Log lines up to offset `to`, the last one cut.
static void text_lines(struct text *t, size_t to)
{
	size_t end = t->len;
	t->len = to < end ? to : end;
	while (!text_is_full(t))
		text_add_line(t);
	t->len = end;
}

void text_clean(struct text *t)
{
	text_lines(t, t->len);
}

void text_hits(struct text *t)
{
	for (size_t next = HIT_EVERY / 2; !text_is_full(t); next += HIT_EVERY) {
		text_lines(t, next);
		text_add_byte(t, STRANGER);
		text_add(t, text_needle(t));
		text_add_byte(t, STRANGER);
	}
}

void text_near_half(struct text *t)
{
	while (!text_is_full(t)) {
		struct span needle = text_needle(t);
		text_lines(t, t->at + NEAR_EVERY);
		text_add(t, span_of(needle.data, needle.len / 2));
	}
}

void text_near_last(struct text *t)
{
	while (!text_is_full(t)) {
		struct span needle = text_needle(t);
		text_add(t, span_of(needle.data, needle.len - 1));
		text_add_byte(t, STRANGER);
	}
}

void text_heads(struct text *t)
{
	while (!text_is_full(t)) {
		struct span needle = text_needle(t);
		size_t head = 4 + scene_random(&t->seed) % 9;
		text_add(t, span_of(needle.data, head < needle.len ? head : needle.len - 1));
	}
}

void text_head(struct text *t)
{
	struct span value = t->data->values[0].value;
	while (!text_is_full(t))
		text_add(t, span_of(value.data, value.len - 1));
}

// The bytes of a periodic value as often as there is room before the next break.
static void text_periods(struct text *t, struct span value, size_t between_breaks)
{
	for (size_t in = 0; !text_is_full(t); in++) {
		bool is_break = in == between_breaks;
		text_add_byte(t, is_break ? STRANGER : (char)value.data[in % value.len]);
		if (is_break)
			in = SIZE_MAX;
	}
}

void text_periodic_long(struct text *t)
{
	text_periods(t, t->data->values[0].value, PERIODIC_BREAK);
}

// Of each value all but the last period or so.
void text_periodic_short(struct text *t)
{
	size_t count = t->data->count;
	for (size_t i = 1; !text_is_full(t); i++) {
		struct span value = t->data->values[count > 1 ? 1 + i % (count - 1) : 0].value;
		text_add(t, span_of(value.data, value.len - 1));
		text_add_byte(t, STRANGER);
	}
}

// The second value has a period of five bytes, which does not divide its length.
void text_periodic_hits(struct text *t)
{
	struct span value = t->data->values[t->data->count > 1].value;
	text_periods(t, span_of(value.data, value.len - value.len % 5), SIZE_MAX);
}

void text_bytes_words(struct text *t)
{
	while (!text_is_full(t))
		text_add_byte(t, SCENE_LETTERS[scene_random(&t->seed) % (SCENE_LETTER_COUNT - 1)]);
}

void text_bytes_alone(struct text *t)
{
	while (!text_is_full(t)) {
		text_add_byte(t, SCENE_LETTERS[scene_random(&t->seed) % (SCENE_LETTER_COUNT - 1)]);
		text_add_byte(t, ' ');
	}
}

void text_nested_near(struct text *t)
{
	struct span longest = t->data->values[t->data->count - 1].value;
	while (!text_is_full(t)) {
		text_add(t, span_of(longest.data, NESTED_NEAR));
		text_add_byte(t, STRANGER);
	}
}

void text_nested_hits(struct text *t)
{
	struct span longest = t->data->values[t->data->count - 1].value;
	while (!text_is_full(t))
		text_add(t, span_of(longest.data, longest.len - 1));
}
