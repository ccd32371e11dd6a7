// approve/inert: text from outside that can neither move the cursor nor draw rows.
#pragma once

#include "base/base.h"

// Printable, and of several blanks in a row all but the first escaped: a text that is long enough to wrap on the terminal
// could draw rows that look like those of the question. `quote`, if not 0, is escaped too.
int text_inert(const char *text, char quote, struct buf *out, struct err *err);
