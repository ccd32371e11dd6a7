#include "engine/selftest.h"

#include <stdlib.h>
#include <string.h>

// Much more than the caches near the processor, and fed as a stream is.
#define SPEED_BYTES (4u << 20)
#define SPEED_BLOCK_BYTES 65536u
#define SPEED_MS 200

static int speed_sink(void *context, struct span bytes, struct err *err)
{
	(void)err;
	*(uint64_t *)context += bytes.len;
	return 0;
}

// Lines of words, as programs print them.
static void speed_text(uint8_t *text, size_t len)
{
	uint32_t state = 12345;
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525u + 1013904223u;
		uint32_t number = state >> 24;
		text[i] = number < 36 ? ' ' : number < 40 ? '\n' : (uint8_t)('a' + number % 26);
	}
}

static uint64_t speed_of(uint64_t bytes, int64_t milliseconds)
{
	return milliseconds > 0 ? bytes / 1000 / (uint64_t)milliseconds : 0;
}

static int speed_filter(const struct redactor *redactor, const uint8_t *text, uint64_t *ret_speed, struct err *err)
{
	_cleanup_filter_ struct filter *filter = NULL;
	uint64_t shown = 0, fed = 0;
	const struct redact_sink sink = {.write = speed_sink, .context = &shown};
	int r = filter_new(redactor, &sink, &filter, err);
	int64_t begin = clock_monotonic_ms(), now = begin;
	for (; r == 0 && now - begin < SPEED_MS; now = clock_monotonic_ms())
		for (size_t at = 0; r == 0 && at < SPEED_BYTES; at += SPEED_BLOCK_BYTES, fed += SPEED_BLOCK_BYTES)
			r = filter_feed(filter, span_of(text + at, SPEED_BLOCK_BYTES), err);
	*ret_speed = speed_of(fed, now - begin);
	return r;
}

static uint64_t speed_copy(const uint8_t *text, uint8_t *to)
{
	uint64_t copied = 0;
	int64_t begin = clock_monotonic_ms(), now = begin;
	for (; now - begin < SPEED_MS; now = clock_monotonic_ms())
		for (size_t at = 0; at < SPEED_BYTES; at += SPEED_BLOCK_BYTES, copied += SPEED_BLOCK_BYTES) {
			memcpy(to, text + at, SPEED_BLOCK_BYTES);
			// Else the compiler may see that nobody reads it.
			__asm__ volatile("" : : "r"(to) : "memory");
		}
	return speed_of(copied, now - begin);
}

int selftest_speed(const struct redactor *redactor, struct selftest_report *report, struct err *err)
{
	_cleanup_free_ uint8_t *text = malloc(SPEED_BYTES), *to = malloc(SPEED_BLOCK_BYTES);
	if (!text || !to)
		return err_set(err, ERR_MEMORY, "out of memory");
	speed_text(text, SPEED_BYTES);
	int r = speed_filter(redactor, text, &report->filter_mb_per_s, err);
	if (r == 0)
		report->memcpy_mb_per_s = speed_copy(text, to);
	return r;
}
