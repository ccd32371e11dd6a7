// cli/console: `envseal approve`: what waits for the human, and the terminal on which it is answered.
//
// Invariants
//  - Between questions the terminal is left as it is: the kernel edits the line, and Ctrl-Z, a resize or an end by any signal
//    have nothing to put back. A question itself is engine_answer's, which does that.
//  - What comes from outside is shown by question_summary alone, whose texts are inert.
#pragma once

#include "cli/command.h"

// A question that waits, with its own copy.
struct waiting {
	uint32_t id;
	int64_t since_ms; // CLOCK_MONOTONIC
	int64_t until_ms;
	uint8_t nonce[DESK_NONCE_BYTES];
	struct buf approval;
	bool was_opened; // it was on the screen before
};

// Oldest first.
#define QUEUE_MAX 256
struct queue {
	struct waiting *items;
	size_t count;
};
void queue_done(struct queue *queue);
#define _cleanup_queue_ _cleanup_(queue_done)
// ERR_LIMIT beyond QUEUE_MAX. One of the same id takes the other's place.
int queue_add(struct queue *queue, const struct broker_question *question, int64_t now_ms, struct err *err);
void queue_remove(struct queue *queue, uint32_t id); // one that is not there is no matter
struct waiting *queue_find(const struct queue *queue, uint32_t id); // borrowed until the next change; NULL
struct desk_question waiting_question(const struct waiting *waiting); // borrows from it

// One line of a list, no newline: number, age, who asks, action, program, secrets; cut to `columns`. ERR_MEMORY.
int waiting_line(const struct waiting *waiting, int64_t now_ms, size_t columns, struct buf *out, struct err *err);
// All of it in rows, as `approve --list` has it, or as an object.
int waiting_rows(const struct waiting *waiting, int64_t now_ms, struct buf *out, struct err *err);
int waiting_json(const struct waiting *waiting, int64_t now_ms, json_t **out, struct err *err);

// Told of everything that waits by now.
int console_sync(struct broker_watch *watch, struct queue *queue, struct err *err);

enum console_result { CONSOLE_ENDED, CONSOLE_APPROVED, CONSOLE_DENIED };
// Answers questions on `terminal_fd` until the human ends it, with `once` until one was answered. ERR_NOT_FOUND when
// the broker has ended.
int console_run(struct engine *engine, struct broker_watch *watch, int terminal_fd, bool once, enum console_result *out,
		struct err *err);
