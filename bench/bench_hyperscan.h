// hyperscan: the other engine of bench_engine, in its streaming mode. bench_hyperscan_none.c takes the place of
// bench_hyperscan.c where libhyperscan is not installed.
#pragma once

#include "base/base.h"

struct hyperscan;

// One pattern for each needle; ERR_NO when the library is missing or does not take them, and the sentence says which.
int hyperscan_new(const struct span *needles, size_t count, struct hyperscan **out, struct err *err);
struct hyperscan *hyperscan_free(struct hyperscan *hyperscan); // NULL is allowed; always returns NULL
size_t hyperscan_bytes(const struct hyperscan *hyperscan);
// One stream, fed in pieces of `chunk` bytes; tells how often a needle ended. ERR_NO when the library fails; the
// stream is then lost.
int hyperscan_scan(struct hyperscan *hyperscan, struct span text, size_t chunk, uint64_t *out_matches, struct err *err);
