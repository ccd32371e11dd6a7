// Of the tests that `make valgrind` runs, those that valgrind itself stands in the way of.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// It executes no memory file, does not come back from an exec that fails, and keeps descriptors of its own.
static inline void skip_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");
	if (!preload || !strstr(preload, "vgpreload"))
		return;
	print_message("not under valgrind: it does not carry this through\n");
	skip();
}
