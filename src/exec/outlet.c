#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>

// More than one slice of input can become: a held needle of 1 MiB, and masks 280 times as long as what they hide.
#define QUEUE_BYTES_MAX (64u << 20)
// A queue that grew beyond this is given back when it is empty.
#define QUEUE_BYTES_KEPT (1u << 20)

void outlet_done(struct outlet *outlet)
{
	gather_done(&outlet->gather);
	buf_done(&outlet->queue);
	port_done(&outlet->port);
}

void outlet_give_up(struct outlet *outlet, int failure)
{
	// A terminal that was hung up is a reader that went away: the program is hung up too, and learns it itself.
	bool is_reader_gone = failure == EPIPE || (failure == EIO && outlet->port.is_terminal);
	if (!outlet->is_gone && !is_reader_gone)
		outlet->failure = failure;
	outlet->is_gone = true;
	outlet->gather.len = 0;
	buf_done(&outlet->queue);
	outlet->queue_at = 0;
}

bool outlet_is_pending(const struct outlet *outlet)
{
	return outlet->queue.len > outlet->queue_at;
}

static bool is_folded_away(struct span bytes, size_t at)
{
	return bytes.data[at] == '\r' && at + 1 < bytes.len && bytes.data[at + 1] == '\n';
}

// As port_write, in one write for many lines: the copy is of what may be shown. A "\r" is done with its "\n", and not before:
// the terminal may be set otherwise until that can be written.
static ssize_t folded_write(const struct port *port, struct span bytes)
{
	uint8_t folded[4096];
	size_t len = 0, done = 0;
	for (size_t i = 0; i < bytes.len && len < sizeof(folded); i++)
		if (!is_folded_away(bytes, i))
			folded[len++] = bytes.data[i];
	ssize_t n = port_write(port, span_of(folded, len));
	for (ssize_t left = n; left > 0; done++)
		left -= !is_folded_away(bytes, done);
	return n < 0 ? n : (ssize_t)done;
}

// Writes until done, or no more is taken now, or ever; returns what is left.
static struct span outlet_push(struct outlet *outlet, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = outlet->is_folding ? folded_write(&outlet->port, bytes) : port_write(&outlet->port, bytes);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			outlet_give_up(outlet, (int)-n);
			return (struct span){0};
		}
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return bytes;
}

// Writes what is queued, as far as it is taken.
static void outlet_drain(struct outlet *outlet)
{
	if (!outlet_is_pending(outlet))
		return;
	struct span all = buf_span(&outlet->queue);
	struct span rest = outlet_push(outlet, span_of(all.data + outlet->queue_at, all.len - outlet->queue_at));
	if (outlet->is_gone)
		return;
	outlet->queue_at = all.len - rest.len;
	if (rest.len > 0)
		return;
	outlet->queue_at = 0;
	outlet->queue.len = 0;
	if (outlet->queue.cap > QUEUE_BYTES_KEPT)
		buf_done(&outlet->queue);
}

static void outlet_queue(struct outlet *outlet, struct span bytes)
{
	struct err ignored;
	if (bytes.len > 0 && !outlet->is_gone && buf_append(&outlet->queue, bytes, &ignored) < 0)
		outlet_give_up(outlet, ENOMEM);
}

// What was kept back, and what follows it.
static void return_write(struct outlet *outlet, struct span bytes)
{
	outlet->has_return = false;
	outlet_queue(outlet, SPAN_LITERAL("\r"));
	outlet_queue(outlet, bytes);
	outlet_drain(outlet);
}

static int outlet_put(void *context, struct span bytes, struct err *err)
{
	(void)err;
	struct outlet *outlet = context;
	bool had_return = outlet->has_return;
	bool has_return = outlet->is_folding && bytes.data[bytes.len - 1] == '\r';
	bytes.len -= has_return;
	if (had_return)
		return_write(outlet, bytes);
	else
		outlet_queue(outlet, outlet_is_pending(outlet) ? bytes : outlet_push(outlet, bytes));
	outlet->has_return = has_return;
	return 0;
}

int outlet_open(struct outlet *outlet, int number, uint8_t *block, struct err *err)
{
	*outlet = (struct outlet){.queue = BUF_INIT(QUEUE_BYTES_MAX)};
	port_open(&outlet->port, number, O_WRONLY);
	return gather_init(&outlet->gather, outlet_put, outlet, block, err);
}

void outlet_write(struct outlet *outlet, struct span bytes)
{
	struct err ignored;
	outlet->taken += bytes.len;
	if (!outlet->is_gone)
		gather_add(&outlet->gather, bytes, &ignored);
}

void outlet_pages(struct outlet *outlet)
{
	struct err ignored;
	if (!outlet->is_gone)
		gather_pages(&outlet->gather, &ignored);
}

void outlet_flush(struct outlet *outlet)
{
	struct err ignored;
	outlet_drain(outlet);
	if (!outlet->is_gone)
		gather_flush(&outlet->gather, &ignored);
}

void outlet_end(struct outlet *outlet)
{
	outlet_flush(outlet);
	if (outlet->has_return)
		return_write(outlet, (struct span){0});
}
