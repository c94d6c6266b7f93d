/*
 * Is the wall clock to be believed?  A pure guard: it is given the times of
 * the wall clock and of the boot-time clock (which no one sets), and distrusts
 * the wall clock after a jump against the other until it has been stable
 * again.
 *
 * Rows that were written meanwhile carry times of a clock that was not to be
 * believed: `doubted` is true until the keeper has corrected those times.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_CLOCK_GUARD_H
#define JWKSD_DAEMON_LIFECYCLE_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CLOCK_TEXT_SIZE = 112,
	CLOCK_JUMP = 120,       /* seconds; less is adjustment */
	CLOCK_DRIFT = 2000,     /* 500 ppm: a second in so many is drift */
	CLOCK_STABLE_FOR = 600, /* then a new time is believed */
};

struct lc_clock_guard {
	bool started;
	bool trusted;
	bool doubted; /* was not trusted, or may not have been */
	/*
	 * Wall - boot.  Trusted: as it was then, and from there no faster
	 * than honest drift, up to `since`.  Not trusted: since `since`.
	 */
	int64_t offset;
	int64_t since; /* boot-time clock */
};

/*
 * Look at both clocks (seconds).  True: trusted.  The first call believes
 * what it sees.  While it is trusted the wall clock may move against the other
 * by CLOCK_JUMP and by a second in every CLOCK_DRIFT since then, as a sum of
 * all its steps, whatever their size; more is a jump.
 */
bool lc_clock_check(struct lc_clock_guard *guard, int64_t wall, int64_t boot);

/* The caller knows that the wall clock cannot be right. */
void lc_clock_doubt(struct lc_clock_guard *guard, int64_t wall, int64_t boot);

/* An operator says that the wall clock is right as it is now. */
void lc_clock_accept(struct lc_clock_guard *guard, int64_t wall, int64_t boot);

/*
 * The memory of a guard over a restart, in CLOCK_TEXT_SIZE octets. boot_id is
 * jw_clock_boot_id()'s; "" where the boot has no identity: then both are false,
 * and nothing is written.  Of the text of another boot only the doubt is kept;
 * a text that makes no sense changes nothing, and the first check trusts what
 * it sees. lc_clock_parse() is false for another boot.
 */
bool lc_clock_format(
    const struct lc_clock_guard *guard, const char *boot_id, char *ret_text);
bool lc_clock_parse(
    struct lc_clock_guard *guard, const char *boot_id, const char *text);

#endif
