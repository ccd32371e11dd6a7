// scene: made-up secrets, and texts that are easy or hard for a filter that knows them. The same name, count and length
// always give the same bytes, so that the programs of one benchmark agree without talking to each other.
//
// Nothing here is secret, so it lies in ordinary memory; where there is none the program ends.
#pragma once

#include "redact/redact.h"

struct scene_data {
	struct redact_value *values;
	size_t count;
	struct span *needles; // of all values, in all forms, in the order in which the redactor gets them
	size_t needle_count;
	uint8_t *value_bytes;
	char (*names)[32];
	size_t needle_cap;
};

struct scene;

// NULL when there is no scene of that name.
const struct scene *scene_find(const char *name);
void scene_print_names(void); // to standard error, one a line, each with what it is
int scene_open(const struct scene *scene, size_t count, struct scene_data *out, struct err *err);
void scene_done(struct scene_data *data);
#define _cleanup_scene_ _cleanup_(scene_done)
// `data` must have at least one value, but for the scene "clean".
void scene_write(const struct scene *scene, const struct scene_data *data, uint8_t *text, size_t bytes);
