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

// The words at four places. Not by a gather: with the mitigations of some processors it is slower than this.
AVX2_INLINE __m256i load_words(const uint64_t *words, __m256i places)
{
	__m128i low = _mm256_castsi256_si128(places);
	__m128i high = _mm256_extracti128_si256(places, 1);
	__m128i first = _mm_loadl_epi64((const __m128i *)(const void *)&words[_mm_cvtsi128_si64(low)]);
	__m128i third = _mm_loadl_epi64((const __m128i *)(const void *)&words[_mm_cvtsi128_si64(high)]);
	first = _mm_insert_epi64(first, (long long)words[_mm_extract_epi64(low, 1)], 1);
	third = _mm_insert_epi64(third, (long long)words[_mm_extract_epi64(high, 1)], 1);
	return _mm256_inserti128_si256(_mm256_castsi128_si256(first), third, 1);
}

// gram_is_in for four grams, in the lowest bits; the others mean nothing.
AVX2_INLINE __m256i are_in(const struct gram_group *group, __m256i grams)
{
	__m256i fold = _mm256_xor_si256(grams, _mm256_srli_epi64(grams, GRAM_FOLD));
	__m256i product = _mm256_mul_epu32(fold, _mm256_set1_epi64x(GRAM_FACTOR));
	__m256i hash = _mm256_xor_si256(product, _mm256_srli_epi64(product, 32));
	__m256i places = _mm256_and_si256(hash, _mm256_set1_epi64x(((long long)1 << group->word_bits) - 1));
	__m256i words = load_words(group->words, places);
	__m256i bit = _mm256_set1_epi64x(63);
	__m256i bit_1 = _mm256_and_si256(_mm256_srli_epi64(hash, GRAM_BIT_1), bit);
	__m256i bit_2 = _mm256_and_si256(_mm256_srli_epi64(hash, GRAM_BIT_2), bit);
	return _mm256_and_si256(_mm256_srlv_epi64(words, bit_1), _mm256_srlv_epi64(words, bit_2));
}

// A lowest bit is set when a sample of the group is a hit.
AVX2_INLINE __m256i plain_any(const struct gram_group *group, const uint8_t *block, unsigned stride)
{
	__m256i any = _mm256_setzero_si256();
	for (unsigned at = 0; at < 16; at += stride) {
		__m256i grams = _mm256_and_si256(load_samples(block + at), _mm256_set1_epi64x(GRAM_MASK));
		any = _mm256_or_si256(any, are_in(group, grams));
	}
	return any;
}

AVX2_INLINE bool has_any(__m256i any)
{
	return !_mm256_testz_si256(any, _mm256_set1_epi64x(1));
}

// The common case: all needles in one group.
AVX2_INLINE void plain_skip(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last, unsigned stride)
{
	size_t at = *base;
	while (at != last && !has_any(plain_any(&f->groups[0], data + at, stride)))
		at = gram_next_base(at, last);
	*base = at;
}

AVX2_INLINE void plain_skip_all(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	for (; *base != last; *base = gram_next_base(*base, last)) {
		__m256i any = _mm256_setzero_si256();
		for (uint32_t i = 0; i < f->group_count; i++) {
			const struct gram_group *group = &f->groups[i];
			const uint8_t *block = data + *base;
			any = _mm256_or_si256(any, group->stride == 16  ? plain_any(group, block, 16)
						   : group->stride == 8 ? plain_any(group, block, 8)
									: plain_any(group, block, 4));
		}
		if (has_any(any))
			return;
	}
}

AVX2 static uint64_t seek_plain(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	if (f->group_count > 1)
		plain_skip_all(f, data, base, last);
	else if (f->groups[0].stride == 16)
		plain_skip(f, data, base, last, 16);
	else if (f->groups[0].stride == 8)
		plain_skip(f, data, base, last, 8);
	else
		plain_skip(f, data, base, last, 4);
	return gram_plain_hits(f, data + *base);
}

// --------------------------------------------------------------------------------------------- without white space

AVX2_INLINE __m256i spaces_of(__m256i bytes)
{
	__m256i control = _mm256_sub_epi8(bytes, _mm256_set1_epi8('\t'));
	__m256i is_control = _mm256_cmpeq_epi8(_mm256_min_epu8(control, _mm256_set1_epi8('\r' - '\t')), control);
	return _mm256_or_si256(is_control, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' ')));
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

