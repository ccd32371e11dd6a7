#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

// docs/architecture.md, "Redaction": reads of 64 KiB from a pipe of 1 MiB keep the filter at the speed of cat; larger
// reads lose the cache.
#define BLOCK_BYTES 65536u
#define PIPE_BYTES (1 << 20)
// Input is filtered in pieces of this size while masks make it much longer, so that a slow reader's queue stays short.
#define SLICE_BYTES 4096u
// How long a stream must be silent before a held prefix within the exposure budget is shown.
#define QUIET_MS 30
// Reads in a row before the other stream and the signals get their turn.
#define READS_MAX 8

static int relay_sink_write(void *context, struct span bytes, struct err *err)
{
	(void)err;
	struct relay *relay = context;
	outlet_write(&relay->outlet, bytes);
	return 0;
}

static void relay_sink_leak(void *context, const struct redact_leak *leak)
{
	const struct relay *relay = context;
	struct leak_table *table = relay->leaks;
	table->total++;
	for (size_t i = 0; i < table->count; i++) {
		struct exec_leak *row = &table->rows[i];
		if (row->secret_index != leak->value_index || row->form != leak->form || row->stream != relay->number)
			continue;
		row->count++;
		return;
	}
	if (table->count == EXEC_LEAKS_MAX)
		return;
	table->rows[table->count++] = (struct exec_leak){
		.secret_index = leak->value_index,
		.form = leak->form,
		.stream = relay->number,
		.first_offset = leak->offset,
		.count = 1,
	};
}

static int relay_pipe(struct relay *relay, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	relay->pipe_fd = ends[0];
	relay->program_fd = ends[1];
	// Refused above pipe-max-size or the user's pipe budget: then it is as large as any pipe.
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	// The two ends are two open files: the program's end stays blocking.
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot set up a pipe");
	return 0;
}

int relay_open(struct relay *relay, int number, const struct redactor *redactor, struct leak_table *leaks,
	       struct err *err)
{
	relay->number = number;
	relay->read_left = UINT64_MAX;
	relay->leaks = leaks;
	// What a program prints may be a value: until it is filtered it is kept as one.
	int r = secret_new(BLOCK_BYTES, SECRET_LOCK_PREFERRED, &relay->block, err);
	if (r < 0)
		return r;
	const struct redact_sink sink = {relay_sink_write, relay_sink_leak, relay};
	r = filter_new(redactor, &sink, &relay->filter, err);
	if (r < 0)
		return r;
	outlet_open(&relay->outlet, number);
	return relay_pipe(relay, err);
}

void relay_done(struct relay *relay)
{
	fd_close(&relay->pipe_fd);
	fd_close(&relay->program_fd);
	outlet_done(&relay->outlet);
	filter_free_ptr(&relay->filter);
	secret_free_ptr(&relay->block);
}

void relay_started(struct relay *relay)
{
	fd_close(&relay->program_fd);
}

static bool relay_is_blocked(const struct relay *relay)
{
	return outlet_is_pending(&relay->outlet);
}

static bool relay_has_unfed(const struct relay *relay)
{
	return relay->block_at < relay->block_len;
}

bool relay_is_finished(const struct relay *relay)
{
	return relay->number == 0 || (relay->is_ended && !relay_is_blocked(relay));
}

struct pollfd relay_poll(const struct relay *relay)
{
	if (relay_is_finished(relay))
		return (struct pollfd){.fd = -1};
	if (relay_is_blocked(relay))
		return (struct pollfd){.fd = relay->outlet.fd, .events = POLLOUT};
	return (struct pollfd){.fd = relay->pipe_fd, .events = POLLIN};
}

void relay_abandon(struct relay *relay)
{
	// Closing the pipe is how the program learns it: by SIGPIPE, as if it had written to the gone reader itself.
	fd_close(&relay->pipe_fd);
	outlet_give_up(&relay->outlet, EPIPE);
	relay->block_at = relay->block_len = 0;
	relay->is_ended = true;
}

