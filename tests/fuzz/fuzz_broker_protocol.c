// Any bytes as what arrives at each kind of reader, in pieces of any size: refused in printable words, or messages whose payload is refused
// or is what is written again. Of a message never more is taken than its own bytes.
#include "broker/protocol.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_BYTES_MAX (2u * WORK_BYTES_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refused(int r, const struct err *err)
{
	require(r == ERR_INPUT && err->code == r);
	for (const char *at = err->text; *at; at++)
		require(*at >= 0x20 && *at < 0x7f);
}

// What its reader takes, its writer writes: to the same bytes.
#define REQUIRE_EXACT(type, read, write)                                                                                       \
	do {                                                                                                                   \
		_cleanup_buf_ struct buf again_ = BUF_INIT(AGAIN_BYTES_MAX);                                                   \
		struct err err_;                                                                                               \
		type out_;                                                                                                     \
		int r_ = read(payload, &out_, &err_);                                                                          \
		if (r_ < 0)                                                                                                    \
			require_refused(r_, &err_);                                                                            \
		else                                                                                                           \
			require(write(&out_, &again_, &err_) == 0 && span_is_equal(buf_span(&again_), payload));               \
	} while (0)

static void check_hello(struct span payload)
{
	struct message_hello hello;
	struct err err;
	if (payload.len > 0 && payload.data[0] == PROTOCOL_VERSION)
		REQUIRE_EXACT(struct message_hello, hello_read, hello_write);
	else if (hello_read(payload, &hello, &err) == 0)
		require(hello.version != PROTOCOL_VERSION && hello.purpose == 0 && hello.device == 0 && hello.inode == 0);
}

static int numbers_read_both(struct span payload, uint32_t (*out)[2], struct err *err)
{
	return numbers_read(payload, &(*out)[0], &(*out)[1], err);
}
static int numbers_write_both(uint32_t (*numbers)[2], struct buf *out, struct err *err)
{
	return numbers_write((*numbers)[0], (*numbers)[1], out, err);
}
typedef uint32_t numbers[2];

static int work_write_again(const struct message_work *work, struct buf *out, struct err *err)
{
	struct broker_work again = {.words = work->words, .environment = work->environment, .inherited = &work->inherited,
				    .deposit = work->deposit};
	memcpy(again.digest, work->digest, sizeof(again.digest));
	return work_write(&again, &work->limits, out, err);
}

// Two signals are glibc's own, and are left out: what is written again may differ in them, and is then written the same.
static void check_work(struct span payload)
{
	_cleanup_message_work_ struct message_work work = {0}, same = {0};
	_cleanup_buf_ struct buf first = BUF_INIT(AGAIN_BYTES_MAX), second = BUF_INIT(AGAIN_BYTES_MAX);
	struct err err;
	int r = work_read(payload, &work, &err);
	if (r < 0) {
		require_refused(r, &err);
		return;
	}
	require(work.deposit ? !work.words[0] && name_is_valid(span_text(work.deposit)) : work.words[0] && work.words[0][0]);
	require(message_work_fds(&work) >= 1 && message_work_fds(&work) <= MESSAGE_FDS_MAX && work.limits.umask <= 0777);
	require(work_write_again(&work, &first, &err) == 0 && first.len == payload.len);
	require(work_read(buf_span(&first), &same, &err) == 0 && work_write_again(&same, &second, &err) == 0);
	require(span_is_equal(buf_span(&first), buf_span(&second)));
}

static void check_payload(enum message_kind kind, struct span payload)
{
	if (kind == MESSAGE_HELLO)
		check_hello(payload);
	else if (kind == MESSAGE_ANSWER)
		REQUIRE_EXACT(struct message_answer, answer_read, answer_write);
	else if (kind == MESSAGE_REFUSED)
		REQUIRE_EXACT(struct message_refused, refused_read, refused_write);
	else if (kind == MESSAGE_STATUS)
		REQUIRE_EXACT(struct broker_status, status_read, status_write);
	else if (kind == MESSAGE_QUESTION)
		REQUIRE_EXACT(struct message_question, question_read, question_write);
	else if (kind == MESSAGE_ASK)
		REQUIRE_EXACT(struct message_ask, ask_read, ask_write);
	else if (kind == MESSAGE_WORK)
		check_work(payload);
	else if (payload.len > 0)
		REQUIRE_EXACT(numbers, numbers_read_both, numbers_write_both);
}

// The whole stream to one reader, in pieces of `step` bytes or fewer. False when it was refused.
static void check_stream(enum reader_state state, struct span stream, size_t step)
{
	struct inbox inbox;
	struct err err;
	size_t taken = 0, begin = 0;
	inbox_init(&inbox);
	while (taken < stream.len) {
		size_t len = inbox_wants(&inbox), left = stream.len - taken;
		require(len > 0);
		len = len < step ? len : step;
		len = len < left ? len : left;
		int r = inbox_feed(&inbox, span_of(stream.data + taken, len), state, &err);
		taken += len;
		require(inbox.payload.len <= taken - begin && inbox.payload.cap <= 2 * (taken - begin) + 64);
		if (r < 0) {
			require_refused(r, &err);
			break;
		}
		require(r == INBOX_MORE || r == INBOX_MESSAGE);
		if (r == INBOX_MORE)
			continue;
		require(taken - begin == FRAME_HEADER_BYTES + inbox.message.payload.len);
		require(message_check(state, (uint32_t)inbox.message.payload.len, (uint8_t)inbox.message.kind, &err) == 0);
		check_payload(inbox.message.kind, inbox.message.payload);
		begin = taken;
	}
	inbox_done(&inbox);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	// The first byte says in which pieces it comes.
	if (len == 0)
		return 0;
	struct span stream = span_of(data + 1, len - 1);
	for (int state = 0; state < READER_STATE_COUNT; state++)
		check_stream((enum reader_state)state, stream, data[0] == 0 ? SIZE_MAX : data[0]);
	for (int kind = 1; kind < MESSAGE_KIND_COUNT; kind++)
		check_payload((enum message_kind)kind, stream);
	return 0;
}
