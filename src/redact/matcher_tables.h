// The tables that matcher_build.c makes and matcher.c reads.
//
// A chain is one needle that is no prefix of another. It owns the numbers base + 1 .. base + len, one for each of its
// bytes: state base + d stands for its first d bytes, and label[base + d] is byte d. So the main child of a state is
// the next number, and what a state stands for is a stretch of `label`. The bytes that a chain shares with the chain
// before it in sorted order belong to that one's states; the chain's own states begin at depth `first`, and only there
// does a state have a second child, which is looked up in `branches`.
#pragma once

#include "redact/matcher.h"

// state_info: flags, and the output of the state or of its longest suffix that has one.
#define INFO_BRANCH 0x80000000u // has children besides the main one
#define INFO_LEAF 0x40000000u   // has no child: a needle ends here and none goes on
#define INFO_OUTPUT 0x3fffffffu

struct matcher_chain {
	uint32_t base;
	uint32_t len;
	uint32_t first;  // depth of its first own state
	uint32_t parent; // the state at depth first - 1
	uint32_t above;  // the chain that owns it
};

struct matcher_branch {
	uint32_t state; // 0: a free place (the start has a table of its own)
	uint32_t child; // its label says for which byte
};

// Grams are the last `gram` bytes of a window; `shift` says for the hash of one how far the window may move.
struct matcher_skip {
	uint8_t *shift;
	uint32_t bits;   // of the hash
	uint32_t gram;   // 1, 2 or 4
	uint32_t window; // the length of the shortest needle, at most SKIP_WINDOW_MAX
};
#define SKIP_WINDOW_MAX 16

struct matcher {
	struct secret *tables; // all below point into it
	uint8_t *label;
	uint32_t *fall; // longest proper suffix that has children
	uint32_t *info;
	uint32_t *start_child; // for each byte, 0 when there is none
	struct matcher_branch *branches;
	struct matcher_chain *chains;
	struct matcher_output *outputs;
	struct matcher_needle *needles;
	struct matcher_skip skip;
	size_t label_count; // states too
	size_t branch_bits;
	size_t chain_count;
	size_t output_count;
	size_t needle_count;
};

uint32_t matcher_step(const struct matcher *m, uint32_t state, uint8_t byte);
size_t matcher_branch_place(const struct matcher *m, uint32_t state, uint8_t byte);
size_t matcher_gram_place(const struct matcher_skip *skip, const uint8_t *gram);
