// matcher: finds all needles in a stream, private to redact/ and its tests.
//
// An Aho-Corasick automaton: a state is the longest suffix of the stream that is a proper prefix of some needle, as
// one number; MATCHER_START is the empty one. Where the end of a stretch completes needles, the scan stops and names
// an output: the list of needles that end there, longest first. Linear in the stream for every input; the tables take
// about 10 bytes for each byte of the needles, are made once, and live in secret memory.
//
// filter.c uses nothing but what stands here, so that another engine can take this one's place.
#pragma once

#include "redact/forms.h"

#define MATCHER_START 0u

struct matcher;

// A needle as the matcher keeps it. Needles are numbered in the order of their bytes.
struct matcher_needle {
	uint32_t text; // its bytes are label[text + 1 .. text + len]
	uint32_t len;
	uint32_t lcp; // bytes it has in common with the needle before it
	uint32_t value;
	uint32_t order; // its place in what matcher_new was given
	uint8_t form;
	bool weak;
};

// The needles of one text, and where to go on for its suffixes. 0 stands for "none"; outputs are numbered from 1.
struct matcher_output {
	uint32_t first; // needles first .. first + count - 1 have this text
	uint32_t count;
	uint32_t link;   // the next shorter output that ends at the same place
	uint32_t strong; // this one or the next shorter with a needle that is not weak
	uint32_t weak;   // this one or the next shorter with a weak needle
};

// What a state may become.
struct matcher_reach {
	size_t shortest; // length of the shortest needle
	uint32_t first;  // the needle that was given first
};

// Copies what it needs. ERR_LIMIT for more than 4 GiB of needles, ERR_MEMORY.
int matcher_new(const struct needle *needles, size_t count, struct matcher **out, struct err *err);
struct matcher *matcher_free(struct matcher *matcher);
void matcher_free_ptr(struct matcher **matcher);
#define _cleanup_matcher_ _cleanup_(matcher_free_ptr)
bool matcher_is_locked(const struct matcher *matcher);
size_t matcher_bytes(const struct matcher *matcher);
size_t matcher_output_count(const struct matcher *matcher); // outputs are 1 .. this

// Reads bytes until one completes needles, and returns how many it has read. *ret_output is the output at that place, 0
// when the bytes ended first. The state then is what is left when the completed needles are put aside.
size_t matcher_scan(const struct matcher *matcher, uint32_t *state, struct span bytes, uint32_t *ret_output);

// The suffix of the stream that the state stands for. Borrowed from the tables.
struct span matcher_prefix(const struct matcher *matcher, uint32_t state);
// The next shorter suffix that is a proper prefix of some needle; MATCHER_START in the end.
uint32_t matcher_fall(const struct matcher *matcher, uint32_t state);
// The needles of which the state is a proper prefix, weak ones only on request; false when there are none. Costs as
// many steps as there are such needles, so it is meant for pauses.
bool matcher_find_reach(const struct matcher *matcher, uint32_t state, bool with_weak, struct matcher_reach *out);

const struct matcher_output *matcher_find_output(const struct matcher *matcher, uint32_t output);
const struct matcher_needle *matcher_find_needle(const struct matcher *matcher, uint32_t needle);
struct span matcher_output_text(const struct matcher *matcher, uint32_t output); // borrowed from the tables
