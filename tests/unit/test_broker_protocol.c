// Messages of the broker: what is refused by its header, and by its payload.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "broker/protocol.h"

#define SMALL_BYTES 4096

// What is read is what was written; cut short anywhere, or with a byte behind it, it is malformed.
#define ASSERT_EXACT(read, kind, written)                                                                                      \
	do {                                                                                                                   \
		struct err err_;                                                                                               \
		assert_int_equal(buf_append_byte(&(written), 0, &err_), 0);                                                    \
		for (size_t len_ = 0; len_ <= (written).len; len_++) {                                                         \
			__typeof__(*(kind)) out_ = *(kind), before_ = out_;                                                    \
			int r_ = read(span_of((written).data, len_), &out_, &err_);                                            \
			assert_int_equal(r_, len_ == (written).len - 1 ? 0 : ERR_INPUT);                                       \
			if (r_ < 0)                                                                                            \
				assert_memory_equal(&out_, &before_, sizeof(out_));                                            \
		}                                                                                                              \
		(written).len--;                                                                                               \
	} while (0)

static void kinds_have_names(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < MESSAGE_KIND_COUNT; kind++)
		assert_int_equal(strcmp(message_kind_name((enum message_kind)kind), "unknown") == 0, kind == 19 || kind == 20);
	assert_string_equal(message_kind_name(0), "unknown");
	assert_string_equal(message_kind_name(MESSAGE_KIND_COUNT), "unknown");
	assert_string_equal(message_kind_name(MESSAGE_TELL_GROUP), "tell-group");
}

// Every pair of state and kind that is permitted; no other is.
static void states_take_what_is_theirs(void **state)
{
	(void)state;
	static const enum message_kind taken[READER_STATE_COUNT][8] = {
		[FRONT_NEW] = {MESSAGE_HELLO},
		[FRONT_WATCHING] = {MESSAGE_ANSWER},
		[FRONT_DESK] = {MESSAGE_JUDGED, MESSAGE_ASK},
		[KEEPER_FRONT] = {MESSAGE_WORKER, MESSAGE_LOCK, MESSAGE_NOTIFY},
		[WORKER_NEW] = {MESSAGE_WORK},
		[WORKER_BEGINNING] = {MESSAGE_BEGUN},
		[WORKER_RUNNING] = {MESSAGE_SIGNAL},
		[WORKER_STOPPED] = {MESSAGE_SIGNAL, MESSAGE_CONTINUED},
		[WORKER_DESK] = {MESSAGE_ANSWER, MESSAGE_REFUSED, MESSAGE_WATCHED},
		[CLIENT_ASKED] = {MESSAGE_REFUSED, MESSAGE_STATUS, MESSAGE_LOCKED},
		[CLIENT_WATCHING] = {MESSAGE_REFUSED, MESSAGE_QUESTION, MESSAGE_GONE, MESSAGE_JUDGED, MESSAGE_SYNC},
		[CLIENT_WORKING] = {MESSAGE_REFUSED, MESSAGE_BEGIN, MESSAGE_STOP, MESSAGE_TELL_GROUP, MESSAGE_END},
	};
	static const uint32_t lengths[MESSAGE_KIND_COUNT] = {
		[MESSAGE_HELLO] = 18, [MESSAGE_ANSWER] = 39, [MESSAGE_REFUSED] = 8, [MESSAGE_STATUS] = 41, [MESSAGE_QUESTION] = 56,
		[MESSAGE_GONE] = 8, [MESSAGE_JUDGED] = 8, [MESSAGE_WORK] = 1, [MESSAGE_SIGNAL] = 8, [MESSAGE_CONTINUED] = 8,
		[MESSAGE_BEGIN] = 8, [MESSAGE_STOP] = 8, [MESSAGE_TELL_GROUP] = 8, [MESSAGE_END] = 8, [MESSAGE_ASK] = 40,
		[MESSAGE_WATCHED] = 8};
	for (unsigned reader = 0; reader < READER_STATE_COUNT; reader++)
		for (unsigned kind = 0; kind < 256; kind++) {
			bool is_taken = false;
			for (size_t i = 0; i < ARRAY_COUNT(taken[0]); i++)
				is_taken |= kind != 0 && taken[reader][i] == kind;
			uint32_t length = kind < MESSAGE_KIND_COUNT ? lengths[kind] : 0;
			struct err err;
			int r = message_check((enum reader_state)reader, length, (uint8_t)kind, &err);
			assert_int_equal(r, is_taken ? 0 : ERR_INPUT);
		}
}

