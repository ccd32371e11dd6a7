// redactor: what the streams of one run share, private to redact/ and its tests.
#pragma once

#include "redact/matcher.h"

struct redactor {
	struct matcher *matcher;
	const char **names; // by value index; the texts are borrowed
	size_t value_count;
};

// redactor_new for needles that are given one by one, in any form and of any length: how tests reach the matcher with
// texts that no form of a value would give. `names` has `value_count` entries; every needle's value is below that.
int redactor_new_needles(const struct needle *needles, size_t count, const char *const *names, size_t value_count,
			 struct redactor **out, struct err *err);
