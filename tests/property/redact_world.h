// Random needles and the streams that bring them into trouble: over tiny alphabets, so that everything overlaps.
#pragma once

#include "dice.h"
#include "redact/redactor.h"
#include "redact_oracle.h"

#define WORLD_NAME_COUNT 6

struct world {
	struct oracle_needles needles;
	struct redactor *redactor;
	const char *alphabet;
	size_t letters;
};

void world_init(struct world *world, uint64_t seed);
void world_done(struct world *world);
// Letters, pieces of needles, white space, escape sequences, lines of dumps, gaps: appended to `stream`.
void world_stream(const struct world *world, struct dice *dice, struct buf *stream);
// For a case that failed.
void world_tell(const struct world *world);
void bytes_tell(const char *label, struct span bytes);
