// Any bytes as kept digests of programs are refused, or are exactly what is written again.
#include "program/digest_cache.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_buf_ struct buf again = BUF_INIT(DIGEST_CACHE_BYTES_MAX);
	struct digest_cache cache;
	struct err err;
	int r = digest_cache_parse(span_of(data, len), &cache, &err);
	if (r < 0) {
		require(r == ERR_DAMAGED && err.code == r);
		return 0;
	}
	require(cache.count <= DIGEST_CACHE_COUNT_MAX && !cache.is_changed);
	require(digest_cache_format(&cache, &again, &err) == 0);
	require(span_is_equal(buf_span(&again), span_of(data, len)));
	return 0;
}
