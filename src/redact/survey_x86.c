// Where the processor has AVX2: newlines and digits of 64 bytes at once, as one bit each.
#include <immintrin.h>

#include "redact/survey.h"

#define SURVEY_AVX2 __attribute__((target("avx2,bmi")))
#define SURVEY_INLINE SURVEY_AVX2 static inline __attribute__((always_inline))
#define BLOCK_BYTES 64

SURVEY_INLINE uint64_t mask_of(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

SURVEY_INLINE __m256i is_digit(__m256i bytes)
{
	__m256i decimal = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
	__m256i letter = _mm256_sub_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
	return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(decimal, _mm256_set1_epi8(9)), decimal),
			       _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter));
}

// The places in the block behind a newline (or at its first byte, by `first`) at which six digits may begin: of those
// that lie beyond the block it is not known.
SURVEY_INLINE uint64_t block_begins(const uint8_t *block, uint64_t first, uint64_t *ret_first)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)block);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(block + 32));
	__m256i newline = _mm256_set1_epi8('\n');
	uint64_t lines = mask_of(_mm256_cmpeq_epi8(low, newline), _mm256_cmpeq_epi8(high, newline));
	uint64_t digits = mask_of(is_digit(low), is_digit(high));
	*ret_first = lines >> 63;
	return (lines << 1 | first) & digits & (digits >> 1 | (uint64_t)1 << 63) & (digits >> 5 | (uint64_t)31 << 59);
}

SURVEY_AVX2 static bool has_dump(struct span bytes, bool begins_line)
{
	uint64_t first = begins_line;
	size_t base = 0;
	for (; bytes.len - base >= BLOCK_BYTES; base += BLOCK_BYTES) {
		for (uint64_t left = block_begins(bytes.data + base, first, &first); left; left &= left - 1) {
			size_t at = base + (size_t)__builtin_ctzll(left);
			if (bytes.len - at >= 6 && survey_is_offset(bytes.data + at))
				return true;
		}
	}
	return survey_has_dump_portable(span_of(bytes.data + base, bytes.len - base), first);
}

bool survey_has_dump(struct span bytes, bool begins_line)
{
	return __builtin_cpu_supports("avx2") ? has_dump(bytes, begins_line) :
						survey_has_dump_portable(bytes, begins_line);
}
