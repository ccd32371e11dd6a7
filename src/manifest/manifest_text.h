// Which text a manifest may hold. Internal to this folder.
#pragma once

#include "base/base.h"

// Length of the byte order mark at the start: 3 or 0.
size_t text_bom_bytes(struct span text);
// True when the text has line ends and each of them is CRLF.
bool text_is_crlf(struct span text);
// The first place that is no printable UTF-8, or NULL. Tab and newline pass, and a carriage return before a newline.
const uint8_t *text_find_unprintable(struct span text);
