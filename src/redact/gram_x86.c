// With AVX2 four samples are looked up at once, and white space is found for a whole block.
#include <immintrin.h>

#include "redact/gram_seek.h"
#include "secmem/secmem.h"

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX2_INLINE AVX2 static inline __attribute__((always_inline))

AVX2_INLINE __m256i load_32(const uint8_t *at)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

// The 8 bytes at block + 0, 32, 16 and 48, in this order.
AVX2_INLINE __m256i load_samples(const uint8_t *block)
{
	return _mm256_unpacklo_epi64(load_32(block), load_32(block + 32));
}

AVX2_INLINE __m128i load_8(const void *at)
{
	return _mm_loadl_epi64((const __m128i *)at);
}

// Words of a table. Not by a gather: with the mitigations of some processors that is slower.
AVX2_INLINE __m256i load_four(const uint64_t *words, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	__m128i low = _mm_insert_epi64(load_8(&words[a]), (long long)words[b], 1);
	__m128i high = _mm_insert_epi64(load_8(&words[c]), (long long)words[d], 1);
	return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

AVX2_INLINE __m256i load_words(const uint64_t *words, __m256i places)
{
	__m128i low = _mm256_castsi256_si128(places);
	__m128i high = _mm256_extracti128_si256(places, 1);
	return load_four(words, (uint64_t)_mm_cvtsi128_si64(low), (uint64_t)_mm_extract_epi64(low, 1),
			 (uint64_t)_mm_cvtsi128_si64(high), (uint64_t)_mm_extract_epi64(high, 1));
}

// What a loop over blocks keeps in registers.
struct probe {
	__m256i places; // the bits of a hash that name a word
	const uint64_t *words;
	const uint64_t *squeeze;
	unsigned stride;
};

AVX2_INLINE struct probe probe_of(const struct gram_filter *f, const struct gram_group *group, unsigned stride)
{
	__m256i places = _mm256_set1_epi64x(((long long)1 << group->word_bits) - 1);
	return (struct probe){places, group->words, f->squeeze, stride};
}

// gram_is_in for four grams, in the lowest bits; the others mean nothing.
AVX2_INLINE __m256i are_in(struct probe probe, __m256i grams)
{
	__m256i low = _mm256_mul_epu32(grams, _mm256_set1_epi64x(GRAM_FACTOR_LOW));
	__m256i high = _mm256_mul_epu32(_mm256_srli_epi64(grams, 32), _mm256_set1_epi64x(GRAM_FACTOR_HIGH));
	__m256i product = _mm256_add_epi64(low, high);
	__m256i hash = _mm256_xor_si256(product, _mm256_srli_epi64(product, 32));
	__m256i words = load_words(probe.words, _mm256_and_si256(hash, probe.places));
	__m256i bit = _mm256_set1_epi64x(63);
	__m256i bit_1 = _mm256_and_si256(_mm256_srli_epi64(hash, GRAM_BIT_1), bit);
	__m256i bit_2 = _mm256_and_si256(_mm256_srli_epi64(hash, GRAM_BIT_2), bit);
	return _mm256_and_si256(_mm256_srlv_epi64(words, bit_1), _mm256_srlv_epi64(words, bit_2));
}

AVX2_INLINE bool has_any(__m256i any)
{
	return !_mm256_testz_si256(any, _mm256_set1_epi64x(1));
}

// The lowest bits of four samples, at the places of the samples.
AVX2_INLINE uint64_t sample_bits(__m256i samples)
{
	unsigned bits = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(samples, 63)));
	return (bits & 1) | (uint64_t)(bits & 2) << 31 | (uint64_t)(bits & 4) << 14 | (uint64_t)(bits & 8) << 45;
}

AVX2_INLINE uint64_t plain_hits(struct probe probe, const uint8_t *block)
{
	uint64_t hits = 0;
	for (unsigned at = 0; at < 16; at += probe.stride) {
		__m256i any = are_in(probe, _mm256_and_si256(load_samples(block + at), _mm256_set1_epi64x(GRAM_MASK)));
		if (has_any(any))
			hits |= sample_bits(any) << at;
	}
	return hits;
}

// The common case: all needles in one group.
AVX2_INLINE uint64_t plain_seek(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last,
				unsigned stride)
{
	struct probe probe = probe_of(f, &f->groups[0], stride);
	uint64_t hits;
	size_t at = *base;
	while ((hits = plain_hits(probe, data + at)) == 0 && at != last)
		at = gram_next_base(at, last);
	*base = at;
	return hits;
}

