#include "engine/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/stream_port.h"

// Larger reads lose the cache.
#define BLOCK_BYTES 65536u
// Blocks between two looks for signals while the input never makes us wait.
#define BLOCKS_PER_LOOK 16

struct stream {
	const struct stream_plan *plan;
	struct stream_port in, out, events;
	int signal_fd;
	struct secret *block; // what was read may hold values
	struct filter *filter;
	bool has_events;
	struct redact_outcome outcome;
};

static void stream_done(struct stream *s)
{
	stream_port_done(&s->in);
	stream_port_done(&s->out);
	stream_port_done(&s->events);
	fd_close(&s->signal_fd);
	secret_free_ptr(&s->block);
	filter_free_ptr(&s->filter);
	exec_leaks_done(&s->outcome.leaks);
}

// ------------------------------------------------------------------------------------------------------- waiting

static int stream_signal_take(struct stream *s)
{
	struct signalfd_siginfo info;
	if (s->outcome.signal == 0 && read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->outcome.signal = (int)info.ssi_signo;
	return s->outcome.signal;
}

// Until the port is ready, a signal is there (ERR_INTERRUPTED), or `timeout_ms` have gone; *ret_ready tells.
static int stream_wait(struct stream *s, const struct stream_port *port, short events, int timeout_ms, bool *ret_ready,
		       struct err *err)
{
	if (s->outcome.signal != 0)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = port->port.fd, .events = events}};
	int n = poll(fds, ARRAY_COUNT(fds), timeout_ms);
	if (n < 0 && errno != EINTR)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot wait for %s", port->what);
	if (n > 0 && fds[0].revents != 0 && stream_signal_take(s) != 0)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	*ret_ready = n != 0;
	return 0;
}

// ------------------------------------------------------------------------------------------------------- writing

static int stream_put(struct stream *s, struct stream_port *port, struct span bytes, struct err *err)
{
	bool ready;
	int r = 0;
	while (r == 0 && bytes.len > 0) {
		ssize_t n = port_write(&port->port, bytes);
		if (n >= 0)
			bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
		else if (n == -EAGAIN)
			r = stream_wait(s, port, POLLOUT, -1, &ready, err);
		else if (n != -EINTR)
			r = err_set_errno(err, ERR_SYSTEM, (int)-n, "cannot write to %s", port->what);
	}
	return r;
}

static int events_put(void *context, struct span bytes, struct err *err)
{
	struct stream *s = context;
	return stream_put(s, &s->events, bytes, err);
}

// Nobody can be told of masks any more; the text goes on masked, and its end is an error.
static void events_lose(struct stream *s, const struct err *failure)
{
	s->has_events = false;
	if (failure->code == ERR_INTERRUPTED)
		return;
	s->outcome.failure = *failure;
	engine_notice(s->plan->engine, "redact: %s; the stream goes on without events", failure->text);
}

static void events_flush(struct stream *s)
{
	struct err err;
	if (s->has_events && gather_flush(&s->events.gather, &err) < 0)
		events_lose(s, &err);
}

// Events first: who reads both may rely on a mask having been told.
static int out_put(void *context, struct span bytes, struct err *err)
{
	struct stream *s = context;
	if (s->has_events)
		events_flush(s);
	return stream_put(s, &s->out, bytes, err);
}

// --------------------------------------------------------------------------------------------------- what the filter says

static int stream_sink_write(void *context, struct span bytes, struct err *err)
{
	struct stream *s = context;
	s->outcome.written_bytes += bytes.len;
	return gather_add(&s->out.gather, bytes, err);
}

static void events_leak(struct stream *s, const struct redact_leak *leak)
{
	_cleanup_buf_ struct buf line = BUF_INIT(NAME_BYTES_MAX + 512);
	struct err err;
	int r = buf_printf(&line, &err,
			   "{\"version\":1,\"event\":\"leak\",\"secret\":\"%s\",\"form\":\"%s\",\"offset\":%llu,\"length\":%llu,"
			   "\"partial\":%s}\n",
			   s->plan->names[leak->value_index], redact_form_name(leak->form), (unsigned long long)leak->offset,
			   (unsigned long long)leak->len, leak->partial ? "true" : "false");
	if (r == 0)
		r = gather_add(&s->events.gather, buf_span(&line), &err);
	if (r < 0)
		events_lose(s, &err);
}

static void events_end(struct stream *s)
{
	_cleanup_buf_ struct buf line = BUF_INIT(512);
	struct err err;
	int r = buf_printf(&line, &err, "{\"version\":1,\"event\":\"end\",\"read\":%llu,\"written\":%llu,\"leaks\":%llu}\n",
			   (unsigned long long)s->outcome.read_bytes, (unsigned long long)s->outcome.written_bytes,
			   (unsigned long long)s->outcome.leaks.total);
	if (r == 0)
		r = gather_add(&s->events.gather, buf_span(&line), &err);
	if (r < 0)
		events_lose(s, &err);
	events_flush(s);
}

