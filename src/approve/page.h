// approve/page: what of a text fits on a screen.
#pragma once

#include "base/base.h"

struct window {
	unsigned rows, columns;
};

// Rows kept for the choices and the prompt below a page.
#define PAGE_PROMPT_ROWS 4

// The window of a terminal, by TIOCGWINSZ. Whoever shares the terminal sets its size, so one in which nothing could be
// read, or that no screen has, is clamped; 24 rows of 80 where it is not known.
struct window window_of(int fd);
struct window window_clamp(unsigned rows, unsigned columns); // 0: not known
// Bytes of the beginning of `text` (lines of printable ASCII) that fit above the prompt; 0 for no text only. Cuts behind a
// row of the screen, which may be within a line that wraps.
size_t page_len(struct span text, struct window window);
