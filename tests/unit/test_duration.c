/*
 * Durations and moments: tables of both directions, and properties over many
 * values from a fixed seed.
 */
/* gmtime() is what it is compared with: in 64 bits on every machine. */
#ifndef _TIME_BITS
#ifdef _FILE_OFFSET_BITS
#undef _FILE_OFFSET_BITS
#endif
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/duration.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1795468589) /* 2026-11-23T21:16:29Z, as date(1) says */

/* splitmix64: the same numbers in each run. */
static uint64_t
next_random(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
	    {"90", 90},
	    {"0", 0},
	    {"0s", 0},
	    {"007", 7},
	    {"30d", 2592000},
	    {"1h 30min", 5400},
	    {"1h30min", 5400},
	    {"1h 30m", 5400},
	    {"  1 h\t2 sec ", 3602},
	    {"1w", 604800},
	    {"2 weeks", 1209600},
	    {"1second", 1},
	    {"2seconds", 2},
	    {"3minute 3minutes", 360},
	    {"1hr 1hour 1hours", 10800},
	    {"1day 2days", 259200},
	    {"1M", 2629800},
	    {"2months 1month", 7889400},
	    {"1y", 31557600},
	    {"1year 1years", 63115200},
	    {"100y", INT64_C(3155760000)},
	    {"3155760000", INT64_C(3155760000)},
	    {"2000ms", 2},
	    {"500ms 500000us", 1},
	    {"1000msec 1000000usec", 2},
	    {"0000000000000000000000000000005s", 5},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_why why = {"untouched", ""};
		int64_t seconds = -1;

		assert_int_equal(
		    jw_duration_parse(rows[i].text, &seconds, &why), JW_OK);
		assert_int_equal(seconds, rows[i].seconds);
		assert_string_equal(why.text, "untouched");
	}
}

static void
bad_durations_are_explained(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
	    {"", "write a number and a unit"},
	    {"  ", "write a number and a unit"},
	    {"infinity", "begins with a number"},
	    {"s", "begins with a number"},
	    {"-5s", "has no sign"},
	    {"+5s", "has no sign"},
	    {"1h -5min", "has no sign"},
	    {"1.5h", "has no fraction"},
	    {"1,5h", "has no fraction"},
	    {"5x", "\"x\""},
	    {"5 fortnights", "\"fortnights\""},
	    {"5S", "\"S\""},
	    {"5H", "\"H\""},
	    {"5D", "\"D\""},
	    {"5seco", "\"seco\""},
	    {"1h 30", "has no unit"},
	    {"1 2h", "has no unit"},
	    {"1h30", "has no unit"},
	    {"1h, 30min", "has no fraction"},
	    {"1h;", "write a number and a unit"},
	    {"1ms", "whole number of seconds"},
	    {"1s 1us", "whole number of seconds"},
	    {"3155760001", "at most 100 years"},
	    {"100y 1s", "at most 100 years"},
	    {"1s 100y", "at most 100 years"},
	    {"9999999999999999us", "at most 100 years"},
	    {"18446744073709551617s", "at most 100 years"},
	    {"9223372036854775807y", "at most 100 years"},
	    {"|s|", "write a number and a unit"},
	    {"5|", "write a number and a unit"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_why why = {"", ""};
		int64_t seconds = -77;

		assert_int_equal(
		    jw_duration_parse(rows[i].text, &seconds, &why),
		    JW_INVALID_PARAMETER);
		assert_int_equal(seconds, -77);
		if (strstr(why.text, rows[i].says) == NULL)
			fail_msg("\"%s\": %s", rows[i].text, why.text);
		assert_int_equal(
		    jw_duration_parse(rows[i].text, &seconds, NULL),
		    JW_INVALID_PARAMETER);
	}
}

static void
durations_are_written(void **state)
{
	static const struct {
		int64_t seconds;
		const char *exact;
		const char *brief; /* the two largest units, from then to now */
	} rows[] = {
	    {0, "0s", "now"},
	    {1, "1s", "in 1s"},
	    {60, "1min", "in 1min"},
	    {125, "2min 5s", "in 2min 5s"},
	    {90060, "1d 1h 1min", "in 1d 1h"},
	    {2592000, "30d", "in 30d"},
	    {2591999, "29d 23h 59min 59s", "in 29d 23h"},
	    {86405, "1d 5s", "in 1d"},
	    {3605, "1h 5s", "in 1h"},
	    {-90, "-1min 30s", "1min 30s ago"},
	    {INT64_MAX, "106751991167300d 15h 30min 7s",
		"in 106751991167300d 15h"},
	    {INT64_MIN, "-106751991167300d 15h 30min 8s",
		"106751991167300d 15h ago"},
	};
	char buf[JW_DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_string_equal(
		    jw_duration_format(rows[i].seconds, buf), rows[i].exact);
		assert_string_equal(
		    jw_time_format_relative(rows[i].seconds, 0, buf),
		    rows[i].brief);
	}
}

