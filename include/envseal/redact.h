// libenvseal: masks the values of secrets in a stream of bytes, whatever way the stream is cut into pieces.
//
//	values -> redactor -> stream, stream, ...
//
// Collect named values, build a redactor from them (the tables, made once), and put each stream of output through a
// stream of its own. Bytes that may be shown come back through a callback, with `[ENVSEAL:REDACTED NAME form]` in place
// of what was found.
//
// What it promises
//  - Exact: the output is the same for every way of cutting a stream into calls. No byte of a value is given out while
//    it may still be part of a match, except within the exposure budget of envseal_stream_quiet.
//  - Prompt: held back is only what may still become a match, usually nothing.
//  - Bounded: memory does not grow with a stream, and the work is linear in its length, on every input.
//  - Every byte is looked at: there is no limit on lines, and binary data is not left out. Output is never looked at
//    again, so a value that is part of a mask's own text does no harm.
//
// What it does not promise
//  - Redaction stops accidents, not intent. A program that holds a value can encrypt it, compress it, spell it out, or
//    send it elsewhere, and no filter of its output will know. What may run with a secret is a question of trust.
//  - It knows the value as it is and in the usual encodings (base64, hexadecimal, percent, JSON, shell quotes, dumps
//    and more: envseal_value_coverage lists them for a value). It knows no others, and of two encodings on top of each
//    other only JSON within JSON.
//  - Streams are separate: of a value cut in two halves on two streams, each is a stranger.
//  - A program that paints a screen cell by cell is not covered: the terminal puts together what the bytes do not show.
//  - A value of under 8 bytes, or of fewer than 4 different ones, is found only where it stands as a word of its own.
//
// Rules that hold throughout
//  - Ownership: what a function named _new gave is freed once by the function named _free, which allows NULL. Bytes and
//    texts given to a function are needed during the call only, unless it says otherwise; a caller may wipe its copy
//    of a value as soon as envseal_values_add has returned.
//  - Errors: functions that can fail return 0 or a negative enum envseal_code, and fill *error (which may be NULL) only
//    then. Outputs are written only on success. NULL where it is not allowed by name is ENVSEAL_ERR_INVALID; questions
//    about NULL are answered with false or 0.
//  - Memory: values, and the tables made from them, lie in memory with guard pages around it, which is kept out of swap
//    (as far as RLIMIT_MEMLOCK allows: envseal_redactor_is_locked) and out of core dumps, and is wiped when freed.
//  - Process: nothing here reads the environment, writes to a descriptor, exits, starts a thread, handles a signal, or
//    keeps a global state. Closing the process to debuggers is the caller's (prctl(2), PR_SET_DUMPABLE).
//  - Blocking: nothing blocks, except in the callbacks.
//  - Threads: a redactor does not change once made, and any number of threads may use it at once. Values and a stream
//    may be used by any thread, but by one at a time. Two objects share nothing but a redactor.
//  - fork(2): secret memory may be shared with a child, so what a child frees would be wiped for its parent too. A
//    child must free nothing that was made before the fork: it ends by exec or _exit.
//  - Callbacks return normally: no longjmp and no C++ exception through the library. They may use other objects, and
//    must not call functions on the stream that called them, nor free it or its redactor.
//
// Binary interface: within one soname, functions keep their meaning, and structs that the library fills
// (struct envseal_leak, struct envseal_coverage) may get further fields at their end, so never copy them by a size that
// was compiled in. struct envseal_sink carries its size. struct envseal_error stays as it is.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The version of this header. envseal_version says that of the library in use.
#define ENVSEAL_VERSION "0.1.0"
#define ENVSEAL_VERSION_MAJOR 0
#define ENVSEAL_VERSION_MINOR 1
#define ENVSEAL_VERSION_PATCH 0

// Largest value, in bytes. The smallest has 1.
#define ENVSEAL_VALUE_BYTES_MAX 1048576
// Longest name, in bytes without its NUL.
#define ENVSEAL_NAME_BYTES_MAX 255

const char *envseal_version(void); // "0.1.0"; constant

// ---------------------------------------------------------------------------------------------------------- errors

enum envseal_code {
	ENVSEAL_OK = 0,
	ENVSEAL_ERR_INVALID = -1, // an argument, or the order of calls, is not as this header says
	ENVSEAL_ERR_LIMIT = -2,   // too large or too many
	ENVSEAL_ERR_MEMORY = -3,  // no memory
	ENVSEAL_ERR_SYSTEM = -4,  // the system refused something else
	ENVSEAL_ERR_STOPPED = -5  // the write callback did not return 0
};

#define ENVSEAL_ERROR_TEXT_BYTES 768

struct envseal_error {
	int code;                            // an enum envseal_code
	int reserved;                        // 0
	char text[ENVSEAL_ERROR_TEXT_BYTES]; // one sentence in English, without a byte of a value; ends in a NUL
};

// ---------------------------------------------------------------------------------------------------------- values

// Named values that are being collected.
struct envseal_values;

int envseal_values_new(struct envseal_values **out, struct envseal_error *error);
// Wipes and frees. May be called as soon as the redactors have been made.
void envseal_values_free(struct envseal_values *values);

// Copies name and value; the first added has index 0, the next 1. A name is what masks show: 1 to
// ENVSEAL_NAME_BYTES_MAX bytes of printable ASCII, without blank, comma and square brackets; several values may have
// one name. A value is 1 to ENVSEAL_VALUE_BYTES_MAX bytes of any kind, and need not be text.
// ENVSEAL_ERR_INVALID (name, or no value), ENVSEAL_ERR_LIMIT (value too long), ENVSEAL_ERR_MEMORY.
int envseal_values_add(struct envseal_values *values, const char *name, const void *bytes, size_t len,
		       struct envseal_error *error);

