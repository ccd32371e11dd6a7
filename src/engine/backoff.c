#include "engine/backoff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct backoff_clock backoff_clock_now(void)
{
	struct backoff_clock clock = {.now = clock_now(), .boottime_ms = clock_boottime_ms()};
	clock_boot_id(clock.boot_id);
	return clock;
}

int64_t backoff_wait(uint32_t count)
{
	int64_t wait = count < BACKOFF_FREE_TRIES ? 0 : 1;
	for (uint32_t i = BACKOFF_FREE_TRIES; i < count && wait < BACKOFF_SECONDS_MAX; i++)
		wait *= 2;
	return wait < BACKOFF_SECONDS_MAX ? wait : BACKOFF_SECONDS_MAX;
}

// Whole seconds since the last failure.
static int64_t elapsed(const struct vault_failures *failures, const struct backoff_clock *clock)
{
	bool is_same_boot = memcmp(failures->boot_id, clock->boot_id, CLOCK_BOOT_ID_BYTES) == 0;
	// After a restart at least the time since then has passed.
	int64_t by_boot = clock->boottime_ms - (is_same_boot ? failures->boottime_ms : 0);
	int64_t by_date = clock->now - failures->last;
	by_boot = by_boot < 0 ? -1 : by_boot / 1000;
	if (by_boot < 0 || by_date < 0)
		return by_boot > by_date ? by_boot : by_date;
	return by_boot < by_date ? by_boot : by_date;
}

int64_t backoff_left(const struct vault_failures *failures, const struct backoff_clock *clock)
{
	return backoff_left_of(failures, backoff_wait(failures->count), clock);
}

int64_t backoff_left_of(const struct vault_failures *failures, int64_t wait, const struct backoff_clock *clock)
{
	int64_t passed = wait > 0 ? elapsed(failures, clock) : 0;
	if (passed < 0)
		return wait;
	return passed < wait ? wait - passed : 0;
}

void backoff_add(struct vault_failures *failures, const struct backoff_clock *clock)
{
	if (failures->count == 0)
		failures->first = clock->now;
	if (failures->count < UINT32_MAX)
		failures->count++;
	failures->last = clock->now;
	failures->boottime_ms = clock->boottime_ms;
	memcpy(failures->boot_id, clock->boot_id, CLOCK_BOOT_ID_BYTES);
}

void backoff_text(const struct vault_failures *counted, uint64_t recorded, const char *since, char *out, size_t out_bytes)
{
	if (counted->count == recorded)
		snprintf(out, out_bytes, "%" PRIu64 " wrong passphrase%s since %s", recorded, recorded == 1 ? "" : "s", since);
	else
		snprintf(out, out_bytes,
			 "wrong passphrases since %s: the vault counts %" PRIu32 ", the audit log has %" PRIu64
			 "; one of them was changed, or envseal was killed between the two",
			 since, counted->count, recorded);
}
