// Makes the tables: lays out the chains of the sorted needles, links them, and computes where to go on after a mismatch.
#include "redact/matcher_tables.h"

#include <stdlib.h>
#include <string.h>

struct build {
	const struct needle *needles;
	size_t count;
	struct needle_sort sort;
	uint32_t *level; // chains sorted by the depth of their first own state, then those in progress
	struct matcher *m;
	size_t longest;
	size_t chain; // chains and outputs made so far
	size_t output;
};

static const struct needle *build_sorted(const struct build *b, size_t i)
{
	return &b->needles[b->sort.items[i].index];
}

// A needle that is a prefix of the next one in sorted order needs no states of its own.
static bool build_owns_chain(const struct build *b, size_t i)
{
	return i + 1 == b->count || b->sort.lcp[i + 1] < build_sorted(b, i)->bytes.len;
}

static bool build_is_new_text(const struct build *b, size_t i)
{
	return i == 0 || b->sort.lcp[i] < build_sorted(b, i - 1)->bytes.len || b->sort.lcp[i] < build_sorted(b, i)->bytes.len;
}

// ----------------------------------------------------------------------------------------------------------- layout

static uint32_t bits_for(size_t count, uint32_t min, uint32_t max)
{
	uint32_t bits = min;
	while (bits < max && (size_t)1 << bits < count)
		bits++;
	return bits;
}

// The gram filter is used when all needles are long enough for it.
static void build_plan_grams(struct build *b)
{
	struct gram_filter *grams = &b->m->grams;
	bool usable = b->m->kind == MATCHER_FREE && b->count > 0;
	for (size_t i = 0; i < b->count && usable; i++)
		usable = !build_is_new_text(b, i) || gram_measure(grams, build_sorted(b, i)->bytes.len);
	if (usable)
		gram_plan(grams, b->m->chain_count);
	else
		*grams = (struct gram_filter){0};
}

static int build_measure(struct build *b, struct err *err)
{
	struct matcher *m = b->m;
	uint64_t labels = 1;
	for (size_t i = 0; i < b->count; i++) {
		size_t len = build_sorted(b, i)->bytes.len;
		b->longest = len > b->longest ? len : b->longest;
		m->output_count += build_is_new_text(b, i);
		if (build_owns_chain(b, i)) {
			m->chain_count++;
			labels += len;
		}
	}
	if (labels > UINT32_MAX - TABLE_SLACK)
		return err_set(err, ERR_LIMIT, "the secrets are too large to look for in output; use fewer in one run");
	m->needle_count = b->count;
	m->label_count = (size_t)labels;
	m->branch_bits = bits_for(2 * m->chain_count, 4, 40);
	build_plan_grams(b);
	return 0;
}

static size_t build_layout(struct matcher *m, uint8_t *base)
{
	size_t used = 0;
	m->label = layout_take(base, &used, m->label_count + TABLE_SLACK, sizeof(*m->label));
	m->fall = layout_take(base, &used, m->label_count, sizeof(*m->fall));
	m->info = layout_take(base, &used, m->label_count, sizeof(*m->info));
	m->stops = layout_take(base, &used, m->label_count / 8 + TABLE_SLACK, sizeof(*m->stops));
	m->start_child = layout_take(base, &used, 256, sizeof(*m->start_child));
	m->branches = layout_take(base, &used, (size_t)1 << m->branch_bits, sizeof(*m->branches));
	m->chains = layout_take(base, &used, m->chain_count, sizeof(*m->chains));
	m->outputs = layout_take(base, &used, m->output_count + 1, sizeof(*m->outputs));
	m->needles = layout_take(base, &used, m->needle_count, sizeof(*m->needles));
	if (m->kind == MATCHER_WORDS)
		m->pairs = layout_take(base, &used, (1u << 16) / 64, sizeof(*m->pairs));
	if (m->grams.group_count > 0)
		gram_layout(&m->grams, base, &used);
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
	for (uint32_t depth = chain.first; depth <= SHALLOW_MAX && depth <= chain.len; depth++)
		m->info[chain.base + depth] |= depth << INFO_DEPTH_SHIFT;
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
		m->needles[i] = (struct matcher_needle){.text = m->chains[chain].base,
							.len = len,
							.lcp = b->sort.lcp[i],
							.value = needle->value,
							.order = b->sort.items[i].index,
							.form = (uint8_t)needle->form};
	}
}

