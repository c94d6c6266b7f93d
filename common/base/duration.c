/*
 * Durations and moments: text to seconds and back.  Must never read a clock,
 * guess what an ambiguous text means, or overflow: every number is bounded
 * before it is multiplied or added.
 */
#include "common/base/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

#define USEC_PER_SEC INT64_C(1000000)
#define SEC_PER_DAY INT64_C(86400)
/* systemd's: 30.44 days and 365.25 days. */
#define SEC_PER_MONTH INT64_C(2629800)
#define SEC_PER_YEAR INT64_C(31557600)
#define DURATION_MAX (100 * SEC_PER_YEAR)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIGITS "0123456789"
#define BLANKS " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* One row a unit: its names, between bars, and its microseconds. */
static const struct {
	const char *names;
	int64_t usec;
} units[] = {
    {"|us|usec|", 1},
    {"|ms|msec|", 1000},
    {"|s|sec|second|seconds|", USEC_PER_SEC},
    {"|m|min|minute|minutes|", 60 * USEC_PER_SEC},
    {"|h|hr|hour|hours|", 3600 * USEC_PER_SEC},
    {"|d|day|days|", SEC_PER_DAY *USEC_PER_SEC},
    {"|w|week|weeks|", 7 * SEC_PER_DAY *USEC_PER_SEC},
    {"|M|month|months|", SEC_PER_MONTH *USEC_PER_SEC},
    {"|y|year|years|", SEC_PER_YEAR *USEC_PER_SEC},
};

/* Microseconds of the unit text[0..len); 0 for an unknown one. */
static int64_t
unit_usec(const char *text, size_t len)
{
	char name[16];

	if (len == 0 || len > 8)
		return 0;
	snprintf(name, sizeof(name), "|%.*s|", (int)len, text);
	for (size_t i = 0; i < COUNT(units); i++)
		if (strstr(units[i].names, name) != NULL)
			return units[i].usec;
	return 0;
}

