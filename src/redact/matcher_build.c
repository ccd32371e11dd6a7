// Makes the tables: lays out the chains of the sorted needles, links them, and computes where to go on after a
// mismatch.
#include "redact/gram_seek.h"
#include "redact/matcher_tables.h"

#include <stdlib.h>
#include <string.h>

#define FALL_UNKNOWN UINT32_MAX

// A chain whose falls are computed as far as `until`, because another one needs them.
struct fall_wait {
	uint32_t chain;
	uint32_t until;
};

struct build {
	const struct needle *needles;
	size_t count;
	struct needle_sort sort;
	uint32_t *next; // for each chain: its first state without a fall
	struct fall_wait *waits;
	struct matcher *m;
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
	size_t common = b->sort.lcp[i];
	return i == 0 || common < build_sorted(b, i - 1)->bytes.len || common < build_sorted(b, i)->bytes.len;
}

// ----------------------------------------------------------------------------------------------------------- layout

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
	m->states = layout_take(base, &used, m->label_count, sizeof(*m->states));
	m->flags = layout_take(base, &used, m->label_count / 64 + 1, sizeof(*m->flags));
	m->start_child = layout_take(base, &used, 256, sizeof(*m->start_child));
	m->marks = layout_take(base, &used, (size_t)1 << m->branch_bits, sizeof(*m->marks));
	m->branches = layout_take(base, &used, (size_t)1 << m->branch_bits, sizeof(*m->branches));
	m->chains = layout_take(base, &used, m->chain_count, sizeof(*m->chains));
	m->outputs = layout_take(base, &used, m->output_count + 1, sizeof(*m->outputs));
	m->needles = layout_take(base, &used, m->needle_count, sizeof(*m->needles));
	if (m->kind == MATCHER_WORDS)
		words_layout(&m->words, base, &used);
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
	uint64_t hash = branch_hash(m, parent, byte);
	size_t place = (size_t)(hash / 8);
	while (m->branches[place].state != 0)
		place = (place + 1) & (((size_t)1 << m->branch_bits) - 1);
	m->branches[place] = (struct matcher_branch){parent, child};
	m->marks[hash / 8] |= (uint8_t)(1u << hash % 8);
	m->states[parent].info |= INFO_BRANCH;
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
	m->states[chain.base + chain.len].info |= INFO_LEAF;
	for (uint32_t depth = chain.first; depth <= chain.len; depth++)
		m->states[chain.base + depth].fall = FALL_UNKNOWN;
	for (uint32_t depth = chain.first; depth <= SHALLOW_MAX && depth <= chain.len; depth++)
		m->states[chain.base + depth].info |= depth << INFO_DEPTH_SHIFT;
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
			m->states[chain_state(m, chain, len, &owner)].info |= (uint32_t)b->output;
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

// Enters what is known of a state once its longest proper suffix is: `suffix`.
static void build_state(struct matcher *m, uint32_t state, uint32_t suffix)
{
	uint32_t link = suffix == MATCHER_START ? 0 : m->states[suffix].info & INFO_OUTPUT;
	uint32_t own = m->states[state].info & INFO_OUTPUT;
	// Leaves have no children, so a mismatch need not visit them; their outputs are reached by the links instead.
	m->states[state].fall = m->states[suffix].info & INFO_LEAF ? m->states[suffix].fall : suffix;
	if (own == 0)
		m->states[state].info |= link;
	else
		m->outputs[own].link = link;
	uint32_t info = m->states[state].info;
	uint32_t fall = m->states[state].fall;
	if (info & (INFO_OUTPUT | INFO_LEAF))
		m->flags[state / 64].stops |= (uint64_t)1 << state % 64;
	bool is_short = fall == MATCHER_START || m->states[fall].info & INFO_DEPTH;
	// What is no byte of this chain is none of the one that follows either.
	bool ends_alike = !is_short && m->label[fall + 1] == m->label[state + 1] && state_ends(m, fall);
	if (!(info & INFO_BRANCH) && (is_short || ends_alike))
		m->flags[state / 64].ends |= (uint64_t)1 << state % 64;
}

// `state` is never a leaf: falls lead around them.
static uint32_t step_from(const struct matcher *m, uint32_t state, uint8_t byte)
{
	uint32_t child;
	while ((child = state_child(m, state, byte)) == 0 && state != MATCHER_START)
		state = m->states[state].fall;
	return child;
}

// Goes on along the chain of the wait. Returns the state whose fall must be known first, MATCHER_START when all are
// done.
static uint32_t build_chain_falls(struct build *b, const struct fall_wait *wait)
{
	struct matcher *m = b->m;
	const struct matcher_chain *chain = &m->chains[wait->chain];
	uint32_t first = chain->base + chain->first;
	uint32_t state = b->next[wait->chain];
	uint32_t needed = MATCHER_START;
	for (; state <= wait->until; state++) {
		uint32_t parent = state == first ? chain->parent : state - 1;
		uint32_t suffix = parent;
		if (parent != MATCHER_START && m->states[parent].fall != FALL_UNKNOWN)
			suffix = step_from(m, m->states[parent].fall, m->label[state]);
		if (m->states[suffix].fall == FALL_UNKNOWN) {
			needed = suffix;
			break;
		}
		build_state(m, state, suffix);
	}
	b->next[wait->chain] = state;
	return needed;
}

// Chain by chain, so that neighbours in memory are visited together. A state needs only shorter ones: a chain that
// waits for another one is never needed by it beyond what it has, so each waits at most once at a time.
static void build_falls(struct build *b)
{
	struct matcher *m = b->m;
	for (uint32_t i = 0; i < m->chain_count; i++)
		b->next[i] = m->chains[i].base + m->chains[i].first;
	for (uint32_t i = 0; i < m->chain_count; i++) {
		size_t depth = 0;
		b->waits[depth++] = (struct fall_wait){i, m->chains[i].base + m->chains[i].len};
		while (depth > 0) {
			uint32_t needed = build_chain_falls(b, &b->waits[depth - 1]);
			if (needed == MATCHER_START)
				depth--;
			else
				b->waits[depth++] = (struct fall_wait){matcher_state_chain(m, needed), needed};
		}
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
	for (size_t i = 0, next; i < m->needle_count; i = next) {
		uint32_t common = m->needles[i].len;
		for (next = i + 1; next < m->needle_count && m->needles[next].lcp >= GRAM_ENTRY; next++)
			common = m->needles[next].lcp < common ? m->needles[next].lcp : common;
		gram_add_entry(&m->grams, m->needles[i].text + GRAM_ENTRY, common);
	}
}

static void build_words(struct build *b)
{
	if (b->m->kind != MATCHER_WORDS)
		return;
	words_prepare(&b->m->words);
	for (size_t i = 0; i < b->count; i++)
		if (build_is_new_text(b, i))
			words_add(&b->m->words, build_sorted(b, i)->bytes);
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
	build_words(b);
	return 0;
}

// Room for the work of building, which is as secret as the tables.
static size_t build_work(struct build *b, uint8_t *base)
{
	size_t used = 0;
	b->sort.items = layout_take(base, &used, b->count + 1, sizeof(*b->sort.items));
	b->sort.runs = layout_take(base, &used, b->count / 2 + 1, sizeof(*b->sort.runs));
	b->sort.lcp = layout_take(base, &used, b->count, sizeof(*b->sort.lcp));
	b->next = layout_take(base, &used, b->count, sizeof(*b->next));
	b->waits = layout_take(base, &used, b->count + 1, sizeof(*b->waits));
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
