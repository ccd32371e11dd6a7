// When denials at the question bring a rest, and when it ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/cool_down.h"

#define NOW 1800000000

// Seconds before NOW at which a human denied; ends with -1.
static int64_t left_after(const int64_t ago[])
{
	struct cool_down cool_down = {0};
	for (size_t i = 0; ago[i] >= 0; i++)
		cool_down_add(&cool_down, "run.denied", true, NOW - ago[i]);
	return cool_down_left(&cool_down, NOW);
}
#define LEFT_AFTER(...) left_after((const int64_t[]){__VA_ARGS__, -1})

static void three_bring_it(void **state)
{
	(void)state;
	assert_int_equal(left_after((const int64_t[]){-1}), 0);
	assert_int_equal(LEFT_AFTER(2, 1), 0);
	assert_int_equal(LEFT_AFTER(3, 2, 1), COOL_DOWN_WAIT_SECONDS - 1);
	assert_int_equal(LEFT_AFTER(200, 100, 0), COOL_DOWN_WAIT_SECONDS);
	assert_int_equal(LEFT_AFTER(9, 7, 5, 3), COOL_DOWN_WAIT_SECONDS - 3);
}

static void it_ends(void **state)
{
	(void)state;
	assert_int_equal(LEFT_AFTER(90, 80, COOL_DOWN_WAIT_SECONDS - 1), 1);
	assert_int_equal(LEFT_AFTER(90, 80, COOL_DOWN_WAIT_SECONDS), 0);
	assert_int_equal(LEFT_AFTER(290, 280, 270), 0);
}

static void a_run_ends_the_row(void **state)
{
	(void)state;
	static const char *const kinds[] = {"run.intent", "inject.intent", "pipe.intent"};
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct cool_down cool_down = {0};
		for (int denial = 0; denial < 3; denial++)
			cool_down_add(&cool_down, "run.denied", true, NOW);
		cool_down_add(&cool_down, kinds[i], false, NOW);
		assert_int_equal(cool_down_left(&cool_down, NOW), 0);
		cool_down_add(&cool_down, "run.denied", true, NOW);
		cool_down_add(&cool_down, "pipe.denied", true, NOW);
		assert_int_equal(cool_down_left(&cool_down, NOW), 0);
		cool_down_add(&cool_down, "inject.denied", true, NOW);
		assert_int_equal(cool_down_left(&cool_down, NOW), COOL_DOWN_WAIT_SECONDS);
	}
}

// Nor does what no human said: a deny by rule, and other records.
static void only_humans_count(void **state)
{
	(void)state;
	struct cool_down cool_down = {0};
	for (int i = 0; i < 5; i++) {
		cool_down_add(&cool_down, "run.denied", false, NOW);
		cool_down_add(&cool_down, "secret.set", true, NOW);
		cool_down_add(&cool_down, "denied", true, NOW);
		cool_down_add(&cool_down, "", true, NOW);
	}
	assert_int_equal(cool_down_left(&cool_down, NOW), 0);
	for (int i = 0; i < 3; i++) {
		cool_down_add(&cool_down, "run.denied", true, NOW);
		cool_down_add(&cool_down, "unlock.failed", false, NOW);
		cool_down_add(&cool_down, "run.denied", false, NOW + 30);
	}
	assert_int_equal(cool_down_left(&cool_down, NOW), COOL_DOWN_WAIT_SECONDS);
}

static void a_clock_set_back_does_not_lengthen_it(void **state)
{
	(void)state;
	struct cool_down cool_down = {.denials = COOL_DOWN_DENIALS, .last = NOW + 86400};
	assert_int_equal(cool_down_left(&cool_down, NOW), COOL_DOWN_WAIT_SECONDS);
}

// The letter x is enough on its own, and for longer; a run that a rule allows does not end it.
static void one_can_demand_it(void **state)
{
	(void)state;
	struct cool_down cool_down = {0};
	cool_down_add(&cool_down, "run.denied", true, NOW);
	cool_down_demand(&cool_down, NOW);
	assert_int_equal(cool_down_left(&cool_down, NOW), COOL_DOWN_DEMANDED_SECONDS);
	cool_down_add(&cool_down, "run.intent", false, NOW + 1);
	assert_int_equal(cool_down_left(&cool_down, NOW + 1), COOL_DOWN_DEMANDED_SECONDS - 1);
	assert_int_equal(cool_down_left(&cool_down, NOW + COOL_DOWN_DEMANDED_SECONDS - 1), 1);
	assert_int_equal(cool_down_left(&cool_down, NOW + COOL_DOWN_DEMANDED_SECONDS), 0);
	// Nor does a clock that was set back lengthen it; and three in a row can outlast it.
	assert_int_equal(cool_down_left(&cool_down, NOW - 86400), COOL_DOWN_DEMANDED_SECONDS);
	int64_t later = NOW + COOL_DOWN_DEMANDED_SECONDS - 10;
	for (int denial = 0; denial < 3; denial++)
		cool_down_add(&cool_down, "pipe.denied", true, later);
	assert_int_equal(cool_down_left(&cool_down, later), COOL_DOWN_WAIT_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_bring_it),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(a_run_ends_the_row),
		cmocka_unit_test(only_humans_count),
		cmocka_unit_test(a_clock_set_back_does_not_lengthen_it),
		cmocka_unit_test(one_can_demand_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