static void lengths_are_bounded(void **state)
{
	(void)state;
	static const struct {
		enum reader_state state;
		enum message_kind kind;
		uint32_t min, max;
	} cases[] = {
		{FRONT_NEW, MESSAGE_HELLO, 18, 18},
		{FRONT_WATCHING, MESSAGE_ANSWER, 39, 39},
		{CLIENT_ASKED, MESSAGE_REFUSED, 8, 8 + ERR_TEXT_BYTES - 1},
		{CLIENT_ASKED, MESSAGE_LOCKED, 0, 0},
		{CLIENT_WATCHING, MESSAGE_QUESTION, 56, 56 + APPROVAL_WIRE_BYTES_MAX},
		{FRONT_DESK, MESSAGE_ASK, 40, 40 + APPROVAL_WIRE_BYTES_MAX},
		{WORKER_NEW, MESSAGE_WORK, 1, WORK_BYTES_MAX},
		{KEEPER_FRONT, MESSAGE_WORKER, 0, 0},
	};
	struct err err;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t kind = (uint8_t)cases[i].kind;
		assert_int_equal(message_check(cases[i].state, cases[i].min, kind, &err), 0);
		assert_int_equal(message_check(cases[i].state, cases[i].max, kind, &err), 0);
		assert_int_equal(message_check(cases[i].state, cases[i].min - 1, kind, &err), ERR_INPUT);
		assert_int_equal(message_check(cases[i].state, cases[i].max + 1, kind, &err), ERR_INPUT);
		assert_int_equal(message_check(cases[i].state, UINT32_MAX, kind, &err), ERR_INPUT);
	}
	for (unsigned kind = 0; kind <= MESSAGE_KIND_COUNT; kind++)
		assert_int_equal(message_fds_max((enum message_kind)kind), kind == MESSAGE_WORK ? 4 : kind == MESSAGE_WORKER ? 2 : 0);
}

// ------------------------------------------------------------------------------------------------------------- payloads

static void hello_is_exact(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct message_hello out, hello = {PROTOCOL_VERSION, HELLO_WORK, UINT64_MAX, 7};
	assert_int_equal(hello_write(&hello, &written, &err), 0);
	ASSERT_EXACT(hello_read, &hello, written);
	assert_int_equal(hello_read(buf_span(&written), &out, &err), 0);
	assert_int_equal(out.purpose, HELLO_WORK);
	assert_true(out.device == UINT64_MAX && out.inode == 7);
	for (unsigned purpose = 0; purpose < 256; purpose++) {
		written.data[1] = (uint8_t)purpose;
		int r = hello_read(buf_span(&written), &out, &err);
		assert_int_equal(r, purpose >= HELLO_STATUS && purpose <= HELLO_WORK ? 0 : ERR_INPUT);
	}
}

// A later one may mean something else by the same bytes; that it is later must still be heard.
static void hello_of_another_version(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct message_hello out, hello = {PROTOCOL_VERSION + 1, (enum hello_purpose)200, 5, 7};
	assert_int_equal(hello_write(&hello, &written, &err), 0);
	assert_int_equal(hello_read(buf_span(&written), &out, &err), 0);
	assert_int_equal(out.version, PROTOCOL_VERSION + 1);
	assert_true(out.purpose == 0 && out.device == 0 && out.inode == 0);
}

