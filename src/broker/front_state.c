#include "broker/front_state.h"

#include <stdlib.h>

int front_state_new(const struct front_setup *setup, const struct front_limits *limits, const struct front_out *out,
		    struct front_state **out_state, struct err *err)
{
	_cleanup_front_state_ struct front_state *state = calloc(1, sizeof(*state));
	if (!state)
		return err_set(err, ERR_MEMORY, "no memory for the broker's connections");
	state->peer_count = limits->early + limits->consoles + limits->workers;
	state->peers = calloc(state->peer_count, sizeof(*state->peers));
	if (!state->peers)
		return err_set(err, ERR_MEMORY, "no memory for the broker's connections");
	state->limits = *limits;
	state->out = *out;
	state->device = setup->device;
	state->inode = setup->inode;
	state->status = setup->status;
	state->next_id = 1;
	*out_state = TAKE_PTR(state);
	return 0;
}

struct front_state *front_state_free(struct front_state *state)
{
	if (!state)
		return NULL;
	for (size_t i = 0; i < FRONT_QUESTIONS_MAX; i++)
		buf_done(&state->questions[i].approval);
	free(state->peers);
	free(state);
	return NULL;
}

void front_state_free_ptr(struct front_state **state)
{
	*state = front_state_free(*state);
}

// ----------------------------------------------------------------------------------------------------------- connections

static uint32_t *count_of(struct front_state *state, enum reader_state of)
{
	if (of == FRONT_WATCHING)
		return &state->console_count;
	return of == FRONT_DESK ? &state->worker_count : &state->early_count;
}

// FRONT_NEW and FRONT_CLOSING share a bound.
static void peer_move(struct front_state *state, uint32_t slot, enum reader_state to)
{
	--*count_of(state, state->peers[slot].state);
	++*count_of(state, to);
	state->peers[slot].state = to;
}

void front_send(struct front_state *state, uint32_t slot, const struct front_item *item)
{
	state->out.send(state->out.context, slot, item);
}

void front_broadcast(struct front_state *state, enum reader_state to, uint32_t but, const struct front_item *item)
{
	for (uint32_t slot = 0; slot < state->peer_count; slot++) {
		if (state->peers[slot].is_open && state->peers[slot].state == to && slot != but)
			front_send(state, slot, item);
	}
}

// Where a console was the first or the last one.
static void tell_watched(struct front_state *state, uint32_t console_count_before)
{
	bool is_watched = state->console_count > 0;
	if (is_watched != (console_count_before > 0))
		front_broadcast(state, FRONT_DESK, FRONT_SLOT_NONE,
				&(struct front_item){.kind = MESSAGE_WATCHED, .yes = is_watched});
}

void front_ended(struct front_state *state, uint32_t slot)
{
	struct front_peer *peer = &state->peers[slot];
	if (!peer->is_open)
		return;
	uint32_t console_count = state->console_count;
	--*count_of(state, peer->state);
	*peer = (struct front_peer){0};
	state->out.close(state->out.context, slot);
	front_questions_leave(state, slot);
	tell_watched(state, console_count);
}

static uint32_t oldest_early(const struct front_state *state)
{
	uint32_t oldest = FRONT_SLOT_NONE;
	for (uint32_t slot = 0; slot < state->peer_count; slot++) {
		const struct front_peer *peer = &state->peers[slot];
		if (!peer->is_open || peer->state == FRONT_WATCHING || peer->state == FRONT_DESK)
			continue;
		if (oldest == FRONT_SLOT_NONE || peer->order < state->peers[oldest].order)
			oldest = slot;
	}
	return oldest;
}

bool front_has_room(const struct front_state *state, int64_t now_ms)
{
	if (state->early_count < state->limits.early)
		return true;
	int64_t accepted_ms = state->peers[oldest_early(state)].deadline_ms - FRONT_NEW_MS;
	return now_ms - accepted_ms >= FRONT_NEW_LEAST_MS;
}

uint32_t front_accept(struct front_state *state, int64_t now_ms)
{
	if (state->early_count == state->limits.early)
		front_ended(state, oldest_early(state));
	uint32_t slot = 0;
	while (state->peers[slot].is_open)
		slot++;
	state->peers[slot] = (struct front_peer){
		.state = FRONT_NEW,
		.is_open = true,
		.order = state->next_order++,
		.deadline_ms = now_ms + FRONT_NEW_MS,
	};
	state->early_count++;
	return slot;
}

// ----------------------------------------------------------------------------------------------------------------- hello

// It gets this one message, and is closed when it has left.
static void finish(struct front_state *state, uint32_t slot, const struct front_item *item, int64_t now_ms)
{
	peer_move(state, slot, FRONT_CLOSING);
	state->peers[slot].deadline_ms = now_ms + FRONT_NEW_MS;
	front_send(state, slot, item);
}

static void refuse(struct front_state *state, uint32_t slot, enum front_refusal refusal, int64_t now_ms)
{
	finish(state, slot, &(struct front_item){.kind = MESSAGE_REFUSED, .refusal = refusal}, now_ms);
}

