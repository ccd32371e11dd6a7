// matcher: finds all needles of one kind in a stream, private to redact/ and its tests.
//
// Two parts read the stream in turns. An Aho-Corasick automaton is exact and linear on every input: a state is the
// longest suffix of the stream that is a proper prefix of some needle, as one number; MATCHER_START is the empty one.
// It is laid out in chains (matcher_tables.h), about 10 bytes for each byte of the needles, and reads 8 bytes at once
// where the stream follows a needle. While the state is short, the gram filter (gram.h) looks at every 16th, 8th or 4th
// place only and finds the next one where a needle may begin; most of a clean stream is never read byte by byte. The
// tables are made once, and live in secret memory.
//
// Where the end of a stretch completes needles, the scan stops and names an output: the list of needles that end there.
// The filter uses nothing but what stands here, so that another engine can take this one's place.
#pragma once

#include "redact/forms.h"

#define MATCHER_START 0u

struct matcher;

// A needle of MATCHER_WORDS counts only where the byte before it is no word byte (byte_is_word), so places behind a
// word byte need not be looked at.
enum matcher_kind { MATCHER_FREE, MATCHER_WORDS };

// Where a scan goes on. {MATCHER_START} at the beginning of a stream.
struct matcher_cursor {
	uint32_t state;
	bool after_word; // the last byte read is a word byte; kept for MATCHER_WORDS only
};

// A needle as the matcher keeps it. Needles are numbered in the order of their bytes.
struct matcher_needle {
	uint32_t text; // its bytes are label[text + 1 .. text + len]
	uint32_t len;
	uint32_t lcp; // bytes it has in common with the needle before it
	uint32_t value;
	uint32_t order; // its place in what matcher_new was given
	uint8_t form;
};

// The needles of one text, and where to go on for its suffixes. 0 stands for "none"; outputs are numbered from 1.
struct matcher_output {
	uint32_t first; // needles first .. first + count - 1 have this text
	uint32_t count;
	uint32_t link; // the next shorter output that ends at the same place
};

// What a state may become.
struct matcher_reach {
	size_t shortest; // length of the shortest needle
	uint32_t first;  // the needle that was given first
};

// Copies what it needs; no needles are allowed. ERR_LIMIT for more than 4 GiB of needles, ERR_MEMORY.
int matcher_new(const struct needle *needles, size_t count, enum matcher_kind kind, struct matcher **out,
		struct err *err);
struct matcher *matcher_free(struct matcher *matcher);
void matcher_free_ptr(struct matcher **matcher);
#define _cleanup_matcher_ _cleanup_(matcher_free_ptr)
bool matcher_is_locked(const struct matcher *matcher);
size_t matcher_bytes(const struct matcher *matcher);
size_t matcher_output_count(const struct matcher *matcher); // outputs are 1 .. this

// Reads bytes until one completes needles, and returns how many it has read. *ret_output is the longest output at that
// place, 0 when the bytes ended first. The state then is the longest suffix of all bytes read that is a proper prefix
// of some needle; of MATCHER_WORDS only suffixes behind a non-word byte are sure to be among it and those it falls to.
// With `skip_space`, which MATCHER_WORDS does not take, white space (0x09-0x0d, 0x20) is read as if it were not there.
size_t matcher_scan(const struct matcher *matcher, struct matcher_cursor *at, struct span bytes, bool skip_space,
		    uint32_t *ret_output);

// The suffix of the stream that the state stands for. Borrowed from the tables.
struct span matcher_prefix(const struct matcher *matcher, uint32_t state);
// The next shorter suffix that is a proper prefix of some needle; MATCHER_START in the end.
uint32_t matcher_fall(const struct matcher *matcher, uint32_t state);
// The needles of which the state is a proper prefix; false when there are none. Costs as many steps as there are such
// needles, so it is meant for pauses.
bool matcher_find_reach(const struct matcher *matcher, uint32_t state, struct matcher_reach *out);

const struct matcher_output *matcher_find_output(const struct matcher *matcher, uint32_t output);
const struct matcher_needle *matcher_find_needle(const struct matcher *matcher, uint32_t needle);
// Borrowed from the tables, as is that of an output.
struct span matcher_needle_text(const struct matcher *matcher, const struct matcher_needle *needle);
struct span matcher_output_text(const struct matcher *matcher, uint32_t output); // borrowed from the tables
