// matcher_falls: where to go on after a mismatch, for all states of the tables. Private to the matcher.
#pragma once

#include "redact/matcher_tables.h"

// What `fall` holds until it is computed.
#define FALL_UNKNOWN UINT32_MAX

// A chain whose falls are computed as far as `until`, because another one needs them.
struct fall_wait {
	uint32_t chain;
	uint32_t until;
};

// A step that was made before: from a state by a byte, and what is known of a state whose longest suffix is there.
struct fall_step {
	uint64_t key;
	uint32_t fall;
	uint32_t info;
};

// Room for the work. All zero at first.
struct fall_work {
	uint32_t *next;          // for each chain: its first state without a fall
	struct fall_wait *waits; // one more than there are chains
	struct fall_step *steps; // a power of two
	uint32_t step_bits;
};

// Gives the work its places behind *used, or, while `base` is NULL, only counts them.
void falls_layout(struct fall_work *work, size_t chain_count, size_t label_count, uint8_t *base, size_t *used);
// Computes every fall, which is FALL_UNKNOWN but for the start's, and from it outputs and flags of the states. Linear in
// the bytes of the needles, whatever they are.
void falls_build(struct matcher *m, struct fall_work *work);
