#include "approve/page.h"

#include <string.h>
#include <sys/ioctl.h>

enum { ROWS = 24, ROWS_MIN = 10, ROWS_MAX = 200, COLUMNS = 80, COLUMNS_MIN = 40, COLUMNS_MAX = 500 };

static unsigned clamp(unsigned value, unsigned unknown, unsigned min, unsigned max)
{
	if (value == 0)
		return unknown;
	return value < min ? min : value > max ? max : value;
}

struct window window_clamp(unsigned rows, unsigned columns)
{
	return (struct window){clamp(rows, ROWS, ROWS_MIN, ROWS_MAX), clamp(columns, COLUMNS, COLUMNS_MIN, COLUMNS_MAX)};
}

struct window window_of(int fd)
{
	struct winsize size = {0};
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	return window_clamp(size.ws_row, size.ws_col);
}

size_t page_len(struct span text, struct window window)
{
	size_t at = 0;
	for (unsigned row = 0; row + PAGE_PROMPT_ROWS < window.rows && at < text.len; row++) {
		size_t left = text.len - at;
		// A line that fills its row ends there too, and takes no second one.
		size_t reach = left <= window.columns ? left : window.columns + 1;
		const uint8_t *end = memchr(text.data + at, '\n', reach);
		if (end)
			at += (size_t)(end - (text.data + at)) + 1;
		else
			at += left < window.columns ? left : window.columns;
	}
	return at;
}
