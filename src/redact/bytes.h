// bytes: what the parts of redact/ say of bytes, and how their tables share one piece of memory. Private to redact/.
#pragma once

#include <string.h>

#include "base/base.h"

// 0x09-0x0d and the blank.
static inline bool byte_is_space(uint8_t byte)
{
	return byte == ' ' || (uint8_t)(byte - '\t') <= '\r' - '\t';
}

// [A-Za-z0-9_]: no needle that is matched between word boundaries may have one of these beside it.
static inline bool byte_is_word(uint8_t byte)
{
	return (uint8_t)((byte | 0x20) - 'a') < 26 || (uint8_t)(byte - '0') < 10 || byte == '_';
}

// 8 bytes, the first one lowest.
static inline uint64_t bytes_load(const uint8_t *at)
{
	uint64_t bytes;
	memcpy(&bytes, at, sizeof(bytes));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(bytes) : bytes;
}

// False only when there is no white space among the 8 bytes; true for other control characters too.
static inline bool bytes_may_have_space(uint64_t bytes)
{
	uint64_t ones = 0x0101010101010101u;
	return ((bytes - ones * (' ' + 1)) & ~bytes & ones * 0x80) != 0;
}

// The highest bit of each of the 8 bytes that is no white space.
static inline uint64_t bytes_visible(uint64_t bytes)
{
	uint64_t ones = 0x0101010101010101u;
	uint64_t low = bytes & ones * 0x7f;
	uint64_t control = (low + ones * (0x80 - '\t')) & ~(low + ones * (0x7f - '\r'));
	uint64_t blank = ~((low ^ ones * ' ') + ones * 0x7f);
	return (~(control | blank) | bytes) & ones * 0x80;
}

static inline bool span_has_space(struct span bytes)
{
	size_t i = 0;
	while (bytes.len - i >= 8 && !bytes_may_have_space(bytes_load(bytes.data + i)))
		i += 8;
	while (i < bytes.len && !byte_is_space(bytes.data[i]))
		i++;
	return i < bytes.len;
}

// The fewest bits, from `min` to `max`, with which `count` things can be numbered; `max` where that is too few.
static inline uint32_t bits_for(size_t count, uint32_t min, uint32_t max)
{
	uint32_t bits = min;
	while (bits < max && (size_t)1 << bits < count)
		bits++;
	return bits;
}

// Gives a table its place behind the ones before it, where a line of the cache begins; or, while `base` is NULL, only
// counts it.
static inline void *layout_take(uint8_t *base, size_t *used, size_t count, size_t bytes)
{
	size_t at = (*used + 63) / 64 * 64;
	*used = at + count * bytes;
	return base ? base + at : NULL;
}
