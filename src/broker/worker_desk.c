// The way to the human: through the front, which keeps the questions.
#include "broker/worker_internal.h"

#include <string.h>
#include <unistd.h>

#define SEND_WAIT_MS 5000

// 1: an answer, in *out. 0: nothing more for now. ERR_DENIED when there is no front any more.
static int desk_read(struct worker *worker, struct desk_answer *out, struct err *err)
{
	struct message_answer answer;
	uint32_t is_watched = 0, second = 0;
	for (;;) {
		int r = inbox_read(&worker->desk, worker->setup->desk_fd, WORKER_DESK, err);
		if (r == INBOX_MORE)
			return 0;
		if (r != INBOX_MESSAGE)
			return err_set(err, ERR_DENIED, "the vault was locked before anybody approved this; `envseal unlock` opens it again");
		const struct message *message = &worker->desk.message;
		if (message->kind == MESSAGE_WATCHED && numbers_read(message->payload, &is_watched, &second, err) == 0)
			worker->is_watched = is_watched != 0;
		if (message->kind == MESSAGE_REFUSED)
			return err_set(err, ERR_LIMIT, "too many requests wait for approval already; try again when some were answered");
		if (message->kind == MESSAGE_ANSWER && answer_read(message->payload, &answer, err) == 0) {
			*out = answer.answer;
			return 1;
		}
	}
}

bool worker_is_locked(struct worker *worker)
{
	struct desk_answer ignored_answer;
	struct err ignored;
	return desk_read(worker, &ignored_answer, &ignored) == ERR_DENIED;
}

static bool desk_is_watched(void *context)
{
	struct worker *worker = context;
	worker_is_locked(worker);
	return worker->is_watched;
}

static int desk_wait(struct worker *worker, int64_t deadline_ms, int seconds, struct desk_answer *out, struct err *err)
{
	for (;;) {
		int r = desk_read(worker, out, err);
		if (r != 0)
			return r < 0 ? r : 0;
		if (worker_is_left(worker))
			return worker_leave(worker, err);
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(err, ERR_NO, "nobody answered in %d seconds", seconds);
		worker_wait(worker, worker->setup->desk_fd, deadline_ms);
	}
}

// An answer that did not count leaves the question with the front: it is not put again.
static int question_put(struct worker *worker, const struct desk_question *question, int seconds, struct err *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(2 * DESK_QUESTION_BYTES_MAX);
	struct message_ask ask = {.seconds = (uint32_t)seconds, .approval = question->approval};
	if (worker->has_asked && memcmp(worker->nonce, question->nonce, sizeof(worker->nonce)) == 0)
		return 0;
	memcpy(ask.nonce, question->nonce, sizeof(ask.nonce));
	memcpy(worker->nonce, question->nonce, sizeof(worker->nonce));
	worker->has_asked = true;
	int r = ask_write(&ask, &payload, err);
	return r == 0 ? message_send(worker->setup->desk_fd, MESSAGE_ASK, buf_span(&payload), NULL, 0, SEND_WAIT_MS, err) : r;
}

static int desk_ask(void *context, const struct desk_question *question, int seconds, struct desk_answer *out, struct err *err)
{
	struct worker *worker = context;
	int r = question_put(worker, question, seconds, err);
	return r == 0 ? desk_wait(worker, clock_monotonic_ms() + (int64_t)seconds * 1000, seconds, out, err) : r;
}
static void desk_judge(void *context, bool is_valid)
{
	struct worker *worker = context;
	struct err ignored;
	// Whoever does not hear it is gone, and that shows elsewhere.
	numbers_send(worker->setup->desk_fd, MESSAGE_JUDGED, 0, is_valid, SEND_WAIT_MS, &ignored);
}

struct engine_desk worker_desk(struct worker *worker)
{
	return (struct engine_desk){.is_watched = desk_is_watched, .ask = desk_ask, .judge = desk_judge, .context = worker};
}