static void
what_is_written_reads_the_same(void **state)
{
	uint64_t seed = 1;
	char buf[JW_DURATION_SIZE];
	int64_t back;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		/* All magnitudes, not only the large ones. */
		int64_t seconds = (int64_t)((next_random(&seed) >>
						(next_random(&seed) % 64)) %
					    UINT64_C(3155760001));

		back = -1;
		assert_int_equal(
		    jw_duration_parse(
			jw_duration_format(seconds, buf), &back, NULL),
		    JW_OK);
		assert_int_equal(back, seconds);
	}
}

static void
moments_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t when;
	} rows[] = {
	    {"now", NOW},
	    {"@0", 0},
	    {"@1790000000", 1790000000},
	    {"@253402300799", INT64_C(253402300799)},
	    {"+30min", NOW + 1800},
	    {"+90", NOW + 90},
	    {"tomorrow", 1795478400},
	    {"2026-11-23T21:16:29Z", NOW},
	    {"2026-11-23 21:16:29Z", NOW},
	    {"2026-11-23t21:16:29z", NOW},
	    {"2026-11-23T21:16:29.000Z", NOW},
	    {"2026-11-23T22:16:29+01:00", NOW},
	    {"2026-11-23T15:46:29-05:30", NOW},
	    {"2026-11-24T03:01:29.0+05:45", NOW},
	    {"2026-11-23T21:16:29-00:00", NOW},
	    {"2026-12-01", 1796083200},
	    {"1970-01-01", 0},
	    {"1970-01-01T00:00:00Z", 0},
	    {"2000-02-29", 951782400},
	    {"2024-02-29T12:00:00Z", 1709208000},
	    {"2100-03-01", INT64_C(4107542400)},
	    {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_why why = {"", ""};
		int64_t when = -1;

		if (jw_time_parse(rows[i].text, NOW, &when, &why) != JW_OK)
			fail_msg("%s", why.text);
		assert_int_equal(when, rows[i].when);
	}
}

static const struct {
	const char *text;
	const char *says;
} bad_moments[] = {
    {"", "none of its forms"},
    {"yesterday", "none of its forms"},
    {"2026-1-1", "none of its forms"},
    {"20261201", "none of its forms"},
    {"2026/12/01", "none of its forms"},
    {"Tomorrow", "none of its forms"},
    {"2026-13-01", "no such month"},
    {"2026-00-01", "no such month"},
    {"2026-01-00", "no such day"},
    {"2026-01-32", "no such day"},
    {"2026-04-31", "no such day"},
    {"2026-02-29", "no such day"},
    {"2100-02-29", "no such day"},
    {"2024-02-30", "no such day"},
    {"1969-12-31", "1970 to 9999"},
    {"1970-01-01T00:00:00+00:01", "1970 to 9999"},
    {"9999-12-31T23:59:59-00:01", "1970 to 9999"},
    {"0000-01-01", "1970 to 9999"},
    {"2026-12-01T24:00:00Z", "23:59:59"},
    {"2026-12-01T23:60:00Z", "23:59:59"},
    {"2026-12-01T23:59:61Z", "23:59:59"},
    {"2016-12-31T23:59:60Z", "leap second"},
    {"2026-12-01T10:00", "08:30:00"},
    {"2026-12-01T10:00:00", "Z (for UTC)"},
    {"2026-12-01T10:00:00ZZ", "Z (for UTC)"},
    {"2026-12-01T10:00:00+0100", "Z (for UTC)"},
    {"2026-12-01T10:00:00+01:000", "Z (for UTC)"},
    {"2026-12-01T10:00:00.Z", "Z (for UTC)"},
    {"2026-12-01T10:00:00.5Z", "whole"},
    {"2026-12-01T10:00:00.001Z", "whole"},
    {"2026-12-01T10:00:00+24:00", "23:59"},
    {"2026-12-01T10:00:00+01:60", "23:59"},
    {"2026-12-01  10:00:00Z", "08:30:00"},
    {"2026-12-01_10:00:00Z", "a T"},
    {"@", "whole seconds"},
    {"@-1", "whole seconds"},
    {"@1.5", "whole seconds"},
    {"@253402300800", "1970 to 9999"},
    {"@99999999999999999999999", "1970 to 9999"},
    {"+", "number and a unit"},
    {"+5x", "\"x\""},
    {"+-5s", "no sign"},
};

