// The questions that wait: from a worker to every console, and an answer back.
#include "broker/front_state.h"

#include <string.h>

static struct front_question *question_of(struct front_state *state, uint32_t worker)
{
	for (size_t i = 0; i < state->limits.questions; i++) {
		if (state->questions[i].id != 0 && state->questions[i].worker == worker)
			return &state->questions[i];
	}
	return NULL;
}

// FRONT_QUESTIONS_MAX: none.
static size_t index_of(const struct front_state *state, uint32_t id)
{
	for (size_t i = 0; id != 0 && i < state->limits.questions; i++) {
		if (state->questions[i].id == id)
			return i;
	}
	return FRONT_QUESTIONS_MAX;
}

const struct front_question *front_question_find(const struct front_state *state, uint32_t id)
{
	size_t i = index_of(state, id);
	return i < FRONT_QUESTIONS_MAX ? &state->questions[i] : NULL;
}

static struct front_question *question_free(struct front_state *state)
{
	for (size_t i = 0; i < state->limits.questions; i++) {
		if (state->questions[i].id == 0)
			return &state->questions[i];
	}
	return NULL;
}

static bool is_peer(const struct front_state *state, uint32_t slot, enum reader_state in)
{
	return state->peers[slot].is_open && state->peers[slot].state == in;
}

static void send_judged(struct front_state *state, uint32_t slot, uint32_t id, bool is_valid)
{
	if (slot != FRONT_SLOT_NONE)
		front_send(state, slot, &(struct front_item){.kind = MESSAGE_JUDGED, .id = id, .yes = is_valid});
}

// `but`: a console that knows already.
static void question_end(struct front_state *state, struct front_question *question, uint32_t but)
{
	struct front_item gone = {.kind = MESSAGE_GONE, .id = question->id};
	buf_done(&question->approval);
	*question = (struct front_question){0};
	state->question_count--;
	front_broadcast(state, FRONT_WATCHING, but, &gone);
}

void front_questions_show(struct front_state *state, uint32_t slot)
{
	for (size_t i = 0; i < state->limits.questions; i++) {
		if (state->questions[i].id != 0)
			front_send(state, slot, &(struct front_item){.kind = MESSAGE_QUESTION, .id = state->questions[i].id});
	}
}

void front_questions_leave(struct front_state *state, uint32_t slot)
{
	for (size_t i = 0; i < state->limits.questions; i++) {
		struct front_question *question = &state->questions[i];
		if (question->id != 0 && question->is_answered && question->answerer == slot)
			question->answerer = FRONT_SLOT_NONE;
		if (question->id != 0 && question->worker == slot)
			question_end(state, question, FRONT_SLOT_NONE);
	}
}

// ---------------------------------------------------------------------------------------------------------- from a worker

static bool question_fill(struct front_state *state, struct front_question *out, uint32_t slot, const struct message_ask *ask,
			  int64_t now_ms)
{
	int64_t seconds = ask->seconds < DESK_WAIT_SECONDS ? ask->seconds : DESK_WAIT_SECONDS;
	struct front_question question = {
		.id = state->next_id,
		.worker = slot,
		.answerer = FRONT_SLOT_NONE,
		.since_ms = now_ms,
		.deadline_ms = now_ms + seconds * 1000,
		.approval = BUF_INIT(ask->approval.len),
	};
	struct err err;
	if (buf_append(&question.approval, ask->approval, &err) < 0)
		return false;
	memcpy(question.nonce, ask->nonce, sizeof(question.nonce));
	*out = question;
	return true;
}

void front_ask(struct front_state *state, uint32_t slot, const struct message_ask *ask, int64_t now_ms)
{
	// One at a time: its worker waits meanwhile.
	if (!is_peer(state, slot, FRONT_DESK) || question_of(state, slot)) {
		front_ended(state, slot);
		return;
	}
	struct front_question *question = question_free(state);
	if (!question || state->next_id == 0 || !question_fill(state, question, slot, ask, now_ms)) {
		front_send(state, slot, &(struct front_item){.kind = MESSAGE_REFUSED, .refusal = FRONT_REFUSE_QUESTIONS});
		return;
	}
	state->next_id++;
	state->question_count++;
	front_broadcast(state, FRONT_WATCHING, FRONT_SLOT_NONE,
			&(struct front_item){.kind = MESSAGE_QUESTION, .id = question->id});
	if (state->console_count == 0)
		state->out.tell_keeper(state->out.context, MESSAGE_NOTIFY);
}

static void question_deny(struct front_state *state, struct front_question *question)
{
	struct front_item denied = {.kind = MESSAGE_ANSWER, .answer = {.verdict = DESK_DENIED}};
	front_send(state, question->worker, &denied);
	question_end(state, question, FRONT_SLOT_NONE);
}

void front_judged(struct front_state *state, uint32_t slot, bool is_valid)
{
	if (!is_peer(state, slot, FRONT_DESK)) {
		front_ended(state, slot);
		return;
	}
	// It may be about one that has ended here meanwhile.
	struct front_question *question = question_of(state, slot);
	if (!question || !question->is_answered)
		return;
	uint32_t answerer = question->answerer;
	send_judged(state, answerer, question->id, is_valid);
	if (is_valid) {
		question_end(state, question, answerer);
		return;
	}
	question->is_answered = false;
	question->answerer = FRONT_SLOT_NONE;
	if (++question->bad_count >= FRONT_ANSWERS_MAX)
		question_deny(state, question);
}

// --------------------------------------------------------------------------------------------------------- from a console

void front_answer(struct front_state *state, uint32_t slot, const struct message_answer *answer)
{
	if (!is_peer(state, slot, FRONT_WATCHING)) {
		front_ended(state, slot);
		return;
	}
	size_t i = index_of(state, answer->id);
	if (i == FRONT_QUESTIONS_MAX || state->questions[i].is_answered) {
		send_judged(state, slot, answer->id, false);
		return;
	}
	struct front_question *question = &state->questions[i];
	question->is_answered = true;
	question->answerer = slot;
	front_send(state, question->worker, &(struct front_item){.kind = MESSAGE_ANSWER, .answer = answer->answer});
}

// ------------------------------------------------------------------------------------------------------------------ time

static int64_t end_ms(const struct front_question *question)
{
	return question->deadline_ms + (question->is_answered ? FRONT_JUDGE_MS : 0);
}

void front_questions_tick(struct front_state *state, int64_t now_ms)
{
	for (size_t i = 0; i < state->limits.questions; i++) {
		if (state->questions[i].id != 0 && end_ms(&state->questions[i]) <= now_ms)
			question_end(state, &state->questions[i], FRONT_SLOT_NONE);
	}
}

int64_t front_questions_deadline_ms(const struct front_state *state)
{
	int64_t deadline_ms = INT64_MAX;
	for (size_t i = 0; i < state->limits.questions; i++) {
		if (state->questions[i].id != 0 && end_ms(&state->questions[i]) < deadline_ms)
			deadline_ms = end_ms(&state->questions[i]);
	}
	return deadline_ms;
}
