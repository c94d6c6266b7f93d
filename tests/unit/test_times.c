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

#include <time.h>

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
		struct tm date;
	} rows[] = {
	    {0, {.tm_year = 1970 - 1900,
		    .tm_mon = 1 - 1,
		    .tm_mday = 1,
		    .tm_hour = 0,
		    .tm_min = 0,
		    .tm_sec = 0,
		    .tm_wday = 4}},
	    {784111777, {.tm_year = 1994 - 1900,
			    .tm_mon = 11 - 1,
			    .tm_mday = 6,
			    .tm_hour = 8,
			    .tm_min = 49,
			    .tm_sec = 37,
			    .tm_wday = 0}},
	    {951782400, {.tm_year = 2000 - 1900,
			    .tm_mon = 2 - 1,
			    .tm_mday = 29,
			    .tm_hour = 0,
			    .tm_min = 0,
			    .tm_sec = 0,
			    .tm_wday = 2}},
	    {AFTER_2038 - 1, {.tm_year = 2038 - 1900,
				 .tm_mon = 1 - 1,
				 .tm_mday = 19,
				 .tm_hour = 3,
				 .tm_min = 14,
				 .tm_sec = 7,
				 .tm_wday = 2}},
	    {AFTER_2038, {.tm_year = 2038 - 1900,
			     .tm_mon = 1 - 1,
			     .tm_mday = 19,
			     .tm_hour = 3,
			     .tm_min = 14,
			     .tm_sec = 8,
			     .tm_wday = 2}},
	    {INT64_C(4294967296), {.tm_year = 2106 - 1900,
				      .tm_mon = 2 - 1,
				      .tm_mday = 7,
				      .tm_hour = 6,
				      .tm_min = 28,
				      .tm_sec = 16,
				      .tm_wday = 0}},
	    {INT64_C(253402300799), {.tm_year = 9999 - 1900,
					.tm_mon = 12 - 1,
					.tm_mday = 31,
					.tm_hour = 23,
					.tm_min = 59,
					.tm_sec = 59,
					.tm_wday = 5}},
	};
	struct tm date;
	int64_t when;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(jw_time_split(rows[i].when, &date));
		assert_int_equal(date.tm_year, rows[i].date.tm_year);
		assert_int_equal(date.tm_mon, rows[i].date.tm_mon);
		assert_int_equal(date.tm_mday, rows[i].date.tm_mday);
		assert_int_equal(date.tm_hour, rows[i].date.tm_hour);
		assert_int_equal(date.tm_min, rows[i].date.tm_min);
		assert_int_equal(date.tm_sec, rows[i].date.tm_sec);
		assert_int_equal(date.tm_wday, rows[i].date.tm_wday);
		assert_true(jw_time_join(&date, &when));
		assert_int_equal(when, rows[i].when);
	}
	assert_false(jw_time_split(-1, &date));
	assert_false(jw_time_split(INT64_C(253402300800), &date));
}

static void
what_the_calendar_lacks_is_refused(void **state)
{
	static const struct tm rows[] = {
	    {.tm_year = 1969 - 1900,
		.tm_mon = 12 - 1,
		.tm_mday = 31,
		.tm_hour = 23,
		.tm_min = 59,
		.tm_sec = 59,
		.tm_wday = 0},
	    {.tm_year = 10000 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 1,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 0 - 1,
		.tm_mday = 1,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 13 - 1,
		.tm_mday = 1,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 2 - 1,
		.tm_mday = 29,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2028 - 1900,
		.tm_mon = 2 - 1,
		.tm_mday = 30,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 0,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 1,
		.tm_hour = 24,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 1,
		.tm_hour = -1,
		.tm_min = 0,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 1,
		.tm_hour = 0,
		.tm_min = 60,
		.tm_sec = 0,
		.tm_wday = 0},
	    {.tm_year = 2026 - 1900,
		.tm_mon = 1 - 1,
		.tm_mday = 1,
		.tm_hour = 0,
		.tm_min = 0,
		.tm_sec = 61,
		.tm_wday = 0},
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
