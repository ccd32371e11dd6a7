#include "redact/words.h"

#define PAIR_WORDS ((1u << 16) / 64)
#define HALVES 16

void words_layout(struct words_filter *f, uint8_t *base, size_t *used)
{
	f->pairs = layout_take(base, used, PAIR_WORDS, sizeof(*f->pairs));
	f->low = layout_take(base, used, HALVES, sizeof(*f->low));
	f->high = layout_take(base, used, HALVES, sizeof(*f->high));
}

// Upper halves that text is made of have bits of their own, the others share one.
static uint8_t half_bit(unsigned high)
{
	static const uint8_t bits[HALVES] = {[4] = 1, [5] = 1, [6] = 2, [7] = 3};
	return (uint8_t)(1u << bits[high]);
}

void words_prepare(struct words_filter *f)
{
	for (unsigned high = 0; high < HALVES; high++)
		f->high[high] = (uint8_t)(half_bit(high) | half_bit(high) << 4);
	words_choose(f);
}

// A needle of one byte may be followed by any other.
void words_add(struct words_filter *f, struct span needle)
{
	uint8_t first = needle.data[0];
	f->low[first % HALVES] |= half_bit(first / HALVES);
	for (unsigned second = 0; second < 256; second++) {
		if (needle.len > 1 && needle.data[1] != second)
			continue;
		unsigned pair = (unsigned)first << 8 | second;
		f->pairs[pair / 64] |= (uint64_t)1 << pair % 64;
		f->low[second % HALVES] |= (uint8_t)(half_bit(second / HALVES) << 4);
	}
}

size_t words_seek_portable(const struct words_filter *f, struct span bytes, size_t at, bool after_word)
{
	for (; at < bytes.len; at++) {
		uint8_t first = bytes.data[at];
		// Where the second byte is yet to come, any first byte will do.
		if (!after_word && (at + 1 == bytes.len || words_may_begin(f, first, bytes.data[at + 1])))
			return at;
		after_word = byte_is_word(first);
	}
	return at;
}
