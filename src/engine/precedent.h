// engine/precedent: what the log knows of the last run like this one. It can be read while the vault is locked, and is
// then not verified: it chooses which question is shown, and nothing else.
#pragma once

#include "engine/engine_internal.h"

// Older runs are no precedent.
#define PRECEDENT_DAYS 30

struct precedent {
	bool was_allowed;             // by a rule
	char when[CLOCK_TEXT_BYTES];  // "": there was none
	bool program_changed;         // its content, since then
	bool interpreter_changed;
};
// The last run with the same secrets, program, arguments and folder. A log that cannot be read holds none. O(log).
void precedent_find(struct engine *engine, const struct plan *plan, struct precedent *out);
