// engine/precedent: what the log knows of the last run like this one. It can be read while the vault is locked, and is
// then not verified: it chooses which question is shown, and nothing else.
#pragma once

#include "engine/engine_internal.h"

struct precedent {
	bool was_allowed;             // by a rule, or by an answer that made one
	char when[CLOCK_TEXT_BYTES];  // "": there was none
	bool program_changed;         // its content, since then
	bool interpreter_changed;
	bool script_changed;          // of the file that the program is told to run
	enum security_level level;    // as it was set last
};
// `level` is of the vault as a whole; the rest is of the last run with the same secrets, program, arguments and folder. A log that
// cannot be read holds none. O(log).
void precedent_find(struct engine *engine, const struct plan *plan, struct precedent *out);
