// Where the data files of the tests lie.
#pragma once

#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// "…/tests/NAME" of a file or folder that is there. The tests are run in the source tree, or in a build folder in it; a
// build folder elsewhere is led to the tree by the compiler's name for this file. False when it is nowhere.
static inline bool tests_path(const char *name, char *out, size_t out_bytes)
{
	static const char *const places[] = {"tests", "../tests", "../../tests", "../../../tests"};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		int len = snprintf(out, out_bytes, "%s/%s", places[i], name);
		if (len > 0 && (size_t)len < out_bytes && access(out, R_OK) == 0)
			return true;
	}
	const char *slash = strrchr(__FILE__, '/');
	int folder = slash ? (int)(slash - __FILE__) : 0;
	int len = snprintf(out, out_bytes, "%.*s/../%s", folder, __FILE__, name);
	return len > 0 && (size_t)len < out_bytes && access(out, R_OK) == 0;
}
