// escapes: the escape sequences of a stream that are not settled yet, and those that a mask keeps, private to redact/.
//
// Inside a masked stretch the bytes of escape sequences are kept, so that colours do not bleed; but not those that are
// themselves part of a value, which a match in the stream itself covers.
#pragma once

#include "redact/redact.h"

// At most this much is kept of one stretch: the last sequences, whole.
#define ESCAPES_KEPT_MAX 4096u

struct escape_range {
	uint64_t start; // of its sequence
	uint64_t from;
	uint64_t to;
};

struct escape_list {
	struct escape_range *list; // head .. head + count - 1
	size_t head;
	size_t count;
	size_t cap;
};

struct escapes {
	struct escape_list sequences; // in the order of the stream
	struct escape_list covered;   // by a match, where a sequence is; in the order of their ends
	struct escape_list kept;      // what of kept_bytes belongs to which sequence
	struct buf kept_bytes;
};

void escapes_init(struct escapes *escapes);
void escapes_done(struct escapes *escapes);
int escapes_begin(struct escapes *escapes, uint64_t offset, struct err *err); // a sequence of one byte
void escapes_extend(struct escapes *escapes, uint64_t to);                     // of the last sequence; may shorten it
// A match covers from..to of the stream itself.
int escapes_cover(struct escapes *escapes, uint64_t from, uint64_t to, struct err *err);

// Gives the stretch of the stream from..to, whatever piece it lies in; it is not empty and does not cross pieces.
typedef struct span (*escapes_fetch)(void *context, uint64_t from, uint64_t to);
// Adds what is to be kept of from..to, which follows what was gathered before.
int escapes_gather(struct escapes *escapes, uint64_t from, uint64_t to, escapes_fetch fetch, void *context,
		   struct err *err);
struct span escapes_kept(const struct escapes *escapes); // since the last escapes_forget
void escapes_forget(struct escapes *escapes);
void escapes_drop(struct escapes *escapes, uint64_t before); // the stream before is settled
