// Between the files of the filter only: filter.c reads the stream, filter_match.c enters matches, filter_output.c shows
// and masks.
#pragma once

#include "redact/lane.h"
#include "redact/redactor.h"
#include "redact/stretch.h"

enum lane_number {
	LANE_STREAM,
	LANE_LOOSE,
	LANE_CLEAN,
	LANE_DUMP,
	LANE_TEXT,
	LANE_WEAK_STREAM,
	LANE_WEAK_CLEAN,
	LANE_COUNT
};

// Bytes of the stream before the present slice that may still have to be shown. They may be the beginning of a value, so
// they are kept as one; mostly they are what a lane holds, byte for byte, and then they stand in the matcher's tables
// already.
struct hold {
	const uint8_t *data; // in `room` or in the tables
	size_t len;
	struct secret *room;
};

struct filter {
	const struct redactor *redactor;
	struct redact_sink sink;
	struct view stream; // the present slice as it is; empty between calls
	struct shadow shadow;
	struct lane lanes[LANE_COUNT];
	bool is_active[LANE_COUNT];
	struct stretches stretches;
	struct buf mask;
	uint64_t position; // bytes read
	uint64_t settled;  // bytes shown or masked
	uint64_t shown;    // end of the last byte shown
	bool ends_line;    // the last byte read is a newline
	bool is_exposed;   // some of the bytes held have been shown
	uint64_t gathered; // up to here the escape sequences in the first stretch have been gathered
	uint64_t base;     // where the present slice begins
	struct hold hold;  // ends at base
};

// Enters what the lane has found; of weak needles only those that fit.
int filter_match(struct filter *f, struct lane *lane, struct err *err);
// The right neighbour of a lane's pending output is known now.
int filter_resolve(struct filter *f, struct lane *lane, bool before_word, struct err *err);
// At the end of the stream: the longest prefix held by the lane that has too much of a needle in it to be shown.
int filter_match_cut(struct filter *f, struct lane *lane, struct err *err);

// Shows and masks everything before `safe`, which no later match can reach. A stretch that goes beyond may still grow.
int filter_settle(struct filter *f, uint64_t safe, struct err *err);
// Tells the leaks of the first stretch, writes its mask and forgets it. All before it has been shown.
int filter_mask(struct filter *f, struct err *err);
// The slice has been dealt with: keeps what of it and of the bytes held is not before `safe`.
int filter_keep(struct filter *f, uint64_t safe, struct err *err);