static void
bad_moments_are_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_moments); i++) {
		struct jw_why why = {"", ""};
		int64_t when = -77;

		assert_int_equal(
		    jw_time_parse(bad_moments[i].text, NOW, &when, &why),
		    JW_INVALID_PARAMETER);
		assert_int_equal(when, -77);
		if (strstr(why.text, bad_moments[i].says) == NULL)
			fail_msg("\"%s\": %s", bad_moments[i].text, why.text);
	}
}

static void
no_now_overflows(void **state)
{
	static const int64_t nows[] = {
	    INT64_MIN, -1, INT64_C(253402300799), INT64_MAX};
	int64_t when;

	(void)state;
	for (size_t i = 0; i < COUNT(nows); i++) {
		assert_int_equal(jw_time_parse("+100y", nows[i], &when, NULL),
		    JW_INVALID_PARAMETER);
		assert_int_equal(
		    jw_time_parse("tomorrow", nows[i], &when, NULL),
		    JW_INVALID_PARAMETER);
	}
}

static void
moments_are_written_as_gmtime_does(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		time_t when =
		    (time_t)(next_random(&seed) % UINT64_C(253402300800));
		char ours[JW_TIME_SIZE], theirs[JW_TIME_SIZE];
		struct tm tm;
		int64_t back = -1;

		assert_non_null(gmtime_r(&when, &tm));
		assert_true(strftime(theirs, sizeof(theirs),
				"%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		assert_string_equal(jw_time_format(when, ours), theirs);
		assert_int_equal(jw_time_parse(ours, 0, &back, NULL), JW_OK);
		assert_int_equal(back, when);
	}
}

static void
every_day_of_four_centuries(void **state)
{
	char buf[JW_TIME_SIZE];
	int64_t back;

	(void)state;
	for (int64_t day = 0; day < 146097; day++) {
		jw_time_format(day * 86400 + 86399, buf);
		assert_int_equal(jw_time_parse(buf, 0, &back, NULL), JW_OK);
		assert_int_equal(back, day * 86400 + 86399);
	}
}

static void
moments_beyond_the_calendar_are_numbers(void **state)
{
	char buf[JW_TIME_SIZE];

	(void)state;
	assert_string_equal(jw_time_format(-1, buf), "@-1");
	assert_string_equal(
	    jw_time_format(INT64_C(253402300800), buf), "@253402300800");
	assert_string_equal(
	    jw_time_format(INT64_MIN, buf), "@-9223372036854775808");
	assert_string_equal(
	    jw_time_format(INT64_MAX, buf), "@9223372036854775807");
}

static void
relative_moments(void **state)
{
	char buf[JW_TIME_SIZE];

	(void)state;
	assert_string_equal(jw_time_format_relative(NOW, NOW, buf), "now");
	assert_string_equal(
	    jw_time_format_relative(NOW + 1, NOW, buf), "in 1s");
	assert_string_equal(
	    jw_time_format_relative(NOW + 2591999, NOW, buf), "in 29d 23h");
	assert_string_equal(
	    jw_time_format_relative(NOW - 182, NOW, buf), "3min 2s ago");
	assert_string_equal(jw_time_format_relative(INT64_MAX, INT64_MIN, buf),
	    "in 213503982334601d 7h");
	assert_string_equal(jw_time_format_relative(INT64_MIN, INT64_MAX, buf),
	    "213503982334601d 7h ago");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_read),
	    cmocka_unit_test(bad_durations_are_explained),
	    cmocka_unit_test(durations_are_written),
	    cmocka_unit_test(what_is_written_reads_the_same),
	    cmocka_unit_test(moments_are_read),
	    cmocka_unit_test(bad_moments_are_explained),
	    cmocka_unit_test(no_now_overflows),
	    cmocka_unit_test(moments_are_written_as_gmtime_does),
	    cmocka_unit_test(every_day_of_four_centuries),
	    cmocka_unit_test(moments_beyond_the_calendar_are_numbers),
	    cmocka_unit_test(relative_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
