#include "redact/survey.h"

#include <string.h>

#define OFFSET_BYTES 6

bool survey_is_offset(const uint8_t *at)
{
	for (size_t i = 0; i < OFFSET_BYTES; i++) {
		uint8_t lower = at[i] | 0x20;
		if ((at[i] < '0' || at[i] > '9') && (lower < 'a' || lower > 'f'))
			return false;
	}
	return true;
}

bool survey_has_dump_portable(struct span bytes, bool begins_line)
{
	size_t from = 0;
	for (;;) {
		if (begins_line && bytes.len - from >= OFFSET_BYTES && survey_is_offset(bytes.data + from))
			return true;
		const uint8_t *end = memchr(bytes.data + from, '\n', bytes.len - from);
		if (!end)
			return false;
		from = (size_t)(end - bytes.data) + 1;
		begins_line = true;
	}
}
