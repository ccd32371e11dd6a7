// engine/selftest: the parts of engine_selftest. Nothing here is a secret of anybody: all values are made up, and gone
// with the process.
#pragma once

#include "engine/engine_internal.h"

#define SELFTEST_TEXT_BYTES_MAX (1u << 20)

// --- selftest_values.c

struct selftest_kind {
	const char *name;
	int (*make)(struct buf *out, struct err *err); // a random value
};
extern const struct selftest_kind selftest_kinds[];
extern const size_t selftest_kind_count;

// --- selftest_encode.c

// A text that has a value in it, in some form; [from, to) is determined by the value alone and must not come out.
struct specimen {
	struct buf text;
	size_t from;
	size_t to;
};
#define SPECIMEN_INIT ((struct specimen){.text = BUF_INIT(SELFTEST_TEXT_BYTES_MAX)})
void specimen_done(struct specimen *specimen);
#define _cleanup_specimen_ _cleanup_(specimen_done)

// One way to write a value, made independently of the tables for redaction; without neighbours. Appends to the text and
// sets the range. `out->to` 0 means that there is no such variant for this value.
struct selftest_encoder {
	const char *form; // as redact_form_name has it
	unsigned variants;
	int (*encode)(struct span value, unsigned variant, struct specimen *out, struct err *err);
};
extern const struct selftest_encoder selftest_encoders[];
extern const size_t selftest_encoder_count;

// --- selftest_layout.c

// Ways in which a text reaches a screen or a file.
enum selftest_layout { LAYOUT_PLAIN, LAYOUT_COLOURED, LAYOUT_WRAPPED, LAYOUT_COUNT };
// Puts neighbours around the specimen's text, and escape sequences or line ends into it. The range then spans them.
int layout_apply(enum selftest_layout layout, const struct specimen *in, struct specimen *out, struct err *err);
// Takes out again what layouts put between: escape sequences and white space.
int layout_strip(struct span text, struct buf *out, struct err *err);
// The value as xxd (false) or hexdump -C (true) prints it. The range is the whole.
int layout_dump(struct span value, bool canonical, struct specimen *out, struct err *err);

// --- selftest_run.c

// The redaction of one value, and what has been found so far.
struct selftest {
	const char *kind;
	struct span value;
	const char *mask; // how every mask of this value begins
	const struct redactor *redactor;
	struct redact_coverage coverage[REDACT_FORM_COUNT];
	struct selftest_report *report;
	engine_notice_fn *failure;
};
// Feeds the text at once, cut in two everywhere and byte by byte, and counts under `what`. Every run must give the same
// output; in it there is the mask, and no SELFTEST_SHOWN_MAX bytes in a row of the text's range (of `hidden`, when that is
// not empty), however layouts have cut them up.
#define SELFTEST_SHOWN_MAX 8
int selftest_feed(struct selftest *test, const char *what, const char *how, const struct specimen *specimen,
		  struct span hidden, struct err *err);
void selftest_count(struct selftest_report *report, const char *what, bool is_good);

// --- selftest_speed.c

int selftest_speed(const struct redactor *redactor, struct selftest_report *report, struct err *err);