static void build_trie(struct build *b)
{
	size_t from = 0;
	uint32_t common = 0; // of the chain to come and the one before: the least of the steps between them
	for (size_t i = 0; i < b->count; i++) {
		common = i == 0 || b->sort.lcp[i] < common ? b->sort.lcp[i] : common;
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
	if (own == 0)
		m->info[state] |= link;
	else
		m->outputs[own].link = link;
	if (m->info[state] & (INFO_OUTPUT | INFO_LEAF))
		m->stops[state / 8] |= (uint8_t)(1u << state % 8);
}

static bool chain_is_before(const struct matcher *m, uint32_t x, uint32_t y)
{
	return m->chains[x].first < m->chains[y].first;
}

static void level_sift(const struct build *b, size_t root, size_t count)
{
	while (2 * root + 1 < count) {
		size_t child = 2 * root + 1;
		if (child + 1 < count && chain_is_before(b->m, b->level[child], b->level[child + 1]))
			child++;
		if (!chain_is_before(b->m, b->level[root], b->level[child]))
			return;
		uint32_t swap = b->level[root];
		b->level[root] = b->level[child];
		b->level[child] = swap;
		root = child;
	}
}

static void level_fill(struct build *b)
{
	for (uint32_t i = 0; i < b->m->chain_count; i++)
		b->level[i] = i;
	for (size_t i = b->m->chain_count / 2; i > 0; i--)
		level_sift(b, i - 1, b->m->chain_count);
	for (size_t end = b->m->chain_count; end > 1; end--) {
		uint32_t swap = b->level[0];
		b->level[0] = b->level[end - 1];
		b->level[end - 1] = swap;
		level_sift(b, 0, end - 1);
	}
}

// Visits the states by depth, since each needs the shorter ones: the first `active` places of `level` hold the chains
// that have a state at this depth.
static void build_falls(struct build *b)
{
	struct matcher *m = b->m;
	level_fill(b);
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

static void build_grams(struct build *b)
{
	struct matcher *m = b->m;
	if (m->grams.group_count == 0)
		return;
	gram_prepare(&m->grams, m->label);
	for (size_t i = 0; i < b->count; i++)
		if (build_is_new_text(b, i))
			gram_add(&m->grams, build_sorted(b, i)->bytes);
	for (size_t i = 0; i < m->chain_count; i++)
		if (m->chains[i].first <= GRAM_ENTRY)
			gram_add_entry(&m->grams, m->chains[i].base + GRAM_ENTRY);
}

// A needle of one byte may be followed by any other.
static void build_pairs(struct build *b)
{
	for (size_t i = 0; i < b->count && b->m->pairs; i++) {
		struct span text = build_sorted(b, i)->bytes;
		for (unsigned next = 0; next < 256; next++) {
			unsigned pair = (unsigned)text.data[0] << 8 | next;
			if (text.len == 1 || text.data[1] == next)
				b->m->pairs[pair / 64] |= (uint64_t)1 << pair % 64;
		}
	}
}

// ------------------------------------------------------------------------------------------------------------ making

static int build_tables(struct build *b, struct err *err)
{
	struct matcher *m = b->m;
	needles_sort(&b->sort);
	int r = build_measure(b, err);
	if (r < 0)
		return r;
	r = secret_new(build_layout(m, NULL), SECRET_LOCK_PREFERRED, &m->tables, err);
	if (r < 0)
		return r;
	build_layout(m, secret_data(m->tables));
	build_trie(b);
	build_falls(b);
	build_grams(b);
	build_pairs(b);
	return 0;
}

// Room for the work of building, which is as secret as the tables.
static size_t build_work(struct build *b, uint8_t *base)
{
	size_t used = 0;
	b->sort.items = layout_take(base, &used, b->count + 1, sizeof(*b->sort.items));
	b->sort.runs = layout_take(base, &used, b->count / 2 + 1, sizeof(*b->sort.runs));
	b->sort.lcp = layout_take(base, &used, b->count, sizeof(*b->sort.lcp));
	b->level = layout_take(base, &used, b->count, sizeof(*b->level));
	return used;
}

int matcher_new(const struct needle *needles, size_t count, enum matcher_kind kind, struct matcher **out,
		struct err *err)
{
	if (count > INFO_OUTPUT)
		return err_set(err, ERR_LIMIT, "too many secrets to look for them in output; use fewer in one run");
	_cleanup_matcher_ struct matcher *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ERR_MEMORY, "out of memory");
	m->kind = kind;
	struct build b = {.needles = needles, .count = count, .sort = {.needles = needles, .count = count}, .m = m};
	_cleanup_secret_ struct secret *work = NULL;
	int r = secret_new(build_work(&b, NULL), SECRET_LOCK_PREFERRED, &work, err);
	if (r < 0)
		return r;
	build_work(&b, secret_data(work));
	r = build_tables(&b, err);
	if (r < 0)
		return r;
	*out = TAKE_PTR(m);
	return 0;
}