static void answer_is_exact(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct message_answer out, answer = {.id = 9, .answer = {DESK_APPROVED, APPROVAL_ALWAYS, true, {1, 2, 3}}};
	assert_int_equal(answer_write(&answer, &written, &err), 0);
	ASSERT_EXACT(answer_read, &answer, written);
	assert_int_equal(answer_read(buf_span(&written), &out, &err), 0);
	assert_true(out.id == 9 && out.answer.verdict == DESK_APPROVED && out.answer.choice == APPROVAL_ALWAYS);
	assert_true(out.answer.takes_values);
	assert_memory_equal(out.answer.voucher, answer.answer.voucher, DIGEST_BYTES);
	static const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {{4, 0}, {4, 4}, {4, 255}, {5, APPROVAL_CHOICE_COUNT}, {5, 255}, {6, 2}};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		uint8_t kept = written.data[wrong[i].at];
		written.data[wrong[i].at] = wrong[i].byte;
		assert_int_equal(answer_read(buf_span(&written), &out, &err), ERR_INPUT);
		written.data[wrong[i].at] = kept;
	}
}

static void denial_carries_nothing(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct message_answer out, answer = {.id = 9, .answer = {DESK_COOL_DOWN, APPROVAL_ALWAYS, true, {1, 2, 3}}};
	assert_int_equal(answer_write(&answer, &written, &err), 0);
	assert_int_equal(answer_read(buf_span(&written), &out, &err), 0);
	assert_true(out.answer.verdict == DESK_COOL_DOWN && out.answer.choice == 0 && !out.answer.takes_values);
	for (size_t at = 5; at < written.len; at++) {
		written.data[at] = 1;
		assert_int_equal(answer_read(buf_span(&written), &out, &err), ERR_INPUT);
		written.data[at] = 0;
	}
}

static void refusal_is_printable(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct message_refused out, refused = {ERR_LIMIT, "too \x1b[2Jmany\n"};
	assert_int_equal(refused_write(&refused, &written, &err), 0);
	ASSERT_EXACT(refused_read, &refused, written);
	assert_int_equal(refused_read(buf_span(&written), &out, &err), 0);
	assert_int_equal(out.code, ERR_LIMIT);
	assert_string_equal(out.sentence, "too ?[2Jmany?");
	written.data[written.len - 1] = 0x1b;
	assert_int_equal(refused_read(buf_span(&written), &out, &err), ERR_INPUT);
	written.data[written.len - 1] = 0;
	assert_int_equal(refused_read(buf_span(&written), &out, &err), ERR_INPUT);
}

static void refusal_has_a_known_code(void **state)
{
	(void)state;
	struct err err;
	for (int code = 1; code >= ERR_INTERRUPTED - 1; code--) {
		_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
		struct message_refused out, refused = {code, ""};
		assert_int_equal(refused_write(&refused, &written, &err), 0);
		int r = refused_read(buf_span(&written), &out, &err);
		assert_int_equal(r, code <= ERR_NO && code >= ERR_INTERRUPTED ? 0 : ERR_INPUT);
	}
	_cleanup_buf_ struct buf longest = BUF_INIT(SMALL_BYTES);
	struct message_refused out, refused = {.code = ERR_NO};
	memset(refused.sentence, 'a', sizeof(refused.sentence));
	assert_int_equal(refused_write(&refused, &longest, &err), 0);
	assert_int_equal(refused_read(buf_span(&longest), &out, &err), 0);
	assert_int_equal(strlen(out.sentence), ERR_TEXT_BYTES - 1);
}

static void status_is_exact(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	struct broker_status out, status = {BROKER_OTHER_VAULT, 77, 100, 200, 1800, 3, 2, 1};
	assert_int_equal(status_write(&status, &written, &err), 0);
	struct broker_status blank;
	memset(&blank, 0, sizeof(blank));
	ASSERT_EXACT(status_read, &blank, written);
	assert_int_equal(status_read(buf_span(&written), &out, &err), 0);
	assert_true(out.state == BROKER_OTHER_VAULT && out.pid == 77 && out.since == 100 && out.until == 200);
	assert_true(out.idle_seconds == 1800 && out.running == 3 && out.waiting == 2 && out.consoles == 1);
	static const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {{0, BROKER_NONE}, {0, 3}, {1, 0}, {4, 1}, {12, 0x80}, {20, 0x80}, {28, 0x80}};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		uint8_t kept = written.data[wrong[i].at];
		written.data[wrong[i].at] = wrong[i].byte;
		assert_int_equal(status_read(buf_span(&written), &out, &err), ERR_INPUT);
		written.data[wrong[i].at] = kept;
	}
}

