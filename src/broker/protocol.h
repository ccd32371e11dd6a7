// broker/protocol: the messages, and who may send which when. Pure but for inbox_read, inbox_wait and message_send.
// docs/format-broker.md.
//
// Format: u32 length of what follows the kind, u8 kind, payload (base: reader, writer; little-endian). Descriptors
// travel with the header of their message (SCM_RIGHTS).
#pragma once

#include "broker/broker.h"

#define PROTOCOL_VERSION 1
#define FRAME_HEADER_BYTES 5

// Of a request: the kernel's own limit for a program's arguments and environment together is 6 MiB (execve(2), 3/4 of 8 MiB).
#define WORK_BYTES_MAX (8u * 1024 * 1024)
// Of words, and of variables: each counts there at least as a pointer and a NUL.
#define WORK_STRINGS_MAX (6u * 1024 * 1024 / 9)
#define MESSAGE_FDS_MAX 4

enum message_kind {
	// client or console to front
	MESSAGE_HELLO = 1, // the same, and REFUSED too, in every version
	MESSAGE_ANSWER,    // console's, to front; front's, to worker
	// front to client or console
	MESSAGE_REFUSED,   // also to worker: its question
	MESSAGE_STATUS,
	MESSAGE_LOCKED,
	MESSAGE_QUESTION,
	MESSAGE_GONE,
	MESSAGE_JUDGED,    // also worker to front
	MESSAGE_SYNC,
	// client to worker
	MESSAGE_WORK,      // descriptors: the folder, then those of 0-2 that are open, in order
	MESSAGE_BEGUN,
	MESSAGE_SIGNAL,
	MESSAGE_CONTINUED,
	// worker to client
	MESSAGE_BEGIN,
	MESSAGE_STOP,
	MESSAGE_TELL_GROUP,
	MESSAGE_END,
	// worker to front
	MESSAGE_ASK,
	// front to worker
	MESSAGE_WATCHED = 21, // 19 and 20 are no kinds
	// front to keeper
	MESSAGE_WORKER,    // two descriptors: the client's connection, the worker's end of the desk
	MESSAGE_LOCK,
	MESSAGE_NOTIFY,    // a question waits and nobody watches
	MESSAGE_KIND_COUNT
};
// "hello", "answer", …; "unknown" for what is no kind.
const char *message_kind_name(enum message_kind kind);

// What a reader is ready for: a row of the table says in which of these states a kind is taken.
enum reader_state {
	FRONT_NEW,       // front, of a connection: nothing was said yet
	FRONT_WATCHING,  // front, of a console
	FRONT_CLOSING,   // front, of a connection that only waits for its answer: nothing may come any more
	FRONT_DESK,      // front, of a worker
	KEEPER_FRONT,    // keeper, of the front
	WORKER_NEW,      // worker, of its client
	WORKER_WAITING,  // before the program is started: nothing may come
	WORKER_BEGINNING,
	WORKER_RUNNING,
	WORKER_STOPPED,  // the client was told to stop; signals may still be under way
	WORKER_DESK,     // worker, of the front
	CLIENT_ASKED,    // client, of the front: status, lock
	CLIENT_WATCHING, // console, of the front
	CLIENT_WORKING,  // client, of the worker
	READER_STATE_COUNT
};
// 0 or ERR_INPUT: not a kind, not one for this state, or shorter or longer than its kind can be. From the header alone.
int message_check(enum reader_state state, uint32_t length, uint8_t kind, struct err *err);
// How many descriptors a message of this kind may bring.
size_t message_fds_max(enum message_kind kind);

// ------------------------------------------------------------------------------------------------------------- contents

enum hello_purpose { HELLO_STATUS = 1, HELLO_LOCK, HELLO_WATCH, HELLO_WORK };
struct message_hello {
	uint8_t version; // any: of another one than PROTOCOL_VERSION nothing else is read, nor set
	enum hello_purpose purpose;
	uint64_t device; // of the vault's folder: a client of another vault is told so
	uint64_t inode;
};

struct message_answer {
	uint32_t id; // 0 from front to worker
	struct desk_answer answer; // of another verdict than DESK_APPROVED the verdict alone is written
};

// An err in short.
struct message_refused {
	int code; // an enum err_code
	char sentence[ERR_TEXT_BYTES]; // printable: the writer puts '?' for what is not
};

struct message_question {
	uint32_t id;
	int64_t age_seconds;
	int64_t left_seconds;
	uint8_t nonce[DESK_NONCE_BYTES];
	struct span approval; // borrowed from the payload
};

struct message_ask {
	uint32_t seconds; // at least 1
	uint8_t nonce[DESK_NONCE_BYTES];
	struct span approval; // borrowed
};

// A request as it was received, with its own copies.
struct message_work {
	char **words;       // NULL-terminated; of a command the first one is there and not empty, a deposit has none
	char **environment; // NULL-terminated; any bytes, with or without '='. Each list is one allocation, texts and all
	char *deposit;      // NULL: a command
	uint8_t digest[DIGEST_BYTES];
	struct exec_inherited inherited; // std_closed[i]: no descriptor came for it
	struct exec_limits limits;
};
void message_work_done(struct message_work *work);
#define _cleanup_message_work_ _cleanup_(message_work_done)
// How many descriptors have to come with it: the reader of the message compares.
size_t message_work_fds(const struct message_work *work);

