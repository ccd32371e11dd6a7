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

static inline bool state_stops(const struct matcher *m, uint32_t state)
{
	return m->flags[state / 64].stops >> state % 64 & 1;
}

// How many of the next states along the chain have no output and are not its end, as far as one word of flags tells.
static inline size_t chain_free(const struct matcher *m, uint32_t state)
{
	uint64_t stops = m->flags[(state + 1) / 64].stops >> (state + 1) % 64;
	return stops ? (size_t)__builtin_ctzll(stops) : 64 - (state + 1) % 64;
}

// How many of the first 8 bytes of both are the same, at most `limit`. White space ends it too where it is skipped.
static inline size_t word_match(const uint8_t *text, const uint8_t *label, size_t limit, bool skip_space)
{
	uint64_t bytes = bytes_load(text);
	uint64_t differ = bytes ^ bytes_load(label);
	size_t same = differ ? (size_t)__builtin_ctzll(differ) / 8 : WORD_BYTES;
	same = same < limit ? same : limit;
	if (skip_space && bytes_may_have_space(bytes))
		for (size_t i = 0; i < same; i++)
			same = byte_is_space(text[i]) ? i : same;
	return same;
}

// Takes the state at the end of the bytes read, and its output.
static inline void scan_enter(struct scan *s, uint32_t state)
{
	s->state = state;
	if (!state_stops(s->m, state))
		return;
	struct matcher_state entry = s->m->states[state];
	s->output = entry.info & INFO_OUTPUT;
	if (entry.info & INFO_LEAF)
		s->state = entry.fall;
}

// Follows the chain while it agrees with the bytes. False when there is another way to go on.
static inline bool scan_chain(struct scan *s)
{
	const uint8_t *text = s->bytes.data + s->at;
	const uint8_t *label = s->m->label + s->state + 1;
	size_t left = s->bytes.len - s->at;
	size_t free = chain_free(s->m, s->state);
	size_t same = 0;
	if (*text != *label)
		return false;
	// Whole words first: a branch that is foretold well does not wait for what it compares.
	size_t most = free < left ? free : left;
	while (same + WORD_BYTES <= most && bytes_load(text + same) == bytes_load(label + same) &&
	       !(s->skip_space && bytes_may_have_space(bytes_load(text + same))))
		same += WORD_BYTES;
	if (same + WORD_BYTES <= left)
		same += word_match(text + same, label + same, free - same, s->skip_space);
	s->at += same;
	s->state += (uint32_t)same;
	return same > 0;
}

// Lets the gram filter find the next place to read, when the last `depth` bytes can be read again and enough follow.
// The state is given up: no needle begins before these bytes.
static bool scan_leave(struct scan *s, size_t depth)
{
	size_t from = gram_back(s->bytes, s->at, depth, 0, s->skip_space);
	if (from == SIZE_MAX)
		return false;
	s->can_leave = s->bytes.len - from >= GRAM_SPAN_MIN;
	if (!s->can_leave)
		return false;
	struct gram_place place = gram_find(&s->m->grams, s->bytes, from, s->skip_space);
	s->at = place.at;
	s->state = MATCHER_START;
	s->can_leave = place.state != MATCHER_START;
	if (place.state != MATCHER_START)
		scan_enter(s, place.state);
	return true;
}

// Leaves when the state is short: what it stands for is soon read again.
static bool scan_leave_shallow(struct scan *s)
{
	if (s->state == MATCHER_START)
		return scan_leave(s, 0);
	uint32_t depth = (s->m->states[s->state].info & INFO_DEPTH) >> INFO_DEPTH_SHIFT;
	return depth > 0 && scan_leave(s, depth);
}

// The state that the byte leads to: of the state itself or of the longest of those it falls to.
static inline uint32_t scan_child(const struct scan *s, uint8_t byte)
{
	const struct matcher *m = s->m;
	uint32_t state = s->state;
	for (; state != MATCHER_START; state = m->states[state].fall) {
		uint32_t child = state_child(m, state, byte);
		if (child)
			return child;
	}
	return m->start_child[byte];
}

// Where each of the next bytes leads back to a shorter state by one fall, as in periodic needles. False when the first
// one does not.
static inline bool scan_falls(struct scan *s)
{
	const struct matcher *m = s->m;
	uint32_t state = s->state;
	size_t at = s->at;
	for (; at < s->bytes.len; at++) {
		uint8_t byte = s->bytes.data[at];
		struct matcher_state entry = m->states[state];
		if (m->label[state + 1] == byte || entry.info & INFO_BRANCH || entry.fall == MATCHER_START ||
		    m->label[entry.fall + 1] != byte || state_stops(m, entry.fall + 1) ||
		    (s->skip_space && byte_is_space(byte)))
			break;
		state = entry.fall + 1;
	}
	bool any = at > s->at;
	s->state = state;
	s->at = at;
	return any;
}

// Takes the next byte, or leaves.
static inline void scan_step(struct scan *s)
{
	uint8_t byte = s->bytes.data[s->at];
	if (s->skip_space && byte_is_space(byte)) {
		s->at++;
		while (s->bytes.len - s->at >= WORD_BYTES && bytes_load(s->bytes.data + s->at) == GRAM_BLANKS)
			s->at += WORD_BYTES;
		return;
	}
	bool follows = s->m->label[s->state + 1] == byte;
	if (s->can_leave && !follows && state_ends(s->m, s->state) && scan_leave(s, SHALLOW_MAX))
		return;
	// Needles that differ in the case of digits branch often, and their states are seldom in a cache: of this one no more
	// is looked at, and what it leads to is not short.
	uint32_t branch = follows || s->state == MATCHER_START ? 0 : branch_find(s->m, s->state, byte);
	if (branch) {
		s->at++;
		scan_enter(s, branch);
		return;
	}
	if (s->state == MATCHER_START || !scan_falls(s)) {
		s->at++;
		scan_enter(s, scan_child(s, byte));
	}
	if (s->can_leave && s->output == 0)
		scan_leave_shallow(s);
}

static void scan_free(struct scan *s)
{
	s->can_leave = s->m->grams.group_count > 0;
	if (s->can_leave)
		scan_leave_shallow(s);
	while (s->at < s->bytes.len && s->output == 0)
		if (!scan_chain(s))
			scan_step(s);
}

static void scan_words(struct scan *s, bool *after_word)
{
	bool is_word = *after_word;
	while (s->at < s->bytes.len && s->output == 0) {
		if (s->at > 0)
			is_word = byte_is_word(s->bytes.data[s->at - 1]);
		if (s->state == MATCHER_START)
			s->at = s->m->words.seek(&s->m->words, s->bytes, s->at, is_word);
		if (s->at < s->bytes.len && !scan_chain(s))
			scan_step(s);
	}
	if (s->at > 0)
		*after_word = byte_is_word(s->bytes.data[s->at - 1]);
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
