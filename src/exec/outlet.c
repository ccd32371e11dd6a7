#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// More than one slice of input can become: a held needle of 1 MiB, and masks 280 times as long as what they hide.
#define QUEUE_BYTES_MAX (64u << 20)
// A queue that grew beyond this is given back when it is empty.
#define QUEUE_BYTES_KEPT (1u << 20)

// O_NONBLOCK belongs to the open file, which the caller's other processes share: a shell would find its terminal
// changed. An open of its own through /proc can be non-blocking without touching theirs.
static int outlet_reopen(int number)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void outlet_open(struct outlet *outlet, int number)
{
	*outlet = (struct outlet){.fd = number, .owned_fd = -1, .queue = BUF_INIT(QUEUE_BYTES_MAX)};
	outlet->kind = OUTLET_PLAIN;
	outlet->is_terminal = isatty(number) == 1;
	struct stat status;
	if (fstat(number, &status) < 0)
		return;
	if (S_ISSOCK(status.st_mode))
		outlet->kind = OUTLET_SOCKET;
	else if (S_ISFIFO(status.st_mode) || outlet->is_terminal)
		outlet->kind = OUTLET_POLLED;
	if (outlet->kind != OUTLET_POLLED)
		return;
	outlet->owned_fd = outlet_reopen(number);
	if (outlet->owned_fd < 0)
		return;
	outlet->fd = outlet->owned_fd;
	outlet->kind = OUTLET_OWN;
}

void outlet_done(struct outlet *outlet)
{
	buf_done(&outlet->queue);
	fd_close(&outlet->owned_fd);
	outlet->fd = -1;
}

void outlet_give_up(struct outlet *outlet, int failure)
{
	// A terminal that was hung up is a reader that went away: the program is hung up too, and learns it itself.
	bool is_reader_gone = failure == EPIPE || (failure == EIO && outlet->is_terminal);
	if (!outlet->is_gone && !is_reader_gone)
		outlet->failure = failure;
	outlet->is_gone = true;
	buf_done(&outlet->queue);
	outlet->queue_at = 0;
}

bool outlet_is_pending(const struct outlet *outlet)
{
	return outlet->queue.len > outlet->queue_at;
}

// A ready pipe takes PIPE_BUF bytes without waiting, but perhaps not more (pipe(7)).
static ssize_t polled_write(int fd, struct span bytes)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	if (poll(&ready, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes.data, bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
}

static ssize_t outlet_try(const struct outlet *outlet, struct span bytes)
{
	switch (outlet->kind) {
	case OUTLET_SOCKET:
		return send(outlet->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTLET_POLLED:
		return polled_write(outlet->fd, bytes);
	case OUTLET_PLAIN:
	case OUTLET_OWN:
		break;
	}
	return write(outlet->fd, bytes.data, bytes.len);
}

// Some file systems (9p, FUSE) take the bytes of a large write out of the writer's pages, which the kernel refuses for
// memfd_secret: EFAULT. What may be shown is no secret, so a copy in ordinary memory may be written instead.
static ssize_t outlet_try_copy(const struct outlet *outlet, struct span bytes)
{
	uint8_t copy[4096];
	size_t len = bytes.len < sizeof(copy) ? bytes.len : sizeof(copy);
	memcpy(copy, bytes.data, len);
	return outlet_try(outlet, span_of(copy, len));
}

// Writes until done, or no more is taken now, or ever; returns what is left.
static struct span outlet_push(struct outlet *outlet, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = outlet_try(outlet, bytes);
		if (n < 0 && errno == EFAULT)
			n = outlet_try_copy(outlet, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			outlet_give_up(outlet, errno);
			return (struct span){0};
		}
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return bytes;
}

void outlet_write(struct outlet *outlet, struct span bytes)
{
	outlet->taken += bytes.len;
	if (outlet->is_gone)
		return;
	if (!outlet_is_pending(outlet))
		bytes = outlet_push(outlet, bytes);
	if (bytes.len == 0)
		return;
	struct err ignored;
	if (buf_append(&outlet->queue, bytes, &ignored) < 0)
		outlet_give_up(outlet, ENOMEM);
}

void outlet_flush(struct outlet *outlet)
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