static void questions_are_exact(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(2 * APPROVAL_WIRE_BYTES_MAX), asked = BUF_INIT(2 * APPROVAL_WIRE_BYTES_MAX);
	struct err err;
	struct message_question out, question = {.id = 4, .age_seconds = 1, .left_seconds = 119, .nonce = {8}, .approval = span_text("what")};
	assert_int_equal(question_write(&question, &written, &err), 0);
	ASSERT_EXACT(question_read, &question, written);
	assert_int_equal(question_read(buf_span(&written), &out, &err), 0);
	assert_true(out.id == 4 && out.age_seconds == 1 && out.left_seconds == 119 && out.nonce[0] == 8);
	assert_true(span_is_equal(out.approval, span_text("what")));
	written.data[11] = 0x80;
	assert_int_equal(question_read(buf_span(&written), &out, &err), ERR_INPUT);

	struct message_ask got, ask = {.seconds = 120, .nonce = {8}, .approval = span_text("what")};
	assert_int_equal(ask_write(&ask, &asked, &err), 0);
	ASSERT_EXACT(ask_read, &ask, asked);
	assert_int_equal(ask_read(buf_span(&asked), &got, &err), 0);
	assert_true(got.seconds == 120 && got.nonce[0] == 8 && span_is_equal(got.approval, span_text("what")));
	asked.data[0] = 0;
	assert_int_equal(ask_read(buf_span(&asked), &got, &err), ERR_INPUT);
}

static void questions_are_bounded(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(2 * APPROVAL_WIRE_BYTES_MAX);
	_cleanup_free_ uint8_t *bytes = calloc(1, APPROVAL_WIRE_BYTES_MAX + 1);
	assert_non_null(bytes);
	struct err err;
	struct message_ask ask = {.seconds = 1, .approval = {bytes, APPROVAL_WIRE_BYTES_MAX + 1}};
	struct message_question question = {.approval = {bytes, APPROVAL_WIRE_BYTES_MAX + 1}};
	assert_int_equal(ask_write(&ask, &written, &err), ERR_LIMIT);
	assert_int_equal(question_write(&question, &written, &err), ERR_LIMIT);
	assert_int_equal(written.len, 0);
	ask.approval.len--;
	assert_int_equal(ask_write(&ask, &written, &err), 0);
	assert_int_equal(message_check(FRONT_DESK, (uint32_t)written.len, MESSAGE_ASK, &err), 0);
}

static void numbers_are_exact(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf written = BUF_INIT(SMALL_BYTES);
	struct err err;
	uint32_t first = 1, second = 2;
	assert_int_equal(numbers_write(UINT32_MAX, 5, &written, &err), 0);
	for (size_t len = 0; len < written.len; len++)
		assert_int_equal(numbers_read(span_of(written.data, len), &first, &second, &err), ERR_INPUT);
	assert_true(first == 1 && second == 2);
	assert_int_equal(numbers_read(buf_span(&written), &first, &second, &err), 0);
	assert_true(first == UINT32_MAX && second == 5);
}

// ------------------------------------------------------------------------------------------------------------- requests

struct request {
	struct exec_inherited inherited;
	struct exec_limits limits;
	struct buf written;
};

static void request_init(struct request *request)
{
	*request = (struct request){.inherited = {.std_closed = {true, false, false}}, .written = BUF_INIT(WORK_BYTES_MAX)};
	sigemptyset(&request->inherited.mask);
	sigemptyset(&request->inherited.ignored);
	sigaddset(&request->inherited.mask, SIGRTMAX);
	sigaddset(&request->inherited.ignored, SIGHUP);
	request->limits.umask = 0027;
	for (size_t i = 0; i < RLIM_NLIMITS; i++)
		request->limits.rows[i] = (struct rlimit){i, RLIM_INFINITY};
}
static void request_done(struct request *request)
{
	buf_done(&request->written);
}
#define _cleanup_request_ _cleanup_(request_done)

