#include <immintrin.h>

#include "redact/words.h"

#define AVX2 __attribute__((target("avx2,bmi")))
#define AVX2_INLINE AVX2 static inline __attribute__((always_inline))
#define STEP 32

AVX2_INLINE __m256i load_halves(const uint8_t *table)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

// Word bytes are four products of halves: 3 by 0-9, 4 and 6 by 1-f, 5 and 7 by 0-a, 5 by f.
static const uint8_t word_low[16] = {5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 2, 2, 2, 2, 10};
static const uint8_t word_high[16] = {[3] = 1, [4] = 2, [5] = 4 | 8, [6] = 2, [7] = 4};

AVX2_INLINE __m256i halves_match(__m256i low_table, __m256i high_table, __m256i low, __m256i high)
{
	return _mm256_and_si256(_mm256_shuffle_epi8(low_table, low), _mm256_shuffle_epi8(high_table, high));
}

AVX2_INLINE uint32_t bytes_without(__m256i bytes, uint8_t bits)
{
	__m256i set = _mm256_and_si256(bytes, _mm256_set1_epi8((char)bits));
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(set, _mm256_setzero_si256()));
}

AVX2 static size_t seek_avx2(const struct words_filter *f, struct span bytes, size_t at, bool after_word)
{
	__m256i half = _mm256_set1_epi8(15);
	__m256i word_low_table = load_halves(word_low);
	__m256i word_high_table = load_halves(word_high);
	__m256i low_table = load_halves(f->low);
	__m256i high_table = load_halves(f->high);
	uint32_t no_word = !after_word; // of the byte before
	for (; bytes.len - at > STEP; at += STEP) {
		__m256i text = _mm256_loadu_si256((const __m256i *)(const void *)(bytes.data + at));
		__m256i low = _mm256_and_si256(text, half);
		__m256i high = _mm256_and_si256(_mm256_srli_epi16(text, 4), half);
		uint32_t no_words = bytes_without(halves_match(word_low_table, word_high_table, low, high), 0xff);
		__m256i sets = halves_match(low_table, high_table, low, high);
		// The byte behind the last one is not looked at here: it may be any.
		uint32_t second = ~bytes_without(sets, WORDS_SECOND) >> 1 | 1u << (STEP - 1);
		uint32_t places = (no_words << 1 | no_word) & ~bytes_without(sets, WORDS_FIRST) & second;
		for (; places; places &= places - 1) {
			size_t place = at + (size_t)__builtin_ctz(places);
			if (words_may_begin(f, bytes.data[place], bytes.data[place + 1]))
				return place;
		}
		no_word = no_words >> (STEP - 1);
	}
	return words_seek_portable(f, bytes, at, !no_word);
}

void words_choose(struct words_filter *f)
{
	f->seek = __builtin_cpu_supports("avx2") ? seek_avx2 : words_seek_portable;
}
