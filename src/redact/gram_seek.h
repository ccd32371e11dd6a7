// What the ways to seek have in common.
#pragma once

#include <string.h>

#include "redact/gram.h"

#define GRAM_INLINE static inline __attribute__((always_inline))
#define GRAM_BLANKS 0x2020202020202020u
#define GRAM_MASK (((uint64_t)1 << 8 * GRAM_BYTES) - 1)

// Made of what vector units have: products of 32 bits by 32. Each of its 32 bits depends on all bytes of the gram. Two
// products, since the bytes of text are much alike: put together before, many grams of digits would be one.
#define GRAM_FACTOR_LOW 0x9e3779b1u
#define GRAM_FACTOR_HIGH 0xc2b2ae3du
#define GRAM_WORD_BITS_MAX 18
#define GRAM_BIT_1 20
#define GRAM_BIT_2 26
GRAM_INLINE uint32_t gram_hash(uint64_t gram)
{
	uint64_t product = (uint64_t)(uint32_t)gram * GRAM_FACTOR_LOW + (gram >> 32) * GRAM_FACTOR_HIGH;
	return (uint32_t)(product ^ product >> 32);
}

GRAM_INLINE size_t gram_word(const struct gram_group *group, uint64_t gram)
{
	return gram_hash(gram) & (((uint32_t)1 << group->word_bits) - 1);
}

GRAM_INLINE uint64_t gram_bits(uint64_t gram)
{
	uint32_t hash = gram_hash(gram);
	return (uint64_t)1 << (hash >> GRAM_BIT_1 & 63) | (uint64_t)1 << (hash >> GRAM_BIT_2 & 63);
}

GRAM_INLINE bool gram_is_in(const struct gram_group *group, uint64_t gram)
{
	uint64_t bits = gram_bits(gram);
	return (group->words[gram_word(group, gram)] & bits) == bits;
}

GRAM_INLINE size_t gram_next_base(size_t base, size_t last)
{
	return last - base > GRAM_BLOCK ? base + GRAM_BLOCK : last;
}

GRAM_INLINE uint64_t gram_plain_hits(const struct gram_filter *f, const uint8_t *block)
{
	uint64_t hits = 0;
	for (const struct gram_group *group = f->groups; group < f->groups + f->group_count; group++)
		for (uint32_t at = 0; at < GRAM_BLOCK; at += group->stride)
			hits |= (uint64_t)gram_is_in(group, bytes_load(block + at) & GRAM_MASK) << at;
	return hits;
}

// A block without its white space, and the next few bytes that are none.
struct gram_lane {
	uint8_t bytes[GRAM_BLOCK_ROOM + 8];
	uint32_t len;
	uint64_t spaces; // of the block
};

// Where the lane has too few bytes behind its block: takes those that are missing.
GRAM_INLINE void gram_lane_complete(struct gram_lane *lane, const uint8_t *rest, const uint8_t *end)
{
	uint32_t want = GRAM_BLOCK - (uint32_t)__builtin_popcountll(lane->spaces) + GRAM_BYTES - 1;
	for (; lane->len < want && rest < end; rest++)
		if (!byte_is_space(*rest))
			lane->bytes[lane->len++] = *rest;
}

// A place with nothing but white space up to the next one need not be looked at: its gram is that one's. Where the
// bytes end within a gram, it cannot be excluded.
GRAM_INLINE uint64_t gram_lane_hits(const struct gram_filter *f, const struct gram_lane *lane)
{
	uint64_t hits = 0;
	for (const struct gram_group *group = f->groups; group < f->groups + f->group_count; group++) {
		uint32_t from = 0;
		uint64_t chunk = ((uint64_t)1 << group->stride) - 1;
		for (uint32_t at = 0; at < GRAM_BLOCK; at += group->stride) {
			uint32_t taken = (uint32_t)__builtin_popcountll(~(lane->spaces >> at) & chunk);
			uint64_t gram = bytes_load(lane->bytes + from) & GRAM_MASK;
			bool is_hit = from + GRAM_BYTES > lane->len || gram_is_in(group, gram);
			hits |= (uint64_t)(taken > 0 && is_hit) << at;
			from += taken;
		}
	}
	return hits;
}
