#include "broker/front_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define ACCEPTS_AT_ONCE 64
// How long nobody is accepted where the system has no descriptors or memory left.
#define PAUSE_MS 100

// In an event, beside slots.
#define EVENT_LISTENER UINT32_MAX
#define EVENT_KEEPER (UINT32_MAX - 1)

// ------------------------------------------------------------------------------------------------------ what the state wants

static bool watch(struct front *front, int operation, int fd, uint32_t events, uint32_t about)
{
	struct epoll_event event = {.events = events, .data.u32 = about};
	return epoll_ctl(front->epoll_fd, operation, fd, &event) == 0;
}

static void on_send(void *context, uint32_t slot, const struct front_item *item)
{
	struct front *front = context;
	struct channel *channel = &front->channels[slot];
	if (!channel->is_pending)
		front->pending[front->pending_count++] = slot;
	channel_push(channel, item);
}

static void on_close(void *context, uint32_t slot)
{
	struct front *front = context;
	struct channel *channel = &front->channels[slot];
	bool is_pending = channel->is_pending;
	watch(front, EPOLL_CTL_DEL, channel->fd, 0, 0);
	channel_done(channel);
	channel->is_pending = is_pending; // it stands in the list
}

static bool on_hire(void *context, uint32_t slot)
{
	struct front *front = context;
	struct channel *channel = &front->channels[slot];
	int desk[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, desk) < 0)
		return false;
	struct letter letter = {.kind = MESSAGE_WORKER, .fds = {channel->fd, desk[1]}};
	if (!watch(front, EPOLL_CTL_ADD, desk[0], EPOLLIN, slot) || !mail_push(&front->mail, &letter)) {
		fd_close(&desk[0]);
		fd_close(&desk[1]);
		return false;
	}
	// Not by closing it: the connection lives on in the keeper.
	watch(front, EPOLL_CTL_DEL, channel->fd, 0, 0);
	channel->fd = desk[0];
	return true;
}

static void on_keeper(void *context, enum message_kind kind)
{
	struct front *front = context;
	mail_push(&front->mail, &(struct letter){.kind = kind, .fds = {-1, -1}});
}

// ----------------------------------------------------------------------------------------------------------------- reading

static int judged_take(struct front *front, uint32_t slot, struct span payload, struct err *err)
{
	uint32_t id, is_valid;
	int r = numbers_read(payload, &id, &is_valid, err);
	if (r == 0)
		front_judged(front->state, slot, is_valid != 0);
	return r;
}

static int hello_take(struct front *front, uint32_t slot, struct span payload, struct err *err)
{
	struct message_hello hello;
	int r = hello_read(payload, &hello, err);
	if (r == 0)
		front_hello(front->state, slot, &hello, clock_monotonic_ms());
	return r;
}

static int answer_take(struct front *front, uint32_t slot, struct span payload, struct err *err)
{
	struct message_answer answer;
	int r = answer_read(payload, &answer, err);
	if (r == 0)
		front_answer(front->state, slot, &answer);
	return r;
}

static int ask_take(struct front *front, uint32_t slot, struct span payload, struct err *err)
{
	struct message_ask ask;
	int r = ask_read(payload, &ask, err);
	if (r == 0)
		front_ask(front->state, slot, &ask, clock_monotonic_ms());
	return r;
}

// The inbox has let through what the connection's state permits.
static int message_take(struct front *front, uint32_t slot, const struct message *message, struct err *err)
{
	switch ((int)message->kind) {
	case MESSAGE_HELLO:
		return hello_take(front, slot, message->payload, err);
	case MESSAGE_ANSWER:
		return answer_take(front, slot, message->payload, err);
	case MESSAGE_ASK:
		return ask_take(front, slot, message->payload, err);
	case MESSAGE_JUDGED:
		return judged_take(front, slot, message->payload, err);
	default:
		return message_malformed(message->kind, err);
	}
}

// One message at most: then the others have their turn.
static void channel_take(struct front *front, uint32_t slot)
{
	struct channel *channel = &front->channels[slot];
	struct err err;
	if (channel->fd < 0)
		return;
	int r = inbox_read(&channel->inbox, channel->fd, front->state->peers[slot].state, &err);
	if (r == INBOX_MORE)
		return;
	// What it was is kept by the taker: a slot may be closed by its own message, and its inbox with it.
	struct inbox inbox = channel->inbox;
	inbox_init(&channel->inbox);
	if (r == INBOX_MESSAGE)
		r = message_take(front, slot, &inbox.message, &err);
	inbox_done(&inbox);
	if (r < 0 || r == INBOX_END)
		front_ended(front->state, slot);
}

// --------------------------------------------------------------------------------------------------------------- accepting

// Who asks is found out where it counts, by the worker; here only nobody else's program takes up a place.
static bool is_own(const struct front *front, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == front->uid;
}

static void listen_switch(struct front *front, bool on)
{
	if (front->is_listening != on && watch(front, EPOLL_CTL_MOD, front->listen_fd, on ? EPOLLIN : 0, EVENT_LISTENER))
		front->is_listening = on;
}

static void connection_take(struct front *front, int fd)
{
	if (!is_own(front, fd)) {
		fd_close(&fd);
		return;
	}
	uint32_t slot = front_accept(front->state, clock_monotonic_ms());
	bool is_pending = front->channels[slot].is_pending;
	channel_init(&front->channels[slot], fd);
	front->channels[slot].is_pending = is_pending;
	if (!watch(front, EPOLL_CTL_ADD, fd, EPOLLIN, slot)) {
		front_ended(front->state, slot);
		return;
	}
	// What it has said already is heard before the next one comes, which might take its place.
	channel_take(front, slot);
}

