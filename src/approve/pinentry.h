// approve/pinentry: one conversation with a pinentry, by the Assuan protocol (GnuPG), over a socket pair.
#pragma once

#include "approve/approve.h"

struct pinentry; // a running one

// Starts the program with nothing of ours but the socket as its standard streams: a session of its own without a terminal,
// and `environment`. Waits for its greeting. ERR_SYSTEM.
int pinentry_start(const struct program *program, char *const environment[], struct pinentry **out, struct err *err);
// Ends it: it is asked to, given a moment, then killed; gone on return.
struct pinentry *pinentry_end(struct pinentry *pinentry);
void pinentry_end_ptr(struct pinentry **pinentry);
#define _cleanup_pinentry_ _cleanup_(pinentry_end_ptr)

// A command line without data in its answer, of at most 1000 bytes.
int pinentry_tell(struct pinentry *pinentry, const char *line, struct err *err);
// GETPIN, waiting at most `seconds` and a moment. What cancels it and empty text are ERR_NO (approve/ask.h).
int pinentry_get(struct pinentry *pinentry, size_t max_bytes, int seconds, struct secret **out, struct err *err);

// pinentry_ask, without the judgement of who could change the program. `text` is the question.
int pinentry_converse(const struct program *program, char *const environment[], const char *text,
		      const struct approval_needs *needs, struct approval_answer *out, struct err *err);
// Appends "SETDESC " and the text, percent-escaped. ERR_DENIED when it is more than pinentry shows.
int pinentry_description(const char *text, struct buf *out, struct err *err);
