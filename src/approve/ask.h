// approve/ask: what the ways of asking share.
#pragma once

#include "approve/approve.h"

#define CODE_SENTENCE "a code has 6 to 8 digits"

bool code_is_valid(struct span code);
int denied_at_prompt(struct err *err); // ERR_DENIED
