#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define ROOM_BYTES ((size_t)128 << 10)

int gather_init(struct gather *gather, gather_write_fn *write, void *context, uint8_t *block, struct err *err)
{
	*gather = (struct gather){.write = write, .context = context, .block = block};
	gather->room = aligned_alloc(GATHER_PAGE_BYTES, ROOM_BYTES);
	return gather->room ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

void gather_done(struct gather *gather)
{
	free(gather->room);
	*gather = (struct gather){0};
}

static size_t whole_pages(size_t len)
{
	return len - len % GATHER_PAGE_BYTES;
}

// Writes what waits but for the last `kept` bytes, which stay.
static int gather_write(struct gather *gather, size_t kept, struct err *err)
{
	size_t len = gather->len - kept;
	gather->len = kept;
	int r = len > 0 ? gather->write(gather->context, span_of(gather->room, len), err) : 0;
	memmove(gather->room, gather->room + len, kept);
	return r;
}

// Puts what waits in front of the piece, and writes both without a copy of the piece, but for its last part of a page.
static int gather_block(struct gather *gather, size_t piece_len, struct err *err)
{
	uint8_t *begin = gather->block - gather->len;
	size_t len = gather->len + piece_len;
	size_t pages = whole_pages(len);
	memcpy(begin, gather->room, gather->len);
	gather->len = len - pages;
	memcpy(gather->room, begin + pages, len - pages);
	return gather->write(gather->context, span_of(begin, pages), err);
}

int gather_add(struct gather *gather, struct span bytes, struct err *err)
{
	if (bytes.data == gather->block && gather->len <= GATHER_PAGE_BYTES && bytes.len >= GATHER_PAGE_BYTES)
		return gather_block(gather, bytes.len, err);
	int r = 0;
	while (bytes.len > 0 && r == 0) {
		size_t free_bytes = ROOM_BYTES - gather->len;
		size_t len = bytes.len < free_bytes ? bytes.len : free_bytes;
		memcpy(gather->room + gather->len, bytes.data, len);
		gather->len += len;
		bytes = span_of(bytes.data + len, bytes.len - len);
		if (gather->len == ROOM_BYTES)
			r = gather_write(gather, 0, err);
	}
	return r;
}

int gather_pages(struct gather *gather, struct err *err)
{
	return gather_write(gather, gather->len % GATHER_PAGE_BYTES, err);
}

int gather_flush(struct gather *gather, struct err *err)
{
	return gather_write(gather, 0, err);
}
