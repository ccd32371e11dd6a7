#include "bench_scene_internal.h"

#include "redact/forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 1
#define VALUE_BYTES_LEAST 20
#define VALUE_BYTES 64
#define PERIODIC_BYTES 64
#define LONG_BYTES 8192
#define PERIODIC_UNITS 13 // units of 4 to 16 bytes
#define NESTED_BYTES_LEAST 8

uint64_t scene_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t z = *state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

// ------------------------------------------------------------------------------------------------------------ values

static size_t value_random(size_t index, size_t count, uint64_t *seed, uint8_t *out)
{
	(void)index, (void)count;
	size_t len = VALUE_BYTES_LEAST + scene_random(seed) % (VALUE_BYTES - VALUE_BYTES_LEAST + 1);
	for (size_t at = 0; at < len; at++)
		out[at] = (uint8_t)SCENE_LETTERS[scene_random(seed) % SCENE_LETTER_COUNT];
	return len;
}

// A short unit again and again; the first value is the long one. The steps make all bytes of a unit differ.
static size_t value_periodic(size_t index, size_t count, uint64_t *seed, uint8_t *out)
{
	(void)count, (void)seed;
	size_t unit = 4 + index % PERIODIC_UNITS;
	size_t len = index == 0 ? LONG_BYTES : PERIODIC_BYTES;
	for (size_t at = 0; at < len; at++)
		out[at] = (uint8_t)SCENE_LETTERS[(index * 7 + at % unit * 11) % (SCENE_LETTER_COUNT - 2)];
	return len;
}

// One byte each: the letters first, then what else is printable, then whatever is left.
static size_t value_byte(size_t index, size_t count, uint64_t *seed, uint8_t *out)
{
	(void)count, (void)seed;
	if (index < SCENE_LETTER_COUNT) {
		*out = (uint8_t)SCENE_LETTERS[index];
		return 1;
	}
	size_t left = index - SCENE_LETTER_COUNT;
	for (unsigned c = '!'; c <= 255; c++) {
		if (!strchr(SCENE_LETTERS, (int)c) && left-- == 0) {
			*out = (uint8_t)c;
			return 1;
		}
	}
	return 0;
}

// Each is the beginning of the next.
static size_t value_nested(size_t index, size_t count, uint64_t *seed, uint8_t *out)
{
	(void)count, (void)seed;
	uint64_t same = SEED;
	size_t len = NESTED_BYTES_LEAST + index;
	for (size_t at = 0; at < len; at++)
		out[at] = (uint8_t)SCENE_LETTERS[scene_random(&same) % SCENE_LETTER_COUNT];
	return len;
}

// ------------------------------------------------------------------------------------------------------------ scenes

static const struct scene scenes[] = {
	{"clean", "log lines", VALUE_BYTES, value_random, text_clean},
	{"hits", "log lines with a needle each 4 KiB", VALUE_BYTES, value_random, text_hits},
	{"near-half", "log lines with half a needle each 128 bytes", VALUE_BYTES, value_random, text_near_half},
	{"near-last", "needles without their last byte", VALUE_BYTES, value_random, text_near_last},
	{"heads", "the first 4 to 12 bytes of needles, one behind the other", VALUE_BYTES, value_random, text_heads},
	{"head", "one value but for its last byte, again and again", VALUE_BYTES, value_random, text_head},
	{"periodic-long", "a periodic value of 8 KiB, never whole", LONG_BYTES, value_periodic, text_periodic_long},
	{"periodic-short", "periodic values of 64 bytes, not whole", LONG_BYTES, value_periodic, text_periodic_short},
	{"periodic-hits", "the period of a value, without end", LONG_BYTES, value_periodic, text_periodic_hits},
	{"bytes-words", "values of one byte in words", 1, value_byte, text_bytes_words},
	{"bytes-alone", "values of one byte, each by itself", 1, value_byte, text_bytes_alone},
	{"nested-near", "each value begins the next, none is whole", 0, value_nested, text_nested_near},
	{"nested-hits", "each value begins the next, all but one are there", 0, value_nested, text_nested_hits},
};

const struct scene *scene_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(scenes); i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	return NULL;
}

void scene_print_names(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(scenes); i++)
		fprintf(stderr, "  %-16s%s\n", scenes[i].name, scenes[i].about);
}

static void *room_or_end(void *room)
{
	if (!room)
		abort();
	return room;
}

static int needle_keep(void *context, const struct needle *needle, struct err *err)
{
	struct scene_data *data = context;
	(void)err;
	if (data->needle_count == data->needle_cap) {
		data->needle_cap = data->needle_cap ? 2 * data->needle_cap : 64;
		data->needles = room_or_end(reallocarray(data->needles, data->needle_cap, sizeof(*data->needles)));
	}
	uint8_t *own = room_or_end(malloc(needle->bytes.len));
	memcpy(own, needle->bytes.data, needle->bytes.len);
	data->needles[data->needle_count++] = span_of(own, needle->bytes.len);
	return 0;
}

int scene_open(const struct scene *scene, size_t count, struct scene_data *out, struct err *err)
{
	size_t room = scene->room ? scene->room : NESTED_BYTES_LEAST + count;
	uint64_t seed = SEED;
	struct scene_data data = {.count = count};
	data.values = room_or_end(calloc(count + 1, sizeof(*data.values)));
	data.value_bytes = room_or_end(calloc(count + 1, room));
	data.names = room_or_end(calloc(count + 1, sizeof(*data.names)));
	_cleanup_secret_ struct secret *form_room = NULL;
	int r = secret_new(form_room_bytes(room), SECRET_LOCK_PREFERRED, &form_room, err);
	for (size_t i = 0; i < count && r == 0; i++) {
		uint8_t *value = data.value_bytes + i * room;
		snprintf(data.names[i], sizeof(data.names[i]), "SECRET_%zu", i);
		size_t len = scene->value(i, count, &seed, value);
		data.values[i] = (struct redact_value){data.names[i], span_of(value, len)};
		r = form_each_needle(data.values[i].value, (uint32_t)i, form_room, needle_keep, &data, err);
	}
	*out = data;
	return r;
}

void scene_done(struct scene_data *data)
{
	for (size_t i = 0; i < data->needle_count; i++)
		free((void *)(uintptr_t)data->needles[i].data);
	free(data->needles);
	free(data->values);
	free(data->value_bytes);
	free(data->names);
	*data = (struct scene_data){0};
}

void scene_write(const struct scene *scene, const struct scene_data *data, uint8_t *text, size_t bytes)
{
	struct text t = {.data = data, .bytes = text, .len = bytes, .seed = SEED};
	scene->text(&t);
}