static void connections_take(struct front *front)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE && !front->state->is_locking; i++) {
		int64_t now_ms = clock_monotonic_ms();
		if (!front_has_room(front->state, now_ms)) {
			front->paused_until_ms = now_ms + PAUSE_MS;
			return;
		}
		int fd = accept4(front->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			connection_take(front, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		front->paused_until_ms = clock_monotonic_ms() + PAUSE_MS;
		return;
	}
}

// -------------------------------------------------------------------------------------------------------------------- loop

static void channel_settle(struct front *front, uint32_t slot, int64_t now_ms)
{
	struct channel *channel = &front->channels[slot];
	channel->is_pending = false;
	if (channel->fd < 0)
		return;
	enum channel_room room = channel_flush(channel, front->state, now_ms);
	if (channel->wants_room != (room == CHANNEL_FULL)) {
		channel->wants_room = room == CHANNEL_FULL;
		if (!watch(front, EPOLL_CTL_MOD, channel->fd, EPOLLIN | (channel->wants_room ? EPOLLOUT : 0), slot))
			room = CHANNEL_BROKEN;
	}
	if (room == CHANNEL_BROKEN)
		front_ended(front->state, slot);
	else if (room == CHANNEL_SENT)
		front_sent(front->state, slot);
}

// The end of one may be news for others, so the list can grow meanwhile, up to each slot once.
static void settle(struct front *front)
{
	int64_t now_ms = clock_monotonic_ms();
	while (front->pending_count > 0)
		channel_settle(front, front->pending[--front->pending_count], now_ms);
	enum channel_room room = mail_flush(&front->mail);
	if (front->mail.wants_room != (room == CHANNEL_FULL)) {
		front->mail.wants_room = room == CHANNEL_FULL;
		watch(front, EPOLL_CTL_MOD, front->keeper_fd, EPOLLIN | (front->mail.wants_room ? EPOLLOUT : 0), EVENT_KEEPER);
	}
	front->keeper_is_gone = front->keeper_is_gone || room == CHANNEL_BROKEN;
	listen_switch(front, !front->state->is_locking && now_ms >= front->paused_until_ms);
}

static void event_take(struct front *front, const struct epoll_event *event)
{
	uint32_t about = event->data.u32;
	if (about == EVENT_KEEPER) {
		// It never says anything.
		front->keeper_is_gone = front->keeper_is_gone || (event->events & ~(uint32_t)EPOLLOUT);
		return;
	}
	struct channel *channel = &front->channels[about];
	if ((event->events & EPOLLOUT) && channel->fd >= 0 && !channel->is_pending) {
		channel->is_pending = true;
		front->pending[front->pending_count++] = about;
	}
	if (event->events & ~(uint32_t)EPOLLOUT)
		channel_take(front, about);
}

static int wait_ms(const struct front *front)
{
	int64_t until_ms = front_wait_ms(front->state, clock_monotonic_ms());
	bool is_paused = !front->is_listening && !front->state->is_locking;
	if (is_paused && (until_ms < 0 || until_ms > PAUSE_MS))
		until_ms = PAUSE_MS;
	return until_ms > INT32_MAX ? INT32_MAX : (int)until_ms;
}

int front_loop(struct front *front, struct err *err)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	while (!front->keeper_is_gone) {
		int count = epoll_wait(front->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(front));
		if (count < 0 && errno != EINTR)
			return err_set_errno(err, ERR_SYSTEM, errno, "the broker cannot wait for requests");
		bool has_guests = false;
		for (int i = 0; i < count; i++) {
			has_guests = has_guests || events[i].data.u32 == EVENT_LISTENER;
			if (events[i].data.u32 != EVENT_LISTENER)
				event_take(front, &events[i]);
		}
		// Last: before, a slot of an event could become another connection's.
		if (has_guests)
			connections_take(front);
		front_tick(front->state, clock_monotonic_ms());
		settle(front);
	}
	front_locked(front->state);
	settle(front);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------- begin

static int front_allocate(struct front *front, const struct front_setup *setup, const struct front_limits *limits, struct err *err)
{
	struct front_out out = {on_send, on_close, on_hire, on_keeper, front};
	int r = front_state_new(setup, limits, &out, &front->state, err);
	if (r == 0)
		r = mail_init(&front->mail, setup->keeper_fd, limits->workers + FRONT_QUESTIONS_MAX, err);
	if (r < 0)
		return r;
	front->channels = calloc(front->state->peer_count, sizeof(*front->channels));
	front->pending = calloc(front->state->peer_count, sizeof(*front->pending));
	if (!front->channels || !front->pending)
		return err_set(err, ERR_MEMORY, "no memory for the broker's connections");
	for (uint32_t slot = 0; slot < front->state->peer_count; slot++)
		channel_init(&front->channels[slot], -1);
	return 0;
}

static int front_open(struct front *front, struct err *err)
{
	int flags = fcntl(front->listen_fd, F_GETFL);
	front->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (flags < 0 || fcntl(front->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 || front->epoll_fd < 0 ||
	    !watch(front, EPOLL_CTL_ADD, front->listen_fd, EPOLLIN, EVENT_LISTENER) ||
	    !watch(front, EPOLL_CTL_ADD, front->keeper_fd, EPOLLIN, EVENT_KEEPER))
		return err_set_errno(err, ERR_SYSTEM, errno, "the broker cannot listen");
	front->is_listening = true;
	return 0;
}

int front_begin(struct front *front, const struct front_setup *setup, const struct front_limits *limits, struct err *err)
{
	*front = (struct front){.epoll_fd = -1, .listen_fd = setup->listen_fd, .keeper_fd = setup->keeper_fd, .uid = geteuid()};
	int r = front_allocate(front, setup, limits, err);
	return r < 0 ? r : front_open(front, err);
}
