// Any order of connections, messages, ends and passing time at the broker's front: what it promises in front_state.h holds throughout.
#include "broker/front_state.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 16
#define IDS_MAX 1024 // more steps than an input may have

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct front_limits limits = {.early = 4, .consoles = 3, .workers = 5, .questions = 3};

// What an onlooker has seen.
struct view {
	struct front_state *state;
	bool is_open[SLOTS_MAX];
	bool is_worker[SLOTS_MAX];
	bool was_told_end[SLOTS_MAX][IDS_MAX]; // of the connection that has the slot now
	bool is_shown[IDS_MAX];
	bool is_answered[IDS_MAX];      // an answer is with the worker
	uint32_t asked[SLOTS_MAX];      // the id of a worker's question; 0: none
	uint32_t answered[SLOTS_MAX];   // the id that a console has just answered
	uint32_t last_id;
	bool keeper_is_full;
	bool is_locked;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

// Every end once; and only of what there was.
static void see_end(struct view *view, uint32_t slot, uint32_t id)
{
	require(id != 0 && id <= view->last_id && !view->was_told_end[slot][id]);
	require(!front_question_find(view->state, id));
	view->was_told_end[slot][id] = true;
}

// A judgement that counts is told before the question is taken away.
static void see_judged(struct view *view, uint32_t slot, const struct front_item *item)
{
	if (!item->yes)
		return;
	require(item->id != 0 && item->id <= view->last_id && !view->was_told_end[slot][item->id]);
	view->was_told_end[slot][item->id] = true;
}

// Whose question was answered, or was answered wrongly too often.
static void see_answer(struct view *view, uint32_t slot, const struct front_item *item)
{
	require(view->is_worker[slot] && view->asked[slot] != 0);
	const struct front_question *question = front_question_find(view->state, view->asked[slot]);
	require(question && question->worker == slot);
	if (item->answer.verdict != DESK_APPROVED) {
		require(question->bad_count == FRONT_ANSWERS_MAX);
		return;
	}
	require(question->answerer != FRONT_SLOT_NONE && view->answered[question->answerer] == question->id);
	require(!view->is_answered[question->id]);
	view->is_answered[question->id] = true;
}

static void on_send(void *context, uint32_t slot, const struct front_item *item)
{
	struct view *view = context;
	require(slot < SLOTS_MAX && view->is_open[slot]);
	switch ((int)item->kind) {
	case MESSAGE_QUESTION:
		require(front_question_find(view->state, item->id) && !view->was_told_end[slot][item->id]);
		break;
	case MESSAGE_GONE:
		see_end(view, slot, item->id);
		break;
	case MESSAGE_JUDGED:
		see_judged(view, slot, item);
		break;
	case MESSAGE_ANSWER:
		see_answer(view, slot, item);
		break;
	default:
		break;
	}
}

static void on_close(void *context, uint32_t slot)
{
	struct view *view = context;
	require(slot < SLOTS_MAX && view->is_open[slot]);
	view->is_open[slot] = view->is_worker[slot] = false;
	view->asked[slot] = view->answered[slot] = 0;
}

static bool on_hire(void *context, uint32_t slot)
{
	struct view *view = context;
	require(view->is_open[slot] && !view->is_worker[slot] && !view->is_locked);
	view->is_worker[slot] = !view->keeper_is_full;
	return !view->keeper_is_full;
}

static void on_keeper(void *context, enum message_kind kind)
{
	struct view *view = context;
	require(kind == MESSAGE_LOCK || kind == MESSAGE_NOTIFY);
	require(kind != MESSAGE_LOCK || !view->is_locked);
	view->is_locked = view->is_locked || kind == MESSAGE_LOCK;
}

// The counts are what is there, within the bounds; and of what has ended every open console was told.
static void require_sound(struct view *view)
{
	const struct front_state *state = view->state;
	uint32_t counts[3] = {0}, questions = 0;
	for (uint32_t slot = 0; slot < state->peer_count; slot++) {
		const struct front_peer *peer = &state->peers[slot];
		require(peer->is_open == view->is_open[slot]);
		require((peer->is_open && peer->state == FRONT_DESK) == view->is_worker[slot]);
		if (peer->is_open)
			counts[peer->state == FRONT_WATCHING ? 1 : peer->state == FRONT_DESK ? 2 : 0]++;
	}
	require(counts[0] == state->early_count && counts[0] <= limits.early);
	require(counts[1] == state->console_count && counts[1] <= limits.consoles);
	require(counts[2] == state->worker_count && counts[2] <= limits.workers);
	for (size_t i = 0; i < FRONT_QUESTIONS_MAX; i++) {
		const struct front_question *question = &state->questions[i];
		questions += question->id != 0;
		require(question->id == 0 || (view->is_worker[question->worker] && view->asked[question->worker] == question->id));
		require(question->id != 0 || !question->approval.data);
	}
	require(questions == state->question_count && questions <= limits.questions);
}

static void require_ends_told(struct view *view)
{
	for (uint32_t id = 1; id <= view->last_id; id++) {
		if (!view->is_shown[id] || front_question_find(view->state, id))
			continue;
		for (uint32_t slot = 0; slot < view->state->peer_count; slot++) {
			if (view->is_open[slot] && view->state->peers[slot].state == FRONT_WATCHING)
				require(view->was_told_end[slot][id]);
		}
		view->is_shown[id] = false;
	}
}

static void accept_one(struct view *view, int64_t now_ms)
{
	uint32_t slot = front_accept(view->state, now_ms);
	require(slot < SLOTS_MAX && !view->is_open[slot]);
	view->is_open[slot] = true;
	memset(view->was_told_end[slot], 0, sizeof(view->was_told_end[slot]));
}

static void ask(struct view *view, uint32_t slot, uint8_t detail, int64_t now_ms)
{
	struct message_ask message = {.seconds = detail, .approval = SPAN_LITERAL("a plan")};
	uint32_t before = view->state->next_id;
	front_ask(view->state, slot, &message, now_ms);
	if (view->state->next_id == before)
		return;
	require(before == view->last_id + 1 && before < IDS_MAX && front_question_find(view->state, before)->worker == slot);
	view->last_id = before;
	view->asked[slot] = before;
	view->is_shown[before] = true;
}

static void hello(struct view *view, uint32_t slot, uint8_t detail, int64_t now_ms)
{
	struct message_hello message = {
		.version = PROTOCOL_VERSION + (detail >> 4 == 1),
		.purpose = (enum hello_purpose)(detail % 5),
		.device = detail >> 4 == 2,
		.inode = detail >> 4 == 3,
	};
	front_hello(view->state, slot, &message, now_ms);
}

static void answer(struct view *view, uint32_t slot, uint8_t detail)
{
	// Of what waits now, or of what was.
	uint32_t id = view->last_id - (detail < view->last_id ? detail : 0);
	view->answered[slot] = id;
	front_answer(view->state, slot, &(struct message_answer){.id = id, .answer = {.verdict = DESK_APPROVED}});
	view->answered[slot] = 0;
}

static void judge(struct view *view, uint32_t slot, bool is_valid)
{
	view->is_answered[view->asked[slot]] = false;
	front_judged(view->state, slot, is_valid);
}

static void step(struct view *view, uint8_t what, uint8_t detail, int64_t *now_ms)
{
	uint32_t slot = (what >> 4) % view->state->peer_count;
	switch (what & 0xf) {
	case 0: accept_one(view, *now_ms); return;
	case 1: hello(view, slot, detail, *now_ms); return;
	case 2: ask(view, slot, detail, *now_ms); return;
	case 3: answer(view, slot, detail); return;
	case 4: judge(view, slot, detail & 1); return;
	case 5: front_sent(view->state, slot); return;
	case 6: front_ended(view->state, slot); return;
	case 7: view->keeper_is_full = detail & 1; return;
	case 8: front_locked(view->state); return;
	default:
		*now_ms += (int64_t)detail * 256;
		front_tick(view->state, *now_ms);
		require(front_wait_ms(view->state, *now_ms) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct view view;
	struct front_setup setup = {.status = {.state = BROKER_UNLOCKED}};
	struct front_out out = {on_send, on_close, on_hire, on_keeper, &view};
	struct err err;
	int64_t now_ms = 0;
	view = (struct view){0};
	require(front_state_new(&setup, &limits, &out, &view.state, &err) == 0);
	for (size_t i = 0; i + 1 < len && i / 2 < IDS_MAX - 1; i += 2) {
		step(&view, data[i], data[i + 1], &now_ms);
		require_sound(&view);
		require_ends_told(&view);
	}
	front_state_free(view.state);
	return 0;
}
