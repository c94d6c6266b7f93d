/*
 * Durations and moments, as people write and read them.
 *
 * A duration is whole seconds; a moment is whole seconds since the epoch
 * (UTC).  Nothing here reads a clock, allocates or depends on the time zone
 * or locale: `now` is always a parameter.
 */
#ifndef JWKSD_COMMON_BASE_DURATION_H
#define JWKSD_COMMON_BASE_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
	JW_DURATION_SIZE = 64, /* room for any formatted duration */
	JW_TIME_SIZE = 40,     /* room for any formatted moment */
};

/*
 * Parse a duration as systemd.time(7) writes them: "30d", "1h 30min", "90"
 * (seconds), "1w", "2 weeks".  Units: s sec second seconds, m min minute
 * minutes, h hr hour hours, d day days, w week weeks, M month months,
 * y year years, and ms/us where the sum is whole seconds.  "infinity",
 * fractions, signs and empty strings are refused, as is a sum above
 * 100 years.  JW_INVALID_PARAMETER with why, which names the unit or number
 * at fault and what would be right.
 */
enum jw_err jw_duration_parse(
    const char *text, int64_t *ret_seconds, struct jw_why *why);

/*
 * Format exactly and shortly: "30d", "25h 1min" is "1d 1h 1min", 0 is "0s".
 * Units w y M are never used.  Parsing the result gives the same seconds.
 * buf has room for JW_DURATION_SIZE; returns buf.
 */
char *jw_duration_format(int64_t seconds, char *buf);

/* RFC 3339 in UTC, "2026-11-23T21:16:29Z".  buf has JW_TIME_SIZE. */
char *jw_time_format(int64_t when, char *buf);

/* "in 29d 23h", "3min 2s ago", "now".  buf has JW_TIME_SIZE. */
char *jw_time_format_relative(int64_t when, int64_t now, char *buf);

/*
 * Parse a moment: RFC 3339 with Z or an offset ("T" or one blank between the
 * halves), "2026-12-01" (midnight UTC), "@1790000000", "+30min" (from now),
 * "now", "tomorrow" (next midnight UTC).  JW_INVALID_PARAMETER with why.
 */
enum jw_err jw_time_parse(
    const char *text, int64_t now, int64_t *ret_when, struct jw_why *why);

#endif
