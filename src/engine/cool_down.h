// engine/cool_down: after some denials at the question no other is shown for a while. The log is what remembers them.
#pragma once

#include "engine/engine_internal.h"

// So many denials in a row, each at most so many seconds ago, and no question is shown for so long after the last.
#define COOL_DOWN_DENIALS 3
#define COOL_DOWN_SECONDS 300
#define COOL_DOWN_WAIT_SECONDS 60

// After one denial that demanded it (the letter x), for so long, whatever runs meanwhile.
#define COOL_DOWN_DEMANDED_SECONDS (COOL_DOWN_WAIT_SECONDS * 5)

// ERR_DENIED while it lasts, with what is left of it.
int cool_down_check(struct engine *engine, struct err *err);
// Of records of one kind each, oldest first: what is left at `now`, in seconds.
struct cool_down {
	unsigned denials; // in a row
	int64_t last;
	bool is_demanded;
	int64_t demanded;
};
void cool_down_add(struct cool_down *cool_down, const char *kind, bool by_human, int64_t time);
// The record of a denial demanded it.
void cool_down_demand(struct cool_down *cool_down, int64_t time);
int64_t cool_down_left(const struct cool_down *cool_down, int64_t now);