// The payloads. Writers append to `out`, and are ERR_LIMIT for more than fits into a message; readers are ERR_INPUT for
// anything a writer never writes, and leave *out alone then.
int hello_write(const struct message_hello *hello, struct buf *out, struct err *err);
int hello_read(struct span payload, struct message_hello *out, struct err *err);
int answer_write(const struct message_answer *answer, struct buf *out, struct err *err);
int answer_read(struct span payload, struct message_answer *out, struct err *err);
int refused_write(const struct message_refused *refused, struct buf *out, struct err *err);
int refused_read(struct span payload, struct message_refused *out, struct err *err);
int status_write(const struct broker_status *status, struct buf *out, struct err *err);
int status_read(struct span payload, struct broker_status *out, struct err *err);
int question_write(const struct message_question *question, struct buf *out, struct err *err);
int question_read(struct span payload, struct message_question *out, struct err *err);
int ask_write(const struct message_ask *ask, struct buf *out, struct err *err);
int ask_read(struct span payload, struct message_ask *out, struct err *err);
// `limits` are the writing process's own. ERR_INPUT for a command without a word.
int work_write(const struct broker_work *work, const struct exec_limits *limits, struct buf *out, struct err *err);
int work_read(struct span payload, struct message_work *out, struct err *err);
// Of messages with one or two small numbers: GONE {id}, JUDGED {id, valid}, SIGNAL {number, is_own}, CONTINUED {yes},
// BEGIN {has_terminal}, STOP {number, whole_group}, TELL_GROUP {number}, END {status, signal}, WATCHED {yes}.
int numbers_write(uint32_t first, uint32_t second, struct buf *out, struct err *err);
int numbers_read(struct span payload, uint32_t *out_first, uint32_t *out_second, struct err *err);

// ERR_INPUT, which names the message: for what those leave to their callers to judge.
int message_malformed(enum message_kind kind, struct err *err);

// -------------------------------------------------------------------------------------------------------- over a socket

struct message {
	enum message_kind kind;
	struct span payload;      // borrowed from the inbox, until its next read
	int fds[MESSAGE_FDS_MAX]; // the inbox's own until TAKE_FD; -1 behind the last
	size_t fd_count;
};

// One message at a time out of a stream socket, of which never more is read than that message: what follows may be for
// another process. The payload grows with what arrives, not with what the header announces.
struct inbox {
	uint8_t header[FRAME_HEADER_BYTES];
	size_t header_len;
	struct buf payload;
	size_t length; // of the payload, by the header
	bool is_whole;
	struct message message;
};
void inbox_init(struct inbox *inbox);
// Closes descriptors that nobody took, and frees; the inbox is empty and usable afterwards. To be called early where
// many inboxes wait.
void inbox_done(struct inbox *inbox);
#define _cleanup_inbox_ _cleanup_(inbox_done)
enum inbox_result { INBOX_MESSAGE = 1, INBOX_MORE, INBOX_END };
// Reads what is there, without waiting. INBOX_MESSAGE: inbox->message is whole. INBOX_MORE: not yet, poll again.
// INBOX_END: the other side has closed, between two messages. ERR_INPUT for what is not permitted in `state` (known
// from the header: nothing is allocated for it), for an end within a message, for more descriptors than the kind may
// bring, or any behind the header; ERR_SYSTEM, ERR_MEMORY. After an error the connection is to be closed.
int inbox_read(struct inbox *inbox, int fd, enum reader_state state, struct err *err);
// The same, waiting until `deadline_ms` (CLOCK_MONOTONIC; -1: for ever) for a message or the end; ERR_SYSTEM
// (ETIMEDOUT) when it passes.
int inbox_wait(struct inbox *inbox, int fd, enum reader_state state, int64_t deadline_ms, struct err *err);
// The pure part of it. How many bytes it takes next, never 0; it begins with the next message where one was whole.
size_t inbox_wants(struct inbox *inbox);
// Takes so many or fewer: INBOX_MESSAGE, INBOX_MORE, or an error as above.
int inbox_feed(struct inbox *inbox, struct span bytes, enum reader_state state, struct err *err);

// ERR_LIMIT for a length that its kind cannot have.
int message_header(enum message_kind kind, size_t length, uint8_t out[FRAME_HEADER_BYTES], struct err *err);
// Appends header and payload.
int message_pack(enum message_kind kind, struct span payload, struct buf *out, struct err *err);
// Sends one whole message with its descriptors, which stay the caller's; waits at most `wait_ms` for room (0: not at
// all, -1: for ever). ERR_LIMIT for what its kind cannot have; ERR_SYSTEM (EPIPE included, no SIGPIPE; ETIMEDOUT): a
// part may have been sent, the connection is to be closed.
int message_send(int fd, enum message_kind kind, struct span payload, const int *fds, size_t fd_count, int wait_ms, struct err *err);
// The same for a message of one or two small numbers (numbers_write).
int numbers_send(int fd, enum message_kind kind, uint32_t first, uint32_t second, int wait_ms, struct err *err);
