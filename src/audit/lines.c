#include "audit/audit_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Most records fit, so one read finds the last one.
#define TAIL_FIRST_BYTES 8192u
// A torn line, a whole line and the line end before it.
#define TAIL_BYTES_MAX (2 * AUDIT_LINE_BYTES_MAX)
// Longest line, and enough behind it that short lines are not moved often.
#define LINES_BLOCK_BYTES (AUDIT_LINE_BYTES_MAX + (256u << 10))

// Reads exactly `len` bytes.
static int read_at(int fd, const char *name, uint64_t offset, uint8_t *out, size_t len, struct err *err)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(fd, out + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot read the audit log's file %s", name);
		if (n == 0)
			return err_set(err, ERR_DAMAGED, "file %s became shorter while it was read", name);
		done += (size_t)n;
	}
	return 0;
}

// Finds the last whole line in a window that ends where the file ends. False: the window must be larger.
static bool tail_split(struct span window, bool is_whole_file, struct tail *tail)
{
	const uint8_t *end = memrchr(window.data, '\n', window.len);
	if (!end) {
		tail->torn = window;
		return is_whole_file;
	}
	size_t before = (size_t)(end - window.data);
	const uint8_t *start = memrchr(window.data, '\n', before);
	if (!start && !is_whole_file)
		return false;
	size_t at = start ? (size_t)(start - window.data) + 1 : 0;
	tail->line = span_of(window.data + at, before - at);
	tail->torn = span_of(end + 1, window.len - before - 1);
	return true;
}

int tail_read(int fd, const char *name, uint64_t size, struct tail *out, struct err *err)
{
	_cleanup_tail_ struct tail tail = {0};
	for (size_t want = TAIL_FIRST_BYTES; size > 0; want *= 4) {
		size_t len = want > TAIL_BYTES_MAX ? TAIL_BYTES_MAX : want;
		len = len > size ? (size_t)size : len;
		tail_done(&tail);
		tail.window = malloc(len);
		if (!tail.window)
			return err_set(err, ERR_MEMORY, "out of memory for the audit log's last record");
		int r = read_at(fd, name, size - len, tail.window, len, err);
		if (r < 0)
			return r;
		if (tail_split(span_of(tail.window, len), len == size, &tail))
			break;
		if (len == TAIL_BYTES_MAX)
			return err_set(err, ERR_DAMAGED, "file %s ends in a line longer than any record", name);
	}
	if (tail.torn.len >= AUDIT_LINE_BYTES_MAX || tail.line.len >= AUDIT_LINE_BYTES_MAX)
		return err_set(err, ERR_DAMAGED, "file %s ends in a line longer than any record", name);
	tail.line_end = size - tail.torn.len;
	*out = tail;
	tail.window = NULL;
	return 0;
}

void tail_done(struct tail *tail)
{
	free(tail->window);
	*tail = (struct tail){0};
}

int lines_init(struct lines *lines, int fd, const char *name, uint64_t start, uint64_t end, struct err *err)
{
	uint8_t *block = malloc(LINES_BLOCK_BYTES);
	if (!block)
		return err_set(err, ERR_MEMORY, "out of memory for reading the audit log");
	*lines = (struct lines){.fd = fd, .name = name, .offset = start, .end = end, .block = block};
	return 0;
}

void lines_done(struct lines *lines)
{
	free(lines->block);
	*lines = (struct lines){.fd = -1};
}

static int lines_fill(struct lines *lines, struct err *err)
{
	if (lines->at > 0)
		memmove(lines->block, lines->block + lines->at, lines->have - lines->at);
	lines->have -= lines->at;
	lines->at = 0;
	size_t room = LINES_BLOCK_BYTES - lines->have;
	uint64_t rest = lines->end - lines->offset;
	size_t len = rest < room ? (size_t)rest : room;
	int r = read_at(lines->fd, lines->name, lines->offset, lines->block + lines->have, len, err);
	if (r < 0)
		return r;
	lines->have += len;
	lines->offset += len;
	return 0;
}

int lines_next(struct lines *lines, struct span *out, struct err *err)
{
	for (;;) {
		const uint8_t *at = lines->block + lines->at;
		size_t have = lines->have - lines->at;
		const uint8_t *end = memchr(at, '\n', have);
		size_t len = end ? (size_t)(end - at) : have;
		if (len >= AUDIT_LINE_BYTES_MAX)
			return err_set(err, ERR_DAMAGED, "file %s has a line longer than any record", lines->name);
		if (end) {
			lines->at += len + 1;
			*out = span_of(at, len);
			return 0;
		}
		if (lines->offset == lines->end && have > 0)
			return err_set(err, ERR_DAMAGED, "file %s ends in the middle of a record", lines->name);
		if (lines->offset == lines->end) {
			*out = span_of(NULL, 0);
			return 0;
		}
		int r = lines_fill(lines, err);
		if (r < 0)
			return r;
	}
}

uint64_t lines_offset(const struct lines *lines)
{
	return lines->offset - (lines->have - lines->at);
}
