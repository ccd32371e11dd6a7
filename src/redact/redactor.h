// redactor: what the streams of one run share, private to redact/ and its tests.
#pragma once

#include "redact/matcher.h"

struct redactor {
	struct matcher *strong;
	struct matcher *weak; // match between word boundaries only
	const char **names;   // by value index; the texts are borrowed
	size_t value_count;
	bool has_shadow;
	// Every match of a strong needle in the stream itself, where that has no escape sequence, is one in its view without
	// white space too. But for these, that view alone is searched there.
	bool needs_stream; // some needles can match in the stream alone
	bool needs_clean;  // some need their white space
};

// redactor_new for needles that are given one by one, in any form and of any length: how tests reach the matcher with
// texts that no form of a value would give. `names` has `value_count` entries; every needle's value is below that.
int redactor_new_needles(const struct needle *needles, size_t count, const char *const *names, size_t value_count,
			 struct redactor **out, struct err *err);
// Filters made after this look at the stream itself only: for tests and measurements.
void redactor_disable_shadow(struct redactor *redactor);
