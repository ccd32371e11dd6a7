#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// docs/architecture.md, "Redaction": reads of 64 KiB from a pipe of 1 MiB keep the filter at the speed of cat; larger
// reads lose the cache.
#define BLOCK_BYTES 65536u
#define PIPE_BYTES (1 << 20)
// Input is filtered in pieces of this size while masks make it much longer, so that a slow reader's queue stays short.
#define SLICE_BYTES 4096u
// Reads in a row before the other stream and the signals get their turn.
#define READS_MAX 8
// A read of a terminal that gave this much is likely to be followed by more.
#define TERMINAL_FULL_BYTES 2048

// Of the mask that ends a stream the line may be completed: what envseal says next begins a line of its own then.
static size_t line_end_len(struct span bytes)
{
	if (bytes.len >= 2 && bytes.data[0] == '\r' && bytes.data[1] == '\n')
		return 2;
	return bytes.len >= 1 && bytes.data[0] == '\n';
}

static int relay_sink_write(void *context, struct span bytes, struct err *err)
{
	(void)err;
	struct relay *relay = context;
	bool was_over = relay->is_over;
	if (was_over)
		bytes.len = line_end_len(bytes);
	outlet_write(&relay->outlet, bytes);
	// What comes behind a leak is its mask.
	relay->is_over = relay->has_leak && relay->ends_at_leak;
	return was_over;
}

static void relay_sink_leak(void *context, const struct redact_leak *leak)
{
	struct relay *relay = context;
	relay->has_leak = true;
	exec_leaks_add(relay->leaks, relay->number, leak);
}

static int relay_pipe(struct relay *relay, struct err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pipe");
	relay->source_fd = ends[0];
	relay->program_fd = ends[1];
	// Refused above pipe-max-size or the user's pipe budget: then it is as large as any pipe.
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	// The two ends are two open files: the program's end stays blocking.
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot set up a pipe");
	return 0;
}

