// lane: the search for one set of needles in one view of a stream, private to redact/.
//
// A lane reads the views of one slice after the other. What it holds is the longest suffix of its view that is a proper
// prefix of a needle, or a weak needle that waits for its right neighbour; where that begins in the stream is known
// from the trail, whatever else of the stream lies between its bytes.
#pragma once

#include "redact/matcher.h"
#include "redact/shadow.h"

// The offsets of the bytes that a lane holds.
struct trail {
	uint64_t *list; // head .. head + count - 1
	size_t head;
	size_t count;
	size_t cap;
};

struct lane {
	const struct matcher *matcher;
	const struct view *view;
	bool is_stream; // its view is the stream itself
	bool is_weak;   // its needles match between word boundaries only
	bool skips_space;
	// The present slice.
	uint64_t base;
	size_t next_break;
	size_t at;            // bytes of the view that were read
	size_t unbroken;      // of these, where the view was broken last; 0: before the slice, if ever
	uint32_t output;      // completed at `at` and to be dealt with; 0: none, and the slice is read
	uint64_t output_end;  // in the stream
	// The last output in the slice, and the cursor's state behind it; `last_output` is 0 when there is none.
	uint32_t last_output;
	uint32_t last_state;
	size_t last_at;
	size_t period; // bytes from there to the present one, when that is the same in the same state; else 0
	// What is held.
	struct matcher_cursor cursor;
	uint32_t pending; // longest weak output behind the last byte that fits on its left; 0: none
	uint64_t end;     // offset behind the last byte so far
	struct trail trail;
	struct span held;     // weak: the bytes before the slice that are held, from the matcher's tables
	bool held_after_word; // weak: the byte before them is a word byte
	// The last match, to know quickly whether the next one lies in the same stretch.
	uint64_t match_epoch;
	size_t match_len;
};

// The view is borrowed until lane_done; its bytes are read between lane_open and lane_close only.
void lane_init(struct lane *lane, const struct matcher *matcher, const struct view *view);
void lane_done(struct lane *lane);

void lane_open(struct lane *lane, uint64_t base); // begins a slice, whose view has been made
// Reads on to the next output.
void lane_advance(struct lane *lane);
// Where the output came again after fewer than `len` bytes: goes on to its last repetition, as long as the bytes of the
// view repeat too. It completes once in each period, and nothing else does.
void lane_repeat(struct lane *lane, size_t len);
// Ends the slice, of which all has been read: notes where the held bytes are. `position` is behind the slice. Until the
// next one the lane stands at its end.
int lane_close(struct lane *lane, uint64_t position, struct err *err);
// Holds nothing any more.
void lane_drop(struct lane *lane);

// The offset of the first of the last `len` bytes read.
uint64_t lane_start(const struct lane *lane, size_t len);
// The offset behind the last byte read.
uint64_t lane_end(const struct lane *lane);
// True when the byte before the last `len` bytes read is a word byte.
bool lane_is_after_word(const struct lane *lane, size_t len);
// True when the next byte of the slice is none that can follow a weak needle. *ret_known is false at the end.
bool lane_is_before_word(const struct lane *lane, bool *ret_known);

struct span lane_prefix(const struct lane *lane);  // what is held to become a needle
struct span lane_pending(const struct lane *lane); // the bytes of the pending output
struct span lane_keep(const struct lane *lane);    // the longer of the two
// The offset of the first byte held, `position` when nothing is.
uint64_t lane_hold(const struct lane *lane, uint64_t position);
// The same of the pending output.
uint64_t lane_pending_hold(const struct lane *lane, uint64_t position);
