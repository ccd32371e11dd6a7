// What the front does about each thing that happens, as a conversation: connections say, and what is sent, closed and passed on is compared.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/front_state.h"

#define SAID_BYTES 65536
#define DEVICE 7
#define INODE 9

static char said[SAID_BYTES];
static bool keeper_is_full;
static struct front_state *state;
static struct err err;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	size_t len = strlen(said);
	va_list args;
	va_start(args, format);
	assert_true(vsnprintf(said + len, sizeof(said) - len, format, args) < (int)(sizeof(said) - len));
	va_end(args);
}

// All that was done since the last look.
static void assert_said(const char *expected)
{
	assert_string_equal(said, expected);
	said[0] = '\0';
}

static const char *kind_text(const struct front_item *item)
{
	static const char *const names[MESSAGE_KIND_COUNT] = {
		[MESSAGE_REFUSED] = "REFUSED", [MESSAGE_STATUS] = "STATUS",	[MESSAGE_LOCKED] = "LOCKED",
		[MESSAGE_QUESTION] = "QUESTION", [MESSAGE_GONE] = "GONE",	[MESSAGE_JUDGED] = "JUDGED",
		[MESSAGE_SYNC] = "SYNC",	 [MESSAGE_ANSWER] = "ANSWER",	[MESSAGE_WATCHED] = "WATCHED",
	};
	return names[item->kind] ? names[item->kind] : "?";
}

static void on_send(void *context, uint32_t slot, const struct front_item *item)
{
	(void)context;
	say("%u:%s", slot, kind_text(item));
	if (item->kind == MESSAGE_QUESTION || item->kind == MESSAGE_GONE || item->kind == MESSAGE_JUDGED)
		say("(%u)", item->id);
	if (item->kind == MESSAGE_JUDGED || item->kind == MESSAGE_WATCHED)
		say("%s", item->yes ? "yes" : "no");
	if (item->kind == MESSAGE_REFUSED)
		say("%d", (int)item->refusal);
	if (item->kind == MESSAGE_ANSWER)
		say("%d", (int)item->answer.verdict);
	say(" ");
}

static void on_close(void *context, uint32_t slot)
{
	(void)context;
	say("close%u ", slot);
}

static bool on_hire(void *context, uint32_t slot)
{
	(void)context;
	say("hire%u ", slot);
	return !keeper_is_full;
}

static void on_keeper(void *context, enum message_kind kind)
{
	(void)context;
	say("keeper:%s ", kind == MESSAGE_LOCK ? "LOCK" : kind == MESSAGE_NOTIFY ? "NOTIFY" : "?");
}

static int setup(void **context)
{
	(void)context;
	struct front_setup with = {.device = DEVICE, .inode = INODE, .status = {.state = BROKER_UNLOCKED, .pid = 42}};
	struct front_limits limits = {.early = 4, .consoles = 2, .workers = 3, .questions = 2};
	struct front_out out = {.send = on_send, .close = on_close, .hire = on_hire, .tell_keeper = on_keeper};
	said[0] = '\0';
	keeper_is_full = false;
	return front_state_new(&with, &limits, &out, &state, &err);
}

static int teardown(void **context)
{
	(void)context;
	state = front_state_free(state);
	return 0;
}

static uint32_t connect_as(enum hello_purpose purpose)
{
	struct message_hello hello = {PROTOCOL_VERSION, purpose, DEVICE, INODE};
	uint32_t slot = front_accept(state, 1000);
	front_hello(state, slot, &hello, 1000);
	return slot;
}

static void ask(uint32_t slot, int64_t now_ms)
{
	struct message_ask message = {.seconds = 60, .nonce = {1}, .approval = SPAN_LITERAL("plan")};
	front_ask(state, slot, &message, now_ms);
}

static void answer(uint32_t slot, uint32_t id)
{
	front_answer(state, slot, &(struct message_answer){.id = id, .answer = {.verdict = DESK_APPROVED}});
}

// ------------------------------------------------------------------------------------------------------------- questions

