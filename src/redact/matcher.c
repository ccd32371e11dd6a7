#include "redact/matcher_tables.h"

#include <stdlib.h>
#include <string.h>

struct matcher *matcher_free(struct matcher *matcher)
{
	if (!matcher)
		return NULL;
	secret_free(matcher->tables);
	free(matcher);
	return NULL;
}

void matcher_free_ptr(struct matcher **matcher)
{
	*matcher = matcher_free(*matcher);
}

bool matcher_is_locked(const struct matcher *matcher)
{
	return secret_is_locked(matcher->tables);
}

size_t matcher_bytes(const struct matcher *matcher)
{
	return secret_len(matcher->tables);
}

size_t matcher_output_count(const struct matcher *matcher)
{
	return matcher->output_count;
}

// The place of the branch, or the free place where it would stand.
size_t matcher_branch_place(const struct matcher *m, uint32_t state, uint8_t byte)
{
	size_t mask = ((size_t)1 << m->branch_bits) - 1;
	uint64_t key = (uint64_t)state << 8 | byte;
	size_t place = (size_t)(key * 0x9e3779b97f4a7c15u >> (64 - m->branch_bits));
	while (m->branches[place].state != 0 &&
	       (m->branches[place].state != state || m->label[m->branches[place].child] != byte))
		place = (place + 1) & mask;
	return place;
}

// `state` is never a leaf: scans leave leaves at once, and `fall` leads around them.
uint32_t matcher_step(const struct matcher *m, uint32_t state, uint8_t byte)
{
	while (state != MATCHER_START) {
		if (m->label[state + 1] == byte)
			return state + 1;
		if (m->info[state] & INFO_BRANCH) {
			const struct matcher_branch *branch = &m->branches[matcher_branch_place(m, state, byte)];
			if (branch->state != 0)
				return branch->child;
		}
		state = m->fall[state];
	}
	return m->start_child[byte];
}

// The chain whose numbers hold the state. Chains are sorted by base.
static const struct matcher_chain *state_chain(const struct matcher *m, uint32_t state)
{
	size_t low = 0;
	size_t high = m->chain_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (m->chains[middle].base < state)
			low = middle;
		else
			high = middle;
	}
	return &m->chains[low];
}

struct span matcher_prefix(const struct matcher *matcher, uint32_t state)
{
	if (state == MATCHER_START)
		return span_of(matcher->label, 0);
	uint32_t base = state_chain(matcher, state)->base;
	return span_of(matcher->label + base + 1, state - base);
}

uint32_t matcher_fall(const struct matcher *matcher, uint32_t state)
{
	return state == MATCHER_START ? MATCHER_START : matcher->fall[state];
}

struct span matcher_needle_text(const struct matcher *m, const struct matcher_needle *needle)
{
	return span_of(m->label + needle->text + 1, needle->len);
}

// The first needle, in the order of their bytes, that is `prefix` or comes after it.
static size_t needle_lower_bound(const struct matcher *m, struct span prefix)
{
	size_t low = 0;
	size_t high = m->needle_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct span text = matcher_needle_text(m, &m->needles[middle]);
		int order = memcmp(text.data, prefix.data, text.len < prefix.len ? text.len : prefix.len);
		if (order < 0 || (order == 0 && text.len < prefix.len))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool matcher_find_reach(const struct matcher *matcher, uint32_t state, struct matcher_reach *out)
{
	struct span prefix = matcher_prefix(matcher, state);
	struct matcher_reach reach = {0};
	bool found = false;
	size_t begin = needle_lower_bound(matcher, prefix);
	for (size_t i = begin; i < matcher->needle_count; i++) {
		const struct matcher_needle *needle = &matcher->needles[i];
		if (i > begin && needle->lcp < prefix.len)
			break;
		if (needle->len == prefix.len)
			continue;
		if (!found || needle->len < reach.shortest)
			reach.shortest = needle->len;
		if (!found || needle->order < matcher->needles[reach.first].order)
			reach.first = (uint32_t)i;
		found = true;
	}
	if (found)
		*out = reach;
	return found;
}

const struct matcher_output *matcher_find_output(const struct matcher *matcher, uint32_t output)
{
	return &matcher->outputs[output];
}

const struct matcher_needle *matcher_find_needle(const struct matcher *matcher, uint32_t needle)
{
	return &matcher->needles[needle];
}

struct span matcher_output_text(const struct matcher *matcher, uint32_t output)
{
	return matcher_needle_text(matcher, &matcher->needles[matcher->outputs[output].first]);
}
