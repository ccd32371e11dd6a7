// broker/worker: what its files share.
#pragma once

#include "broker/keeper.h"

#define WORKER_EVENTS_MAX 64

struct worker {
	const struct worker_setup *setup;
	struct peer peer;          // the client
	struct inbox client, desk;
	int watch_fd;              // epoll: the client's connection, its process, the lifeline
	bool is_gone;              // the client or the keeper has ended
	bool is_watched;           // a console is open
	bool has_asked;            // a question is with the front, of this nonce
	uint8_t nonce[DESK_NONCE_BYTES];
	struct exec_event events[WORKER_EVENTS_MAX]; // that came before they were asked for
	size_t event_count;
	struct exec_caller caller;
	struct engine_desk desk_way;
	struct engine_client serves;
};

// --- worker_caller.c

int worker_watch(struct worker *worker, struct err *err); // makes watch_fd
// Looks, without waiting, whether client and keeper are there still.
bool worker_is_gone(struct worker *worker);
// The same before the program is started, when a client has nothing to say: one that says something is done with.
bool worker_is_left(struct worker *worker);
// The error of a client that is left; nothing more is printed in the name of one that has ended.
int worker_leave(const struct worker *worker, struct err *err);
// Waits until something may have come from the client, or `other_fd` (-1: none) is ready, or the deadline has passed
// (-1: none).
void worker_wait(struct worker *worker, int other_fd, int64_t deadline_ms);
struct exec_caller worker_caller(struct worker *worker);

// --- worker_desk.c

struct engine_desk worker_desk(struct worker *worker);
// Looks, without waiting, whether there is a front still: behind a lock there is none.
bool worker_is_locked(struct worker *worker);
