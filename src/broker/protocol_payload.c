#include "broker/protocol.h"

#include <string.h>

// A writer's steps end with the first that fails, which has set the error.
static int written(bool is_written, const struct err *err)
{
	return is_written ? 0 : err->code;
}

static bool reader_bool(struct reader *r)
{
	uint8_t value = reader_u8(r);
	r->failed |= value > 1;
	return value == 1;
}

// A time or a number of seconds: never negative.
static int64_t reader_i64(struct reader *r)
{
	uint64_t value = reader_u64(r);
	r->failed |= value > INT64_MAX;
	return r->failed ? 0 : (int64_t)value;
}

int hello_write(const struct message_hello *hello, struct buf *out, struct err *err)
{
	return written(writer_u8(out, hello->version, err) == 0 && writer_u8(out, (uint8_t)hello->purpose, err) == 0 &&
			       writer_u64(out, hello->device, err) == 0 && writer_u64(out, hello->inode, err) == 0,
		       err);
}

int hello_read(struct span payload, struct message_hello *out, struct err *err)
{
	struct reader r = reader_of(payload);
	struct message_hello hello = {.version = reader_u8(&r)};
	uint8_t purpose = reader_u8(&r);
	uint64_t device = reader_u64(&r), inode = reader_u64(&r);
	bool is_ours = hello.version == PROTOCOL_VERSION;
	if (!reader_end(&r) || (is_ours && (purpose < HELLO_STATUS || purpose > HELLO_WORK)))
		return message_malformed(MESSAGE_HELLO, err);
	if (is_ours) {
		hello.purpose = (enum hello_purpose)purpose;
		hello.device = device;
		hello.inode = inode;
	}
	*out = hello;
	return 0;
}

int answer_write(const struct message_answer *answer, struct buf *out, struct err *err)
{
	// What a denial does not set is not sent either.
	struct desk_answer said = {.verdict = answer->answer.verdict};
	if (said.verdict == DESK_APPROVED)
		said = answer->answer;
	return written(writer_u32(out, answer->id, err) == 0 && writer_u8(out, (uint8_t)said.verdict, err) == 0 &&
			       writer_u8(out, said.choice, err) == 0 && writer_u8(out, said.takes_values, err) == 0 &&
			       buf_append(out, span_of(said.voucher, sizeof(said.voucher)), err) == 0,
		       err);
}

int answer_read(struct span payload, struct message_answer *out, struct err *err)
{
	static const uint8_t none[DIGEST_BYTES];
	struct reader r = reader_of(payload);
	struct message_answer answer = {.id = reader_u32(&r)};
	uint8_t verdict = reader_u8(&r);
	answer.answer.choice = reader_u8(&r);
	answer.answer.takes_values = reader_bool(&r);
	reader_bytes(&r, answer.answer.voucher, sizeof(answer.answer.voucher));
	bool is_answer = verdict >= DESK_APPROVED && verdict <= DESK_COOL_DOWN && answer.answer.choice < APPROVAL_CHOICE_COUNT;
	bool is_bare = answer.answer.choice == 0 && !answer.answer.takes_values &&
		       memcmp(answer.answer.voucher, none, sizeof(none)) == 0;
	if (!reader_end(&r) || !is_answer || (verdict != DESK_APPROVED && !is_bare))
		return message_malformed(MESSAGE_ANSWER, err);
	answer.answer.verdict = (enum desk_verdict)verdict;
	*out = answer;
	return 0;
}

static bool is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

int refused_write(const struct message_refused *refused, struct buf *out, struct err *err)
{
	char sentence[ERR_TEXT_BYTES];
	size_t len = strnlen(refused->sentence, sizeof(sentence) - 1);
	for (size_t i = 0; i < len; i++)
		sentence[i] = is_printable((uint8_t)refused->sentence[i]) ? refused->sentence[i] : '?';
	return written(writer_u32(out, (uint32_t)-refused->code, err) == 0 &&
			       writer_string(out, span_of(sentence, len), err) == 0,
		       err);
}

int refused_read(struct span payload, struct message_refused *out, struct err *err)
{
	struct reader r = reader_of(payload);
	uint32_t code = reader_u32(&r);
	struct span sentence = reader_string(&r, sizeof(out->sentence) - 1);
	bool is_refusal = reader_end(&r) && code >= (uint32_t)-ERR_NO && code <= (uint32_t)-ERR_INTERRUPTED;
	for (size_t i = 0; i < sentence.len; i++)
		is_refusal &= is_printable(sentence.data[i]);
	if (!is_refusal)
		return message_malformed(MESSAGE_REFUSED, err);
	*out = (struct message_refused){.code = -(int)code};
	memcpy(out->sentence, sentence.data, sentence.len);
	return 0;
}

