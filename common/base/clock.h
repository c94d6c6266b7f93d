/*
 * The only file that reads a clock, waits, or asks the C library for the
 * calendar: all others take the time as a parameter, or call this one.
 *
 * A time is an int64_t of the unit in the function's name, or else of seconds.
 * time_t, whose width differs between machines, is known to clock.c alone.
 */
#ifndef JWKSD_COMMON_BASE_CLOCK_H
#define JWKSD_COMMON_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct tm;

enum { JW_BOOT_ID_SIZE = 37 };

/* The wall clock (CLOCK_REALTIME): seconds since the epoch, rounded down; at
 * least 1, since 0 stands for events that have not happened. */
int64_t jw_clock_wall_s(void);

/* CLOCK_BOOTTIME, which cannot be set and which counts suspended time. */
int64_t jw_clock_boot_s(void);
/* For how many seconds this boot of the machine has been suspended. */
int64_t jw_clock_suspended_s(void);
/* The identity of this boot, JW_BOOT_ID_SIZE octets; false: it has none. */
bool jw_clock_boot_id(char *ret_id);

/* CLOCK_MONOTONIC, which cannot be set and which stops while the machine is
 * suspended. */
int64_t jw_clock_monotonic_s(void);
int64_t jw_clock_monotonic_ms(void);
int64_t jw_clock_monotonic_us(void);
int64_t jw_clock_monotonic_ns(void);

/*
 * The Gregorian calendar in UTC, as in gmtime(3).  False outside the years
 * 1970 to 9999.
 */
#define JW_TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
bool jw_time_split(int64_t when, struct tm *ret_tm);
/*
 * The reverse; the day of the week and of the year are not looked at.  False
 * outside these years, and for a date or a time of day that does not exist:
 * second 60 counts as the next minute's first.
 */
bool jw_time_join(const struct tm *tm, int64_t *ret_when);

/* Block for so long, or until a signal comes; not at all when not positive. */
void jw_clock_nap_ms(int64_t milliseconds);

#endif
