// shadow: the views of a stream in which needles are looked for beside the stream itself, private to redact/.
//
// A value may be coloured, wrapped, or printed by a dump program. So each slice of the stream is also seen as
//   CLEAN  without escape sequences (ECMA-48 control sequences and strings),
//   LOOSE  CLEAN without white space (which the matcher skips: the bytes are CLEAN's),
//   DUMP   the data columns of the lines that xxd, hexdump and od print, without offsets and white space,
//   TEXT   the text column of those lines, without white space.
// Each byte of a view knows its place in the stream. A view is *broken* where two neighbouring bytes have more than
// SHADOW_GAP_MAX bytes of the stream between them, which bounds what must be held; DUMP and TEXT also where a line is
// no dump line. docs/redaction.md has the two grammars. They are read byte by byte, never ahead, so that a view does
// not depend on how the stream is cut.
#pragma once

#include "redact/bytes.h"
#include "redact/escapes.h"

#define SHADOW_SLICE_BYTES 65536u // most bytes that are looked at in one go
#define SHADOW_GAP_MAX 512u
// Longer needles are looked for in the stream itself only, which bounds what is held together with SHADOW_GAP_MAX.
#define SHADOW_NEEDLE_MAX 65536u
#define SHADOW_WORDS (SHADOW_SLICE_BYTES / 64)

// Where a view is broken: in front of these places among its bytes, ascending. A place may be behind the last byte.
struct breaks {
	uint32_t *list;
	size_t count;
	size_t cap;
};

struct view {
	struct span bytes;
	const struct view *parent; // of whose bytes these are some; NULL: the slice's
	const uint64_t *kept;      // by place in the parent: is it one of these? NULL: all are
	const uint32_t *before;    // how many are kept before each 64 of them
	size_t words;              // of these two
	struct breaks breaks;
	uint64_t end;              // offset in the stream behind the last byte so far; 0: none yet
};
// The place in the slice of byte i.
size_t view_place(const struct view *view, size_t i);

// A view's own tables, made when it first differs from its parent.
struct column {
	struct view view;
	struct secret *room; // what comes from the stream may be a value: its bytes
	uint64_t *kept;
	uint32_t *before;
};

enum escape_state {
	ESCAPE_GROUND,
	ESCAPE_START,
	ESCAPE_INTERMEDIATE,
	ESCAPE_CONTROL,   // "ESC [": parameters, then a final byte
	ESCAPE_STRING,    // OSC, DCS, SOS, PM, APC
	ESCAPE_STRING_END // an ESC within a string: its end when a backslash follows
};

enum dump_state { DUMP_OFFSET, DUMP_COLON, DUMP_DATA, DUMP_TEXT, DUMP_OTHER };

struct dump_line {
	enum dump_state state;
	bool has_colon;  // xxd's style
	bool is_even;    // the data so far are groups of an even number of hexadecimal digits
	uint32_t digits; // of the offset, later of the data
	uint32_t blanks; // in a row
	uint32_t left;   // bytes of the text column to come
};

struct shadow {
	struct column clean;
	struct column dump;
	struct column text;
	struct view loose; // has all of CLEAN's bytes; but where it is broken and ends, its white space does not count
	enum escape_state state;
	uint32_t sequence_len;
	struct dump_line line;
	struct escapes escapes;
};

void shadow_init(struct shadow *shadow);
void shadow_done(struct shadow *shadow);
// Makes the views of the next slice, of at most SHADOW_SLICE_BYTES; `base` is its offset in the stream. The views borrow
// it, and stand until the next call. ERR_MEMORY.
int shadow_read(struct shadow *shadow, uint64_t base, struct span slice, struct err *err);
// True when the present slice has no byte of an escape sequence, so that CLEAN is all of it.
bool shadow_is_plain(const struct shadow *shadow);

// Between the files of shadow only.
void column_prepare(struct column *column, size_t parent_len); // empties it for a slice
// `place` is among the parent's bytes, `offset` in the stream.
int column_add(struct column *column, size_t place, uint64_t offset, struct span bytes, struct err *err);
void column_finish(struct column *column);
int breaks_add(struct breaks *breaks, size_t place, struct err *err);
// No byte of an escape sequence and no data of a dump line is in bytes that come next, and these are all of CLEAN's.
bool shadow_is_plain_text(const struct shadow *shadow, struct span bytes);
// `is_plain_text`: what shadow_is_plain_text says of the slice.
int shadow_read_dump(struct shadow *shadow, uint64_t base, bool is_plain_text, struct err *err);