// After every call into the filter. A failed filter must not be gone around, so its stream ends.
static void relay_check(struct relay *relay, int r)
{
	if (r < 0)
		outlet_give_up(&relay->outlet, ENOMEM);
	if (relay->outlet.is_gone)
		relay_abandon(relay);
}

static void relay_feed(struct relay *relay)
{
	while (relay_has_unfed(relay) && !relay_is_blocked(relay)) {
		size_t len = relay->block_len - relay->block_at;
		if (relay->is_expanding && len > SLICE_BYTES)
			len = SLICE_BYTES;
		struct span slice = span_of(secret_data(relay->block) + relay->block_at, len);
		relay->block_at += len;
		uint64_t before = relay->outlet.taken;
		struct err ignored;
		relay_check(relay, filter_feed(relay->filter, slice, &ignored));
		relay->is_expanding = relay->outlet.taken - before > 2 * len;
	}
}

// Returns whether another read is likely to find something.
static bool relay_read(struct relay *relay)
{
	size_t want = relay->read_left < BLOCK_BYTES ? (size_t)relay->read_left : BLOCK_BYTES;
	ssize_t n = want == 0 ? 0 : read(relay->pipe_fd, secret_data(relay->block), want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		fd_close(&relay->pipe_fd);
		return false;
	}
	relay->block_at = 0;
	relay->block_len = (size_t)n;
	relay->bytes += (uint64_t)n;
	relay->read_ms = clock_monotonic_ms();
	if (relay->read_left != UINT64_MAX)
		relay->read_left -= (uint64_t)n;
	return (size_t)n == want;
}

static void relay_end(struct relay *relay)
{
	struct err ignored;
	relay->is_ended = true;
	relay_check(relay, filter_end(relay->filter, &ignored));
}

// The reader sees the end when the program closes its output, not when envseal ends. Standard error stays open: notices go
// there.
static void relay_release(struct relay *relay)
{
	if (relay->number != STDOUT_FILENO || relay->is_released)
		return;
	_cleanup_fd_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
		return;
	fd_close(&relay->outlet.owned_fd);
	relay->outlet.fd = -1;
	relay->is_released = true;
}

void relay_advance(struct relay *relay, bool is_ready)
{
	if (relay_is_finished(relay))
		return;
	outlet_flush(&relay->outlet);
	relay_check(relay, 0);
	relay_feed(relay);
	for (int i = 0; i < READS_MAX && is_ready && !relay_is_blocked(relay) && relay->pipe_fd >= 0; i++) {
		is_ready = relay_read(relay);
		relay_feed(relay);
	}
	if (relay->pipe_fd < 0 && !relay->is_ended && !relay_is_blocked(relay))
		relay_end(relay);
	if (relay_is_finished(relay))
		relay_release(relay);
}

int64_t relay_quiet_wait(const struct relay *relay, int64_t now_ms)
{
	if (relay->number == 0 || relay->is_ended || relay_is_blocked(relay) || !filter_can_show(relay->filter))
		return -1;
	int64_t left = relay->read_ms + QUIET_MS - now_ms;
	return left > 0 ? left : 0;
}

void relay_quiet(struct relay *relay)
{
	struct err ignored;
	relay_check(relay, filter_quiet(relay->filter, &ignored));
}

bool relay_has_writers(const struct relay *relay)
{
	if (relay->number == 0 || relay->pipe_fd < 0)
		return false;
	// POLLHUP on a pipe's read end: nobody has the other end open, though bytes may be left in it.
	struct pollfd state = {.fd = relay->pipe_fd};
	return poll(&state, 1, 0) == 0 || (state.revents & POLLHUP) == 0;
}

void relay_cut(struct relay *relay)
{
	int left = 0;
	if (relay->pipe_fd < 0)
		return;
	if (ioctl(relay->pipe_fd, FIONREAD, &left) < 0 || left < 0)
		left = 0;
	relay->read_left = (uint64_t)left;
	if (left > 0)
		return;
	fd_close(&relay->pipe_fd);
}
