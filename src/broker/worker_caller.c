// The client, as the program's supervision sees it.
#include "broker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

// The client reads what it is told at once, unless it is stopped.
#define SEND_WAIT_MS 10000
#define BEGUN_WAIT_MS 10000

static int watch_add(int watch_fd, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.fd = fd}};
	return fd < 0 ? -1 : epoll_ctl(watch_fd, EPOLL_CTL_ADD, fd, &event);
}

int worker_watch(struct worker *worker, struct err *err)
{
	worker->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker->watch_fd < 0 || watch_add(worker->watch_fd, worker->setup->client_fd, EPOLLIN) < 0 ||
	    watch_add(worker->watch_fd, worker->peer.pidfd, EPOLLIN) < 0 ||
	    watch_add(worker->watch_fd, worker->setup->lifeline_fd, EPOLLIN) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot watch over the client");
	return 0;
}

bool worker_is_gone(struct worker *worker)
{
	struct epoll_event events[3];
	int count = worker->is_gone ? 0 : epoll_wait(worker->watch_fd, events, ARRAY_COUNT(events), 0);
	for (int i = 0; i < count; i++)
		worker->is_gone |= events[i].data.fd != worker->setup->client_fd || (events[i].events & (EPOLLHUP | EPOLLERR)) != 0;
	return worker->is_gone;
}

bool worker_is_left(struct worker *worker)
{
	struct err ignored;
	if (!worker_is_gone(worker))
		worker->is_gone = inbox_read(&worker->client, worker->setup->client_fd, WORKER_WAITING, &ignored) != INBOX_MORE;
	return worker->is_gone;
}

// What is printed from here on would stand behind the prompt of the client's shell.
static void streams_hush(void)
{
	_cleanup_fd_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0)
		dup2(null_fd, STDERR_FILENO);
}

int worker_leave(const struct worker *worker, struct err *err)
{
	// Where it is the keeper that has gone, the client still hears of it.
	struct pollfd fds[] = {{.fd = worker->setup->client_fd}, {.fd = worker->peer.pidfd, .events = POLLIN}};
	if (poll(fds, ARRAY_COUNT(fds), 0) > 0)
		streams_hush();
	return err_set(err, ERR_INTERRUPTED, "whoever asked for this has gone");
}

void worker_wait(struct worker *worker, int other_fd, int64_t deadline_ms)
{
	struct pollfd fds[] = {{.fd = worker->watch_fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
	int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_monotonic_ms();
	if (deadline_ms >= 0 && left <= 0)
		return;
	poll(fds, ARRAY_COUNT(fds), left > 60 * 1000 ? 60 * 1000 : (int)left);
}

// ----------------------------------------------------------------------------------------------------------- messages

static int client_send(struct worker *worker, enum message_kind kind, uint32_t first, uint32_t second, struct err *err)
{
	int r = numbers_send(worker->setup->client_fd, kind, first, second, SEND_WAIT_MS, err);
	worker->is_gone |= r < 0;
	return r;
}

static void event_keep(struct worker *worker, const struct message *message)
{
	struct err ignored;
	uint32_t number = 0, is_own = 0;
	if (worker->event_count < WORKER_EVENTS_MAX && numbers_read(message->payload, &number, &is_own, &ignored) == 0)
		worker->events[worker->event_count++] = (struct exec_event){.number = (int)number, .is_own = is_own != 0};
}

// The next message of the client, signals put aside; false: none yet. What it may not say ends it.
static bool client_next(struct worker *worker, enum reader_state state, struct message **out)
{
	struct err ignored;
	while (!worker_is_gone(worker)) {
		int r = inbox_read(&worker->client, worker->setup->client_fd, state, &ignored);
		if (r == INBOX_MORE)
			return false;
		if (r != INBOX_MESSAGE) {
			worker->is_gone = true;
			break;
		}
		if (worker->client.message.kind != MESSAGE_SIGNAL) {
			*out = &worker->client.message;
			return true;
		}
		event_keep(worker, &worker->client.message);
	}
	return false;
}

// Waits until the client was continued, or could not be stopped; false: it is gone.
static bool client_answers(struct worker *worker, uint32_t *ret_number)
{
	struct message *message;
	struct err ignored;
	uint32_t second = 0;
	for (;;) {
		if (client_next(worker, WORKER_STOPPED, &message))
			return numbers_read(message->payload, ret_number, &second, &ignored) == 0;
		if (worker->is_gone)
			return false;
		worker_wait(worker, -1, -1);
	}
}

// ------------------------------------------------------------------------------------------------------- for exec.h

// The values are open by now: a client that puts off its answer must not have them kept for it, and nothing begins
// behind a lock.
static int caller_begin(void *context, bool has_terminal, struct err *err)
{
	struct worker *worker = context;
	struct message *message;
	int64_t deadline_ms = clock_monotonic_ms() + BEGUN_WAIT_MS;
	bool has_begun = client_send(worker, MESSAGE_BEGIN, has_terminal, 0, err) == 0 &&
			 client_next(worker, WORKER_BEGINNING, &message);
	while (!has_begun && !worker->is_gone && !worker_is_locked(worker) && clock_monotonic_ms() < deadline_ms) {
		worker_wait(worker, worker->setup->desk_fd, deadline_ms);
		has_begun = client_next(worker, WORKER_BEGINNING, &message);
	}
	if (worker->is_gone)
		return worker_leave(worker, err);
	if (worker_is_locked(worker))
		return err_set(err, ERR_DENIED, "the vault was locked before the program was started; `envseal unlock` opens it again");
	return has_begun ? 0 : err_set(err, ERR_INTERRUPTED, "whoever asked for this did not say that it is ready");
}

static bool caller_next(void *context, struct exec_event *out)
{
	struct worker *worker = context;
	struct message *message;
	if (worker->event_count == 0)
		client_next(worker, WORKER_RUNNING, &message);
	if (worker->event_count > 0) {
		*out = worker->events[0];
		worker->event_count--;
		for (size_t i = 0; i < worker->event_count; i++)
			worker->events[i] = worker->events[i + 1];
		return true;
	}
	if (!worker->is_gone)
		return false;
	*out = (struct exec_event){.is_gone = true};
	return true;
}

static bool caller_stop(void *context, int number, bool whole_group)
{
	struct worker *worker = context;
	struct err ignored;
	uint32_t was_continued = 0;
	return client_send(worker, MESSAGE_STOP, (uint32_t)number, whole_group, &ignored) == 0 &&
	       client_answers(worker, &was_continued) && was_continued != 0;
}

static void caller_tell_group(void *context, int number)
{
	struct err ignored;
	client_send(context, MESSAGE_TELL_GROUP, (uint32_t)number, 0, &ignored);
}

struct exec_caller worker_caller(struct worker *worker)
{
	return (struct exec_caller){.pid = worker->peer.pid, .fd = worker->watch_fd, .begin = caller_begin, .next = caller_next,
				    .stop = caller_stop, .tell_group = caller_tell_group, .context = worker};
}
