#include "redact/survey.h"

#include <string.h>

#define OFFSET_BYTES 6

static bool is_offset(const uint8_t *at)
{
	for (size_t i = 0; i < OFFSET_BYTES; i++) {
		uint8_t lower = at[i] | 0x20;
		if ((at[i] < '0' || at[i] > '9') && (lower < 'a' || lower > 'f'))
			return false;
	}
	return true;
}

bool survey_is_plain_portable(struct span bytes, bool begins_line)
{
	if (memchr(bytes.data, 0x1b, bytes.len))
		return false;
	for (size_t from = 0;; begins_line = true) {
		if (begins_line && bytes.len - from >= OFFSET_BYTES && is_offset(bytes.data + from))
			return false;
		const uint8_t *end = memchr(bytes.data + from, '\n', bytes.len - from);
		if (!end)
			return true;
		from = (size_t)(end - bytes.data) + 1;
	}
}
