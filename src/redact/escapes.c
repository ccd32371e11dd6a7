#include "redact/escapes.h"
#include "redact/queue.h"

#include <stdlib.h>
#include <string.h>

void escapes_init(struct escapes *escapes)
{
	*escapes = (struct escapes){.kept_bytes = BUF_INIT(2 * ESCAPES_KEPT_MAX)};
}

void escapes_done(struct escapes *escapes)
{
	free(escapes->sequences.list);
	free(escapes->covered.list);
	free(escapes->kept.list);
	buf_done(&escapes->kept_bytes);
	escapes_init(escapes);
}

// -------------------------------------------------------------------------------------------------------------- lists

static struct escape_range *list_last(const struct escape_list *l)
{
	return l->count > 0 ? &l->list[l->head + l->count - 1] : NULL;
}

static int list_append(struct escape_list *l, struct escape_range range, struct err *err)
{
	struct escape_range *list = queue_room(l->list, &l->head, l->count, &l->cap, 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	l->list = list;
	l->list[l->head + l->count++] = range;
	return 0;
}

static void list_drop_first(struct escape_list *l)
{
	l->count--;
	l->head = l->count == 0 ? 0 : l->head + 1;
}

// The first range that ends behind `offset`, as a number from the head.
static size_t list_find(const struct escape_list *l, uint64_t offset)
{
	size_t low = 0;
	size_t high = l->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->list[l->head + middle].to <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// --------------------------------------------------------------------------------------------------------- sequences

int escapes_begin(struct escapes *escapes, uint64_t offset, struct err *err)
{
	return list_append(&escapes->sequences, (struct escape_range){offset, offset, offset + 1}, err);
}

void escapes_extend(struct escapes *escapes, uint64_t to)
{
	struct escape_range *last = list_last(&escapes->sequences);
	if (last)
		last->to = to;
}

int escapes_cover(struct escapes *escapes, uint64_t from, uint64_t to, struct err *err)
{
	const struct escape_list *sequences = &escapes->sequences;
	size_t i = list_find(sequences, from);
	if (i == sequences->count || sequences->list[sequences->head + i].from >= to)
		return 0;
	// Matches come nearly in the order of their ends, so the place is among the last ranges.
	struct escape_list *covered = &escapes->covered;
	int r = list_append(covered, (struct escape_range){from, from, to}, err);
	if (r < 0)
		return r;
	struct escape_range *last = list_last(covered);
	while (last > &covered->list[covered->head] && last[-1].to >= last->from) {
		struct escape_range before = last[-1];
		if (before.from > last->to) {
			last[-1] = *last;
			*last = before;
			last--;
			continue;
		}
		last[-1].from = before.from < last->from ? before.from : last->from;
		last[-1].to = before.to > last->to ? before.to : last->to;
		size_t behind = (size_t)(list_last(covered) - last);
		memmove(last, last + 1, behind * sizeof(*last));
		covered->count--;
		last--;
	}
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- kept

static void kept_shorten(struct escapes *e)
{
	size_t drop = 0;
	while (e->kept_bytes.len - drop > ESCAPES_KEPT_MAX) {
		const struct escape_range *first = &e->kept.list[e->kept.head];
		drop += (size_t)(first->to - first->from);
		list_drop_first(&e->kept);
	}
	if (drop == 0)
		return;
	memmove(e->kept_bytes.data, e->kept_bytes.data + drop, e->kept_bytes.len - drop);
	e->kept_bytes.len -= drop;
}

static int kept_add(struct escapes *e, struct escape_range piece, escapes_fetch fetch, void *context, struct err *err)
{
	struct escape_range *last = list_last(&e->kept);
	int r = 0;
	if (last && last->start == piece.start && last->to == piece.from)
		last->to = piece.to;
	else
		r = list_append(&e->kept, piece, err);
	for (uint64_t at = piece.from; at < piece.to && r == 0;) {
		struct span part = fetch(context, at, piece.to);
		r = buf_append(&e->kept_bytes, part, err);
		at += part.len;
	}
	if (r == 0)
		kept_shorten(e);
	return r;
}

// Adds what of a sequence's piece is not covered.
static int kept_add_uncovered(struct escapes *e, struct escape_range piece, escapes_fetch fetch, void *context,
			      struct err *err)
{
	const struct escape_list *covered = &e->covered;
	for (size_t i = list_find(covered, piece.from); i < covered->count && piece.from < piece.to; i++) {
		const struct escape_range *cover = &covered->list[covered->head + i];
		if (cover->from >= piece.to)
			break;
		struct escape_range before = {piece.start, piece.from, cover->from};
		int r = before.from < before.to ? kept_add(e, before, fetch, context, err) : 0;
		if (r < 0)
			return r;
		piece.from = cover->to;
	}
	return piece.from < piece.to ? kept_add(e, piece, fetch, context, err) : 0;
}

int escapes_gather(struct escapes *escapes, uint64_t from, uint64_t to, escapes_fetch fetch, void *context,
		   struct err *err)
{
	const struct escape_list *sequences = &escapes->sequences;
	int r = 0;
	for (size_t i = list_find(sequences, from); i < sequences->count && r == 0; i++) {
		struct escape_range piece = sequences->list[sequences->head + i];
		if (piece.from >= to)
			break;
		piece.from = piece.from > from ? piece.from : from;
		piece.to = piece.to < to ? piece.to : to;
		r = kept_add_uncovered(escapes, piece, fetch, context, err);
	}
	return r;
}

struct span escapes_kept(const struct escapes *escapes)
{
	return buf_span(&escapes->kept_bytes);
}

void escapes_forget(struct escapes *escapes)
{
	escapes->kept.count = 0;
	escapes->kept.head = 0;
	escapes->kept_bytes.len = 0;
}

void escapes_drop(struct escapes *escapes, uint64_t before)
{
	struct escape_list *sequences = &escapes->sequences;
	struct escape_list *covered = &escapes->covered;
	// The last sequence may still grow.
	while (sequences->count > 1 && sequences->list[sequences->head].to <= before)
		list_drop_first(sequences);
	while (covered->count > 0 && covered->list[covered->head].to <= before)
		list_drop_first(covered);
}
