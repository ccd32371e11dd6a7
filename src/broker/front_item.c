// What the front says, in bytes.
#include "broker/front_channel.h"

#include <stdio.h>
#include <string.h>

// Its longest message.
#define PAYLOAD_BYTES_MAX (128u * 1024)

struct refusal {
	int code;
	const char *sentence;
};
static const struct refusal refusals[] = {
	[FRONT_REFUSE_VERSION] = {ERR_SYSTEM, NULL},
	[FRONT_REFUSE_VAULT] = {ERR_NOT_FOUND, "this broker holds another vault"},
	[FRONT_REFUSE_LOCKING] = {ERR_NOT_FOUND, "the broker is being locked"},
	[FRONT_REFUSE_CONSOLES] = {ERR_LIMIT, "too many consoles watch this broker already: close one of them (`envseal approve`)"},
	[FRONT_REFUSE_WORKERS] = {ERR_LIMIT, "the broker has as many requests under way as it can: try again when some have ended"},
	[FRONT_REFUSE_QUESTIONS] = {ERR_LIMIT, "too many questions wait for an answer already: answer them with `envseal approve`"},
};

static int refused_pack(const struct front_item *item, const struct broker_status *status, struct buf *out, struct err *err)
{
	struct message_refused refused = {.code = refusals[item->refusal].code};
	if (refusals[item->refusal].sentence)
		snprintf(refused.sentence, sizeof(refused.sentence), "%s", refusals[item->refusal].sentence);
	else
		snprintf(refused.sentence, sizeof(refused.sentence),
			 "the broker that runs (process %d) speaks version %d of its protocol and this envseal version %d: end it with "
			 "`envseal lock` of the envseal that started it, or `kill %d`, then unlock again",
			 (int)status->pid, PROTOCOL_VERSION, item->version, (int)status->pid);
	return refused_write(&refused, out, err);
}

static int question_pack(const struct front_question *question, int64_t now_ms, struct buf *out, struct err *err)
{
	int64_t left_ms = question->deadline_ms - now_ms;
	struct message_question message = {
		.id = question->id,
		.age_seconds = (now_ms - question->since_ms) / 1000,
		.left_seconds = left_ms > 0 ? left_ms / 1000 : 0,
		.approval = buf_span(&question->approval),
	};
	memcpy(message.nonce, question->nonce, sizeof(message.nonce));
	return question_write(&message, out, err);
}

static int payload_pack(const struct front_item *item, const struct front_state *state, int64_t now_ms, struct buf *out, struct err *err)
{
	struct broker_status status = front_status(state);
	switch ((int)item->kind) {
	case MESSAGE_REFUSED:
		return refused_pack(item, &status, out, err);
	case MESSAGE_STATUS:
		return status_write(&status, out, err);
	case MESSAGE_QUESTION:
		return question_pack(front_question_find(state, item->id), now_ms, out, err);
	case MESSAGE_ANSWER:
		return answer_write(&(struct message_answer){.answer = item->answer}, out, err);
	case MESSAGE_GONE:
	case MESSAGE_JUDGED:
		return numbers_write(item->id, item->yes, out, err);
	case MESSAGE_WATCHED:
		return numbers_write(item->yes, 0, out, err);
	default:
		return 0;
	}
}

int front_item_pack(const struct front_item *item, const struct front_state *state, int64_t now_ms, struct buf *out, struct err *err)
{
	if (item->kind == MESSAGE_QUESTION && !front_question_find(state, item->id))
		return 0;
	_cleanup_buf_ struct buf payload = BUF_INIT(PAYLOAD_BYTES_MAX);
	int r = payload_pack(item, state, now_ms, &payload, err);
	return r < 0 ? r : message_pack(item->kind, buf_span(&payload), out, err);
}
