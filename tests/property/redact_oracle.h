// What redaction must give, computed on the whole stream by the plainest means, and a recorder of what the filter
// gives. It shares nothing with the engine but the table of forms.
#pragma once

#include "redact/forms.h"

struct oracle_needles {
	struct needle *list; // owned, their bytes too
	size_t count;
	const char *const *names; // borrowed; by value
	size_t value_count;
	bool plain_only; // no lane but PLAIN
};

void oracle_needles_done(struct oracle_needles *needles);
void oracle_needles_add(struct oracle_needles *needles, struct needle needle); // copies its bytes
void oracle_needles_add_value(struct oracle_needles *needles, struct span value, uint32_t index); // in all its forms

// Text with the masks in it, and the leaks.
struct oracle_result {
	struct buf text;
	struct redact_leak *leaks;
	size_t leak_count;
	uint64_t position; // end of what was shown or masked, in the stream
	uint8_t *shown;    // for each byte of the stream: not masked
	size_t length;     // of `shown`
	size_t shown_count;
	bool mask_next;    // a leak was told, so the next bytes are its mask
	const char *wrong; // set when the filter has told something that cannot be
};

void oracle_result_init(struct oracle_result *result, size_t stream_bytes);
void oracle_result_done(struct oracle_result *result);
void oracle_run(const struct oracle_needles *needles, struct span stream, struct oracle_result *out);
// How things must stand once `stream` has been read and more may come. Silences have settled `settled` bytes of it.
struct oracle_look {
	size_t held;    // bytes held back
	size_t settled; // end of what is shown or masked, when there was no silence
	bool can_show;  // the exposure budget allows to show what is held
};
void oracle_look(const struct oracle_needles *needles, struct span stream, size_t settled, struct oracle_look *out);
// For every match: at most 3 bytes of it, and a quarter, are in `shown`; and every byte outside of matches is.
bool oracle_budget_is_kept(const struct oracle_needles *needles, struct span stream, const struct oracle_result *got);

void oracle_result_text(struct oracle_result *result, struct span text);
void oracle_result_leak(struct oracle_result *result, const struct redact_leak *leak);

// A sink that records into a result.
struct redact_sink oracle_recorder(struct oracle_result *result);
// NULL when both are the same, else what differs.
const char *oracle_compare(const struct oracle_result *want, const struct oracle_result *got);
