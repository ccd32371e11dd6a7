#include "redact/stretch.h"

#include <stdlib.h>
#include <string.h>

int stretches_init(struct stretches *s, size_t value_count, size_t mark_count, struct err *err)
{
	*s = (struct stretches){.label_free = LABEL_NONE};
	s->slots = calloc(value_count + 1, sizeof(*s->slots));
	s->sorted = calloc(value_count + 1, sizeof(*s->sorted));
	s->marks = calloc(mark_count + 1, sizeof(*s->marks));
	if (s->slots && s->sorted && s->marks)
		return 0;
	stretches_done(s);
	return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
}

void stretches_done(struct stretches *s)
{
	free(s->list);
	free(s->labels);
	free(s->slots);
	free(s->marks);
	free(s->sorted);
	*s = (struct stretches){.label_free = LABEL_NONE};
}

const struct stretch *stretches_first(const struct stretches *s)
{
	return s->count > 0 ? &s->list[s->head] : NULL;
}

const struct stretch *stretches_last(const struct stretches *s)
{
	return s->count > 0 ? &s->list[s->head + s->count - 1] : NULL;
}

// Room for one more stretch behind the last: the places of dropped ones are used again before the list grows.
static int stretches_reserve(struct stretches *s, struct err *err)
{
	if (s->head + s->count < s->cap)
		return 0;
	if (s->head > s->cap / 2) {
		memmove(s->list, s->list + s->head, s->count * sizeof(*s->list));
		s->head = 0;
		return 0;
	}
	size_t cap = s->cap ? 2 * s->cap : 16;
	struct stretch *list = reallocarray(s->list, cap, sizeof(*list));
	if (!list)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	s->list = list;
	s->cap = cap;
	return 0;
}

static int label_reserve(struct stretches *s, struct err *err)
{
	if (s->label_free != LABEL_NONE)
		return 0;
	uint32_t cap = s->label_cap ? 2 * s->label_cap : 16;
	struct label *labels = cap < UINT32_MAX / 2 ? reallocarray(s->labels, cap, sizeof(*labels)) : NULL;
	if (!labels)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	for (uint32_t i = cap; i > s->label_cap; i--) {
		labels[i - 1].next = s->label_free;
		s->label_free = i - 1;
	}
	s->labels = labels;
	s->label_cap = cap;
	return 0;
}

static void label_release(struct stretches *s, uint32_t label)
{
	s->labels[label].next = s->label_free;
	s->label_free = label;
}

// The form of the longest match stands for all of them; among equals the one that comes first in the enum.
static void label_combine(struct label *into, const struct label *label)
{
	if (label->len > into->len || (label->len == into->len && label->form < into->form)) {
		into->len = label->len;
		into->form = label->form;
	}
	into->partial |= label->partial;
}

static struct stretch *stretches_end(struct stretches *s)
{
	return &s->list[s->head + s->count - 1];
}

// Hooks a label into the last stretch, or, when its value has one there, combines the two and frees the place.
static void label_enter(struct stretches *s, uint32_t label)
{
	struct stretch *last = stretches_end(s);
	struct label_slot *slot = &s->slots[s->labels[label].value];
	if (slot->epoch == s->epoch) {
		label_combine(&s->labels[slot->label], &s->labels[label]);
		label_release(s, label);
		return;
	}
	*slot = (struct label_slot){s->epoch, label};
	s->labels[label].next = last->labels;
	last->labels = label;
	last->label_count++;
}

// The last stretch takes in the one before it.
static void stretches_merge(struct stretches *s)
{
	struct stretch *last = stretches_end(s);
	struct stretch before = last[-1];
	uint32_t next;
	for (uint32_t label = before.labels; label != LABEL_NONE; label = next) {
		next = s->labels[label].next;
		label_enter(s, label);
	}
	last->from = before.from < last->from ? before.from : last->from;
	last[-1] = *last;
	s->count--;
}

int stretches_cover(struct stretches *s, uint64_t from, uint64_t to, struct err *err)
{
	const struct stretch *last = stretches_last(s);
	if (!last || from >= last->to) {
		int r = stretches_reserve(s, err);
		if (r < 0)
			return r;
		s->count++;
		s->epoch++;
		*stretches_end(s) = (struct stretch){from, to, LABEL_NONE, 0};
		return 0;
	}
	struct stretch *end = stretches_end(s);
	end->from = from < end->from ? from : end->from;
	end->to = to;
	while (s->count > 1 && stretches_end(s)->from < stretches_end(s)[-1].to)
		stretches_merge(s);
	return 0;
}

int stretches_label(struct stretches *s, const struct label *label, struct err *err)
{
	int r = label_reserve(s, err);
	if (r < 0)
		return r;
	uint32_t place = s->label_free;
	s->label_free = s->labels[place].next;
	s->labels[place] = *label;
	label_enter(s, place);
	return 0;
}

void stretches_mark(struct stretches *s, size_t mark)
{
	s->marks[mark] = s->epoch;
}

bool stretches_is_marked(const struct stretches *s, size_t mark)
{
	return s->marks[mark] == s->epoch;
}

static int index_compare(const void *x, const void *y, void *context)
{
	const struct label *labels = context;
	uint32_t a, b;
	memcpy(&a, x, sizeof(a));
	memcpy(&b, y, sizeof(b));
	return labels[a].value < labels[b].value ? -1 : labels[a].value > labels[b].value;
}

const uint32_t *stretches_sort(struct stretches *s)
{
	const struct stretch *first = stretches_first(s);
	size_t count = 0;
	for (uint32_t label = first->labels; label != LABEL_NONE; label = s->labels[label].next)
		s->sorted[count++] = label;
	if (count > 1)
		qsort_r(s->sorted, count, sizeof(*s->sorted), index_compare, s->labels);
	return s->sorted;
}

void stretches_drop(struct stretches *s)
{
	uint32_t next;
	for (uint32_t label = s->list[s->head].labels; label != LABEL_NONE; label = next) {
		next = s->labels[label].next;
		label_release(s, label);
	}
	s->count--;
	s->head = s->count == 0 ? 0 : s->head + 1;
}