// The kernel makes a master non-blocking for envseal alone: the program has the slave.
static int relay_pseudo_terminal(struct relay *relay, struct err *err)
{
	relay->source_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (relay->source_fd < 0 || grantpt(relay->source_fd) < 0 || unlockpt(relay->source_fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a pseudo-terminal");
	relay->program_fd = ioctl(relay->source_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];
	// Linux 4.13 opens the slave without its path; before, or where devpts is mounted elsewhere, by its path.
	if (relay->program_fd < 0 && ptsname_r(relay->source_fd, name, sizeof(name)) == 0)
		relay->program_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (relay->program_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot open a pseudo-terminal");
	return 0;
}

static uint8_t *relay_block(const struct relay *relay)
{
	return secret_data(relay->block) + GATHER_PAGE_BYTES;
}

static int relay_prepare(struct relay *relay, int outlet_number, const struct redactor *redactor,
			 struct exec_leaks *leaks, struct err *err)
{
	relay->read_left = UINT64_MAX;
	relay->leaks = leaks;
	// What a program prints may be a value: until it is filtered it is kept as one.
	int r = secret_new(GATHER_PAGE_BYTES + BLOCK_BYTES, SECRET_LOCK_PREFERRED, &relay->block, err);
	if (r < 0)
		return r;
	const struct redact_sink sink = {relay_sink_write, relay_sink_leak, relay};
	r = filter_new(redactor, &sink, &relay->filter, err);
	if (r < 0)
		return r;
	relay->is_used = true;
	return outlet_open(&relay->outlet, outlet_number, relay_block(relay), err);
}

int relay_open_pipe(struct relay *relay, int number, const struct redactor *redactor, struct exec_leaks *leaks,
		    struct err *err)
{
	relay->number = number;
	int r = relay_prepare(relay, number, redactor, leaks, err);
	return r < 0 ? r : relay_pipe(relay, err);
}

int relay_open_terminal(struct relay *relay, int outlet_number, const struct redactor *redactor,
			struct exec_leaks *leaks, struct err *err)
{
	relay->number = 0;
	relay->is_terminal = true;
	int r = relay_prepare(relay, outlet_number, redactor, leaks, err);
	return r < 0 ? r : relay_pseudo_terminal(relay, err);
}

void relay_done(struct relay *relay)
{
	fd_close(&relay->source_fd);
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
	return !relay->is_used || (relay->is_ended && !relay_is_blocked(relay));
}

struct pollfd relay_poll(const struct relay *relay)
{
	if (relay_is_finished(relay))
		return (struct pollfd){.fd = -1};
	if (relay_is_blocked(relay))
		return (struct pollfd){.fd = relay->outlet.port.fd, .events = POLLOUT};
	return (struct pollfd){.fd = relay->source_fd, .events = POLLIN};
}

void relay_abandon(struct relay *relay)
{
	// Closing the source is how the program learns it: by SIGPIPE, as if it had written to the gone reader
	// itself, or by a terminal that is hung up.
	fd_close(&relay->source_fd);
	outlet_give_up(&relay->outlet, EPIPE);
	relay->block_at = relay->block_len = 0;
	relay->is_ended = true;
}

void relay_stop(struct relay *relay)
{
	fd_close(&relay->source_fd);
	relay->block_at = relay->block_len = 0;
}

// After every call into the filter. A failed filter must not be gone around, so its stream ends.
static void relay_check(struct relay *relay, int r)
{
	if (r < 0)
		outlet_give_up(&relay->outlet, ENOMEM);
	if (r > 0) {
		relay_stop(relay);
		relay->is_ended = true;
	}
	outlet_pages(&relay->outlet);
	if (relay->outlet.is_gone)
		relay_abandon(relay);
}

// Nothing more is at hand.
static void relay_flush(struct relay *relay)
{
	outlet_flush(&relay->outlet);
	relay_check(relay, 0);
}

static void relay_feed(struct relay *relay)
{
	while (relay_has_unfed(relay) && !relay_is_blocked(relay)) {
		size_t len = relay->block_len - relay->block_at;
		if (relay->is_expanding && len > SLICE_BYTES)
			len = SLICE_BYTES;
		struct span slice = span_of(relay_block(relay) + relay->block_at, len);
		relay->block_at += len;
		uint64_t before = relay->outlet.taken;
		struct err ignored;
		relay_check(relay, filter_feed(relay->filter, slice, &ignored));
		relay->is_expanding = relay->outlet.taken - before > 2 * len;
	}
}

// A master without slaves says EIO, and only when everything was read. It is kept until its hang-up has been told by
// poll: whoever hears that asks first what the program has left there.
static bool relay_is_early(const struct relay *relay)
{
	return relay->is_terminal && errno == EIO && !relay->is_hung_up;
}

// Returns whether another read is likely to find something.
static bool relay_read(struct relay *relay)
{
	size_t want = relay->read_left < BLOCK_BYTES ? (size_t)relay->read_left : BLOCK_BYTES;
	ssize_t n = want == 0 ? 0 : read(relay->source_fd, relay_block(relay), want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || relay_is_early(relay)) && !relay->is_cut)
		return false;
	if (n <= 0) {
		fd_close(&relay->source_fd);
		return false;
	}
	relay->block_at = 0;
	relay->block_len = (size_t)n;
	relay->bytes += (uint64_t)n;
	relay->read_ms = clock_monotonic_ms();
	if (relay->read_left != UINT64_MAX)
		relay->read_left -= (uint64_t)n;
	// A terminal gives 4 KiB at most at a time.
	return relay->is_terminal ? n >= TERMINAL_FULL_BYTES : (size_t)n == want;
}

static void relay_end(struct relay *relay)
{
	struct err ignored;
	relay->is_ended = true;
	relay_check(relay, filter_end(relay->filter, &ignored));
	outlet_end(&relay->outlet);
}

// The reader sees the end when the program closes its output, not when envseal ends. Standard error stays open:
// notices go there.
static void relay_release(struct relay *relay)
{
	if (relay->number != STDOUT_FILENO || relay->is_released)
		return;
	_cleanup_fd_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
		return;
	port_done(&relay->outlet.port);
	relay->is_released = true;
}

int64_t relay_quiet_wait(const struct relay *relay, int64_t now_ms)
{
	if (!relay->is_used || relay->is_ended || relay_is_blocked(relay))
		return -1;
	int quiet_ms = filter_quiet_ms(relay->filter);
	if (quiet_ms < 0)
		return -1;
	int64_t left = relay->read_ms + quiet_ms - now_ms;
	return left > 0 ? left : 0;
}

void relay_quiet(struct relay *relay)
{
	struct err ignored;
	relay_check(relay, filter_quiet(relay->filter, &ignored));
	relay_flush(relay);
}

void relay_advance(struct relay *relay, bool is_ready)
{
	if (relay_is_finished(relay))
		return;
	relay_flush(relay);
	relay_feed(relay);
	for (int i = 0; i < READS_MAX && is_ready && !relay_is_blocked(relay) && relay->source_fd >= 0; i++) {
		is_ready = relay_read(relay);
		relay_feed(relay);
	}
	if (relay->source_fd < 0 && !relay->is_ended && !relay_is_blocked(relay))
		relay_end(relay);
	// Before another relay has its turn, so that the ends of short lines of two streams do not change places.
	if (!is_ready && relay_quiet_wait(relay, clock_monotonic_ms()) == 0)
		relay_quiet(relay);
	relay_flush(relay);
	if (relay_is_finished(relay))
		relay_release(relay);
}

bool relay_has_writers(const struct relay *relay)
{
	if (relay->source_fd < 0)
		return false;
	// POLLHUP on a pipe's read end or a master: nobody has the other end open, though bytes may be left in it.
	struct pollfd state = {.fd = relay->source_fd};
	return poll(&state, 1, 0) == 0 || (state.revents & POLLHUP) == 0;
}

void relay_cut(struct relay *relay)
{
	int left = 0;
	if (relay->source_fd < 0)
		return;
	// What the kernel holds of a terminal's output it does not tell.
	if (relay->is_terminal)
		left = BLOCK_BYTES;
	else if (ioctl(relay->source_fd, FIONREAD, &left) < 0 || left < 0)
		left = 0;
	relay->read_left = (uint64_t)left;
	relay->is_cut = true;
	if (left == 0)
		fd_close(&relay->source_fd);
}
