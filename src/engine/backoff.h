// engine/backoff: how long to wait after wrong passphrases, and what is told of them. Pure; session.c keeps the count.
#pragma once

#include "vault/vault.h"

// This many wrong passphrases in a row cost nothing but their hash. From then on the wait before the next try is one
// second and doubles with each, up to the longest.
#define BACKOFF_FREE_TRIES 3
#define BACKOFF_SECONDS_MAX 300

struct backoff_clock {
	int64_t now;
	int64_t boottime_ms;
	uint8_t boot_id[CLOCK_BOOT_ID_BYTES];
};
struct backoff_clock backoff_clock_now(void);

// Seconds between the last of `count` failures in a row and the next try.
int64_t backoff_wait(uint32_t count);
// What is left of it; 0: try. Two clocks tell the time since the last failure, and the smaller answer counts of those that
// are not negative: moving one of them forward opens nothing early, and one that was moved back shuts nobody out.
int64_t backoff_left(const struct vault_failures *failures, const struct backoff_clock *clock);
// The same of another wait, in seconds.
int64_t backoff_left_of(const struct vault_failures *failures, int64_t wait, const struct backoff_clock *clock);
// Counts one more.
void backoff_add(struct vault_failures *failures, const struct backoff_clock *clock);
// "3 wrong passphrases since 2026-01-31T12:00:00Z", and whether the vault's count and the log's agree; both are not 0.
void backoff_text(const struct vault_failures *counted, uint64_t recorded, const char *since, char *out, size_t out_bytes);
