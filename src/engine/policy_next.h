// engine/policy_next: the command that lets a run be allowed from now on.
#pragma once

#include "engine/decide.h"

// Longest command that is named: more than that nobody pastes.
#define POLICY_NEXT_BYTES_MAX 16384

// For a decision that is not to allow. `out` is a command for a shell: it removes the rules that stand in the way, or
// adds one; that the added one really would be enough was tried. ERR_DENIED, ERR_INPUT or ERR_LIMIT where no rule can
// allow this; the sentence says why.
int policy_next(const struct plan *plan, const struct decision *decision, struct buf *out, struct err *err);
