/*
 * Reads the clocks, and is the only file that uses time_t and the structs that
 * contain one.
 *
 * Where time_t has 32 bits, this file alone asks for 64: a program that did
 * so everywhere would no longer agree with libevent, as that was built,
 * about the size of a struct timeval.
 */
#ifndef _TIME_BITS
#ifdef _FILE_OFFSET_BITS
#undef _FILE_OFFSET_BITS
#endif
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#endif

#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

#include "common/base/int64.h"

enum { MS_PER_S = 1000, US_PER_S = 1000000, NS_PER_S = 1000000000 };

_Static_assert(sizeof(time_t) == sizeof(int64_t), "time_t has 64 bits here");

/* In units of which a second has so many. */
static int64_t
read_clock(clockid_t id, int64_t per_second)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * per_second +
	       now.tv_nsec / (NS_PER_S / per_second);
}

int64_t
jw_clock_wall_s(void)
{
	return jw_max64(read_clock(CLOCK_REALTIME, 1), 1);
}

int64_t
jw_clock_boot_s(void)
{
	return read_clock(CLOCK_BOOTTIME, 1);
}

int64_t
jw_clock_suspended_s(void)
{
	return read_clock(CLOCK_BOOTTIME, 1) - read_clock(CLOCK_MONOTONIC, 1);
}

bool
jw_clock_boot_id(char *ret_id)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t n = 0;

	if (f != NULL) {
		n = fread(ret_id, 1, JW_BOOT_ID_SIZE - 1, f);
		fclose(f);
	}
	ret_id[n] = '\0';
	return n == JW_BOOT_ID_SIZE - 1;
}

int64_t
jw_clock_monotonic_s(void)
{
	return read_clock(CLOCK_MONOTONIC, 1);
}

int64_t
jw_clock_monotonic_ms(void)
{
	return read_clock(CLOCK_MONOTONIC, MS_PER_S);
}

int64_t
jw_clock_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC, US_PER_S);
}

int64_t
jw_clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC, NS_PER_S);
}

bool
jw_time_split(int64_t when, struct tm *ret_tm)
{
	const time_t seconds = (time_t)when;

	return when >= 0 && when <= JW_TIME_MAX &&
	       gmtime_r(&seconds, ret_tm) != NULL;
}

/* timegm(3) takes the 30th of February for a day in March. */
bool
jw_time_join(const struct tm *tm, int64_t *ret_when)
{
	struct tm day = {.tm_year = tm->tm_year,
	    .tm_mon = tm->tm_mon,
	    .tm_mday = tm->tm_mday};
	int64_t midnight = timegm(&day);

	if (day.tm_year != tm->tm_year || day.tm_mon != tm->tm_mon ||
	    day.tm_mday != tm->tm_mday || midnight < 0 ||
	    midnight > JW_TIME_MAX || tm->tm_hour < 0 || tm->tm_hour > 23 ||
	    tm->tm_min < 0 || tm->tm_min > 59 || tm->tm_sec < 0 ||
	    tm->tm_sec > 60)
		return false;
	*ret_when =
	    midnight + tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
	return true;
}

void
jw_clock_nap_ms(int64_t milliseconds)
{
	struct timespec span = {.tv_sec = milliseconds / MS_PER_S,
	    .tv_nsec = milliseconds % MS_PER_S * (NS_PER_S / MS_PER_S)};

	if (milliseconds > 0)
		nanosleep(&span, NULL);
}
