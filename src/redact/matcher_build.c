// Makes the tables: sorts the needles, lays out the chains, links them, and computes where to go on after a mismatch.
#include "redact/matcher_tables.h"

#include <stdlib.h>
#include <string.h>

#define SKIP_BITS_MIN 10
#define SKIP_BITS_MAX 18 // 256 KiB: what still stays in a second-level cache

struct build {
	const struct needle *needles;
	size_t count;
	uint32_t *order; // numbers of the needles, sorted by their bytes; equal ones in the order given
	uint32_t *lcp;   // bytes in common with the one before, by place in `order`
	uint32_t *level; // chains sorted by the depth of their first own state, then those in progress
	struct matcher *m;
	size_t shortest;
	size_t longest;
	size_t chain; // chains and outputs made so far
	size_t output;
};

// ---------------------------------------------------------------------------------------------------------- sorting

typedef bool (*index_before)(const struct build *b, uint32_t x, uint32_t y);

// Heapsort: in place, so that no copy of an order that depends on secrets is left behind, and never quadratic.
static void index_sift(const struct build *b, uint32_t *list, size_t root, size_t count, index_before before)
{
	while (2 * root + 1 < count) {
		size_t child = 2 * root + 1;
		if (child + 1 < count && before(b, list[child], list[child + 1]))
			child++;
		if (!before(b, list[root], list[child]))
			return;
		uint32_t swap = list[root];
		list[root] = list[child];
		list[child] = swap;
		root = child;
	}
}

static void index_sort(const struct build *b, uint32_t *list, size_t count, index_before before)
{
	for (size_t i = count / 2; i > 0; i--)
		index_sift(b, list, i - 1, count, before);
	for (size_t end = count; end > 1; end--) {
		uint32_t swap = list[0];
		list[0] = list[end - 1];
		list[end - 1] = swap;
		index_sift(b, list, 0, end - 1, before);
	}
}

static bool needle_before(const struct build *b, uint32_t x, uint32_t y)
{
	struct span s = b->needles[x].bytes;
	struct span t = b->needles[y].bytes;
	int order = memcmp(s.data, t.data, s.len < t.len ? s.len : t.len);
	if (order == 0 && s.len == t.len)
		return x < y;
	return order < 0 || (order == 0 && s.len < t.len);
}

static bool chain_before(const struct build *b, uint32_t x, uint32_t y)
{
	return b->m->chains[x].first < b->m->chains[y].first;
}

static uint32_t span_common(struct span s, struct span t)
{
	size_t i = 0;
	while (i < s.len && i < t.len && s.data[i] == t.data[i])
		i++;
	return (uint32_t)i;
}

static const struct needle *build_sorted(const struct build *b, size_t i)
{
	return &b->needles[b->order[i]];
}

// A needle that is a prefix of the next one in sorted order needs no states of its own.
static bool build_owns_chain(const struct build *b, size_t i)
{
	return i + 1 == b->count || b->lcp[i + 1] < build_sorted(b, i)->bytes.len;
}

static bool build_is_new_text(const struct build *b, size_t i)
{
	return i == 0 || b->lcp[i] < build_sorted(b, i - 1)->bytes.len || b->lcp[i] < build_sorted(b, i)->bytes.len;
}

// ----------------------------------------------------------------------------------------------------------- layout

static uint32_t bits_for(size_t count, uint32_t min, uint32_t max)
{
	uint32_t bits = min;
	while (bits < max && (size_t)1 << bits < count)
		bits++;
	return bits;
}

static int build_measure(struct build *b, struct err *err)
{
	struct matcher *m = b->m;
	uint64_t labels = 1;
	b->shortest = b->count > 0 ? SIZE_MAX : 1;
	for (size_t i = 0; i < b->count; i++) {
		size_t len = build_sorted(b, i)->bytes.len;
		b->shortest = len < b->shortest ? len : b->shortest;
		b->longest = len > b->longest ? len : b->longest;
		m->output_count += build_is_new_text(b, i);
		if (build_owns_chain(b, i)) {
			m->chain_count++;
			labels += len;
		}
	}
	if (labels > UINT32_MAX || m->output_count > INFO_OUTPUT)
		return err_set(err, ERR_LIMIT, "the secrets are too large to look for in output; use fewer in one run");
	m->needle_count = b->count;
	m->label_count = (size_t)labels;
	m->branch_bits = bits_for(2 * m->chain_count, 4, 40);
	m->skip.window = b->shortest < SKIP_WINDOW_MAX ? (uint32_t)b->shortest : SKIP_WINDOW_MAX;
	m->skip.gram = m->skip.window >= 4 ? 4 : m->skip.window >= 2 ? 2 : 1;
	size_t grams = m->output_count * (m->skip.window - m->skip.gram + 1);
	m->skip.bits = m->skip.gram == 4 ? bits_for(8 * grams, SKIP_BITS_MIN, SKIP_BITS_MAX) : 8 * m->skip.gram;
	return 0;
}

