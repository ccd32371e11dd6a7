// What the scenes share, private to bench_scene*.c.
#pragma once

#include "bench_scene.h"

#define SCENE_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define SCENE_LETTER_COUNT (sizeof(SCENE_LETTERS) - 1)

struct text {
	const struct scene_data *data;
	uint8_t *bytes;
	size_t len;
	size_t at;
	uint64_t seed;
};

// Writes one value, of at most `room` bytes, and returns its length.
typedef size_t (*scene_value)(size_t index, size_t count, uint64_t *seed, uint8_t *out);
// Writes `len` bytes.
typedef void (*scene_text)(struct text *text);

struct scene {
	const char *name;
	const char *about;
	size_t room; // bytes of the longest value
	scene_value value;
	scene_text text;
};

uint64_t scene_random(uint64_t *state);

void text_clean(struct text *t);
void text_hits(struct text *t);
void text_near_half(struct text *t);
void text_near_last(struct text *t);
void text_heads(struct text *t);
void text_head(struct text *t);
void text_periodic_long(struct text *t);
void text_periodic_short(struct text *t);
void text_periodic_hits(struct text *t);
void text_bytes_words(struct text *t);
void text_bytes_alone(struct text *t);
void text_nested_near(struct text *t);
void text_nested_hits(struct text *t);
