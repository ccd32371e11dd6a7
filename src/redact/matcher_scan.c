#include "redact/gram_seek.h"
#include "redact/matcher_tables.h"

#define WORD_BYTES 8

// One call of matcher_scan.
struct scan {
	const struct matcher *m;
	struct span bytes;
	size_t at; // bytes read
	uint32_t state;
	uint32_t output;
	bool skip_space;
	bool can_leave; // enough bytes are left for the gram filter
};

static inline bool has_space_or_less(uint64_t bytes)
{
	uint64_t ones = 0x0101010101010101u;
	return ((bytes - ones * (' ' + 1)) & ~bytes & ones * 0x80) != 0;
}

// How many of the next 8 bytes follow the chain before a state with an output or the end of the chain.
static inline unsigned chain_match(const struct matcher *m, uint32_t state, uint64_t bytes)
{
	uint16_t stops;
	memcpy(&stops, m->stops + (state + 1) / 8, sizeof(stops));
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		stops = __builtin_bswap16(stops);
	uint64_t differ = bytes ^ gram_load(m->label + state + 1);
	unsigned same = differ ? (unsigned)__builtin_ctzll(differ) / 8 : WORD_BYTES;
	unsigned free = (unsigned)__builtin_ctz((unsigned)stops >> (state + 1) % 8 | 1u << WORD_BYTES);
	return same < free ? same : free;
}

// 0 when the state has no child for the byte.
static inline uint32_t state_child(const struct matcher *m, uint32_t state, uint8_t byte)
{
	if (state == MATCHER_START)
		return m->start_child[byte];
	if (m->label[state + 1] == byte)
		return state + 1;
	if (!(m->info[state] & INFO_BRANCH))
		return 0;
	const struct matcher_branch *branch = &m->branches[matcher_branch_place(m, state, byte)];
	return branch->state ? branch->child : 0;
}

// Takes the state at the end of the bytes read, and its output.
static inline void scan_enter(struct scan *s, uint32_t state)
{
	uint32_t info = s->m->info[state];
	s->output = info & INFO_OUTPUT;
	s->state = info & INFO_LEAF ? s->m->fall[state] : state;
}

// Follows the chain while it agrees with the bytes. False when there is another way to go on.
static inline bool scan_chain(struct scan *s)
{
	if (s->bytes.len - s->at < WORD_BYTES)
		return false;
	uint64_t bytes = gram_load(s->bytes.data + s->at);
	if (s->skip_space && has_space_or_less(bytes))
		return false;
	unsigned same = chain_match(s->m, s->state, bytes);
	s->at += same;
	s->state += same;
	return same > 0;
}

// Takes the next byte, or only falls. False when the state has become so short that it is better to leave.
static inline bool scan_step(struct scan *s)
{
	uint8_t byte = s->bytes.data[s->at];
	if (s->skip_space && gram_is_space(byte)) {
		s->at++;
		return true;
	}
	uint32_t child = state_child(s->m, s->state, byte);
	if (child) {
		s->at++;
		scan_enter(s, child);
		return true;
	}
	if (s->state == MATCHER_START) {
		s->at++;
		return !s->can_leave;
	}
	s->state = s->m->fall[s->state];
	return !s->can_leave || (s->state != MATCHER_START && !(s->m->info[s->state] & INFO_DEPTH));
}

// Lets the gram filter find the next place to read, when the bytes of the state can be read again and enough follow.
static void scan_leave(struct scan *s)
{
	size_t depth = s->state == MATCHER_START ? 0 : (s->m->info[s->state] & INFO_DEPTH) >> INFO_DEPTH_SHIFT;
	if (s->state != MATCHER_START && depth == 0)
		return;
	size_t from = gram_back(s->bytes, s->at, depth, 0, s->skip_space);
	if (from == SIZE_MAX)
		return;
	s->can_leave = s->bytes.len - from >= GRAM_SPAN_MIN;
	if (!s->can_leave)
		return;
	struct gram_place place = gram_find(&s->m->grams, s->bytes, from, s->skip_space);
	s->at = place.at;
	s->can_leave = place.state != 0;
	if (place.state)
		scan_enter(s, place.state);
	else
		s->state = MATCHER_START;
}

static void scan_free(struct scan *s)
{
	s->can_leave = s->m->grams.group_count > 0;
	while (s->at < s->bytes.len && s->output == 0) {
		if (s->can_leave)
			scan_leave(s);
		while (s->output == 0 && s->at < s->bytes.len && (scan_chain(s) || scan_step(s)))
			;
	}
}

// The next place behind a non-word byte where a needle may begin.
static size_t words_seek(const struct scan *s, bool after_word)
{
	const uint8_t *data = s->bytes.data;
	size_t at = s->at;
	for (; at + 1 < s->bytes.len; at++) {
		unsigned pair = (unsigned)data[at] << 8 | data[at + 1];
		if (!after_word && s->m->pairs[pair / 64] >> pair % 64 & 1)
			return at;
		after_word = needle_is_word(data[at]);
	}
	return at < s->bytes.len && (after_word || !s->m->start_child[data[at]]) ? at + 1 : at;
}

static void scan_words(struct scan *s, bool *after_word)
{
	bool is_word = *after_word;
	while (s->at < s->bytes.len && s->output == 0) {
		if (s->at > 0)
			is_word = needle_is_word(s->bytes.data[s->at - 1]);
		if (s->state == MATCHER_START)
			s->at = words_seek(s, is_word);
		if (s->at < s->bytes.len && !scan_chain(s))
			scan_step(s);
	}
	if (s->at > 0)
		*after_word = needle_is_word(s->bytes.data[s->at - 1]);
}

size_t matcher_scan(const struct matcher *matcher, struct matcher_cursor *at, struct span bytes, bool skip_space,
		    uint32_t *ret_output)
{
	struct scan s = {.m = matcher, .bytes = bytes, .state = at->state, .skip_space = skip_space};
	if (matcher->needle_count == 0)
		s.at = bytes.len;
	else if (matcher->kind == MATCHER_FREE)
		scan_free(&s);
	if (matcher->kind == MATCHER_WORDS)
		scan_words(&s, &at->after_word);
	at->state = s.state;
	*ret_output = s.output;
	return s.at;
}
