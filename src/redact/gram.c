#include "redact/gram.h"

#include "redact/gram_seek.h"

#define WORD_BITS_MIN 9
#define WORD_BITS_CACHED 16 // 512 KiB: what still stays in a second-level cache
#define OFFSET_BITS_MIN 10
#define OFFSET_BITS_MAX 31
#define OFFSET_MASK 15u // the offset's part of a row of the table; the rest is the tag
// Text may have a needle's beginning at every place: what is compared there is bounded. What goes on for longer is worth
// the automaton, which reads it once.
#define ENTRY_REST_MAX 32
// Beginnings that overlap are looked at for this long, until the automaton has to tell which of them it is.
#define DOUBT_BYTES_MAX 64

static const uint32_t strides[GRAM_GROUPS] = {16, 8, 4};

bool gram_measure(struct gram_filter *f, size_t needle_len)
{
	for (size_t i = 0; i < GRAM_GROUPS; i++) {
		if (needle_len < strides[i] + GRAM_BYTES - 1)
			continue;
		f->groups[i].text_count++;
		return true;
	}
	return false;
}

void gram_plan(struct gram_filter *f, size_t entry_count)
{
	for (size_t i = 0; i < GRAM_GROUPS; i++) {
		struct gram_group group = f->groups[i];
		if (group.text_count == 0)
			continue;
		size_t grams = (size_t)group.text_count * strides[i];
		group.stride = strides[i];
		// 32 bits for each gram while that is fast, never fewer than 8.
		group.word_bits = bits_for(grams / 2, WORD_BITS_MIN, WORD_BITS_CACHED);
		group.word_bits = bits_for(grams / 8, group.word_bits, GRAM_WORD_BITS_MAX);
		group.offset_bits = bits_for(2 * grams, OFFSET_BITS_MIN, OFFSET_BITS_MAX);
		f->groups[f->group_count++] = group;
	}
	f->entry_bits = bits_for(2 * entry_count, 4, 31);
}

void gram_layout(struct gram_filter *f, uint8_t *base, size_t *used)
{
	for (uint32_t i = 0; i < f->group_count; i++) {
		struct gram_group *group = &f->groups[i];
		group->words = layout_take(base, used, (size_t)1 << group->word_bits, sizeof(*group->words));
		group->offsets = layout_take(base, used, (size_t)1 << group->offset_bits, sizeof(*group->offsets));
	}
	f->entries = layout_take(base, used, (size_t)1 << f->entry_bits, sizeof(*f->entries));
	f->squeeze = layout_take(base, used, 256, sizeof(*f->squeeze));
}

void gram_prepare(struct gram_filter *f, const uint8_t *label)
{
	f->label = label;
	for (uint32_t mask = 0; mask < 256; mask++) {
		uint64_t from = UINT64_MAX;
		for (uint64_t i = 8; i > 0; i--)
			if (!(mask >> (i - 1) & 1))
				from = from << 8 | (i - 1);
		f->squeeze[mask] = from;
	}
	gram_choose(f);
}

// Text that has a gram by chance, as numbers have those of hexadecimal forms, seldom has the bytes behind it too. Keys are
// 8 bytes, or, for grams with fewer than that to the needle's end, offsets_short_key.
static uint64_t offsets_hash(uint64_t key)
{
	return key * 0xd6e8feb86659fd93u;
}

static uint64_t offsets_short_key(uint64_t eight)
{
	return ~(eight & GRAM_MASK);
}

static size_t offsets_place(const struct gram_group *group, uint64_t hash)
{
	return (size_t)(hash >> (64 - group->offset_bits));
}

static size_t offsets_next(const struct gram_group *group, size_t place)
{
	return (place + 1) & (((size_t)1 << group->offset_bits) - 1);
}

// Of the bits behind those of the place; never 0, which is a free row.
static uint32_t offsets_tag(const struct gram_group *group, uint64_t hash)
{
	return ((uint16_t)(hash >> (48 - group->offset_bits)) | 1u << 15) & ~OFFSET_MASK;
}

static void offsets_add(const struct gram_group *group, uint64_t key, uint32_t offset)
{
	uint64_t hash = offsets_hash(key);
	uint16_t row = (uint16_t)(offsets_tag(group, hash) | offset);
	size_t place = offsets_place(group, hash);
	while (group->offsets[place] != 0 && group->offsets[place] != row)
		place = offsets_next(group, place);
	group->offsets[place] = row;
}

// A bit for each offset at which the key stands in a needle.
static uint32_t offsets_find(const struct gram_group *group, uint64_t key)
{
	uint64_t hash = offsets_hash(key);
	uint32_t tag = offsets_tag(group, hash);
	uint32_t found = 0;
	uint32_t row;
	for (size_t place = offsets_place(group, hash); (row = group->offsets[place]); place = offsets_next(group, place))
		if ((row & ~OFFSET_MASK) == tag)
			found |= 1u << (row & OFFSET_MASK);
	return found;
}