// True when the plain value is found only as a word of its own: where it has neither a letter, nor a digit, nor an
// underscore beside it. Encoded forms of it are watched all the same, if they are long enough. *ret_reason (may be
// NULL) gets the reason then: a constant part of a sentence, without anything of the value.
bool envseal_value_is_weak(const void *bytes, size_t len, const char **ret_reason);

// How one form of a value is watched. Fields may follow in later versions.
struct envseal_coverage {
	const char *form;    // "raw", "base64", "HEX", ...: as in masks; constant
	size_t needle_count; // different byte strings that are looked for
	const char *reason;  // NULL when there are any; else why not: a constant part of a sentence
};

// Calls `each` once for each form that the library knows, always in the same order, with a struct that is valid during
// the call. Tells nothing of the value but what is in that struct.
// ENVSEAL_ERR_INVALID (no value), ENVSEAL_ERR_LIMIT (value too long), ENVSEAL_ERR_MEMORY.
int envseal_value_coverage(const void *bytes, size_t len,
			   void (*each)(void *context, const struct envseal_coverage *coverage), void *context,
			   struct envseal_error *error);

// -------------------------------------------------------------------------------------------------------- redactor

// What is looked for: the tables for one collection of values. It does not change once made.
struct envseal_redactor;

// Builds the tables for all forms of all values, which takes time and memory in proportion to the values. No values is
// allowed: everything passes then.
// The redactor keeps nothing of `values`, and later additions do not change it. ENVSEAL_ERR_LIMIT, ENVSEAL_ERR_MEMORY.
int envseal_redactor_new(const struct envseal_values *values, struct envseal_redactor **out,
			 struct envseal_error *error);
// Wipes and frees. All streams that use it must have been freed.
void envseal_redactor_free(struct envseal_redactor *redactor);

// True when the tables, and the values they were made from, were all kept out of swap.
bool envseal_redactor_is_locked(const struct envseal_redactor *redactor);
// Memory of the tables, in bytes.
size_t envseal_redactor_bytes(const struct envseal_redactor *redactor);

// ---------------------------------------------------------------------------------------------------------- stream

// One secret in one masked stretch. Fields may follow in later versions.
struct envseal_leak {
	uint64_t offset;    // of the first masked byte in the stream that was fed, counted from 0
	uint64_t len;       // masked bytes of that stream; not those of the mask
	size_t value_index; // in the order of envseal_values_add
	const char *name;   // ends with the redactor
	const char *form;   // of the longest match of this value in the stretch; constant
	bool partial;       // the end of the stream cut the value short, or a beginning of it had been shown
};

// Where a stream goes. Set `size`, and clear what is not used: struct envseal_sink sink = {.size = sizeof(sink), ...}.
struct envseal_sink {
	size_t size; // sizeof(struct envseal_sink)
	// Takes the next bytes that may be shown, at least one. They are valid during the call only, and may lie within
	// the bytes given to envseal_stream_feed. Anything but 0 ends the stream: the call that led here returns
	// ENVSEAL_ERR_STOPPED. Required.
	int (*write)(void *context, const void *bytes, size_t len);
	// Told once for each secret in a masked stretch, before the mask is written. May be NULL.
	void (*leak)(void *context, const struct envseal_leak *leak);
	void *context; // for both
};

// The state of one stream.
struct envseal_stream;

// Copies *sink. The redactor must outlive the stream.
// ENVSEAL_ERR_INVALID (no write callback, or a sink with more than this library knows), ENVSEAL_ERR_MEMORY.
int envseal_stream_new(const struct envseal_redactor *redactor, const struct envseal_sink *sink,
		       struct envseal_stream **out, struct envseal_error *error);
// Frees. What is still held is wiped and not shown: call envseal_stream_end before.
void envseal_stream_free(struct envseal_stream *stream);

// The three calls below write what may be shown. After one that failed, and after envseal_stream_end, the stream is
// over: every further one is ENVSEAL_ERR_INVALID, and so is one from a callback of the same stream. What was written is
// all that may be shown then; the rest must not be taken from the input. They fail with ENVSEAL_ERR_STOPPED or
// ENVSEAL_ERR_MEMORY otherwise.

// The next bytes of the stream; any number, 0 included. `bytes` must not change during the call.
int envseal_stream_feed(struct envseal_stream *stream, const void *bytes, size_t len, struct envseal_error *error);
// To be called when a program that somebody watches has been silent for a moment (some 10 ms), so that a prompt appears
// whose last bytes happen to begin a value. Shows what is held if it is short: at most 3 bytes, and at most a quarter
// of every match that it may become. Longer pieces stay held, however long the silence and however often this is
// called. Where nobody watches, leave it out.
int envseal_stream_quiet(struct envseal_stream *stream, struct envseal_error *error);
// The end of the stream: what is held is masked if it is 6 bytes or more, or half of the match, and shown if not.
int envseal_stream_end(struct envseal_stream *stream, struct envseal_error *error);

// Bytes read and neither shown nor masked yet.
size_t envseal_stream_held(const struct envseal_stream *stream);
// True when envseal_stream_quiet would write something: whether to wait with a time-out.
bool envseal_stream_can_show(const struct envseal_stream *stream);

#ifdef __cplusplus
}
#endif
