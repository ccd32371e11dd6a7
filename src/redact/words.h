// words: finds the places where a needle that counts only behind a non-word byte may begin. Private to the matcher.
//
// Such needles are short, so the filter is a simple one: the byte before the place is no word byte, and the two bytes
// at it are ones with which some needle begins. With vector units, sets of bytes are tested by the halves of each byte,
// which lets a few more pass than are in the set.
#pragma once

#include "redact/bytes.h"

// Bits of words_filter.low and .high: a byte belongs to a set when its two halves have a bit of the set in common.
#define WORDS_FIRST 0x0f  // may be a needle's first byte
#define WORDS_SECOND 0xf0 // may be a needle's second byte

struct words_filter;
typedef size_t (*words_seek)(const struct words_filter *f, struct span bytes, size_t at, bool after_word);

struct words_filter {
	uint64_t *pairs; // a bit for each pair of bytes that a needle may begin with
	uint8_t *low;    // by the lower half of a byte
	uint8_t *high;   // by the upper half
	// The first place from `at` on where a needle may begin, bytes.len when there is none. `after_word` tells of
	// the byte before `at`.
	words_seek seek;
};

void words_layout(struct words_filter *f, uint8_t *base, size_t *used);
void words_prepare(struct words_filter *f);
void words_add(struct words_filter *f, struct span needle);

size_t words_seek_portable(const struct words_filter *f, struct span bytes, size_t at, bool after_word);
// The fastest way of this machine. Each processor family has its own file; gram_any.c is for the others.
void words_choose(struct words_filter *f);

static inline bool words_may_begin(const struct words_filter *f, uint8_t first, uint8_t second)
{
	unsigned pair = (unsigned)first << 8 | second;
	return f->pairs[pair / 64] >> pair % 64 & 1;
}
