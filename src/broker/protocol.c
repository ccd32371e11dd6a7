#include "broker/protocol.h"

#include <assert.h>

#define IN(state) (1u << (state))
static_assert(READER_STATE_COUNT <= 32, "a row has a bit for each state");

// Fields in front of what a question shows: id, age, time left, nonce, its length; seconds, nonce, its length.
#define QUESTION_FIELDS_BYTES (4u + 8 + 8 + DESK_NONCE_BYTES + 4)
#define ASK_FIELDS_BYTES (4u + DESK_NONCE_BYTES + 4)
#define REFUSED_FIELDS_BYTES (4u + 4)
#define HELLO_BYTES (1u + 1 + 8 + 8)
#define ANSWER_BYTES (4u + 1 + 1 + 1 + DIGEST_BYTES)
#define STATUS_BYTES (1u + 4 + 8 + 8 + 8 + 4 + 4 + 4)
#define NUMBERS_BYTES (4u + 4)

struct row {
	const char *name;
	uint32_t bytes_min;
	uint32_t bytes_max;
	uint8_t fds_max;
	uint32_t states;
};
static const struct row rows[MESSAGE_KIND_COUNT] = {
	[MESSAGE_HELLO] = {"hello", HELLO_BYTES, HELLO_BYTES, 0, IN(FRONT_NEW)},
	[MESSAGE_ANSWER] = {"answer", ANSWER_BYTES, ANSWER_BYTES, 0, IN(FRONT_WATCHING) | IN(WORKER_DESK)},
	[MESSAGE_REFUSED] = {"refused", REFUSED_FIELDS_BYTES, REFUSED_FIELDS_BYTES + ERR_TEXT_BYTES - 1, 0,
			     IN(CLIENT_ASKED) | IN(CLIENT_WATCHING) | IN(CLIENT_WORKING) | IN(WORKER_DESK)},
	[MESSAGE_STATUS] = {"status", STATUS_BYTES, STATUS_BYTES, 0, IN(CLIENT_ASKED)},
	[MESSAGE_LOCKED] = {"locked", 0, 0, 0, IN(CLIENT_ASKED)},
	[MESSAGE_QUESTION] = {"question", QUESTION_FIELDS_BYTES, QUESTION_FIELDS_BYTES + APPROVAL_WIRE_BYTES_MAX, 0,
			      IN(CLIENT_WATCHING)},
	[MESSAGE_GONE] = {"gone", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WATCHING)},
	[MESSAGE_JUDGED] = {"judged", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WATCHING) | IN(FRONT_DESK)},
	[MESSAGE_SYNC] = {"sync", 0, 0, 0, IN(CLIENT_WATCHING)},
	[MESSAGE_WORK] = {"work", 1, WORK_BYTES_MAX, MESSAGE_FDS_MAX, IN(WORKER_NEW)},
	[MESSAGE_BEGUN] = {"begun", 0, 0, 0, IN(WORKER_BEGINNING)},
	[MESSAGE_SIGNAL] = {"signal", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(WORKER_RUNNING) | IN(WORKER_STOPPED)},
	[MESSAGE_CONTINUED] = {"continued", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(WORKER_STOPPED)},
	[MESSAGE_BEGIN] = {"begin", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WORKING)},
	[MESSAGE_STOP] = {"stop", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WORKING)},
	[MESSAGE_TELL_GROUP] = {"tell-group", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WORKING)},
	[MESSAGE_END] = {"end", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(CLIENT_WORKING)},
	[MESSAGE_ASK] = {"ask", ASK_FIELDS_BYTES, ASK_FIELDS_BYTES + APPROVAL_WIRE_BYTES_MAX, 0, IN(FRONT_DESK)},
	[MESSAGE_WATCHED] = {"watched", NUMBERS_BYTES, NUMBERS_BYTES, 0, IN(WORKER_DESK)},
	[MESSAGE_WORKER] = {"worker", 0, 0, 2, IN(KEEPER_FRONT)},
	[MESSAGE_LOCK] = {"lock", 0, 0, 0, IN(KEEPER_FRONT)},
	[MESSAGE_NOTIFY] = {"notify", 0, 0, 0, IN(KEEPER_FRONT)},
};

static bool is_kind(uint32_t kind)
{
	return kind < MESSAGE_KIND_COUNT && rows[kind].name;
}

const char *message_kind_name(enum message_kind kind)
{
	return is_kind(kind) ? rows[kind].name : "unknown";
}

size_t message_fds_max(enum message_kind kind)
{
	return is_kind(kind) ? rows[kind].fds_max : 0;
}

int message_check(enum reader_state state, uint32_t length, uint8_t kind, struct err *err)
{
	if (!is_kind(kind))
		return err_set(err, ERR_INPUT, "there is no message of the kind %u", kind);
	const struct row *row = &rows[kind];
	if (!(row->states & IN(state)))
		return err_set(err, ERR_INPUT, "the message \"%s\" is not permitted here", row->name);
	if (length < row->bytes_min || length > row->bytes_max)
		return err_set(err, ERR_INPUT, "the message \"%s\" cannot have %u bytes", row->name, length);
	return 0;
}

int message_malformed(enum message_kind kind, struct err *err)
{
	return err_set(err, ERR_INPUT, "the message \"%s\" is malformed", message_kind_name(kind));
}

int message_header(enum message_kind kind, size_t length, uint8_t out[FRAME_HEADER_BYTES], struct err *err)
{
	if (!is_kind(kind) || length < rows[kind].bytes_min || length > rows[kind].bytes_max)
		return err_set(err, ERR_LIMIT, "the message \"%s\" cannot have %zu bytes", message_kind_name(kind), length);
	for (size_t i = 0; i < FRAME_HEADER_BYTES - 1; i++)
		out[i] = (uint8_t)(length >> (8 * i));
	out[FRAME_HEADER_BYTES - 1] = (uint8_t)kind;
	return 0;
}

int message_pack(enum message_kind kind, struct span payload, struct buf *out, struct err *err)
{
	uint8_t header[FRAME_HEADER_BYTES];
	int r = message_header(kind, payload.len, header, err);
	if (r == 0)
		r = buf_append(out, span_of(header, sizeof(header)), err);
	return r < 0 ? r : buf_append(out, payload, err);
}
