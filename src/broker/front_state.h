// broker/front_state: what the front knows, and what follows from each thing that happens. Pure: times are given
// (CLOCK_MONOTONIC), and what is to be done is told to a struct front_out.
//
// Invariants
//  - A connection is a slot. Whatever ends it, `close` is told once; nothing is sent to it after that, and the slot is
//    free again.
//  - No bound of struct front_limits is passed; every connection that waits for something, and every question, has a
//    deadline.
//  - A question's id is never used again. Its end is told once to every console that is open then: by GONE, or by
//    JUDGED with `yes` to the one whose answer ended it.
//  - One answer at a time goes to a worker, and only one for the question that it has now.
#pragma once

#include "broker/front.h"

#define FRONT_SLOT_NONE UINT32_MAX
// Behind a question's end, for the judgement of an answer that is with its worker.
#define FRONT_JUDGE_MS 5000

struct front_limits {
	uint32_t early;     // connections that have not said anything, or only wait for their answer
	uint32_t consoles;
	uint32_t workers;
	uint32_t questions; // FRONT_QUESTIONS_MAX at most
};

enum front_refusal {
	FRONT_REFUSE_VERSION,
	FRONT_REFUSE_VAULT,
	FRONT_REFUSE_LOCKING,
	FRONT_REFUSE_CONSOLES,
	FRONT_REFUSE_WORKERS,
	FRONT_REFUSE_QUESTIONS
};

// A message for somebody, not yet in bytes: a question is looked up only when there is room to send it.
struct front_item {
	enum message_kind kind;     // REFUSED STATUS LOCKED QUESTION GONE JUDGED SYNC, ANSWER WATCHED
	uint32_t id;                // QUESTION GONE JUDGED
	bool yes;                   // JUDGED WATCHED
	enum front_refusal refusal; // REFUSED
	uint8_t version;            // of FRONT_REFUSE_VERSION
	struct desk_answer answer;  // ANSWER
};

// What is to be done. These are not to call the state; what they find out (nobody reads, the other end is gone) is told
// later.
struct front_out {
	void (*send)(void *context, uint32_t slot, const struct front_item *item);
	void (*close)(void *context, uint32_t slot);
	// Passes the connection on to the keeper, with one end of a new desk; the other end is the slot's from then on.
	bool (*hire)(void *context, uint32_t slot);
	// LOCK; NOTIFY, which may be lost.
	void (*tell_keeper)(void *context, enum message_kind kind);
	void *context;
};

struct front_peer {
	enum reader_state state;
	bool is_open;
	bool is_locker;        // waits for LOCKED
	uint64_t order;        // of the accepts
	int64_t deadline_ms;   // of FRONT_NEW and FRONT_CLOSING
};

struct front_question {
	uint32_t id;           // 0: none
	uint32_t worker;       // slot
	bool is_answered;      // an answer is with the worker
	uint32_t answerer;     // slot of the console it is from; FRONT_SLOT_NONE when that is gone
	uint32_t bad_count;    // answers that did not count
	int64_t since_ms;
	int64_t deadline_ms;
	uint8_t nonce[DESK_NONCE_BYTES];
	struct buf approval;
};

struct front_state {
	struct front_limits limits;
	struct front_out out;
	uint64_t device, inode;
	struct broker_status status;
	struct front_peer *peers; // peer_count of them
	uint32_t peer_count;
	uint32_t early_count, console_count, worker_count, question_count;
	uint64_t next_order;
	uint32_t next_id; // 0: all were used
	bool is_locking;
	struct front_question questions[FRONT_QUESTIONS_MAX];
};

// ERR_MEMORY.
int front_state_new(const struct front_setup *setup, const struct front_limits *limits, const struct front_out *out,
		    struct front_state **out_state, struct err *err);
struct front_state *front_state_free(struct front_state *state); // closes nothing
void front_state_free_ptr(struct front_state **state);
#define _cleanup_front_state_ _cleanup_(front_state_free_ptr)

// Whether one more may be accepted now: where too many have not said anything, not before the oldest of them had its time.
bool front_has_room(const struct front_state *state, int64_t now_ms);
// Somebody has connected: its slot. Where too many have not said anything, the oldest of them is closed.
uint32_t front_accept(struct front_state *state, int64_t now_ms);
// Messages. One that its connection may not send now ends that connection.
void front_hello(struct front_state *state, uint32_t slot, const struct message_hello *hello, int64_t now_ms);
void front_answer(struct front_state *state, uint32_t slot, const struct message_answer *answer);
void front_ask(struct front_state *state, uint32_t slot, const struct message_ask *ask, int64_t now_ms);
void front_judged(struct front_state *state, uint32_t slot, bool is_valid);
// All that was to be sent to it was sent.
void front_sent(struct front_state *state, uint32_t slot);
// It has ended, or is to be ended: it broke the rules, or does not read.
void front_ended(struct front_state *state, uint32_t slot);
// The keeper has ended.
void front_locked(struct front_state *state);
// Time has passed. front_wait_ms: until it is to be told again; -1: no need.
void front_tick(struct front_state *state, int64_t now_ms);
int64_t front_wait_ms(const struct front_state *state, int64_t now_ms);

// NULL when there is none any more.
const struct front_question *front_question_find(const struct front_state *state, uint32_t id);
struct broker_status front_status(const struct front_state *state);

// For front_state.c and front_question.c only.
void front_questions_show(struct front_state *state, uint32_t slot); // to a new console
void front_questions_leave(struct front_state *state, uint32_t slot); // of a worker or console that is gone
void front_questions_tick(struct front_state *state, int64_t now_ms);
int64_t front_questions_deadline_ms(const struct front_state *state); // INT64_MAX: none
void front_send(struct front_state *state, uint32_t slot, const struct front_item *item);
void front_broadcast(struct front_state *state, enum reader_state to, uint32_t but, const struct front_item *item);
