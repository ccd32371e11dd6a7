// engine/enclosure: which sandbox a run gets: what is asked for, the level's tier at least, and what the rules that allow it
// say.
//
// Invariants
//  - The tier is the strictest of the level's, the one asked for, and those of the rules that allow a part of the run.
//  - Beyond what is asked for, and so decided about, only that is open which a rule opens for each secret of the run.
//  - A path is what it was when it was asked for or written into the rule: one that leads elsewhere now is refused.
#pragma once

#include "engine/decide.h"

// Words to data; paths become real ones. ERR_USAGE, ERR_NOT_FOUND for a path that is not there, ERR_LIMIT.
int enclosure_read(const struct engine_sandbox *request, struct rule_sandbox *out, struct err *err);
// Makes plan->granted and plan->sandbox anew, the latter not where it is just made of the same. `decision` NULL: the rules are not
// known yet. *ret_changed says whether what the program would run in is another one now. ERR_DENIED for a path that leads
// elsewhere; what sandbox_plan_build refuses.
int plan_enclose(const struct engine *engine, struct plan *plan, const struct security_demands *demands,
		 const struct decision *decision, bool *ret_changed, struct err *err);
// ERR_DENIED for a tier that is asked for and weaker than the level's, and for inject in a stronger tier than it can be in.
int enclosure_check(const struct plan *plan, const struct security_demands *demands, struct err *err);
