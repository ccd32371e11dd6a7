#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void free_ptr(void *ptr_to_ptr)
{
	void *ptr;
	memcpy(&ptr, ptr_to_ptr, sizeof(ptr));
	free(ptr);
	ptr = NULL;
	memcpy(ptr_to_ptr, &ptr, sizeof(ptr));
}

struct span span_of(const void *data, size_t len)
{
	return (struct span){data, len};
}

struct span span_text(const char *text)
{
	return text ? span_of(text, strlen(text)) : span_of("", 0);
}

bool span_is_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_has_prefix(struct span s, struct span prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = BUF_INIT(buf->max);
}

struct span buf_span(const struct buf *buf)
{
	return span_of(buf->data, buf->len);
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}

// Makes room for `more` bytes and the NUL behind them.
static int buf_reserve(struct buf *buf, size_t more, struct err *err)
{
	if (more > buf->max || buf->len > buf->max - more)
		return err_set(err, ERR_LIMIT, "more than %zu bytes", buf->max);
	size_t need = buf->len + more + 1;
	if (need <= buf->cap)
		return 0;
	size_t cap = buf->cap ? buf->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	uint8_t *data = realloc(buf->data, cap);
	if (!data)
		return err_set(err, ERR_MEMORY, "out of memory for %zu bytes", cap);
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_append(struct buf *buf, struct span bytes, struct err *err)
{
	int r = buf_reserve(buf, bytes.len, err);
	if (r < 0)
		return r;
	if (bytes.len > 0)
		memcpy(buf->data + buf->len, bytes.data, bytes.len);
	buf->len += bytes.len;
	buf->data[buf->len] = 0;
	return 0;
}

int buf_append_text(struct buf *buf, const char *text, struct err *err)
{
	return buf_append(buf, span_text(text), err);
}

int buf_append_byte(struct buf *buf, uint8_t byte, struct err *err)
{
	return buf_append(buf, span_of(&byte, 1), err);
}

int buf_printf(struct buf *buf, struct err *err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	int r = len < 0 ? err_set(err, ERR_LIMIT, "cannot format text") : buf_reserve(buf, (size_t)len, err);
	if (r == 0) {
		vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
	return r;
}

struct reader reader_of(struct span bytes)
{
	return (struct reader){.rest = bytes};
}

// The next `len` bytes, or NULL after which the reader has failed for good.
static const uint8_t *reader_take(struct reader *r, size_t len)
{
	if (r->failed || len > r->rest.len) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *at = r->rest.data;
	r->rest = span_of(at + len, r->rest.len - len);
	return at;
}

static uint64_t reader_integer(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);
	uint64_t value = 0;
	for (size_t i = 0; at && i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)reader_integer(r, 1);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)reader_integer(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return reader_integer(r, 8);
}

struct span reader_string(struct reader *r, size_t max_bytes)
{
	size_t len = reader_u32(r);
	if (len > max_bytes)
		r->failed = true;
	const uint8_t *at = reader_take(r, len);
	return at ? span_of(at, len) : span_of("", 0);
}

void reader_bytes(struct reader *r, void *out, size_t len)
{
	const uint8_t *at = reader_take(r, len);
	if (at)
		memcpy(out, at, len);
	else
		memset(out, 0, len);
}

bool reader_end(const struct reader *r)
{
	return !r->failed && r->rest.len == 0;
}

static int writer_integer(struct buf *buf, uint64_t value, size_t bytes, struct err *err)
{
	uint8_t raw[8];
	for (size_t i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(value >> (8 * i));
	return buf_append(buf, span_of(raw, bytes), err);
}

int writer_u8(struct buf *buf, uint8_t value, struct err *err)
{
	return writer_integer(buf, value, 1, err);
}

int writer_u32(struct buf *buf, uint32_t value, struct err *err)
{
	return writer_integer(buf, value, 4, err);
}

int writer_u64(struct buf *buf, uint64_t value, struct err *err)
{
	return writer_integer(buf, value, 8, err);
}

int writer_string(struct buf *buf, struct span bytes, struct err *err)
{
	if (bytes.len > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "a field of %zu bytes is too long", bytes.len);
	int r = writer_u32(buf, (uint32_t)bytes.len, err);
	return r < 0 ? r : buf_append(buf, bytes, err);
}
