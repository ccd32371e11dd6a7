#include "broker/hold.h"

static int64_t sum(int64_t a, int64_t b)
{
	int64_t out;
	if (__builtin_add_overflow(a, b, &out))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return out;
}

static int64_t difference(int64_t a, int64_t b)
{
	int64_t out;
	if (__builtin_sub_overflow(a, b, &out))
		return b > 0 ? INT64_MIN : INT64_MAX;
	return out;
}

struct hold hold_begin(int64_t for_ms, int64_t idle_ms, int64_t boot_ms, int64_t monotonic_ms)
{
	return (struct hold){
		.until_ms = sum(boot_ms, for_ms),
		.idle_ms = idle_ms,
		.active_ms = boot_ms,
		.skew_ms = difference(boot_ms, monotonic_ms),
	};
}

static bool has_idle_end(const struct hold *hold, bool is_running)
{
	return hold->idle_ms != 0 && !is_running;
}

enum hold_end hold_judge(const struct hold *hold, int64_t boot_ms, int64_t monotonic_ms, bool is_running)
{
	if (difference(difference(boot_ms, monotonic_ms), hold->skew_ms) > HOLD_SKEW_MS)
		return HOLD_SUSPENDED;
	if (boot_ms >= hold->until_ms)
		return HOLD_EXPIRED;
	if (has_idle_end(hold, is_running) && boot_ms >= sum(hold->active_ms, hold->idle_ms))
		return HOLD_IDLE;
	return HOLD_ON;
}

int64_t hold_wait_ms(const struct hold *hold, int64_t boot_ms, bool is_running)
{
	int64_t end_ms = hold->until_ms;
	if (has_idle_end(hold, is_running) && sum(hold->active_ms, hold->idle_ms) < end_ms)
		end_ms = sum(hold->active_ms, hold->idle_ms);
	int64_t wait_ms = difference(end_ms, boot_ms);
	if (wait_ms < 0)
		return 0;
	return wait_ms < HOLD_LOOK_MS ? wait_ms : HOLD_LOOK_MS;
}

const char *hold_end_reason(enum hold_end end)
{
	static const char *const reasons[] = {
		[HOLD_ON] = NULL, [HOLD_EXPIRED] = "expired", [HOLD_IDLE] = "idle", [HOLD_SUSPENDED] = "suspended"};
	return reasons[end];
}