static void test_a_question_from_the_asking_to_the_answer(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	assert_said("0:SYNC ");
	connect_as(HELLO_WORK);
	assert_said("hire1 1:WATCHEDyes ");
	ask(1, 2000);
	assert_said("0:QUESTION(1) ");
	const struct front_question *question = front_question_find(state, 1);
	assert_non_null(question);
	assert_int_equal(question->nonce[0], 1);
	assert_memory_equal(question->approval.data, "plan", 4);
	assert_int_equal(question->since_ms, 2000);
	assert_int_equal(question->deadline_ms, 62000);
	answer(0, 1);
	assert_said("1:ANSWER1 ");
	front_judged(state, 1, true);
	assert_said("0:JUDGED(1)yes ");
	assert_null(front_question_find(state, 1));
	front_ended(state, 1);
	assert_said("close1 ");
}

static void test_an_answer_counts_once(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	connect_as(HELLO_WORK);
	ask(1, 2000);
	answer(0, 1);
	assert_said("0:SYNC hire1 1:WATCHEDyes 0:QUESTION(1) 1:ANSWER1 ");
	answer(0, 1); // while the first is judged
	assert_said("0:JUDGED(1)no ");
	front_judged(state, 1, true);
	assert_said("0:JUDGED(1)yes ");
	answer(0, 1); // when it is gone
	assert_said("0:JUDGED(1)no ");
	ask(1, 3000);
	assert_said("0:QUESTION(2) ");
	answer(0, 1); // when its worker has another
	answer(0, 0);
	answer(0, 3);
	assert_said("0:JUDGED(1)no 0:JUDGED(0)no 0:JUDGED(3)no ");
}

static void test_two_consoles_see_the_same(void **context)
{
	(void)context;
	connect_as(HELLO_WORK);
	ask(0, 2000);
	assert_said("hire0 0:WATCHEDno keeper:NOTIFY ");
	connect_as(HELLO_WATCH);
	assert_said("1:QUESTION(1) 1:SYNC 0:WATCHEDyes ");
	connect_as(HELLO_WATCH);
	assert_said("2:QUESTION(1) 2:SYNC ");
	answer(2, 1);
	answer(1, 1);
	assert_said("0:ANSWER1 1:JUDGED(1)no ");
	front_judged(state, 0, true);
	assert_said("2:JUDGED(1)yes 1:GONE(1) ");
	front_ended(state, 1);
	assert_said("close1 ");
	front_ended(state, 2);
	assert_said("close2 0:WATCHEDno ");
}

static void test_answers_that_do_not_count_end_in_a_denial(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	connect_as(HELLO_WORK);
	ask(1, 2000);
	said[0] = '\0';
	for (int i = 1; i < FRONT_ANSWERS_MAX; i++) {
		answer(0, 1);
		front_judged(state, 1, false);
		assert_said("1:ANSWER1 0:JUDGED(1)no ");
	}
	answer(0, 1);
	front_judged(state, 1, false);
	assert_said("1:ANSWER1 0:JUDGED(1)no 1:ANSWER2 0:GONE(1) ");
	// What the worker says of the denial.
	front_judged(state, 1, true);
	assert_said("");
}

static void test_a_worker_asks_one_thing_at_a_time(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	connect_as(HELLO_WORK);
	ask(1, 2000);
	said[0] = '\0';
	ask(1, 2000);
	assert_said("close1 0:GONE(1) ");
	assert_int_equal(front_status(state).waiting, 0);
}

static void test_a_judgement_reaches_no_other_than_who_answered(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	connect_as(HELLO_WORK);
	ask(1, 2000);
	answer(0, 1);
	front_ended(state, 0);
	said[0] = '\0';
	assert_int_equal(connect_as(HELLO_WATCH), 0); // has its slot now
	assert_said("0:QUESTION(1) 0:SYNC 1:WATCHEDyes ");
	front_judged(state, 1, false);
	assert_said("");
	answer(0, 1);
	front_judged(state, 1, true);
	assert_said("1:ANSWER1 0:JUDGED(1)yes ");
	front_judged(state, 1, true); // nothing was answered
	assert_said("");
}

