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

SURVEY_INLINE __m256i is_byte(__m256i bytes, char byte)
{
	return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte));
}

SURVEY_INLINE __m256i is_digit(__m256i bytes)
{
	__m256i decimal = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
	__m256i letter = _mm256_sub_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
	return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(decimal, _mm256_set1_epi8(9)), decimal),
			       _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter));
}

// What the present block needs to know of the one before it.
struct context {
	uint64_t begins; // where lines begin
	uint64_t digits;
	uint64_t pairs; // the second of two digits
};

// The bits `by` places further on in the text.
SURVEY_INLINE uint64_t later(uint64_t bits, uint64_t before, int by)
{
	return bits << by | before >> (64 - by);
}

// *newline: 1 when the byte before the block is one, then the same for the next block.
SURVEY_INLINE bool block_is_plain(const uint8_t *block, struct context *before, uint64_t *newline)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)block);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(block + 32));
	__m256i escapes = _mm256_or_si256(is_byte(low, 0x1b), is_byte(high, 0x1b));
	uint64_t newlines = mask_of(is_byte(low, '\n'), is_byte(high, '\n'));
	struct context now = {.begins = newlines << 1 | *newline, .digits = mask_of(is_digit(low), is_digit(high))};
	now.pairs = now.digits & later(now.digits, before->digits, 1);
	uint64_t fours = now.pairs & later(now.pairs, before->pairs, 2);
	uint64_t sixes = fours & later(now.pairs, before->pairs, 4);
	bool is_offset = sixes & later(now.begins, before->begins, 5);
	*before = now;
	*newline = newlines >> 63;
	return _mm256_testz_si256(escapes, escapes) && !is_offset;
}

SURVEY_AVX2 static bool is_plain(struct span bytes, bool begins_line)
{
	struct context before = {0};
	uint64_t newline = begins_line;
	size_t at = 0;
	for (; bytes.len - at >= BLOCK_BYTES; at += BLOCK_BYTES)
		if (!block_is_plain(bytes.data + at, &before, &newline))
			return false;
	if (at == 0)
		return survey_is_plain_portable(bytes, begins_line);
	// The digits of a line that begins at the end of the last block may go on in the rest.
	at -= 6;
	return survey_is_plain_portable(span_of(bytes.data + at, bytes.len - at), false);
}

bool survey_is_plain(struct span bytes, bool begins_line)
{
	return __builtin_cpu_supports("avx2") ? is_plain(bytes, begins_line) : survey_is_plain_portable(bytes, begins_line);
}
