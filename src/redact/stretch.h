// stretch: the masked stretches of one stream that are not settled yet, private to redact/.
//
// A queue, in the order of the stream. Stretches neither overlap nor hold bytes: only where they begin and end, and
// which secrets were found in them. Those that a match overlaps become one. Matches come nearly in the order of their
// ends; everything but the emission of labels then costs a constant amount for each, merging included.
#pragma once

#include "redact/redact.h"

// One secret that was found in a stretch.
struct label {
	uint32_t value;
	uint32_t next; // of the same stretch; LABEL_NONE at the end
	uint64_t len; // of the longest match, without white space
	enum redact_form form;
	bool partial;
};
#define LABEL_NONE UINT32_MAX

struct stretch {
	uint64_t from; // offsets into the stream
	uint64_t to;
	uint32_t labels;
	uint32_t label_count;
};

// Where the label of a value in the last stretch is.
struct label_slot {
	uint64_t epoch; // of the stretch it was written for
	uint32_t label;
};

struct stretches {
	struct stretch *list; // head .. head + count - 1
	size_t head;
	size_t count;
	size_t cap;
	struct label *labels; // in lists: one for each stretch, one of free places
	uint32_t label_cap;
	uint32_t label_free;
	uint64_t epoch; // number of the last stretch; one that takes in others keeps its own
	struct label_slot *slots;
	uint64_t *marks; // the callers': the epoch in which each was set
	uint32_t *sorted; // room for stretches_sort
};

int stretches_init(struct stretches *s, size_t value_count, size_t mark_count, struct err *err);
void stretches_done(struct stretches *s);
// Adds from..to as a match. *ret_place says which stretch it is in now, as a number from the first.
int stretches_cover(struct stretches *s, uint64_t from, uint64_t to, size_t *ret_place, struct err *err);
int stretches_label(struct stretches *s, size_t place, const struct label *label, struct err *err);
// Makes the last stretch longer: its match goes on to `to`.
void stretches_extend(struct stretches *s, uint64_t to);
// Marks belong to the last stretch: a new one begins with none, one that takes in others keeps its own.
void stretches_mark(struct stretches *s, size_t mark);
bool stretches_is_marked(const struct stretches *s, size_t mark);
const struct stretch *stretches_first(const struct stretches *s); // NULL when there is none
const struct stretch *stretches_last(const struct stretches *s);
// The labels of the first stretch by value index; good until the next call of stretches_label.
const uint32_t *stretches_sort(struct stretches *s);
void stretches_drop(struct stretches *s); // the first