static void test_a_question_passes(void **context)
{
	(void)context;
	connect_as(HELLO_WATCH);
	connect_as(HELLO_WORK);
	connect_as(HELLO_WORK);
	ask(1, 2000);
	ask(2, 2000);
	answer(0, 2);
	said[0] = '\0';
	front_tick(state, 61999);
	assert_said("");
	assert_int_equal(front_wait_ms(state, 61999), 1);
	front_tick(state, 62000);
	assert_said("0:GONE(1) ");
	// The other's answer is being judged.
	assert_int_equal(front_wait_ms(state, 62000), FRONT_JUDGE_MS);
	front_tick(state, 62000 + FRONT_JUDGE_MS);
	assert_said("0:GONE(2) ");
	assert_int_equal(front_wait_ms(state, 70000), -1);
	front_judged(state, 2, true);
	assert_said("");
}

static void test_no_question_waits_longer_than_the_desk(void **context)
{
	(void)context;
	connect_as(HELLO_WORK);
	struct message_ask message = {.seconds = UINT32_MAX, .approval = SPAN_LITERAL("plan")};
	front_ask(state, 0, &message, 2000);
	assert_int_equal(front_question_find(state, 1)->deadline_ms, 2000 + DESK_WAIT_SECONDS * 1000);
}

static void test_ids_end_before_they_come_again(void **context)
{
	(void)context;
	connect_as(HELLO_WORK);
	state->next_id = UINT32_MAX;
	ask(0, 2000);
	connect_as(HELLO_WORK);
	said[0] = '\0';
	ask(1, 2000);
	assert_said("1:REFUSED5 ");
	assert_non_null(front_question_find(state, UINT32_MAX));
	assert_null(front_question_find(state, 0));
}

// ----------------------------------------------------------------------------------------------------------- connections

static void test_status_counts_and_closes(void **context)
{
	(void)context;
	connect_as(HELLO_WORK);
	connect_as(HELLO_WORK);
	connect_as(HELLO_WATCH);
	ask(0, 2000);
	said[0] = '\0';
	connect_as(HELLO_STATUS);
	assert_said("3:STATUS ");
	struct broker_status status = front_status(state);
	assert_int_equal(status.pid, 42);
	assert_int_equal(status.running, 2);
	assert_int_equal(status.waiting, 1);
	assert_int_equal(status.consoles, 1);
	front_sent(state, 3);
	assert_said("close3 ");
	front_sent(state, 2); // a console stays
	assert_said("");
}

static void test_lock_waits_for_the_keeper(void **context)
{
	(void)context;
	connect_as(HELLO_LOCK);
	assert_said("keeper:LOCK ");
	connect_as(HELLO_LOCK);
	assert_said("");
	front_sent(state, 0);
	front_tick(state, INT64_MAX);
	assert_said("");
	connect_as(HELLO_WORK);
	connect_as(HELLO_WATCH);
	assert_said("2:REFUSED2 3:REFUSED2 ");
	front_locked(state);
	assert_said("0:LOCKED 1:LOCKED ");
}

static void test_other_vaults_and_versions_are_refused(void **context)
{
	(void)context;
	struct message_hello hello = {PROTOCOL_VERSION, HELLO_STATUS, DEVICE, INODE + 1};
	front_hello(state, front_accept(state, 0), &hello, 0);
	hello = (struct message_hello){PROTOCOL_VERSION, HELLO_LOCK, DEVICE + 1, INODE};
	front_hello(state, front_accept(state, 0), &hello, 0);
	hello = (struct message_hello){PROTOCOL_VERSION + 1, HELLO_WORK, DEVICE, INODE};
	front_hello(state, front_accept(state, 0), &hello, 0);
	assert_said("0:REFUSED1 1:REFUSED1 2:REFUSED0 ");
	front_sent(state, 0);
	assert_said("close0 ");
	// Of another version no more is known than its number.
	front_hello(state, front_accept(state, 0), &(struct message_hello){.version = PROTOCOL_VERSION + 1}, 0);
	assert_said("0:REFUSED0 ");
}

