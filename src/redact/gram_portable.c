#include "redact/gram_seek.h"
#include "secmem/secmem.h"

static uint64_t seek_plain(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	uint64_t hits;
	while ((hits = gram_plain_hits(f, data + *base)) == 0 && *base != last)
		*base = gram_next_base(*base, last);
	return hits;
}

static void lane_fill(struct gram_lane *lane, const uint8_t *block)
{
	lane->len = 0;
	lane->spaces = 0;
	for (uint32_t i = 0; i < GRAM_BLOCK; i++) {
		bool is_space = byte_is_space(block[i]);
		lane->spaces |= (uint64_t)is_space << i;
		lane->bytes[lane->len] = block[i];
		lane->len += !is_space;
	}
}

static uint64_t seek_loose(const struct gram_filter *f, const uint8_t *data, size_t *base, size_t last)
{
	struct gram_lane lane = {.len = 0};
	uint64_t hits = 0;
	for (;; *base = gram_next_base(*base, last)) {
		const uint8_t *block = data + *base;
		lane_fill(&lane, block);
		if (lane.len > 0) {
			gram_lane_complete(&lane, block + GRAM_BLOCK, data + last + GRAM_BLOCK_ROOM);
			hits = gram_lane_hits(f, &lane);
		}
		if (hits || *base == last)
			break;
	}
	secret_wipe(&lane, sizeof(lane));
	return hits;
}

void gram_choose_portable(struct gram_filter *f)
{
	f->seek = seek_plain;
	f->seek_loose = seek_loose;
}
