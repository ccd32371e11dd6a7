// redact: masks the values of secrets in a byte stream, whatever way the stream is cut.
//
// Promises (docs/architecture.md, "Redaction"; docs/redaction.md has the rules): exact on every split (the output equals a
// whole-buffer oracle's); held back is only what may still become a match; memory does not grow with the stream; the cost
// is linear in the stream. Redaction stops accidents, not intent.
//
// Seams: forms.c turns a value into needles (one table of forms), matcher.h finds needles (tables built once, shared by
// all streams), shadow.h makes the views in which they are looked for, filter.c decides what to hold, show and mask.
#pragma once

#include "secmem/secmem.h"

// How a value can look in output. The table in forms.c gives each its name, minimum and generator. The order counts:
// of two needles with the same bytes the earlier form is made, and of two matches of one length it is named.
enum redact_form {
	REDACT_FORM_RAW,
	REDACT_FORM_LINE,      // each line of a value with several
	REDACT_FORM_BASE64,    // at three alignments
	REDACT_FORM_BASE64URL, // the same with - and _
	REDACT_FORM_BASE32,    // at five alignments
	REDACT_FORM_HEX,
	REDACT_FORM_HEX_UPPER,
	REDACT_FORM_PERCENT,
	REDACT_FORM_JSON, // escaped once and twice
	REDACT_FORM_C,    // escapes of C, Python, Go, JavaScript, Rust, YAML and od -c
	REDACT_FORM_SHELL,
	REDACT_FORM_XML,
	REDACT_FORM_UTF16LE,
	REDACT_FORM_UTF16BE,
	REDACT_FORM_REVERSED,
	REDACT_FORM_OCTAL,   // od -b, and od's words
	REDACT_FORM_DECIMAL, // bytes as a list of numbers
	REDACT_FORM_WORDS,   // hexdump, od -x
	REDACT_FORM_DUMP,    // the text column of dumps
	REDACT_FORM_PEM,     // lines and body of a PEM block
	REDACT_FORM_LEAF,    // strings in a JSON document
	REDACT_FORM_URL,     // the password in a URL
	REDACT_FORM_COUNT
};
// The label in masks, leaks and coverage: "raw", "base64", "HEX", "utf16le"; never NULL.
const char *redact_form_name(enum redact_form form);

// Every needle but the raw one has at least this many bytes that the value alone determines, 4 of them different.
#define REDACT_ENCODED_BYTES_MIN 8
// Values shorter than this are weak: in raw form they are watched between word boundaries only.
#define REDACT_VALUE_BYTES_MIN 8
// Larger values are watched as raw, line, base64, base64url, hex, HEX, pem and leaf only.
#define REDACT_ALL_FORMS_BYTES_MAX 65536

// True for values whose raw form is matched at word boundaries only: without white space at both ends they are under
// REDACT_VALUE_BYTES_MIN, or have fewer than 4 different bytes. `ret_reason` (may be NULL) gets a constant sentence
// part for a warning.
bool redact_value_is_weak(struct span value, const char **ret_reason);

// What is watched of a value, without anything of the value.
struct redact_coverage {
	enum redact_form form;
	size_t needle_count; // byte strings watched for this form
	const char *reason;  // NULL when there are any; else why not: a constant sentence part
};

// Fills one entry per form, in their order. ERR_MEMORY.
int redact_coverage(struct span value, struct redact_coverage out[REDACT_FORM_COUNT], struct err *err);

// Calls `each` for every byte string that is looked for, for tests of the whole: they are as secret as the value, and
// valid during the call only. Non-zero stops and is returned. ERR_MEMORY.
typedef int redact_needle_fn(void *context, enum redact_form form, struct span bytes, struct err *err);
int redact_each_needle(struct span value, redact_needle_fn *each, void *context, struct err *err);

struct redact_value {
	const char *name;  // borrowed until redactor_free; shown in masks
	struct span value; // borrowed during redactor_new only
};

struct redactor; // the tables for one set of values: read-only once made

// Builds the tables for all forms of all values, in secret memory: about 10 bytes for each byte of all needles, which
// are 100 to 150 times the values, and 10 to 16 times those over REDACT_ALL_FORMS_BYTES_MAX. Equal
// needles of several secrets are kept once and name all. No values is allowed (everything passes). ERR_LIMIT for more
// than 4 GiB of needles, ERR_MEMORY.
int redactor_new(const struct redact_value *values, size_t count, struct redactor **out, struct err *err);
struct redactor *redactor_free(struct redactor *redactor);
void redactor_free_ptr(struct redactor **redactor);
#define _cleanup_redactor_ _cleanup_(redactor_free_ptr)
bool redactor_is_locked(const struct redactor *redactor); // all tables are kept out of swap
size_t redactor_bytes(const struct redactor *redactor);   // memory of the tables

// One masked stretch of one stream, told when its mask is written.
struct redact_leak {
	uint64_t offset;        // of the first masked byte in the input stream
	uint64_t len;           // masked input bytes
	size_t value_index;     // into the values given to redactor_new
	enum redact_form form;  // the longest match of that value in the stretch
	bool partial;           // the end of the stream cut the value short, or silence had shown a part of it
};

struct redact_sink {
	// Takes bytes that may be shown, in order. They are valid during the call only. Non-zero stops the feed, quiet
	// or end and is returned by it.
	int (*write)(void *context, struct span bytes, struct err *err);
	// Called once per secret in a masked stretch, before the mask is written. May be NULL.
	void (*leak)(void *context, const struct redact_leak *leak);
	void *context;
};

// The state of one stream. What it keeps of the stream is in secret memory. After a call that did not return 0, and after
// filter_end, only filter_free may be called: what the sink was given then is all that it gets.
struct filter;

// The redactor must outlive the filter; the sink is copied. ERR_MEMORY, as for the calls below.
int filter_new(const struct redactor *redactor, const struct redact_sink *sink, struct filter **out, struct err *err);
struct filter *filter_free(struct filter *filter); // NULL is allowed; always returns NULL
void filter_free_ptr(struct filter **filter);
#define _cleanup_filter_ _cleanup_(filter_free_ptr)
// Scans `bytes` and gives the sink everything that may be shown. Clean stretches are handed on as spans of `bytes`
// itself, without a copy. What is held afterwards is a prefix of a needle, or a weak value whose right neighbour is to
// come.
int filter_feed(struct filter *filter, struct span bytes, struct err *err);
// The stream has been quiet: shows a held prefix of at most 3 bytes and at most a quarter of every needle it may become
// (the exposure budget), and a finished mask. Anything longer stays held, however long the silence.
int filter_quiet(struct filter *filter, struct err *err);
// End of the stream: a held prefix of 6 bytes or more, or of half its needle or more, is masked; shorter ones are
// shown. It is named after the first secret it may belong to. Weak values count where a word boundary stands before
// the prefix.
int filter_end(struct filter *filter, struct err *err);
// Bytes held back at present: read, not shown, and not in a match either.
size_t filter_held(const struct filter *filter);
// True when filter_quiet would give something to the sink.
bool filter_can_show(const struct filter *filter);
// How long the stream must be silent before it counts as quiet and filter_quiet is due: 0 behind a newline, whose line
// does not wait for the next one; -1 when there is nothing to show.
#define REDACT_QUIET_MS 30
int filter_quiet_ms(const struct filter *filter);