static void stream_sink_leak(void *context, const struct redact_leak *leak)
{
	struct stream *s = context;
	exec_leaks_add(&s->outcome.leaks, LEAK_STREAM_STDIN, leak);
	if (s->has_events)
		events_leak(s, leak);
}

// ---------------------------------------------------------------------------------------------------------- the loop

static int stream_show(struct stream *s, struct err *err)
{
	if (s->has_events)
		events_flush(s);
	return gather_flush(&s->out.gather, err);
}

// The input has nothing at present.
static int stream_idle(struct stream *s, struct err *err)
{
	bool ready = false;
	int r = stream_show(s, err);
	if (r == 0)
		r = stream_wait(s, &s->in, POLLIN, filter_quiet_ms(s->filter), &ready, err);
	if (r < 0 || ready)
		return r;
	r = filter_quiet(s->filter, err);
	return r == 0 ? stream_show(s, err) : r;
}

static uint8_t *stream_block(const struct stream *s)
{
	return secret_data(s->block) + GATHER_PAGE_BYTES;
}

static int stream_feed(struct stream *s, size_t len, struct err *err)
{
	s->outcome.read_bytes += len;
	int r = filter_feed(s->filter, span_of(stream_block(s), len), err);
	return r == 0 ? gather_pages(&s->out.gather, err) : r;
}

static int stream_copy(struct stream *s, struct err *err)
{
	int r = 0;
	for (unsigned block = 1; r == 0; block++) {
		bool looks = block % BLOCKS_PER_LOOK == 0;
		if (s->outcome.signal != 0 || (looks && stream_signal_take(s) != 0))
			return err_set(err, ERR_INTERRUPTED, "interrupted");
		ssize_t n = stream_port_read(&s->in, stream_block(s), BLOCK_BYTES);
		if (n > 0)
			r = stream_feed(s, (size_t)n, err);
		else if (n == 0)
			break;
		else if (n == -EAGAIN || n == -EINTR)
			r = stream_idle(s, err);
		else
			r = err_set_errno(err, ERR_SYSTEM, (int)-n, "cannot read %s", s->in.what);
	}
	if (r == 0)
		r = filter_end(s->filter, err);
	return r == 0 ? stream_show(s, err) : r;
}

// ---------------------------------------------------------------------------------------------------------- set-up

// Signals that would end a plain filter: not those that whoever started this one ignores or blocks.
static int stream_signals(struct stream *s, struct err *err)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct exec_inherited *inherited = s->plan->inherited;
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		if (sigismember(&inherited->ignored, numbers[i]) != 1 && sigismember(&inherited->mask, numbers[i]) != 1)
			sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signal_fd < 0 ? err_set_errno(err, ERR_SYSTEM, errno, "cannot listen for signals") : 0;
}

static int stream_open(struct stream *s, struct err *err)
{
	const struct redact_sink sink = {stream_sink_write, stream_sink_leak, s};
	int r = exec_leaks_init(&s->outcome.leaks, err);
	if (r == 0)
		r = secret_new(GATHER_PAGE_BYTES + BLOCK_BYTES, SECRET_LOCK_PREFERRED, &s->block, err);
	if (r == 0)
		r = filter_new(s->plan->redactor, &sink, &s->filter, err);
	if (r == 0)
		r = stream_signals(s, err);
	if (r < 0)
		return r;
	stream_port_open(&s->in, STDIN_FILENO, O_RDONLY, "standard input");
	stream_port_open(&s->out, STDOUT_FILENO, O_WRONLY, "standard output");
	r = gather_init(&s->out.gather, out_put, s, stream_block(s), err);
	s->has_events = s->plan->events_fd >= 0;
	if (r < 0 || !s->has_events)
		return r;
	stream_port_open(&s->events, s->plan->events_fd, O_WRONLY, "the descriptor for events");
	return gather_init(&s->events.gather, events_put, s, NULL, err);
}

// A reader that is gone ends a plain writer by SIGPIPE, unless who started it ignores that.
static void stream_failed(struct stream *s, const struct err *failure)
{
	bool is_ignored = sigismember(&s->plan->inherited->ignored, SIGPIPE) == 1;
	if (failure->code == ERR_SYSTEM && failure->sys_errno == EPIPE && !is_ignored)
		s->outcome.signal = SIGPIPE;
	else if (failure->code != ERR_INTERRUPTED)
		s->outcome.failure = *failure;
}

int stream_run(const struct stream_plan *plan, struct redact_outcome *out, struct err *err)
{
	_cleanup_(stream_done) struct stream s = {.plan = plan, .in = STREAM_PORT_INIT, .out = STREAM_PORT_INIT, .events = STREAM_PORT_INIT,
						  .signal_fd = -1};
	int r = stream_open(&s, err);
	if (r < 0)
		return r;
	struct err failure;
	r = stream_copy(&s, &failure);
	if (r < 0)
		stream_failed(&s, &failure);
	else if (s.has_events)
		events_end(&s);
	s.outcome.tables_unlocked = !redactor_is_locked(plan->redactor);
	*out = s.outcome;
	s.outcome.leaks = (struct exec_leaks){0};
	return 0;
}
