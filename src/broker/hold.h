// broker/hold: how long the key is kept. Pure: times are given. Boot times are CLOCK_BOOTTIME, which runs while the
// machine is suspended; monotonic ones do not, and so their difference grows by a suspension.
#pragma once

#include "base/base.h"

// A difference of the clocks that is no suspension.
#define HOLD_SKEW_MS 1500
// After a suspension nobody is woken: a wait goes on where it was. So none is longer than this.
#define HOLD_LOOK_MS 5000

struct hold {
	int64_t until_ms;    // boot time
	int64_t idle_ms;     // 0: never
	int64_t active_ms;   // boot time of the last permitted run's begin or end
	int64_t skew_ms;     // boot time less monotonic time, at the beginning
};
enum hold_end { HOLD_ON, HOLD_EXPIRED, HOLD_IDLE, HOLD_SUSPENDED };
// Spans of any size: what does not fit is for ever, and what is negative is over.
struct hold hold_begin(int64_t for_ms, int64_t idle_ms, int64_t boot_ms, int64_t monotonic_ms);
// While a run goes on it is not idle. Of several ends, the suspension, which led to the others.
enum hold_end hold_judge(const struct hold *hold, int64_t boot_ms, int64_t monotonic_ms, bool is_running);
// Until the next moment to judge; never negative, HOLD_LOOK_MS at most.
int64_t hold_wait_ms(const struct hold *hold, int64_t boot_ms, bool is_running);
// engine_release's; NULL for HOLD_ON.
const char *hold_end_reason(enum hold_end end);