static int request_write(struct request *request, char *const *words, char *const *environment, const char *deposit)
{
	struct err err;
	struct broker_work work = {.words = words, .environment = environment, .inherited = &request->inherited,
				   .deposit = deposit, .digest = {7}};
	return work_write(&work, &request->limits, &request->written, &err);
}

static int request_read(struct request *request)
{
	_cleanup_message_work_ struct message_work work = {0};
	struct err err;
	return work_read(buf_span(&request->written), &work, &err);
}

static char *const no_strings[] = {NULL};

static void request_is_read_as_it_was(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	char *const words[] = {"run", "--", "", "a b\n\xff", NULL}, *const environment[] = {"A=1", "no-equals", "", "=x", "B=\x01\xfe", NULL};
	assert_int_equal(request_write(&request, words, environment, NULL), 0);
	_cleanup_message_work_ struct message_work work = {0};
	struct err err;
	assert_int_equal(work_read(buf_span(&request.written), &work, &err), 0);
	for (size_t i = 0; i < ARRAY_COUNT(words) - 1; i++)
		assert_string_equal(work.words[i], words[i]);
	assert_null(work.words[ARRAY_COUNT(words) - 1]);
	for (size_t i = 0; i < ARRAY_COUNT(environment) - 1; i++)
		assert_string_equal(work.environment[i], environment[i]);
	assert_null(work.environment[ARRAY_COUNT(environment) - 1]);
	assert_null(work.deposit);
	assert_true(work.inherited.std_closed[0] && !work.inherited.std_closed[1] && !work.inherited.std_closed[2]);
	assert_int_equal(message_work_fds(&work), 3);
	for (int number = 1; number <= 64; number++) {
		assert_int_equal(sigismember(&work.inherited.mask, number), number == SIGRTMAX);
		assert_int_equal(sigismember(&work.inherited.ignored, number), number == SIGHUP);
	}
	assert_int_equal(work.limits.umask, 0027);
	for (size_t i = 0; i < RLIM_NLIMITS; i++)
		assert_true(work.limits.rows[i].rlim_cur == i && work.limits.rows[i].rlim_max == RLIM_INFINITY);
}

static void request_is_exact(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	char *const words[] = {"list", NULL}, *const environment[] = {"A=1", NULL};
	assert_int_equal(request_write(&request, words, environment, NULL), 0);
	struct err err;
	assert_int_equal(buf_append_byte(&request.written, 0, &err), 0);
	size_t whole = request.written.len - 1;
	for (request.written.len = 0; request.written.len <= whole + 1; request.written.len++)
		assert_int_equal(request_read(&request), request.written.len == whole ? 0 : ERR_INPUT);
}

// Counted from the end, where fields have fixed places: limits, their count, umask, two signal masks, closed descriptors.
static void request_fields_are_bounded(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	char *const words[] = {"list", NULL};
	assert_int_equal(request_write(&request, words, no_strings, NULL), 0);
	assert_int_equal(request_read(&request), 0);
	size_t limits = request.written.len - 16 * RLIM_NLIMITS, count = limits - 4, umask_at = count - 4, closed = umask_at - 17;
	const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {{closed, 8},       {closed, 255},    {umask_at + 1, 2}, {umask_at + 3, 1},
		     {count, 15},       {count, 17},      {count + 3, 1},    {limits + 8 + 7, 0x7f},
		     {0, 1},            {0, 2},           {1, 0},            {1, 2},
		     {4, 1},            {5, 0},           {9, 0},            {1 + 4 + 4 + 4, 1}};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		uint8_t kept = request.written.data[wrong[i].at];
		request.written.data[wrong[i].at] = wrong[i].byte;
		// The first soft limit is 0: unlimited it is above any hard limit but that.
		memset(request.written.data + limits, wrong[i].at == limits + 15 ? 0xff : 0, 8);
		assert_int_equal(request_read(&request), ERR_INPUT);
		memset(request.written.data + limits, 0, 8);
		request.written.data[wrong[i].at] = kept;
	}
	assert_int_equal(request_read(&request), 0);
}

