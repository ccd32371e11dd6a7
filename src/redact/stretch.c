#include "redact/stretch.h"
#include "redact/queue.h"

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

static int stretches_reserve(struct stretches *s, struct err *err)
{
	struct stretch *list = queue_room(s->list, &s->head, s->count, &s->cap, 1, sizeof(*list));
	if (!list)
		return err_set(err, ERR_MEMORY, "out of memory for the redaction of a stream");
	s->list = list;
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

// Where the value's label is among those of a stretch that is not the last one; LABEL_NONE when it has none.
static uint32_t label_search(const struct stretches *s, const struct stretch *stretch, uint32_t value)
{
	uint32_t at = stretch->labels;
	while (at != LABEL_NONE && s->labels[at].value != value)
		at = s->labels[at].next;
	return at;
}

// Hooks a label into a stretch, or, when its value has one there, combines the two and frees the place.
static void label_enter(struct stretches *s, size_t place, uint32_t label)
{
	struct stretch *stretch = &s->list[s->head + place];
	struct label_slot *slot = &s->slots[s->labels[label].value];
	bool is_last = place + 1 == s->count;
	uint32_t known = is_last && slot->epoch == s->epoch ? slot->label : LABEL_NONE;
	if (!is_last)
		known = label_search(s, stretch, s->labels[label].value);
	if (known != LABEL_NONE) {
		label_combine(&s->labels[known], &s->labels[label]);
		label_release(s, label);
		return;
	}
	if (is_last)
		*slot = (struct label_slot){s->epoch, label};
	s->labels[label].next = stretch->labels;
	stretch->labels = label;
	stretch->label_count++;
}

// The stretch takes in the one before it.
static void stretches_merge(struct stretches *s, size_t place)
{
	struct stretch *stretch = &s->list[s->head + place];
	struct stretch before = stretch[-1];
	uint32_t next;
	for (uint32_t label = before.labels; label != LABEL_NONE; label = next) {
		next = s->labels[label].next;
		label_enter(s, place, label);
	}
	stretch->from = before.from < stretch->from ? before.from : stretch->from;
	memmove(stretch - 1, stretch, (s->count - place) * sizeof(*stretch));
	s->count--;
}

static int stretches_insert(struct stretches *s, size_t place, uint64_t from, uint64_t to, struct err *err)
{
	int r = stretches_reserve(s, err);
	if (r < 0)
		return r;
	struct stretch *stretch = &s->list[s->head + place];
	memmove(stretch + 1, stretch, (s->count - place) * sizeof(*stretch));
	*stretch = (struct stretch){from, to, LABEL_NONE, 0};
	s->epoch += place == s->count;
	s->count++;
	return 0;
}

int stretches_cover(struct stretches *s, uint64_t from, uint64_t to, size_t *ret_place, struct err *err)
{
	size_t place = s->count;
	while (place > 0 && s->list[s->head + place - 1].from >= to)
		place--;
	if (place == 0 || s->list[s->head + place - 1].to <= from) {
		*ret_place = place;
		return stretches_insert(s, place, from, to, err);
	}
	struct stretch *stretch = &s->list[s->head + --place];
	stretch->from = from < stretch->from ? from : stretch->from;
	stretch->to = to > stretch->to ? to : stretch->to;
	while (place > 0 && s->list[s->head + place].from < s->list[s->head + place - 1].to)
		stretches_merge(s, place--);
	*ret_place = place;
	return 0;
}

int stretches_label(struct stretches *s, size_t place, const struct label *label, struct err *err)
{
	int r = label_reserve(s, err);
	if (r < 0)
		return r;
	uint32_t at = s->label_free;
	s->label_free = s->labels[at].next;
	s->labels[at] = *label;
	label_enter(s, place, at);
	return 0;
}

void stretches_extend(struct stretches *s, uint64_t to)
{
	struct stretch *last = &s->list[s->head + s->count - 1];
	last->to = to > last->to ? to : last->to;
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
