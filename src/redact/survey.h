// survey: a quick look at many bytes for what is rare, private to shadow.
#pragma once

#include "base/base.h"

// False only when no line in `bytes` begins with six hexadecimal digits; the first one only counts as beginning there
// when `begins_line`. A line's digits must all be in `bytes`.
bool survey_has_dump(struct span bytes, bool begins_line);
// The same for any processor.
bool survey_has_dump_portable(struct span bytes, bool begins_line);
// The six bytes at `at` are such digits.
bool survey_is_offset(const uint8_t *at);
