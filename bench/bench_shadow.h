// shadow: the switch for shadow matching. bench_shadow_none.c stands in for it in builds of an engine that has none.
#pragma once

#include "redact/redact.h"

// ERR_USAGE when the engine has no such switch.
int shadow_disable(struct redactor *redactor, struct err *err);
