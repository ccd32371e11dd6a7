// How long the key is kept: by the time that was asked for, by idleness, by a suspension of the machine.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/hold.h"

#define HOUR_MS INT64_C(3600000)
#define BOOT_MS INT64_C(500000)
#define MONOTONIC_MS INT64_C(400000) // the machine was suspended before

static struct hold hold_eight_hours(int64_t idle_ms)
{
	return hold_begin(8 * HOUR_MS, idle_ms, BOOT_MS, MONOTONIC_MS);
}

// `suspended_ms` of `passed_ms` were asleep.
static enum hold_end judge_after(const struct hold *hold, int64_t passed_ms, int64_t suspended_ms, bool is_running)
{
	return hold_judge(hold, BOOT_MS + passed_ms, MONOTONIC_MS + passed_ms - suspended_ms, is_running);
}

static void test_expires_at_its_time(void **state)
{
	(void)state;
	struct hold hold = hold_eight_hours(0);
	assert_int_equal(judge_after(&hold, 0, 0, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, 8 * HOUR_MS - 1, 0, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, 8 * HOUR_MS, 0, false), HOLD_EXPIRED);
	// A run that goes on does not keep it longer.
	assert_int_equal(judge_after(&hold, 8 * HOUR_MS, 0, true), HOLD_EXPIRED);
}

static void test_is_idle_without_runs(void **state)
{
	(void)state;
	struct hold hold = hold_eight_hours(HOUR_MS);
	assert_int_equal(judge_after(&hold, HOUR_MS - 1, 0, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, HOUR_MS, 0, false), HOLD_IDLE);
	assert_int_equal(judge_after(&hold, HOUR_MS, 0, true), HOLD_ON);
	hold.active_ms = BOOT_MS + HOUR_MS;
	assert_int_equal(judge_after(&hold, 2 * HOUR_MS - 1, 0, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, 2 * HOUR_MS, 0, false), HOLD_IDLE);
	hold.active_ms = BOOT_MS + 8 * HOUR_MS - 1;
	assert_int_equal(judge_after(&hold, 8 * HOUR_MS, 0, false), HOLD_EXPIRED);
}

static void test_notices_a_suspension(void **state)
{
	(void)state;
	struct hold hold = hold_eight_hours(HOUR_MS);
	assert_int_equal(judge_after(&hold, 60000, HOLD_SKEW_MS, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, 60000, HOLD_SKEW_MS + 1, false), HOLD_SUSPENDED);
	assert_int_equal(judge_after(&hold, 60000, HOLD_SKEW_MS + 1, true), HOLD_SUSPENDED);
	// It is why the others came to be.
	assert_int_equal(judge_after(&hold, 9 * HOUR_MS, 9 * HOUR_MS, false), HOLD_SUSPENDED);
	// Short ones add up.
	assert_int_equal(judge_after(&hold, 60000, 800, false), HOLD_ON);
	assert_int_equal(judge_after(&hold, 61000, 1600, false), HOLD_SUSPENDED);
}

static void test_waits_until_the_next_end(void **state)
{
	(void)state;
	struct hold hold = hold_begin(3000, 1000, BOOT_MS, MONOTONIC_MS);
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS, false), 1000);
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS, true), 3000);
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS + 999, false), 1);
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS + 1000, false), 0);
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS + 5000, false), 0);
	hold.active_ms = BOOT_MS + 2900;
	assert_int_equal(hold_wait_ms(&hold, BOOT_MS + 2900, false), 100);
	struct hold longer = hold_eight_hours(0);
	assert_int_equal(hold_wait_ms(&longer, BOOT_MS, false), HOLD_LOOK_MS);
}

static void test_no_span_is_too_large(void **state)
{
	(void)state;
	static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
	size_t n = sizeof(ends) / sizeof(ends[0]);
	for (size_t i = 0; i < n * n * n * n; i++) {
		int64_t a = ends[i % n], b = ends[i / n % n], c = ends[i / n / n % n], d = ends[i / n / n / n];
		struct hold hold = hold_begin(a, b, c, d);
		int64_t wait_ms = hold_wait_ms(&hold, d, i % 2);
		assert_true(wait_ms >= 0 && wait_ms <= HOLD_LOOK_MS);
		assert_in_range(hold_judge(&hold, b, c, i % 2), HOLD_ON, HOLD_SUSPENDED);
	}
	struct hold forever = hold_begin(INT64_MAX, INT64_MAX, BOOT_MS, MONOTONIC_MS);
	assert_int_equal(judge_after(&forever, 1000 * HOUR_MS, 0, false), HOLD_ON);
	struct hold over = hold_begin(INT64_MIN, 0, BOOT_MS, MONOTONIC_MS);
	assert_int_equal(judge_after(&over, 0, 0, true), HOLD_EXPIRED);
	assert_int_equal(hold_wait_ms(&over, BOOT_MS, true), 0);
}

// What engine_release takes.
static void test_reasons(void **state)
{
	(void)state;
	assert_null(hold_end_reason(HOLD_ON));
	assert_string_equal(hold_end_reason(HOLD_EXPIRED), "expired");
	assert_string_equal(hold_end_reason(HOLD_IDLE), "idle");
	assert_string_equal(hold_end_reason(HOLD_SUSPENDED), "suspended");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expires_at_its_time),   cmocka_unit_test(test_is_idle_without_runs),
		cmocka_unit_test(test_notices_a_suspension),  cmocka_unit_test(test_waits_until_the_next_end),
		cmocka_unit_test(test_no_span_is_too_large), cmocka_unit_test(test_reasons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
