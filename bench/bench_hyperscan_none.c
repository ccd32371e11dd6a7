#include "bench_hyperscan.h"

int hyperscan_new(const struct span *needles, size_t count, struct hyperscan **out, struct err *err)
{
	(void)needles, (void)count, (void)out;
	return err_set(err, ERR_NO, "libhyperscan is not installed (scripts/setup)");
}

struct hyperscan *hyperscan_free(struct hyperscan *hyperscan)
{
	(void)hyperscan;
	return NULL;
}

size_t hyperscan_bytes(const struct hyperscan *hyperscan)
{
	(void)hyperscan;
	return 0;
}

int hyperscan_scan(struct hyperscan *hyperscan, struct span text, size_t chunk, uint64_t *out_matches, struct err *err)
{
	(void)hyperscan, (void)text, (void)chunk, (void)out_matches;
	return err_set(err, ERR_NO, "libhyperscan is not installed (scripts/setup)");
}
