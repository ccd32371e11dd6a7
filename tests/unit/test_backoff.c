// The schedule of waits after wrong passphrases, and what moved clocks do to it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/backoff.h"

#define NOW 2000000000
#define UPTIME_MS 5000000

static struct backoff_clock clock_make(int64_t now, int64_t boottime_ms, uint8_t boot)
{
	struct backoff_clock clock = {.now = now, .boottime_ms = boottime_ms};
	memset(clock.boot_id, boot, sizeof(clock.boot_id));
	return clock;
}

// As many failures, all at NOW in boot 1.
static struct vault_failures failures_make(uint32_t count)
{
	struct vault_failures failures = {0};
	struct backoff_clock clock = clock_make(NOW, UPTIME_MS, 1);
	for (uint32_t i = 0; i < count; i++)
		backoff_add(&failures, &clock);
	return failures;
}

static int64_t left_at(uint32_t count, int64_t seconds_by_date, int64_t seconds_by_boot, uint8_t boot)
{
	struct vault_failures failures = failures_make(count);
	struct backoff_clock clock = clock_make(NOW + seconds_by_date, UPTIME_MS + 1000 * seconds_by_boot, boot);
	return backoff_left(&failures, &clock);
}

static void the_wait_doubles(void **state)
{
	(void)state;
	static const int64_t waits[] = {0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	for (uint32_t count = 0; count < ARRAY_COUNT(waits); count++)
		assert_int_equal(backoff_wait(count), waits[count]);
	assert_int_equal(backoff_wait(UINT32_MAX), BACKOFF_SECONDS_MAX);
}

static void the_wait_ends(void **state)
{
	(void)state;
	assert_int_equal(left_at(0, 0, 0, 1), 0);
	assert_int_equal(left_at(BACKOFF_FREE_TRIES - 1, 0, 0, 1), 0);
	for (uint32_t count = BACKOFF_FREE_TRIES; count < 20; count++) {
		int64_t wait = backoff_wait(count);
		assert_int_equal(left_at(count, 0, 0, 1), wait);
		assert_int_equal(left_at(count, wait - 1, wait - 1, 1), 1);
		assert_int_equal(left_at(count, wait, wait, 1), 0);
		assert_int_equal(left_at(count, 1000000, 1000000, 1), 0);
	}
}

static void a_clock_moved_forward_opens_nothing(void **state)
{
	(void)state;
	assert_int_equal(left_at(12, 1000000, 10, 1), 290);
	assert_int_equal(left_at(12, 10, 1000000, 1), 290);
}

static void a_clock_moved_back_shuts_nobody_out(void **state)
{
	(void)state;
	assert_int_equal(left_at(12, -1000000, 10, 1), 290);
	assert_int_equal(left_at(12, -1000000, 300, 1), 0);
	assert_int_equal(left_at(12, 10, -4000, 1), 290);
	assert_int_equal(left_at(12, 300, -4000, 1), 0);
	assert_int_equal(left_at(12, -1, -1, 1), 300);
}

static void after_a_restart(void **state)
{
	(void)state;
	struct vault_failures failures = failures_make(12);
	struct backoff_clock clock = clock_make(NOW + 1000, 20000, 2);
	// 20 seconds since the restart, whatever the date says.
	assert_int_equal(backoff_left(&failures, &clock), 280);
	clock.boottime_ms = 300000;
	assert_int_equal(backoff_left(&failures, &clock), 0);
	clock.now = NOW - 1000;
	assert_int_equal(backoff_left(&failures, &clock), 0);
	// A boot that only calls itself another one.
	assert_int_equal(left_at(12, 0, 0, 2), 300);
}

static void extremes_do_not_overflow(void **state)
{
	(void)state;
	struct vault_failures failures = {.count = UINT32_MAX, .last = INT64_MAX, .boottime_ms = INT64_MAX};
	struct backoff_clock clock = clock_make(0, 0, 0);
	assert_int_equal(backoff_left(&failures, &clock), 300);
	clock = clock_make(NOW, UPTIME_MS, 1);
	backoff_add(&failures, &clock);
	assert_int_equal(failures.count, UINT32_MAX);
}

static void counting_keeps_first_and_last(void **state)
{
	(void)state;
	struct vault_failures failures = failures_make(2);
	struct backoff_clock clock = clock_make(NOW + 7, UPTIME_MS + 7000, 3);
	backoff_add(&failures, &clock);
	assert_int_equal(failures.count, 3);
	assert_int_equal(failures.first, NOW);
	assert_int_equal(failures.last, NOW + 7);
	assert_int_equal(failures.boottime_ms, UPTIME_MS + 7000);
	assert_memory_equal(failures.boot_id, clock.boot_id, sizeof(clock.boot_id));
}

static void what_is_told(void **state)
{
	(void)state;
	char text[ERR_TEXT_BYTES];
	struct vault_failures failures = failures_make(1);
	backoff_text(&failures, 1, "DATE", text, sizeof(text));
	assert_string_equal(text, "1 wrong passphrase since DATE");
	backoff_text(&failures, 0, "DATE", text, sizeof(text));
	assert_non_null(strstr(text, "the vault counts 1, the audit log has 0"));
	failures = failures_make(4);
	backoff_text(&failures, 4, "DATE", text, sizeof(text));
	assert_string_equal(text, "4 wrong passphrases since DATE");
}

static void this_boot_has_one_name(void **state)
{
	(void)state;
	struct backoff_clock first = backoff_clock_now(), second = backoff_clock_now();
	static const uint8_t none[CLOCK_BOOT_ID_BYTES];
	assert_memory_equal(first.boot_id, second.boot_id, sizeof(first.boot_id));
	assert_memory_not_equal(first.boot_id, none, sizeof(none));
	assert_true(first.boottime_ms > 0 && first.boottime_ms <= second.boottime_ms);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_wait_doubles),
	    cmocka_unit_test(the_wait_ends),
	    cmocka_unit_test(a_clock_moved_forward_opens_nothing),
	    cmocka_unit_test(a_clock_moved_back_shuts_nobody_out),
	    cmocka_unit_test(after_a_restart),
	    cmocka_unit_test(extremes_do_not_overflow),
	    cmocka_unit_test(counting_keeps_first_and_last),
	    cmocka_unit_test(what_is_told),
	    cmocka_unit_test(this_boot_has_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
