// The judgement of `--health`: which findings a value and its times have. Pure functions. They work on the caller's bytes in
// place and leave no copy of them.
#pragma once

#include "engine/engine.h"

// True for what stands where a value is still to come: changeme, your-api-key-here, <token>, ${TOKEN}, xxxxxx, 12345678, and
// a URL with such a password. Never for more than HEALTH_PLACEHOLDER_BYTES_MAX bytes.
#define HEALTH_PLACEHOLDER_BYTES_MAX 256
bool value_is_placeholder(struct span value);
// About how many bits it would take to say the value to somebody who knows how often each byte comes, or each step from one
// byte to the next, whichever is less; of a repeated pattern the pattern alone counts. An upper bound: of words, which can be
// guessed whole, it knows nothing.
double value_entropy_bits(struct span value);
// True for under HEALTH_ENTROPY_BITS, and under half of what a value of this length can have.
bool value_is_regular(struct span value);
// A set of HEALTH_BIT: placeholder, short, low entropy, weak.
unsigned value_health(struct span value);

struct value_times {
	int64_t stored; // when the current version was; 0: there is none
	int64_t expires;
};
// A set of HEALTH_BIT: old, expired, expires soon. A clock set back makes nothing old.
unsigned times_health(const struct value_times *times, int64_t now);
