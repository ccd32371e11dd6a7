// gram: finds the places where a needle may begin without reading every byte. Private to the matcher.
//
// However a needle of at least stride + GRAM_BYTES - 1 bytes stands in the text, one of the places 0, stride, 2 stride,
// ... of the text has GRAM_BYTES bytes of it from one of its offsets 0 .. stride - 1 on: a gram. So the text is sampled
// at these places: loads that do not wait for each other. Needles make up to three groups by length, each with its own
// stride; all are sampled in one pass over blocks of 64 bytes. A sample is looked up in a Bloom table (two bits in one
// word); a hit is confirmed by a second table, which says at which offsets it stands in needles, and by a third
// one, which knows the first GRAM_ENTRY bytes of every needle and the automaton's state behind them. What follows them
// in all such needles is compared too: so half a needle costs no more than its confirmation.
//
// White space can be skipped: then a gram is made of the next bytes that are none. Samples that are `stride` bytes
// apart are no farther apart without the white space, so nothing is missed.
#pragma once

#include "redact/bytes.h"

#define GRAM_BYTES 5
#define GRAM_ENTRY 8 // also the length of the shortest needle that can be found
#define GRAM_GROUPS 3
// A block, and the bytes behind it that its last gram reaches into.
#define GRAM_BLOCK 64
#define GRAM_BLOCK_ROOM (GRAM_BLOCK + 16)
// Shorter spans are left to the automaton.
#define GRAM_SPAN_MIN (GRAM_BLOCK_ROOM + 16)

struct gram_group {
	uint64_t *words;   // the Bloom table: two bits in the one word that the gram's hash names
	uint16_t *offsets; // by a hash of the gram and the bytes behind it: a tag of them, and their offset in a needle
	uint32_t stride;   // 16, 8 or 4
	uint32_t word_bits;
	uint32_t offset_bits;
	uint32_t text_count; // needles in it
	bool has_short;      // of some needle a gram has fewer than 8 bytes up to its end
};

// What begins with GRAM_ENTRY bytes. The tag spares most looks at the bytes themselves.
struct gram_entry {
	uint32_t state; // 0: a free place
	uint16_t tag;   // of the bytes
	uint16_t rest;  // bytes behind them that all these needles have, as far as they are compared
};

struct gram_filter;

// Moves *base on, in steps of a block and at last to `last`, to the first block with hits, or to `last`. Returns a bit
// for each place of the block that must be looked at more closely.
typedef uint64_t (*gram_seek)(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last);

struct gram_filter {
	struct gram_group groups[GRAM_GROUPS]; // those with needles, the longest stride first
	uint32_t group_count;
	struct gram_entry *entries;
	uint32_t entry_bits;
	uint64_t *squeeze;    // for each mask of white space among 8 bytes: where to take the others from (pshufb)
	const uint8_t *label; // the matcher's: the bytes before a state are those it stands for
	gram_seek seek;
	gram_seek seek_loose; // skips white space
};

// The first place where a needle may begin.
struct gram_place {
	size_t at; // bytes that are read then
	// Not 0: the first GRAM_ENTRY bytes of a needle end at `at`. 0: everything from `at` on must be read.
	uint32_t state;
};

// Counts a needle into its group; false when it is too short for any.
bool gram_measure(struct gram_filter *f, size_t needle_len);
// Drops empty groups and chooses the sizes of the tables, which hold `entry_count` entries.
void gram_plan(struct gram_filter *f, size_t entry_count);
// Gives the tables their places behind *used, or, while `base` is NULL, only counts them.
void gram_layout(struct gram_filter *f, uint8_t *base, size_t *used);
void gram_prepare(struct gram_filter *f, const uint8_t *label);
void gram_add(struct gram_filter *f, struct span needle);
// `state` stands for GRAM_ENTRY bytes, and its label and those before it are these bytes. The needles that begin with
// them have `common` bytes in common, which are those up to the label of state - GRAM_ENTRY + common.
void gram_add_entry(struct gram_filter *f, uint32_t state, size_t common);

// Looks for needles that begin at `from` or later. There must be at least GRAM_SPAN_MIN bytes from there on.
struct gram_place gram_find(const struct gram_filter *f, struct span bytes, size_t from, bool skip_space);
// The place `count` bytes before `at`, SIZE_MAX when it would be before `from`.
size_t gram_back(struct span bytes, size_t at, size_t count, size_t from, bool skip_space);

// The fastest ways to seek on this machine. Each processor family has its own file; gram_any.c is for the others.
void gram_choose(struct gram_filter *f);
void gram_choose_portable(struct gram_filter *f);