AVX2_INLINE uint64_t plain_seek_all(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	for (;; *base = gram_next_base(*base, last)) {
		uint64_t hits = 0;
		const uint8_t *block = data + *base;
		for (const struct gram_group *group = f->groups; group < f->groups + f->group_count; group++)
			hits |= group->stride == 16 ? plain_hits(probe_of(f, group, 16), block)
				: group->stride == 8 ? plain_hits(probe_of(f, group, 8), block)
						     : plain_hits(probe_of(f, group, 4), block);
		if (hits || *base == last)
			return hits;
	}
}

AVX2 static uint64_t seek_plain(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	if (f->group_count > 1)
		return plain_seek_all(f, data, base, last);
	if (f->groups[0].stride == 16)
		return plain_seek(f, data, base, last, 16);
	if (f->groups[0].stride == 8)
		return plain_seek(f, data, base, last, 8);
	return plain_seek(f, data, base, last, 4);
}

// --------------------------------------------------------------------------------------------- without white space

// Each byte is compared with the one white space that has its lower half, if there is one.
AVX2_INLINE __m256i spaces_of(__m256i bytes)
{
	__m128i half = _mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', '\v', '\f', '\r', 0, 0);
	return _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), bytes));
}

AVX2_INLINE uint64_t spaces_32(const uint8_t *at)
{
	return (uint32_t)_mm256_movemask_epi8(spaces_of(load_32(at)));
}

AVX2_INLINE uint64_t spaces_64(const uint8_t *at)
{
	return spaces_32(at) | spaces_32(at + 32) << 32;
}

AVX2_INLINE uint64_t spaces_16(const uint8_t *at)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	return (uint32_t)_mm256_movemask_epi8(spaces_of(_mm256_castsi128_si256(bytes))) & 0xffff;
}

// Where four times 8 bytes have white space: 8 bits for each.
AVX2_INLINE uint32_t spaces_of_samples(__m256i bytes)
{
	return (uint32_t)_mm256_movemask_epi8(spaces_of(bytes));
}

// For each of four times 8 bytes, where those are that are no white space; 0x80 and above behind the last.
AVX2_INLINE __m256i squeezes(const uint64_t *squeeze, uint32_t spaces)
{
	return load_four(squeeze, spaces & 0xff, spaces >> 8 & 0xff, spaces >> 16 & 0xff, spaces >> 24);
}

// Takes white space out.
AVX2_INLINE __m256i squeeze_samples(__m256i bytes, __m256i from)
{
	// Shuffles stay within 16 bytes, whose second half holds the samples at 32 and 48.
	__m256i half = _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0);
	return _mm256_shuffle_epi8(bytes, _mm256_or_si256(from, half));
}

// 8 times the number of bytes that are taken out of each.
AVX2_INLINE __m256i bits_taken(__m256i from)
{
	__m256i none = _mm256_and_si256(from, _mm256_set1_epi8((char)0x80));
	return _mm256_srli_epi64(_mm256_sad_epu8(none, _mm256_setzero_si256()), 4);
}

// A gram that is not whole ends in zero.
AVX2_INLINE __m256i are_short(__m256i grams)
{
	return _mm256_cmpeq_epi64(_mm256_srli_epi64(grams, 8 * (GRAM_BYTES - 1)), _mm256_setzero_si256());
}

// Puts what is left of other 8 bytes behind grams from which bytes were taken out (as of bits_taken).
AVX2_INLINE __m256i append_samples(__m256i grams, __m256i taken, __m256i others)
{
	return _mm256_or_si256(grams, _mm256_sllv_epi64(others, _mm256_sub_epi64(_mm256_set1_epi64x(64), taken)));
}

// Of samples, those that follow each of them; the one behind the block begins at `rest`.
AVX2_INLINE __m256i next_samples(const uint64_t *squeeze, __m256i samples, const uint8_t *rest)
{
	__m128i last = _mm_shuffle_epi8(load_8(rest), load_8(&squeeze[spaces_16(rest) & 0xff]));
	__m256i next = _mm256_permute4x64_epi64(samples, 1 << 4 | 3 << 2 | 2);
	return _mm256_blend_epi32(next, _mm256_permute4x64_epi64(_mm256_castsi128_si256(last), 0), 0xc0);
}

// The grams where 8 bytes are too few: of 16, and of those behind the next place. Where there is white space alone, all
// bits are set: what stands at the next place is looked up there.
AVX2_INLINE __m256i wide_samples(const uint64_t *squeeze, const uint8_t *block, __m256i grams, __m256i taken)
{
	__m256i others = _mm256_unpackhi_epi64(load_32(block), load_32(block + 32));
	__m256i from = squeezes(squeeze, spaces_of_samples(others));
	__m256i whole = append_samples(grams, taken, squeeze_samples(others, from));
	__m256i all = _mm256_sub_epi64(_mm256_add_epi64(taken, bits_taken(from)), _mm256_set1_epi64x(64));
	__m256i empty = _mm256_cmpeq_epi64(all, _mm256_set1_epi64x(64));
	whole = append_samples(whole, all, next_samples(squeeze, whole, block + GRAM_BLOCK));
	return _mm256_or_si256(empty, whole);
}

