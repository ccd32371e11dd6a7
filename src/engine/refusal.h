// engine/refusal: a run that was refused, in the log. That it cannot be recorded is told by a notice.
#pragma once

#include "engine/consent.h"

// Before the vault is open, or outside of a transaction; `consent` NULL: nobody was asked.
void plan_record_denial(struct engine *engine, const struct plan *plan, const struct err *denial, const struct consent *consent);
// In a transaction, which it ends.
void plan_record_refusal(const struct plan *plan, struct session *session, const struct decision *decision,
			 const struct err *denial);
