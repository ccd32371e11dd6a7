// The five views of a stream in which needles are looked for, read off the whole stream at once. Shares nothing with
// the engine.
#pragma once

#include "base/base.h"

#include <stdlib.h>

static inline void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

enum lane_kind { LANE_PLAIN, LANE_CLEAN, LANE_LOOSE, LANE_DUMP, LANE_TEXT, LANE_COUNT };

// Some of the stream's bytes, in order. Two neighbours of different segments have a break between them.
struct lane {
	uint8_t *bytes;
	size_t *offset; // of each byte, in the stream
	size_t *segment;
	size_t count;
	size_t segment_now; // the segment that a byte behind the end of the stream would have
	size_t tail;        // where that segment begins; `count` when a break stands behind the last byte
};

struct lanes {
	struct lane list[LANE_COUNT];
	size_t *sequence; // for each byte of the stream the number of its escape sequence; 0 for none
};

// `plain_only` leaves all lanes but the first empty, and all bytes without a sequence.
void lanes_read(struct lanes *lanes, struct span stream, bool plain_only);
void lanes_done(struct lanes *lanes);