static void request_needs_a_command(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	char *const empty[] = {"", "x", NULL}, *const words[] = {"x", NULL};
	assert_int_equal(request_write(&request, no_strings, no_strings, NULL), ERR_INPUT);
	assert_int_equal(request_write(&request, empty, no_strings, NULL), ERR_INPUT);
	assert_int_equal(request.written.len, 0);
	assert_int_equal(request_write(&request, words, no_strings, NULL), 0);
	// The length of the first word, and the word itself: nothing is left of it.
	memmove(request.written.data + 9, request.written.data + 10, request.written.len - 10);
	request.written.data[5] = 0;
	request.written.len--;
	assert_int_equal(request_read(&request), ERR_INPUT);
}

static void deposit_has_a_name_and_no_words(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	assert_int_equal(request_write(&request, no_strings, no_strings, "db/password"), 0);
	_cleanup_message_work_ struct message_work work = {0};
	struct err err;
	assert_int_equal(work_read(buf_span(&request.written), &work, &err), 0);
	assert_string_equal(work.deposit, "db/password");
	assert_int_equal(work.digest[0], 7);
	assert_null(work.words[0]);
	// A NUL, a letter that no name has, a separator at the end.
	static const uint8_t wrong[] = {0, ' ', '\n', 0x80, '/'};
	for (size_t i = 0; i < sizeof(wrong); i++) {
		request.written.data[5 + 10] = wrong[i];
		assert_int_equal(request_read(&request), ERR_INPUT);
	}
}

static void strings_hold_no_nul(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	char *const words[] = {"list", NULL}, *const environment[] = {"A=1", NULL};
	assert_int_equal(request_write(&request, words, environment, NULL), 0);
	static const size_t places[] = {9, 12, 21, 23};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		uint8_t kept = request.written.data[places[i]];
		request.written.data[places[i]] = 0;
		assert_int_equal(request_read(&request), ERR_INPUT);
		request.written.data[places[i]] = kept;
	}
}

static void many_strings(void **state)
{
	(void)state;
	_cleanup_request_ struct request request;
	request_init(&request);
	_cleanup_free_ char **words = calloc(WORK_STRINGS_MAX + 2, sizeof(char *));
	assert_non_null(words);
	for (size_t i = 0; i <= WORK_STRINGS_MAX; i++)
		words[i] = "x";
	assert_int_equal(request_write(&request, words, no_strings, NULL), ERR_LIMIT);
	words[WORK_STRINGS_MAX] = NULL;
	request.written.len = 0;
	assert_int_equal(request_write(&request, words, no_strings, NULL), 0);
	assert_int_equal(request_read(&request), 0);
	// One more, whole and well-formed.
	struct err err;
	_cleanup_buf_ struct buf more = BUF_INIT(WORK_BYTES_MAX);
	const uint8_t first[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 'x'};
	assert_int_equal(buf_append(&more, span_of(first, sizeof(first)), &err), 0);
	assert_int_equal(buf_append(&more, span_of(request.written.data + 5, request.written.len - 5), &err), 0);
	for (size_t i = 0; i < 4; i++)
		more.data[1 + i] = (uint8_t)((WORK_STRINGS_MAX + 1) >> (8 * i));
	_cleanup_message_work_ struct message_work work = {0};
	assert_int_equal(work_read(buf_span(&more), &work, &err), ERR_INPUT);
	// As many as are announced would not fit into any message.
	memset(request.written.data + 1, 0xff, 4);
	assert_int_equal(request_read(&request), ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_names),
		cmocka_unit_test(states_take_what_is_theirs),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(hello_is_exact),
		cmocka_unit_test(hello_of_another_version),
		cmocka_unit_test(answer_is_exact),
		cmocka_unit_test(denial_carries_nothing),
		cmocka_unit_test(refusal_is_printable),
		cmocka_unit_test(refusal_has_a_known_code),
		cmocka_unit_test(status_is_exact),
		cmocka_unit_test(questions_are_exact),
		cmocka_unit_test(questions_are_bounded),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(request_is_read_as_it_was),
		cmocka_unit_test(request_is_exact),
		cmocka_unit_test(request_fields_are_bounded),
		cmocka_unit_test(request_needs_a_command),
		cmocka_unit_test(deposit_has_a_name_and_no_words),
		cmocka_unit_test(strings_hold_no_nul),
		cmocka_unit_test(many_strings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
