// broker/front_channel: the sockets of the front, without its decisions: what is to go to a connection, and what to the
// keeper. Nothing waits.
#pragma once

#include "broker/front_state.h"

// Messages that wait for one connection to be read. A console that is told of every question and its end, twice over.
#define CHANNEL_ITEMS_MAX (4 * FRONT_QUESTIONS_MAX)

enum channel_room { CHANNEL_SENT, CHANNEL_FULL, CHANNEL_BROKEN };

struct channel {
	int fd; // -1: there is none
	struct inbox inbox;
	struct front_item *items; // what waits, item_count of them
	size_t item_count;
	size_t item_cap;
	struct buf bytes; // of the one that is under way
	size_t bytes_sent;
	bool is_pending;   // something may be there to be sent, or it is broken
	bool is_broken;    // too much waits
	bool wants_room;   // epoll is asked for it
};
void channel_init(struct channel *channel, int fd);
void channel_done(struct channel *channel); // closes
void channel_push(struct channel *channel, const struct front_item *item);
// Sends as much as there is room for. CHANNEL_SENT: nothing is left.
enum channel_room channel_flush(struct channel *channel, const struct front_state *state, int64_t now_ms);

// One message in bytes. Nothing is appended for a question that is gone: its end follows, or was told.
int front_item_pack(const struct front_item *item, const struct front_state *state, int64_t now_ms, struct buf *out, struct err *err);

// ---------------------------------------------------------------------------------------------------------- to the keeper

struct letter {
	enum message_kind kind;
	int fds[2]; // of MESSAGE_WORKER; owned
};

// A queue with a place for every worker's beginning, and one for the lock.
struct mail {
	int fd; // borrowed
	struct letter *letters; // a ring of `cap`
	size_t first, count, cap;
	bool wants_room;
};
int mail_init(struct mail *mail, int fd, size_t cap, struct err *err);
void mail_done(struct mail *mail);
// Takes the descriptors only when it is true. The last place is kept for MESSAGE_LOCK.
bool mail_push(struct mail *mail, const struct letter *letter);
// CHANNEL_BROKEN: the keeper is gone.
enum channel_room mail_flush(struct mail *mail);
