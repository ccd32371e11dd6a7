// survey: a quick look at many bytes for what is rare, private to shadow.
#pragma once

#include "base/base.h"

// True only when there is no ESC in `bytes` and no line that begins with six hexadecimal digits; the first line only
// counts as beginning there when `begins_line`. A line's digits must all be in `bytes`.
bool survey_is_plain(struct span bytes, bool begins_line);
// The same for any processor.
bool survey_is_plain_portable(struct span bytes, bool begins_line);
