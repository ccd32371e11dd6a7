// forms: the needles of one value, private to redact/ and its tests.
#pragma once

#include "redact/bytes.h"
#include "redact/redact.h"

// One byte string to look for.
struct needle {
	struct span bytes; // never empty; begins and ends with white space only when it is nothing else
	uint32_t value;    // index of the secret it belongs to
	enum redact_form form;
	bool weak; // matches only where neither neighbour is a word byte; the ends of the stream are no word bytes
	// The needle given next is the twin of this one: the same without its white space, wherever that stands.
	bool has_twin;
};

// Takes one needle; its bytes are valid during the call only. Non-zero stops and is returned.
typedef int (*needle_take)(void *context, const struct needle *needle, struct err *err);

// Calls `take` for every needle of `value`, in the order of enum redact_form. No two have the same bytes. White space at
// both ends of a needle is left out (unless the value is nothing else). Only the raw needle can be weak. A strong
// needle with white space in it is followed by its twin, when that has 8 bytes, 4 of them different, and is new.
// Encoded forms are made of the value and, where it ends in a newline, also without that; they are only the characters
// that the value alone determines. `needle.value` is `index`. An empty value has no needle. The needles are written
// into `room`, of at least form_room_bytes; it can serve many values. Returns what `take` returned.
int form_each_needle(struct span value, uint32_t index, struct secret *room, needle_take take, void *context,
		     struct err *err);
size_t form_room_bytes(size_t value_bytes); // does not fall as the value grows