// The samples that are hits; false when a gram is not whole within the bytes looked at.
AVX2_INLINE bool wide_hits(struct probe probe, const uint8_t *block, __m256i bytes, __m256i taken, uint64_t *ret_hits)
{
	bytes = wide_samples(probe.squeeze, block, bytes, taken);
	__m256i grams = _mm256_and_si256(bytes, _mm256_set1_epi64x(GRAM_MASK));
	__m256i lacking = are_short(grams);
	*ret_hits = sample_bits(are_in(probe, grams));
	return _mm256_testz_si256(lacking, lacking);
}

AVX2_INLINE bool loose_hits(struct probe probe, const uint8_t *block, uint64_t *ret_hits)
{
	uint64_t hits = 0;
	for (unsigned at = 0; at < 16; at += probe.stride) {
		__m256i samples = load_samples(block + at);
		__m256i from = squeezes(probe.squeeze, spaces_of_samples(samples));
		__m256i bytes = squeeze_samples(samples, from);
		__m256i grams = _mm256_and_si256(bytes, _mm256_set1_epi64x(GRAM_MASK));
		__m256i lacking = are_short(grams);
		__m256i any = are_in(probe, grams);
		if (!has_any(_mm256_or_si256(any, lacking)))
			continue;
		if (_mm256_testz_si256(lacking, lacking))
			hits |= sample_bits(any) << at;
		else if (probe.stride < 16 || !wide_hits(probe, block, bytes, bits_taken(from), &hits))
			return false;
	}
	*ret_hits = hits;
	return true;
}

AVX2_INLINE void lane_take(struct gram_lane *lane, const uint64_t *squeeze, const uint8_t *from, uint64_t mask)
{
	__m128i bytes = _mm_shuffle_epi8(load_8(from), load_8(&squeeze[mask]));
	_mm_storel_epi64((__m128i *)(void *)(lane->bytes + lane->len), bytes);
	lane->len += 8 - (uint32_t)_mm_popcnt_u64(mask);
}

AVX2 static uint64_t lane_hits(const struct gram_filter *f, const uint8_t *block, uint64_t spaces, const uint8_t *end)
{
	struct gram_lane lane = {.spaces = spaces};
	for (unsigned at = 0; at < GRAM_BLOCK; at += 8)
		lane_take(&lane, f->squeeze, block + at, spaces >> at & 0xff);
	lane_take(&lane, f->squeeze, block + GRAM_BLOCK, spaces_16(block + GRAM_BLOCK) & 0xff);
	gram_lane_complete(&lane, block + GRAM_BLOCK + 8, end);
	uint64_t hits = gram_lane_hits(f, &lane);
	secret_wipe(&lane, sizeof(lane));
	return hits;
}

// As loose_hits, for all groups.
AVX2_INLINE bool loose_hits_all(const struct gram_filter *f, const uint8_t *block, uint64_t *ret_hits)
{
	bool whole = true;
	uint64_t all = 0;
	for (const struct gram_group *group = f->groups; group < f->groups + f->group_count && whole; group++) {
		uint64_t hits = 0;
		whole = group->stride == 16  ? loose_hits(probe_of(f, group, 16), block, &hits)
			: group->stride == 8 ? loose_hits(probe_of(f, group, 8), block, &hits)
					     : loose_hits(probe_of(f, group, 4), block, &hits);
		all |= hits;
	}
	*ret_hits = all;
	return whole;
}

AVX2_INLINE uint64_t loose_seek(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last,
				unsigned stride)
{
	struct probe probe = probe_of(f, &f->groups[0], stride);
	const uint8_t *end = data + last + GRAM_BLOCK_ROOM;
	for (size_t at = *base;; at = gram_next_base(at, last)) {
		const uint8_t *block = data + at;
		uint64_t hits;
		bool whole = stride ? loose_hits(probe, block, &hits) : loose_hits_all(f, block, &hits);
		if (!whole) {
			uint64_t spaces = spaces_64(block);
			hits = spaces == UINT64_MAX ? 0 : lane_hits(f, block, spaces, end);
		}
		if (hits || at == last) {
			*base = at;
			return hits;
		}
	}
}

AVX2 static uint64_t seek_loose(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	if (f->group_count > 1)
		return loose_seek(f, data, base, last, 0);
	if (f->groups[0].stride == 16)
		return loose_seek(f, data, base, last, 16);
	if (f->groups[0].stride == 8)
		return loose_seek(f, data, base, last, 8);
	return loose_seek(f, data, base, last, 4);
}

void gram_choose(struct gram_filter *f)
{
	gram_choose_portable(f);
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
		return;
	f->seek = seek_plain;
	f->seek_loose = seek_loose;
}