int status_write(const struct broker_status *status, struct buf *out, struct err *err)
{
	return written(writer_u8(out, (uint8_t)status->state, err) == 0 &&
			       writer_u32(out, (uint32_t)status->pid, err) == 0 &&
			       writer_u64(out, (uint64_t)status->since, err) == 0 &&
			       writer_u64(out, (uint64_t)status->until, err) == 0 &&
			       writer_u64(out, (uint64_t)status->idle_seconds, err) == 0 &&
			       writer_u32(out, status->running, err) == 0 && writer_u32(out, status->waiting, err) == 0 &&
			       writer_u32(out, status->consoles, err) == 0,
		       err);
}

int status_read(struct span payload, struct broker_status *out, struct err *err)
{
	struct reader r = reader_of(payload);
	uint8_t state = reader_u8(&r);
	uint32_t pid = reader_u32(&r);
	struct broker_status status = {.since = reader_i64(&r)};
	status.until = reader_i64(&r);
	status.idle_seconds = reader_i64(&r);
	status.running = reader_u32(&r);
	status.waiting = reader_u32(&r);
	status.consoles = reader_u32(&r);
	if (!reader_end(&r) || (state != BROKER_UNLOCKED && state != BROKER_OTHER_VAULT) || pid == 0 || pid > RULE_PID_MAX)
		return message_malformed(MESSAGE_STATUS, err);
	status.state = (enum broker_state)state;
	status.pid = (pid_t)pid;
	*out = status;
	return 0;
}

int question_write(const struct message_question *question, struct buf *out, struct err *err)
{
	if (question->approval.len > APPROVAL_WIRE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a question of %zu bytes is too long", question->approval.len);
	return written(writer_u32(out, question->id, err) == 0 &&
			       writer_u64(out, (uint64_t)question->age_seconds, err) == 0 &&
			       writer_u64(out, (uint64_t)question->left_seconds, err) == 0 &&
			       buf_append(out, span_of(question->nonce, sizeof(question->nonce)), err) == 0 &&
			       writer_string(out, question->approval, err) == 0,
		       err);
}

int question_read(struct span payload, struct message_question *out, struct err *err)
{
	struct reader r = reader_of(payload);
	struct message_question question = {.id = reader_u32(&r)};
	question.age_seconds = reader_i64(&r);
	question.left_seconds = reader_i64(&r);
	reader_bytes(&r, question.nonce, sizeof(question.nonce));
	question.approval = reader_string(&r, APPROVAL_WIRE_BYTES_MAX);
	if (!reader_end(&r))
		return message_malformed(MESSAGE_QUESTION, err);
	*out = question;
	return 0;
}

int ask_write(const struct message_ask *ask, struct buf *out, struct err *err)
{
	if (ask->approval.len > APPROVAL_WIRE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a question of %zu bytes is too long", ask->approval.len);
	return written(writer_u32(out, ask->seconds, err) == 0 &&
			       buf_append(out, span_of(ask->nonce, sizeof(ask->nonce)), err) == 0 &&
			       writer_string(out, ask->approval, err) == 0,
		       err);
}

int ask_read(struct span payload, struct message_ask *out, struct err *err)
{
	struct reader r = reader_of(payload);
	struct message_ask ask = {.seconds = reader_u32(&r)};
	reader_bytes(&r, ask.nonce, sizeof(ask.nonce));
	ask.approval = reader_string(&r, APPROVAL_WIRE_BYTES_MAX);
	if (!reader_end(&r) || ask.seconds == 0)
		return message_malformed(MESSAGE_ASK, err);
	*out = ask;
	return 0;
}

int numbers_write(uint32_t first, uint32_t second, struct buf *out, struct err *err)
{
	return written(writer_u32(out, first, err) == 0 && writer_u32(out, second, err) == 0, err);
}

int numbers_read(struct span payload, uint32_t *out_first, uint32_t *out_second, struct err *err)
{
	struct reader r = reader_of(payload);
	uint32_t first = reader_u32(&r), second = reader_u32(&r);
	if (!reader_end(&r))
		return err_set(err, ERR_INPUT, "a message of two numbers is malformed");
	*out_first = first;
	*out_second = second;
	return 0;
}