void gram_add(struct gram_filter *f, struct span needle)
{
	struct gram_group *group = f->groups;
	while (needle.len < group->stride + GRAM_BYTES - 1)
		group++;
	for (uint32_t offset = 0; offset < group->stride; offset++) {
		uint64_t eight = 0;
		bool is_long = offset + sizeof(eight) <= needle.len;
		memcpy(&eight, needle.data + offset, is_long ? sizeof(eight) : GRAM_BYTES);
		if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
			eight = __builtin_bswap64(eight);
		group->words[gram_word(group, eight & GRAM_MASK)] |= gram_bits(eight & GRAM_MASK);
		offsets_add(group, is_long ? eight : offsets_short_key(eight), offset);
		group->has_short |= !is_long;
	}
}

static uint64_t entry_hash(uint64_t head)
{
	return head * 0x9e3779b97f4a7c15u;
}

static size_t entry_next(const struct gram_filter *f, size_t place)
{
	return (place + 1) & (((size_t)1 << f->entry_bits) - 1);
}

static uint16_t entry_tag(const struct gram_filter *f, uint64_t hash)
{
	return (uint16_t)(hash >> (48 - f->entry_bits));
}

// What begins with these bytes, NULL when no needle does.
static const struct gram_entry *entry_of(const struct gram_filter *f, uint64_t head)
{
	uint64_t hash = entry_hash(head);
	size_t place = (size_t)(hash >> (64 - f->entry_bits));
	for (; f->entries[place].state; place = entry_next(f, place)) {
		const struct gram_entry *entry = &f->entries[place];
		if (entry->tag == entry_tag(f, hash) && bytes_load(f->label + entry->state + 1 - GRAM_ENTRY) == head)
			return entry;
	}
	return NULL;
}

void gram_add_entry(struct gram_filter *f, uint32_t state, size_t common)
{
	uint64_t hash = entry_hash(bytes_load(f->label + state + 1 - GRAM_ENTRY));
	size_t place = (size_t)(hash >> (64 - f->entry_bits));
	while (f->entries[place].state)
		place = entry_next(f, place);
	size_t rest = common - GRAM_ENTRY;
	rest = rest < ENTRY_REST_MAX ? rest : ENTRY_REST_MAX;
	// Places come in their order only when all needles are in one group.
	if (f->group_count > 1)
		rest = 0;
	f->entries[place] = (struct gram_entry){state, entry_tag(f, hash), (uint16_t)rest};
}

// ------------------------------------------------------------------------------------------------------------ finding

size_t gram_back(struct span bytes, size_t at, size_t count, size_t from, bool skip_space)
{
	if (!skip_space)
		return at - from >= count ? at - count : SIZE_MAX;
	while (count > 0 && at - from >= 8) {
		uint64_t before = bytes_load(bytes.data + at - 8);
		if (!bytes_may_have_space(before) && count <= 8)
			return at - count;
		uint64_t visible = bytes_visible(before);
		size_t more = (size_t)((visible >> 7) * 0x0101010101010101u >> 56);
		if (more >= count) {
			for (; count > 1; count--)
				visible ^= (uint64_t)1 << 63 >> __builtin_clzll(visible);
			return at - 1 - (size_t)__builtin_clzll(visible) / 8;
		}
		count -= more;
		at -= 8;
	}
	while (count > 0 && at > from)
		count -= !byte_is_space(bytes.data[--at]);
	return count == 0 ? at : SIZE_MAX;
}

static size_t gram_take_visible(struct span bytes, size_t at, uint64_t *ret_taken)
{
	uint64_t taken = 0;
	unsigned got = 0;
	for (; got < 8 && at < bytes.len; at++)
		if (!byte_is_space(bytes.data[at]))
			taken |= (uint64_t)bytes.data[at] << 8 * got++;
	*ret_taken = taken;
	return got == 8 ? at : SIZE_MAX;
}

// The next 8 bytes from `at` on, the first one lowest. Returns the place behind them, SIZE_MAX when the span ends
// before.
static inline size_t gram_take(struct span bytes, size_t at, bool skip_space, uint64_t *ret_taken)
{
	if (bytes.len - at >= 8) {
		*ret_taken = bytes_load(bytes.data + at);
		if (!skip_space || !bytes_may_have_space(*ret_taken))
			return at + 8;
	}
	return gram_take_visible(bytes, at, ret_taken);
}

struct gram_search {
	const struct gram_filter *f;
	struct span bytes;
	size_t from;
	bool skip_space;
	// What begins as needles do and does not go on as they do, from its first byte to the one that differs; together with
	// what overlaps it. A needle that begins within may end within too, and then the state is that of the longer one.
	size_t doubt_from;
	size_t doubt_to;
	struct gram_place doubt; // behind the first GRAM_ENTRY bytes
};

// From here on the automaton must read: every needle that the filter has not excluded begins there or later.
static struct gram_place place_before(const struct gram_search *s, size_t at)
{
	size_t back = gram_back(s->bytes, at, s->f->groups[0].stride - 1, s->from, s->skip_space);
	return (struct gram_place){back == SIZE_MAX ? s->from : back, 0};
}

