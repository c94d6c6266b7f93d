/*
 * The only file that reads a clock or waits: every other one is given the
 * time, or asks here.
 *
 * A time is an int64_t of the unit in the function's name.  time_t, whose
 * width differs between machines, is known to clock.c alone.
 */
#ifndef JWKSD_COMMON_BASE_CLOCK_H
#define JWKSD_COMMON_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { JW_BOOT_ID_SIZE = 37 };

/* The wall clock (CLOCK_REALTIME): seconds since the epoch, rounded down; at
 * least 1, since 0 stands for events that have not happened. */
int64_t jw_clock_wall_s(void);

/* CLOCK_BOOTTIME, which no one sets and which counts suspended time. */
int64_t jw_clock_boot_s(void);
/* For how many seconds this boot of the machine has been suspended. */
int64_t jw_clock_suspended_s(void);
/* The identity of this boot, JW_BOOT_ID_SIZE octets; false: it has none. */
bool jw_clock_boot_id(char *ret_id);

/* CLOCK_MONOTONIC, which no one sets and which stands still meanwhile. */
int64_t jw_clock_monotonic_s(void);
int64_t jw_clock_monotonic_ms(void);
int64_t jw_clock_monotonic_us(void);
int64_t jw_clock_monotonic_ns(void);

/* Block for so long, or until a signal comes; not at all when not positive. */
void jw_clock_nap_ms(int64_t milliseconds);

#endif
