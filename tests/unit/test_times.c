/*
 * Times keep all of their 64 bits: clocks, waits for libevent, the calendar.
 * make wide runs this on a machine whose time_t has 32 bits, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "common/base/duration.h"
#include "common/base/timeval.h"

#define AFTER_2038 INT64_C(2147483648)

static void
clocks_agree(void **state)
{
	int64_t ns = jw_clock_monotonic_ns(), us = jw_clock_monotonic_us();
	int64_t ms = jw_clock_monotonic_ms(), s = jw_clock_monotonic_s();

	(void)state;
	assert_in_range(us - ns / 1000, 0, 5000000);
	assert_in_range(ms - us / 1000, 0, 5000);
	assert_in_range(s - ms / 1000, 0, 5);
	assert_true(jw_clock_boot_s() >= s);
	assert_true(jw_clock_wall_s() > INT64_C(1700000000));
}

static void
a_nap_lasts_as_long_as_asked(void **state)
{
	int64_t before = jw_clock_monotonic_us();

	(void)state;
	jw_clock_nap_ms(0);
	jw_clock_nap_ms(-5);
	jw_clock_nap_ms(INT64_MIN);
	assert_true(jw_clock_monotonic_us() - before < 5000000);
	before = jw_clock_monotonic_us();
	jw_clock_nap_ms(20);
	assert_true(jw_clock_monotonic_us() - before >= 20000);
}

static void
waits_are_cut_not_wrapped(void **state)
{
	static const struct {
		int64_t ms, sec, usec;
	} rows[] = {
	    {0, 0, 0},
	    {-1, 0, 0},
	    {INT64_MIN, 0, 0},
	    {1, 0, 1000},
	    {999, 0, 999000},
	    {1000, 1, 0},
	    {30250, 30, 250000},
	    {INT32_MAX * INT64_C(1000), INT32_MAX, 0},
	    {INT32_MAX * INT64_C(1000) + 999, INT32_MAX, 999000},
	    {AFTER_2038 * 1000, INT32_MAX, 0},
	    {INT64_C(4294967296) * 1000, INT32_MAX, 0},
	    {INT64_MAX, INT32_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timeval wait = jw_timeval_ms(rows[i].ms);

		assert_int_equal(wait.tv_sec, rows[i].sec);
		assert_int_equal(wait.tv_usec, rows[i].usec);
	}
}

static void
the_calendar_reaches_9999(void **state)
{
	static const struct {
		int64_t when;
		struct jw_calendar date;
	} rows[] = {
	    {0, {1970, 1, 1, 0, 0, 0, 4}},
	    {784111777, {1994, 11, 6, 8, 49, 37, 0}},
	    {951782400, {2000, 2, 29, 0, 0, 0, 2}},
	    {AFTER_2038 - 1, {2038, 1, 19, 3, 14, 7, 2}},
	    {AFTER_2038, {2038, 1, 19, 3, 14, 8, 2}},
	    {INT64_C(4294967296), {2106, 2, 7, 6, 28, 16, 0}},
	    {INT64_C(253402300799), {9999, 12, 31, 23, 59, 59, 5}},
	};
	struct jw_calendar date;
	int64_t when;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(jw_time_split(rows[i].when, &date));
		assert_memory_equal(&date, &rows[i].date, sizeof(date));
		assert_true(jw_time_join(&date, &when));
		assert_int_equal(when, rows[i].when);
	}
	assert_false(jw_time_split(-1, &date));
	assert_false(jw_time_split(INT64_C(253402300800), &date));
}

static void
what_the_calendar_lacks_is_refused(void **state)
{
	static const struct jw_calendar rows[] = {
	    {1969, 12, 31, 23, 59, 59, 0},
	    {10000, 1, 1, 0, 0, 0, 0},
	    {2026, 0, 1, 0, 0, 0, 0},
	    {2026, 13, 1, 0, 0, 0, 0},
	    {2026, 2, 29, 0, 0, 0, 0},
	    {2028, 2, 30, 0, 0, 0, 0},
	    {2026, 1, 0, 0, 0, 0, 0},
	    {2026, 1, 1, 24, 0, 0, 0},
	    {2026, 1, 1, -1, 0, 0, 0},
	    {2026, 1, 1, 0, 60, 0, 0},
	    {2026, 1, 1, 0, 0, 61, 0},
	};
	int64_t when = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(jw_time_join(&rows[i], &when));
	assert_int_equal(when, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clocks_agree),
	    cmocka_unit_test(a_nap_lasts_as_long_as_asked),
	    cmocka_unit_test(waits_are_cut_not_wrapped),
	    cmocka_unit_test(the_calendar_reaches_9999),
	    cmocka_unit_test(what_the_calendar_lacks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