static void test_the_oldest_that_says_nothing_goes(void **context)
{
	(void)context;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(front_accept(state, 1000 + i), i);
	struct message_hello hello = {PROTOCOL_VERSION, HELLO_WATCH, DEVICE, INODE};
	front_hello(state, 0, &hello, 1000);
	assert_said("0:SYNC ");
	assert_int_equal(front_accept(state, 2000), 4);
	assert_said("");
	for (uint32_t i = 1; i < 100; i++) {
		char expected[32];
		front_accept(state, 3000);
		snprintf(expected, sizeof(expected), "close%u ", 1 + (i - 1) % 4);
		assert_said(expected);
	}
	front_tick(state, 3000 + FRONT_NEW_MS - 1);
	assert_said("");
	front_tick(state, 3000 + FRONT_NEW_MS);
	assert_said("close1 close2 close3 close4 ");
}

static void test_who_does_not_take_a_refusal_is_closed(void **context)
{
	(void)context;
	connect_as(HELLO_STATUS);
	assert_int_equal(front_wait_ms(state, 1000), FRONT_NEW_MS);
	front_tick(state, 1000 + FRONT_NEW_MS);
	assert_said("0:STATUS close0 ");
}

static void test_limits_are_answered(void **context)
{
	(void)context;
	for (int i = 0; i < 3; i++)
		connect_as(HELLO_WORK);
	for (int i = 0; i < 2; i++)
		connect_as(HELLO_WATCH);
	said[0] = '\0';
	connect_as(HELLO_WORK);
	connect_as(HELLO_WATCH);
	assert_said("5:REFUSED4 6:REFUSED3 ");
	ask(0, 2000);
	ask(1, 2000);
	said[0] = '\0';
	ask(2, 2000);
	assert_said("2:REFUSED5 ");
	front_ended(state, 0);
	said[0] = '\0';
	ask(2, 2000);
	assert_said("3:QUESTION(3) 4:QUESTION(3) ");
}

static void test_a_keeper_that_takes_no_more(void **context)
{
	(void)context;
	connect_as(HELLO_WORK);
	keeper_is_full = true;
	said[0] = '\0';
	connect_as(HELLO_WORK);
	assert_said("hire1 1:REFUSED4 ");
	ask(0, 2000);
	assert_said("keeper:NOTIFY ");
	assert_int_equal(front_status(state).waiting, 1);
}

static void test_what_is_said_out_of_turn_ends_the_connection(void **context)
{
	(void)context;
	struct message_hello hello = {PROTOCOL_VERSION, HELLO_WATCH, DEVICE, INODE};
	answer(front_accept(state, 0), 1);
	ask(front_accept(state, 0), 0);
	front_judged(state, front_accept(state, 0), true);
	assert_said("close0 close0 close0 ");
	front_hello(state, connect_as(HELLO_WATCH), &hello, 0);
	assert_said("0:SYNC close0 ");
	ask(connect_as(HELLO_WATCH), 0);
	assert_said("0:SYNC close0 ");
	answer(connect_as(HELLO_WORK), 1);
	assert_said("hire0 0:WATCHEDno close0 ");
	front_ended(state, 0); // twice
	assert_said("");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_question_from_the_asking_to_the_answer),
		CASE(test_an_answer_counts_once),
		CASE(test_two_consoles_see_the_same),
		CASE(test_answers_that_do_not_count_end_in_a_denial),
		CASE(test_a_worker_asks_one_thing_at_a_time),
		CASE(test_a_judgement_reaches_no_other_than_who_answered),
		CASE(test_a_question_passes),
		CASE(test_no_question_waits_longer_than_the_desk),
		CASE(test_ids_end_before_they_come_again),
		CASE(test_status_counts_and_closes),
		CASE(test_lock_waits_for_the_keeper),
		CASE(test_other_vaults_and_versions_are_refused),
		CASE(test_the_oldest_that_says_nothing_goes),
		CASE(test_who_does_not_take_a_refusal_is_closed),
		CASE(test_limits_are_answered),
		CASE(test_a_keeper_that_takes_no_more),
		CASE(test_what_is_said_out_of_turn_ends_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