// The same where needles may have been looked for beyond that place.
static struct gram_place search_rest(const struct gram_search *s, size_t at)
{
	struct gram_place place = place_before(s, at);
	return place.at < s->doubt_to ? s->doubt : place;
}

// The first byte from `at` on that is not one that all needles of the entry have. SIZE_MAX: none is, as far as is known.
static size_t entry_differs(const struct gram_search *s, const struct gram_entry *entry, size_t at)
{
	const uint8_t *label = s->f->label + entry->state + 1;
	size_t left = entry->rest;
	while (left > 0 && s->bytes.len - at >= 8) {
		uint64_t differ = bytes_load(s->bytes.data + at) ^ bytes_load(label);
		size_t same = differ ? (size_t)__builtin_ctzll(differ) / 8 : 8;
		if (same >= left)
			return SIZE_MAX;
		at += same;
		label += same;
		left -= same;
		if (differ && !(s->skip_space && byte_is_space(s->bytes.data[at])))
			return at;
		while (differ && at < s->bytes.len && byte_is_space(s->bytes.data[at]))
			at++;
	}
	return SIZE_MAX;
}

static void search_doubt(struct gram_search *s, size_t from, size_t to, struct gram_place place)
{
	if (from >= s->doubt_to) {
		s->doubt_from = from;
		s->doubt = place;
	}
	s->doubt_to = to > s->doubt_to ? to : s->doubt_to;
}

// False when no needle begins at `begin`.
static bool entry_find(struct gram_search *s, size_t begin, struct gram_place *out)
{
	uint64_t head;
	size_t end = gram_take(s->bytes, begin, s->skip_space, &head);
	*out = (struct gram_place){begin, 0};
	if (end == SIZE_MAX)
		return true;
	const struct gram_entry *entry = entry_of(s->f, head);
	if (!entry)
		return false;
	*out = (struct gram_place){end, entry->state};
	size_t differs = entry_differs(s, entry, end);
	if (differs == SIZE_MAX) {
		*out = begin < s->doubt_to ? s->doubt : *out;
		return true;
	}
	search_doubt(s, begin, differs, *out);
	*out = s->doubt;
	return s->doubt_to - s->doubt_from > DOUBT_BYTES_MAX;
}

// The first place within the reach of a sample at `at` where a needle of any group begins.
static struct gram_place place_first(struct gram_search *s, size_t at)
{
	size_t begin = place_before(s, at).at;
	for (;; begin++) {
		struct gram_place place;
		if (s->skip_space && byte_is_space(s->bytes.data[begin]))
			continue;
		if (entry_find(s, begin, &place))
			return place;
		if (begin == at)
			return (struct gram_place){begin, 0};
	}
}

// Tries the offsets at which the bytes, of which the first is at `at`, stand in needles of the group: that of the first
// place first.
static bool group_confirm(struct gram_search *s, const struct gram_group *group, uint64_t eight, size_t at,
			  struct gram_place *out)
{
	if (!gram_is_in(group, eight & GRAM_MASK))
		return false;
	uint32_t left = offsets_find(group, eight);
	if (group->has_short)
		left |= offsets_find(group, offsets_short_key(eight));
	while (left) {
		uint32_t offset = 31 - (uint32_t)__builtin_clz(left);
		left ^= 1u << offset;
		size_t begin = gram_back(s->bytes, at, offset, s->from, s->skip_space);
		if (begin == SIZE_MAX || !entry_find(s, begin, out))
			continue;
		if (out->state == 0)
			*out = search_rest(s, at);
		return true;
	}
	return false;
}

static bool place_confirm(struct gram_search *s, size_t at, struct gram_place *out)
{
	uint64_t eight;
	if (gram_take(s->bytes, at, s->skip_space, &eight) == SIZE_MAX) {
		*out = search_rest(s, at);
		return true;
	}
	while (s->skip_space && byte_is_space(s->bytes.data[at]))
		at++;
	for (uint32_t i = 0; i < s->f->group_count; i++) {
		if (!group_confirm(s, &s->f->groups[i], eight, at, out))
			continue;
		// A needle of another group may begin before this one, and its sample may be yet to come.
		if (s->f->group_count > 1 && out->state != 0)
			*out = place_first(s, at);
		return true;
	}
	return false;
}

struct gram_place gram_find(const struct gram_filter *f, struct span bytes, size_t from, bool skip_space)
{
	struct gram_search s = {.f = f, .bytes = bytes, .from = from, .skip_space = skip_space};
	size_t last = bytes.len - GRAM_BLOCK_ROOM;
	size_t base = from + f->groups[f->group_count - 1].stride - 1;
	for (;; base = gram_next_base(base, last)) {
		uint64_t hits = (skip_space ? f->seek_loose : f->seek)(f, bytes.data, &base, last);
		for (; hits; hits &= hits - 1) {
			struct gram_place place;
			if (place_confirm(&s, base + (size_t)__builtin_ctzll(hits), &place))
				return place;
		}
		if (base == last)
			return search_rest(&s, base + GRAM_BLOCK);
	}
}
