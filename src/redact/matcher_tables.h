// The tables that matcher_build.c makes and the matcher reads.
//
// A chain is one needle that is no prefix of another. It owns the numbers base + 1 .. base + len, one for each of its
// bytes: state base + d stands for its first d bytes, and label[base + d] is byte d. So the main child of a state is
// the next number, and what a state stands for is a stretch of `label`. The bytes that a chain shares with the chain
// before it in sorted order belong to that one's states; the chain's own states begin at depth `first`, and only there
// does a state have a second child, which is looked up in `branches`.
#pragma once

#include "redact/gram.h"
#include "redact/matcher.h"
#include "redact/words.h"

// matcher_state.info: flags, and the output of the state or of its longest suffix that has one.
#define INFO_BRANCH 0x80000000u // has children besides the main one
#define INFO_LEAF 0x40000000u   // has no child: a needle ends here and none goes on
#define INFO_DEPTH 0x30000000u  // of a state of at most SHALLOW_MAX bytes; 0 for the others
#define INFO_DEPTH_SHIFT 28
#define INFO_OUTPUT 0x0fffffffu
// From states this short a scan returns to the gram filter: what they stand for is soon read again.
#define SHALLOW_MAX 3
// Readable bytes behind the last label, so that 8 can always be loaded.
#define TABLE_SLACK 8

struct matcher_state {
	uint32_t fall; // longest proper suffix that has children
	uint32_t info;
};

// Bits of 64 states, so that most states are never looked at.
struct matcher_flags {
	uint64_t stops; // has an output or is a leaf
	uint64_t ends;  // a byte that does not go on along the chain leads to a state of at most SHALLOW_MAX bytes
};

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

struct matcher {
	struct secret *tables; // all below point into it
	enum matcher_kind kind;
	uint8_t *label;
	struct matcher_state *states;
	struct matcher_flags *flags;
	uint32_t *start_child; // for each byte, 0 when there is none
	struct matcher_branch *branches;
	uint8_t *marks; // 8 bits for each branch, few of them set: most of what is looked up is not there
	struct matcher_chain *chains;
	struct matcher_output *outputs;
	struct matcher_needle *needles;
	struct gram_filter grams; // without groups when it cannot be used
	struct words_filter words; // of MATCHER_WORDS
	size_t label_count;       // states too
	size_t branch_bits;
	size_t chain_count;
	size_t output_count;
	size_t needle_count;
};

uint32_t matcher_state_chain(const struct matcher *m, uint32_t state); // the chain whose numbers hold the state

static inline bool state_ends(const struct matcher *m, uint32_t state)
{
	return m->flags[state / 64].ends >> state % 64 & 1;
}

// The number of a mark; an eighth of it is the place where the search for the branch begins.
static inline uint64_t branch_hash(const struct matcher *m, uint32_t state, uint8_t byte)
{
	uint64_t key = (uint64_t)state << 8 | byte;
	return key * 0x9e3779b97f4a7c15u >> (64 - 3 - m->branch_bits);
}

static inline uint32_t branch_find(const struct matcher *m, uint32_t state, uint8_t byte)
{
	uint64_t hash = branch_hash(m, state, byte);
	if (!(m->marks[hash / 8] >> hash % 8 & 1))
		return 0;
	size_t mask = ((size_t)1 << m->branch_bits) - 1;
	size_t place = (size_t)(hash / 8);
	while (m->branches[place].state != 0 &&
	       (m->branches[place].state != state || m->label[m->branches[place].child] != byte))
		place = (place + 1) & mask;
	return m->branches[place].child;
}

// 0 when the state has no child for the byte.
static inline uint32_t state_child(const struct matcher *m, uint32_t state, uint8_t byte)
{
	if (state == MATCHER_START)
		return m->start_child[byte];
	if (m->label[state + 1] == byte)
		return state + 1;
	return m->states[state].info & INFO_BRANCH ? branch_find(m, state, byte) : 0;
}

// Needles in the order of their bytes, equal ones in the order given.
struct sort_item {
	uint64_t key;   // 8 of its bytes, from the place at which it is compared
	uint32_t index; // into what matcher_new was given
	uint32_t rest;  // how many of them there are
};
struct sort_run {
	uint32_t from, to;
	uint32_t depth; // bytes that all of them have in common
};
struct needle_sort {
	const struct needle *needles;
	size_t count;
	struct sort_item *items; // room for count + 1
	struct sort_run *runs; // room for count / 2 + 1
	uint32_t *lcp;         // bytes in common with the one before
};
void needles_sort(struct needle_sort *sort);