static enum jw_err
bad_number(const char *text, const char *at, struct jw_why *why)
{
	static const struct {
		const char *first;
		const char *problem;
	} rows[] = {
	    {"-+", "has no sign"},
	    {".,", "has no fraction; use a smaller unit"},
	    {LETTERS, "begins with a number"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (*at != '\0' && strchr(rows[i].first, *at) != NULL)
			return jw_fail(JW_INVALID_PARAMETER, why,
			    "\"%.64s\" is not a duration: a duration %s, as in "
			    "\"30d\" or \"1h 30min\"",
			    text, rows[i].problem);
	}
	return jw_fail(JW_INVALID_PARAMETER, why,
	    "\"%.64s\" is not a duration; write a number and a unit, as in "
	    "\"30d\" or \"1h 30min\"",
	    text);
}

static enum jw_err
bad_unit(const char *text, const char *unit, size_t len, struct jw_why *why)
{
	if (len == 0)
		return jw_fail(JW_INVALID_PARAMETER, why,
		    "a number in \"%.64s\" has no unit; write one of s, min, "
		    "h, d, w, M, y after it",
		    text);
	return jw_fail(JW_INVALID_PARAMETER, why,
	    "\"%.*s\" in \"%.64s\" is not a unit; it is one of s, min, h, d, "
	    "w, "
	    "M, y",
	    len > 32 ? 32 : (int)len, unit, text);
}

static enum jw_err
too_long(const char *text, struct jw_why *why)
{
	return jw_fail(JW_INVALID_PARAMETER, why,
	    "\"%.64s\" is too long; a duration is at most 100 years", text);
}

/* At most 16 significant digits, which int64_t holds easily. */
static bool
read_number(const char *text, size_t digits, int64_t *ret_number)
{
	int64_t number = 0;

	while (digits > 1 && *text == '0') {
		text++;
		digits--;
	}
	if (digits > 16)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	*ret_number = number;
	return true;
}

/* One "1h" of "1h 30min", at *at; adds it to *sum. */
static enum jw_err
parse_term(const char *text, const char **at, int64_t *sum, struct jw_why *why)
{
	const char *digits = *at;
	size_t ndigits = strspn(digits, DIGITS);
	const char *unit = digits + ndigits + strspn(digits + ndigits, BLANKS);
	size_t nunit = strspn(unit, LETTERS);
	int64_t number, usec;

	if (ndigits == 0 || (nunit == 0 && strchr(DIGITS, *unit) == NULL))
		return bad_number(text, ndigits == 0 ? digits : unit, why);
	usec = unit_usec(unit, nunit);
	/* A number alone is seconds; beside others it is a slip. */
	if (nunit == 0 && *unit == '\0' && *sum < 0)
		usec = USEC_PER_SEC;
	if (usec == 0)
		return bad_unit(text, unit, nunit, why);
	if (*sum < 0)
		*sum = 0;
	if (!read_number(digits, ndigits, &number) ||
	    number > (DURATION_MAX * USEC_PER_SEC - *sum) / usec)
		return too_long(text, why);
	*sum += number * usec;
	*at = unit + nunit + strspn(unit + nunit, BLANKS);
	return JW_OK;
}

enum jw_err
jw_duration_parse(const char *text, int64_t *ret_seconds, struct jw_why *why)
{
	const char *at = text + strspn(text, BLANKS);
	int64_t sum = -1; /* in microseconds; -1: nothing read yet */

	do {
		enum jw_err err = parse_term(text, &at, &sum, why);

		if (err != JW_OK)
			return err;
	} while (*at != '\0');
	if (sum % USEC_PER_SEC != 0)
		return jw_fail(JW_INVALID_PARAMETER, why,
		    "\"%.64s\" is not a whole number of seconds", text);
	*ret_seconds = sum / USEC_PER_SEC;
	return JW_OK;
}

static const struct {
	const char *name;
	uint64_t seconds;
} shown_units[] = {
    {"d", SEC_PER_DAY},
    {"h", 3600},
    {"min", 60},
    {"s", 1},
};

/* The non-zero ones of `most` units, beginning with the largest non-zero. */
static char *
format_units(bool negative, uint64_t seconds, size_t most, char *buf)
{
	size_t len = 0, first = 0;

	while (first < COUNT(shown_units) - 1 &&
	       seconds < shown_units[first].seconds)
		first++;
	for (size_t i = first; i < COUNT(shown_units) && i < first + most;
	     i++) {
		uint64_t n = seconds / shown_units[i].seconds;

		seconds %= shown_units[i].seconds;
		if (n == 0 && i > first)
			continue;
		len += (size_t)snprintf(buf + len, JW_DURATION_SIZE - len,
		    "%s%" PRIu64 "%s",
		    len > 0    ? " "
		    : negative ? "-"
			       : "",
		    n, shown_units[i].name);
	}
	return buf;
}

char *
jw_duration_format(int64_t seconds, char *buf)
{
	bool negative = seconds < 0;

	return format_units(negative,
	    negative ? -(uint64_t)seconds : (uint64_t)seconds,
	    COUNT(shown_units), buf);
}

/* ---- moments ---- */

char *
jw_time_format(int64_t when, char *buf)
{
	struct tm tm;

	if (jw_time_split(when, &tm))
		strftime(buf, JW_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		snprintf(buf, JW_TIME_SIZE, "@%" PRId64, when);
	return buf;
}

char *
jw_time_format_relative(int64_t when, int64_t now, char *buf)
{
	char text[JW_DURATION_SIZE];
	uint64_t distance = when > now ? (uint64_t)when - (uint64_t)now
				       : (uint64_t)now - (uint64_t)when;

	if (when == now) {
		snprintf(buf, JW_TIME_SIZE, "now");
		return buf;
	}
	format_units(false, distance, 2, text);
	snprintf(
	    buf, JW_TIME_SIZE, when > now ? "in %.30s" : "%.30s ago", text);
	return buf;
}

static enum jw_err
bad_time(const char *text, const char *problem, struct jw_why *why)
{
	jw_why_set(why, "\"%.64s\" is not a time: %s", text, problem);
	jw_why_hint(why,
	    "write a time as 2026-12-01T08:30:00Z, 2026-12-01, +30min, "
	    "tomorrow or @1790000000");
	return JW_INVALID_PARAMETER;
}

static enum jw_err
in_range(const char *text, int64_t when, int64_t *ret_when, struct jw_why *why)
{
	if (when < 0 || when > JW_TIME_MAX) {
		return bad_time(
		    text, "it has to lie in the years 1970 to 9999", why);
	}
	*ret_when = when;
	return JW_OK;
}

/*
 * Does text begin like pattern?  A 0 in the pattern means any digit, other
 * characters mean themselves.
 */
static bool
looks_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; text++, pattern++)
		if (*pattern == '0' ? *text < '0' || *text > '9'
				    : *text != *pattern)
			return false;
	return true;
}

