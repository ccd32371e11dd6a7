// Any bytes as a question: refused, or shown in printable text and written the same again.
#include "approve/approve.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_inert(const struct approval *approval)
{
	struct err err = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(1u << 20);
	int r = approval_format(approval, &text, &err);
	require(r == 0 || r == ERR_DENIED || r == ERR_LIMIT);
	for (size_t i = 0; i < text.len; i++)
		require(text.data[i] == '\n' || (text.data[i] >= 0x20 && text.data[i] < 0x7f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = {0};
	_cleanup_approval_copy_ struct approval_copy *copy = NULL;
	_cleanup_buf_ struct buf again = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	int r = approval_read(span_of(data, len), &copy, &err);
	if (r < 0) {
		require(r == ERR_INPUT && !copy);
		return 0;
	}
	require_inert(approval_of(copy));
	// But for names of dropped variables, of which fewer may be written than came.
	require(approval_write(approval_of(copy), &again, &err) == 0);
	_cleanup_approval_copy_ struct approval_copy *second = NULL;
	require(approval_read(buf_span(&again), &second, &err) == 0);
	require(approval_of(second)->dropped_count < approval_of(copy)->dropped_count ||
		span_is_equal(buf_span(&again), span_of(data, len)));
	return 0;
}