// Gives a table its place behind the ones before it, or, while `base` is NULL, only counts it.
static void *layout_take(uint8_t *base, size_t *used, size_t count, size_t bytes)
{
	size_t at = (*used + 7) / 8 * 8;
	*used = at + count * bytes;
	return base ? base + at : NULL;
}

static size_t build_layout(struct matcher *m, uint8_t *base)
{
	size_t used = 0;
	m->label = layout_take(base, &used, m->label_count, sizeof(*m->label));
	m->fall = layout_take(base, &used, m->label_count, sizeof(*m->fall));
	m->info = layout_take(base, &used, m->label_count, sizeof(*m->info));
	m->start_child = layout_take(base, &used, 256, sizeof(*m->start_child));
	m->branches = layout_take(base, &used, (size_t)1 << m->branch_bits, sizeof(*m->branches));
	m->chains = layout_take(base, &used, m->chain_count, sizeof(*m->chains));
	m->outputs = layout_take(base, &used, m->output_count + 1, sizeof(*m->outputs));
	m->needles = layout_take(base, &used, m->needle_count, sizeof(*m->needles));
	m->skip.shift = layout_take(base, &used, (size_t)1 << m->skip.bits, sizeof(*m->skip.shift));
	return used;
}

// ------------------------------------------------------------------------------------------------ chains and outputs

// The state at `depth` on the path of the needle that owns `chain`; *ret_chain is the chain it belongs to.
static uint32_t chain_state(const struct matcher *m, uint32_t chain, uint32_t depth, uint32_t *ret_chain)
{
	while (m->chains[chain].first > depth && m->chains[chain].first > 1)
		chain = m->chains[chain].above;
	*ret_chain = chain;
	return depth == 0 ? MATCHER_START : m->chains[chain].base + depth;
}

static void chain_link(struct matcher *m, uint32_t parent, uint32_t child)
{
	uint8_t byte = m->label[child];
	if (parent == MATCHER_START) {
		m->start_child[byte] = child;
		return;
	}
	m->branches[matcher_branch_place(m, parent, byte)] = (struct matcher_branch){parent, child};
	m->info[parent] |= INFO_BRANCH;
}

// `common` is what the text shares with the chain made before this one.
static void build_chain(struct build *b, struct span text, uint32_t common)
{
	struct matcher *m = b->m;
	uint32_t number = (uint32_t)b->chain++;
	struct matcher_chain chain = {.len = (uint32_t)text.len, .first = common + 1};
	if (number > 0) {
		chain.base = m->chains[number - 1].base + m->chains[number - 1].len;
		chain.parent = chain_state(m, number - 1, common, &chain.above);
	}
	m->chains[number] = chain;
	memcpy(m->label + chain.base + 1, text.data, text.len);
	chain_link(m, chain.parent, chain.base + chain.first);
	m->info[chain.base + chain.len] |= INFO_LEAF;
}

// Enters the needles from..to-1, each a prefix of the last one, whose chain was made just now.
static void build_outputs(struct build *b, size_t from, size_t to)
{
	struct matcher *m = b->m;
	uint32_t chain = (uint32_t)b->chain - 1;
	uint32_t owner;
	for (size_t i = from; i < to; i++) {
		const struct needle *needle = build_sorted(b, i);
		uint32_t len = (uint32_t)needle->bytes.len;
		if (build_is_new_text(b, i)) {
			m->outputs[++b->output].first = (uint32_t)i;
			m->info[chain_state(m, chain, len, &owner)] |= (uint32_t)b->output;
		}
		struct matcher_output *output = &m->outputs[b->output];
		output->count++;
		if (needle->weak)
			output->weak = (uint32_t)b->output;
		else
			output->strong = (uint32_t)b->output;
		m->needles[i] = (struct matcher_needle){m->chains[chain].base, len,          b->lcp[i], needle->value,
							b->order[i],           (uint8_t)needle->form, needle->weak};
	}
}

