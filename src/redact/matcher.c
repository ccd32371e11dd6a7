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

// Chains are sorted by base.
uint32_t matcher_state_chain(const struct matcher *m, uint32_t state)
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
	return (uint32_t)low;
}

struct span matcher_prefix(const struct matcher *matcher, uint32_t state)
{
	if (state == MATCHER_START)
		return span_of(matcher->label, 0);
	uint32_t base = matcher->chains[matcher_state_chain(matcher, state)].base;
	return span_of(matcher->label + base + 1, state - base);
}

uint32_t matcher_fall(const struct matcher *matcher, uint32_t state)
{
	return state == MATCHER_START ? MATCHER_START : matcher->states[state].fall;
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
