#include "engine/enclosure.h"

#include <string.h>

// What the tier requires; and a shield that the kernel does not give to a program that could have it. The rest is in the record.
static bool is_told(const struct sandbox_plan *plan, const struct sandbox_record *record, int mechanism)
{
	bool is_kernels = mechanism == SANDBOX_SHIELD && record->errors[mechanism] != 0;
	return (plan->needs[mechanism] == SANDBOX_REQUIRED || is_kernels) && (record->missing & sandbox_bit(mechanism));
}

bool outcome_missing_text(const struct plan *plan, const struct exec_outcome *outcome, struct buf *out)
{
	const struct sandbox_record *record = &outcome->sandbox;
	struct err ignored;
	bool has_any = false;
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++) {
		if (!is_told(&plan->sandbox, record, i))
			continue;
		buf_printf(out, &ignored, "%s%s", has_any ? ", " : "the kernel did not give all of the tier: without ",
			   sandbox_mechanism_name((enum sandbox_mechanism)i));
		if (record->errors[i])
			buf_printf(out, &ignored, " (%s)", strerrordesc_np(record->errors[i]));
		has_any = true;
	}
	return has_any;
}
