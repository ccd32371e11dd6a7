#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "broker/client.h"

#define ANSWER_SEND_MS 5000

struct broker_watch {
	struct link link;
};

struct broker_watch *broker_watch_close(struct broker_watch *watch)
{
	if (watch)
		link_done(&watch->link);
	free(watch);
	return NULL;
}

void broker_watch_close_ptr(struct broker_watch **watch)
{
	*watch = broker_watch_close(*watch);
}

int broker_watch(const struct home *home, struct broker_watch **out, struct err *err)
{
	_cleanup_broker_watch_ struct broker_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return err_set(err, ERR_MEMORY, "out of memory");
	watch->link = link_none();
	int r = link_open(home, HELLO_WATCH, &watch->link, err);
	if (r == 0)
		*out = TAKE_PTR(watch);
	return r;
}

int broker_watch_fd(const struct broker_watch *watch)
{
	return watch->link.fd;
}

static int question_take(const struct message *message, struct broker_question *out, struct err *err)
{
	struct message_question question;
	int r = question_read(message->payload, &question, err);
	if (r < 0)
		return r;
	*out = (struct broker_question){.id = question.id, .age_seconds = question.age_seconds,
					.left_seconds = question.left_seconds, .question = {.approval = question.approval}};
	memcpy(out->question.nonce, question.nonce, sizeof(question.nonce));
	return BROKER_QUESTION;
}

static int event_take(const struct message *message, struct broker_question *out, bool *out_valid, struct err *err)
{
	uint32_t id = 0, is_valid = 0;
	if (message->kind == MESSAGE_REFUSED)
		return link_refused(message, err);
	if (message->kind == MESSAGE_QUESTION)
		return question_take(message, out, err);
	if (message->kind == MESSAGE_SYNC)
		return BROKER_SYNC;
	int r = numbers_read(message->payload, &id, &is_valid, err);
	if (r < 0)
		return r;
	*out = (struct broker_question){.id = id};
	*out_valid = is_valid != 0;
	return message->kind == MESSAGE_GONE ? BROKER_GONE : BROKER_JUDGED;
}

int broker_watch_next(struct broker_watch *watch, int timeout_ms, struct broker_question *out, bool *out_valid, struct err *err)
{
	struct pollfd ready = {.fd = watch->link.fd, .events = POLLIN};
	poll(&ready, 1, timeout_ms);
	int r = inbox_read(&watch->link.inbox, watch->link.fd, CLIENT_WATCHING, err);
	if (r == INBOX_MORE)
		return 0;
	if (r == INBOX_END)
		return err_set(err, ERR_NOT_FOUND, "the vault was locked; `envseal unlock` opens it again");
	return r < 0 ? r : event_take(&watch->link.inbox.message, out, out_valid, err);
}

int broker_watch_answer(struct broker_watch *watch, uint32_t id, const struct desk_answer *answer, struct err *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(256);
	struct message_answer message = {.id = id, .answer = *answer};
	int r = answer_write(&message, &payload, err);
	return r == 0 ? message_send(watch->link.fd, MESSAGE_ANSWER, buf_span(&payload), NULL, 0, ANSWER_SEND_MS, err) : r;
}