static void hello_lock(struct front_state *state, uint32_t slot)
{
	bool is_first = !state->is_locking;
	peer_move(state, slot, FRONT_CLOSING);
	state->peers[slot].is_locker = true;
	state->is_locking = true;
	if (is_first)
		state->out.tell_keeper(state->out.context, MESSAGE_LOCK);
}

static void hello_watch(struct front_state *state, uint32_t slot, int64_t now_ms)
{
	uint32_t console_count = state->console_count;
	if (console_count == state->limits.consoles) {
		refuse(state, slot, FRONT_REFUSE_CONSOLES, now_ms);
		return;
	}
	peer_move(state, slot, FRONT_WATCHING);
	front_questions_show(state, slot);
	front_send(state, slot, &(struct front_item){.kind = MESSAGE_SYNC});
	tell_watched(state, console_count);
}

static void hello_work(struct front_state *state, uint32_t slot, int64_t now_ms)
{
	if (state->worker_count == state->limits.workers || !state->out.hire(state->out.context, slot)) {
		refuse(state, slot, FRONT_REFUSE_WORKERS, now_ms);
		return;
	}
	peer_move(state, slot, FRONT_DESK);
	front_send(state, slot, &(struct front_item){.kind = MESSAGE_WATCHED, .yes = state->console_count > 0});
}

// False where it was refused. Of another version there is only its number.
static bool hello_is_welcome(struct front_state *state, uint32_t slot, const struct message_hello *hello, int64_t now_ms)
{
	if (hello->version != PROTOCOL_VERSION) {
		struct front_item item = {.kind = MESSAGE_REFUSED, .refusal = FRONT_REFUSE_VERSION, .version = hello->version};
		finish(state, slot, &item, now_ms);
		return false;
	}
	if (hello->device != state->device || hello->inode != state->inode) {
		refuse(state, slot, FRONT_REFUSE_VAULT, now_ms);
		return false;
	}
	if (state->is_locking && hello->purpose != HELLO_LOCK) {
		refuse(state, slot, FRONT_REFUSE_LOCKING, now_ms);
		return false;
	}
	return true;
}

void front_hello(struct front_state *state, uint32_t slot, const struct message_hello *hello, int64_t now_ms)
{
	if (state->peers[slot].state != FRONT_NEW) {
		front_ended(state, slot);
		return;
	}
	if (!state->peers[slot].is_open || !hello_is_welcome(state, slot, hello, now_ms))
		return;
	switch (hello->purpose) {
	case HELLO_STATUS:
		finish(state, slot, &(struct front_item){.kind = MESSAGE_STATUS}, now_ms);
		return;
	case HELLO_LOCK:
		hello_lock(state, slot);
		return;
	case HELLO_WATCH:
		hello_watch(state, slot, now_ms);
		return;
	case HELLO_WORK:
		hello_work(state, slot, now_ms);
		return;
	}
	front_ended(state, slot);
}

struct broker_status front_status(const struct front_state *state)
{
	struct broker_status status = state->status;
	status.running = state->worker_count;
	status.waiting = state->question_count;
	status.consoles = state->console_count;
	return status;
}

void front_sent(struct front_state *state, uint32_t slot)
{
	if (state->peers[slot].state == FRONT_CLOSING && !state->peers[slot].is_locker)
		front_ended(state, slot);
}

void front_locked(struct front_state *state)
{
	// Before anybody hears that it is locked: by its desk's end a worker knows, and begins nothing any more.
	for (uint32_t slot = 0; slot < state->peer_count; slot++) {
		if (state->peers[slot].is_open && state->peers[slot].state == FRONT_DESK)
			front_ended(state, slot);
	}
	for (uint32_t slot = 0; slot < state->peer_count; slot++) {
		if (state->peers[slot].is_open && state->peers[slot].is_locker)
			front_send(state, slot, &(struct front_item){.kind = MESSAGE_LOCKED});
	}
}

// ------------------------------------------------------------------------------------------------------------------ time

// Who waits for the lock has no deadline but the keeper's end.
static bool has_deadline(const struct front_peer *peer)
{
	return peer->is_open && !peer->is_locker && (peer->state == FRONT_NEW || peer->state == FRONT_CLOSING);
}

void front_tick(struct front_state *state, int64_t now_ms)
{
	for (uint32_t slot = 0; state->early_count > 0 && slot < state->peer_count; slot++) {
		if (has_deadline(&state->peers[slot]) && state->peers[slot].deadline_ms <= now_ms)
			front_ended(state, slot);
	}
	front_questions_tick(state, now_ms);
}

int64_t front_wait_ms(const struct front_state *state, int64_t now_ms)
{
	int64_t deadline_ms = front_questions_deadline_ms(state);
	for (uint32_t slot = 0; state->early_count > 0 && slot < state->peer_count; slot++) {
		if (has_deadline(&state->peers[slot]) && state->peers[slot].deadline_ms < deadline_ms)
			deadline_ms = state->peers[slot].deadline_ms;
	}
	if (deadline_ms == INT64_MAX)
		return -1;
	return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}
