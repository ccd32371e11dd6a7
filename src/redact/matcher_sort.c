// Sorts needles by 8 bytes at a time: runs that agree in them are sorted by the next 8, and what neighbours have in
// common is known on the way. Heapsort: in place, so that no copy of an order that depends on secrets is left behind,
// and never quadratic.
#include "redact/matcher_tables.h"

#define KEY_BYTES 8

static bool item_is_before(const struct sort_item *x, const struct sort_item *y)
{
	if (x->key != y->key)
		return x->key < y->key;
	return x->rest != y->rest ? x->rest < y->rest : x->index < y->index;
}

// What is moved waits in secret memory, not on the stack: it has a part of a needle.
static void items_sift(struct sort_item *items, size_t root, size_t count, struct sort_item *moved)
{
	*moved = items[root];
	while (2 * root + 1 < count) {
		size_t child = 2 * root + 1;
		if (child + 1 < count && item_is_before(&items[child], &items[child + 1]))
			child++;
		if (!item_is_before(moved, &items[child]))
			break;
		items[root] = items[child];
		root = child;
	}
	items[root] = *moved;
}

static void items_sort(struct sort_item *items, size_t count, struct sort_item *moved)
{
	for (size_t i = count / 2; i > 0; i--)
		items_sift(items, i - 1, count, moved);
	for (size_t end = count; end > 1; end--) {
		*moved = items[end - 1];
		items[end - 1] = items[0];
		items[0] = *moved;
		items_sift(items, 0, end - 1, moved);
	}
}

static void item_load(struct sort_item *item, struct span text, size_t depth)
{
	size_t rest = text.len - depth;
	item->rest = rest < KEY_BYTES ? (uint32_t)rest : KEY_BYTES;
	item->key = 0;
	for (uint32_t i = 0; i < KEY_BYTES; i++)
		item->key = item->key << 8 | (i < item->rest ? text.data[depth + i] : 0);
}

static uint32_t items_common(const struct sort_item *x, const struct sort_item *y)
{
	uint64_t differ = x->key ^ y->key;
	uint32_t common = differ ? (uint32_t)__builtin_clzll(differ) / 8 : KEY_BYTES;
	common = common < x->rest ? common : x->rest;
	return common < y->rest ? common : y->rest;
}

// Sorts one run and enters those of its parts that agree in all bytes of their keys. Returns how many runs there are.
static size_t run_sort(struct needle_sort *sort, size_t run_count)
{
	struct sort_run run = sort->runs[--run_count];
	for (uint32_t i = run.from; i < run.to; i++)
		item_load(&sort->items[i], sort->needles[sort->items[i].index].bytes, run.depth);
	items_sort(sort->items + run.from, run.to - run.from, &sort->items[sort->count]);
	uint32_t first = run.from;
	for (uint32_t i = run.from + 1; i <= run.to; i++) {
		uint32_t common = 0;
		if (i < run.to) {
			common = items_common(&sort->items[i - 1], &sort->items[i]);
			sort->lcp[i] = run.depth + common;
		}
		if (common == KEY_BYTES)
			continue;
		if (i - first > 1 && sort->items[first].rest == KEY_BYTES)
			sort->runs[run_count++] = (struct sort_run){first, i, run.depth + KEY_BYTES};
		first = i;
	}
	return run_count;
}

void needles_sort(struct needle_sort *sort)
{
	for (uint32_t i = 0; i < sort->count; i++)
		sort->items[i].index = i;
	size_t run_count = 0;
	if (sort->count > 0)
		sort->runs[run_count++] = (struct sort_run){0, (uint32_t)sort->count, 0};
	while (run_count > 0)
		run_count = run_sort(sort, run_count);
}