AVX2_INLINE __m128i load_8(const void *at)
{
	return _mm_loadl_epi64((const __m128i *)at);
}

// Where to take the bytes of four samples from, in the order of load_samples.
AVX2_INLINE __m256i load_squeeze(const uint64_t *squeeze, uint64_t spaces)
{
	__m128i low = _mm_insert_epi64(load_8(&squeeze[spaces & 0xff]), (long long)squeeze[spaces >> 32 & 0xff], 1);
	__m128i high = _mm_insert_epi64(load_8(&squeeze[spaces >> 16 & 0xff]), (long long)squeeze[spaces >> 48 & 0xff], 1);
	__m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
	return _mm256_or_si256(both, _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0));
}

// As plain_any; also set where a gram is not whole within 8 bytes: its last byte is zero then.
AVX2_INLINE __m256i loose_any(const struct gram_filter *f, const struct gram_group *group, const uint8_t *block,
			      uint64_t spaces, unsigned stride)
{
	__m256i any = _mm256_setzero_si256();
	uint64_t behind = stride == 16 ? 0 : spaces_16(block + GRAM_BLOCK);
	for (unsigned at = 0; at < 16; at += stride) {
		uint64_t mask = at == 0 ? spaces : spaces >> at | behind << (GRAM_BLOCK - at);
		__m256i bytes = _mm256_shuffle_epi8(load_samples(block + at), load_squeeze(f->squeeze, mask));
		__m256i grams = _mm256_and_si256(bytes, _mm256_set1_epi64x(GRAM_MASK));
		__m256i last = _mm256_srli_epi64(grams, 8 * (GRAM_BYTES - 1));
		any = _mm256_or_si256(any, _mm256_cmpeq_epi64(last, _mm256_setzero_si256()));
		any = _mm256_or_si256(any, are_in(group, grams));
	}
	return any;
}

AVX2_INLINE void lane_take(struct gram_lane *lane, const uint64_t *squeeze, const uint8_t *from, uint64_t mask)
{
	__m128i bytes = _mm_shuffle_epi8(load_8(from), load_8(&squeeze[mask]));
	_mm_storel_epi64((__m128i *)(void *)(lane->bytes + lane->len), bytes);
	lane->len += 8 - (uint32_t)_mm_popcnt_u64(mask);
}

AVX2_INLINE uint64_t lane_hits(const struct gram_filter *f, const uint8_t *block, uint64_t spaces, const uint8_t *end,
			       struct gram_lane *lane)
{
	if (spaces == UINT64_MAX)
		return 0;
	lane->len = 0;
	lane->spaces = spaces;
	for (unsigned at = 0; at < GRAM_BLOCK; at += 8)
		lane_take(lane, f->squeeze, block + at, spaces >> at & 0xff);
	lane_take(lane, f->squeeze, block + GRAM_BLOCK, spaces_16(block + GRAM_BLOCK) & 0xff);
	gram_lane_complete(lane, block + GRAM_BLOCK + 8, end);
	return gram_lane_hits(f, lane);
}

AVX2_INLINE uint64_t loose_seek(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last,
				struct gram_lane *lane, unsigned stride)
{
	for (;; *base = gram_next_base(*base, last)) {
		const uint8_t *block = data + *base;
		uint64_t spaces = spaces_64(block);
		uint64_t hits = 0;
		if (stride == 0 || has_any(loose_any(f, &f->groups[0], block, spaces, stride)))
			hits = lane_hits(f, block, spaces, data + last + GRAM_BLOCK_ROOM, lane);
		if (hits || *base == last)
			return hits;
	}
}

AVX2 static uint64_t seek_loose(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	struct gram_lane lane = {.len = 0};
	uint64_t hits;
	if (f->group_count > 1)
		hits = loose_seek(f, data, base, last, &lane, 0);
	else if (f->groups[0].stride == 16)
		hits = loose_seek(f, data, base, last, &lane, 16);
	else if (f->groups[0].stride == 8)
		hits = loose_seek(f, data, base, last, &lane, 8);
	else
		hits = loose_seek(f, data, base, last, &lane, 4);
	secret_wipe(&lane, sizeof(lane));
	return hits;
}

void gram_choose(struct gram_filter *f)
{
	gram_choose_portable(f);
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
		return;
	f->seek = seek_plain;
	f->seek_loose = seek_loose;
}