static int
two_digits(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

/* "2026-12-01", seconds at its midnight in *ret_seconds. */
static enum jw_err
parse_date(const char *text, int64_t *ret_seconds, struct jw_why *why)
{
	struct tm tm = {0};

	if (!looks_like(text, "0000-00-00"))
		return bad_time(text, "that is none of its forms", why);
	tm.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900;
	tm.tm_mon = two_digits(text + 5) - 1;
	tm.tm_mday = two_digits(text + 8);
	if (tm.tm_year < 70)
		return in_range(text, -1, ret_seconds, why);
	if (tm.tm_mon < 0 || tm.tm_mon > 11)
		return bad_time(text, "there is no such month", why);
	if (!jw_time_join(&tm, ret_seconds))
		return bad_time(text, "the month has no such day", why);
	return JW_OK;
}

/* "08:30:00" at `at`, with a fraction of zeros if any; *at moves behind it. */
static enum jw_err
parse_clock(
    const char *text, const char **at, int64_t *ret_seconds, struct jw_why *why)
{
	const char *p = *at;
	int hour, minute, second;

	if (!looks_like(p, "00:00:00")) {
		return bad_time(
		    text, "the time of day is written as 08:30:00", why);
	}
	hour = two_digits(p);
	minute = two_digits(p + 3);
	second = two_digits(p + 6);
	if (second == 60)
		return bad_time(text, "leap seconds cannot be used", why);
	if (hour > 23 || minute > 59 || second > 59)
		return bad_time(text, "a day ends at 23:59:59", why);
	p += 8;
	if (looks_like(p, ".0")) {
		p += 1 + strspn(p + 1, "0");
		if (strchr(DIGITS, *p) != NULL && *p != '\0')
			return bad_time(text, "seconds are whole here", why);
	}
	*at = p;
	*ret_seconds = hour * 3600 + minute * 60 + second;
	return JW_OK;
}

/* "Z" or "+02:00", which has to be all that is left. */
static enum jw_err
parse_offset(
    const char *text, const char *at, int64_t *ret_seconds, struct jw_why *why)
{
	int hours, minutes;

	if (strcmp(at, "Z") == 0 || strcmp(at, "z") == 0) {
		*ret_seconds = 0;
		return JW_OK;
	}
	if ((*at != '+' && *at != '-') || !looks_like(at + 1, "00:00") ||
	    at[6] != '\0') {
		return bad_time(text,
		    "it has to end with Z (for UTC) or an offset as +02:00",
		    why);
	}
	hours = two_digits(at + 1);
	minutes = two_digits(at + 4);
	if (hours > 23 || minutes > 59)
		return bad_time(text, "an offset is at most 23:59", why);
	*ret_seconds = hours * 3600 + minutes * 60;
	if (*at == '-')
		*ret_seconds = -*ret_seconds;
	return JW_OK;
}

static enum jw_err
parse_calendar(const char *text, int64_t *ret_when, struct jw_why *why)
{
	int64_t date = 0, clock = 0, offset = 0;
	const char *at = text + strlen("0000-00-00");
	enum jw_err err = parse_date(text, &date, why);

	if (err != JW_OK)
		return err;
	if (*at == '\0')
		return in_range(text, date, ret_when, why);
	if (strchr("Tt ", *at) == NULL)
		return bad_time(text, "a T stands after the date", why);
	at++;
	err = parse_clock(text, &at, &clock, why);
	if (err == JW_OK)
		err = parse_offset(text, at, &offset, why);
	if (err != JW_OK)
		return err;
	return in_range(text, date + clock - offset, ret_when, why);
}

static enum jw_err
parse_epoch(const char *text, int64_t *ret_when, struct jw_why *why)
{
	size_t digits = strspn(text + 1, DIGITS);
	int64_t when;

	if (digits == 0 || text[1 + digits] != '\0')
		return bad_time(text, "whole seconds stand after the @", why);
	if (!read_number(text + 1, digits, &when))
		when = -1;
	return in_range(text, when, ret_when, why);
}

static enum jw_err
parse_ahead(
    const char *text, int64_t now, int64_t *ret_when, struct jw_why *why)
{
	int64_t ahead = 0;
	enum jw_err err = jw_duration_parse(text + 1, &ahead, why);

	if (err != JW_OK)
		return err;
	if (now < 0 || now > JW_TIME_MAX)
		return in_range(text, -1, ret_when, why);
	return in_range(text, now + ahead, ret_when, why);
}

enum jw_err
jw_time_parse(
    const char *text, int64_t now, int64_t *ret_when, struct jw_why *why)
{
	if (strcmp(text, "now") == 0) {
		*ret_when = now;
		return JW_OK;
	}
	if (strcmp(text, "tomorrow") == 0) {
		int64_t today = now >= 0 && now <= JW_TIME_MAX
				    ? now / SEC_PER_DAY
				    : JW_TIME_MAX / SEC_PER_DAY;

		return in_range(text, (today + 1) * SEC_PER_DAY, ret_when, why);
	}
	if (*text == '@')
		return parse_epoch(text, ret_when, why);
	if (*text == '+')
		return parse_ahead(text, now, ret_when, why);
	return parse_calendar(text, ret_when, why);
}
