// approve/ask: what the ways of asking share.
#pragma once

#include "approve/approve.h"

#define CODE_SENTENCE "a code has 6 to 8 digits"

bool code_is_valid(struct span code);
// What a human's no is between them: ERR_NO, of which denial_settle makes ERR_DENIED, and says in `out` that it was one.
int denied_at_prompt(struct err *err);
int denial_settle(int r, bool cools_down, struct approval_answer *out, struct err *err);