static void build_trie(struct build *b)
{
	size_t from = 0;
	uint32_t common = 0; // of the chain to come and the one before: the least of the steps between them
	for (size_t i = 0; i < b->count; i++) {
		common = i == 0 || b->lcp[i] < common ? b->lcp[i] : common;
		if (!build_owns_chain(b, i))
			continue;
		build_chain(b, build_sorted(b, i)->bytes, common);
		build_outputs(b, from, i + 1);
		from = i + 1;
		common = UINT32_MAX;
	}
}

// -------------------------------------------------------------------------------------------------- after a mismatch

static void build_state(struct matcher *m, uint32_t parent, uint32_t state)
{
	uint32_t suffix = parent == MATCHER_START ? MATCHER_START : matcher_step(m, m->fall[parent], m->label[state]);
	uint32_t link = suffix == MATCHER_START ? 0 : m->info[suffix] & INFO_OUTPUT;
	uint32_t own = m->info[state] & INFO_OUTPUT;
	// Leaves have no children, so a mismatch need not visit them; their outputs are reached by the links instead.
	m->fall[state] = m->info[suffix] & INFO_LEAF ? m->fall[suffix] : suffix;
	if (own == 0) {
		m->info[state] |= link;
		return;
	}
	struct matcher_output *output = &m->outputs[own];
	output->link = link;
	if (output->strong == 0)
		output->strong = m->outputs[link].strong;
	if (output->weak == 0)
		output->weak = m->outputs[link].weak;
}

// Visits the states by depth, since each needs the shorter ones: the first `active` places of `level` hold the chains
// that have a state at this depth.
static void build_falls(struct build *b)
{
	struct matcher *m = b->m;
	for (uint32_t i = 0; i < m->chain_count; i++)
		b->level[i] = i;
	index_sort(b, b->level, m->chain_count, chain_before);
	size_t next = 0;
	size_t active = 0;
	for (uint32_t depth = 1; depth <= b->longest; depth++) {
		while (next < m->chain_count && m->chains[b->level[next]].first == depth)
			b->level[active++] = b->level[next++];
		size_t kept = 0;
		for (size_t i = 0; i < active; i++) {
			const struct matcher_chain *chain = &m->chains[b->level[i]];
			uint32_t state = chain->base + depth;
			build_state(m, depth == chain->first ? chain->parent : state - 1, state);
			if (depth < chain->len)
				b->level[kept++] = b->level[i];
		}
		active = kept;
	}
}

static void build_skip(struct build *b)
{
	struct matcher_skip *skip = &b->m->skip;
	memset(skip->shift, (int)(skip->window - skip->gram + 1), (size_t)1 << skip->bits);
	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *text = build_sorted(b, i)->bytes.data;
		for (uint32_t end = skip->gram; end <= skip->window; end++) {
			uint8_t *shift = &skip->shift[matcher_gram_place(skip, text + end - skip->gram)];
			if (skip->window - end < *shift)
				*shift = (uint8_t)(skip->window - end);
		}
	}
}

// ------------------------------------------------------------------------------------------------------------ making

static int build_tables(struct build *b, struct err *err)
{
	struct matcher *m = b->m;
	for (uint32_t i = 0; i < b->count; i++)
		b->order[i] = i;
	index_sort(b, b->order, b->count, needle_before);
	for (size_t i = 1; i < b->count; i++)
		b->lcp[i] = span_common(build_sorted(b, i - 1)->bytes, build_sorted(b, i)->bytes);
	int r = build_measure(b, err);
	if (r < 0)
		return r;
	r = secret_new(build_layout(m, NULL), SECRET_LOCK_PREFERRED, &m->tables, err);
	if (r < 0)
		return r;
	build_layout(m, secret_data(m->tables));
	build_trie(b);
	build_falls(b);
	build_skip(b);
	return 0;
}

int matcher_new(const struct needle *needles, size_t count, struct matcher **out, struct err *err)
{
	if (count > INFO_OUTPUT)
		return err_set(err, ERR_LIMIT, "too many secrets to look for them in output; use fewer in one run");
	_cleanup_secret_ struct secret *room = NULL;
	int r = secret_new(3 * count * sizeof(uint32_t), SECRET_LOCK_PREFERRED, &room, err);
	if (r < 0)
		return r;
	// Tables in secret memory begin at a page, so they are aligned for any type.
	uint32_t *lists = (uint32_t *)(void *)secret_data(room);
	_cleanup_matcher_ struct matcher *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ERR_MEMORY, "out of memory");
	struct build b = {.needles = needles, .count = count, .order = lists, .m = m};
	b.lcp = b.order + count;
	b.level = b.lcp + count;
	r = build_tables(&b, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(m);
	return 0;
}
