/*
 * Is the wall clock to be believed?  A pure guard: it is told what the wall
 * clock and the boot-time clock (which no one sets) say, and distrusts the
 * wall clock after a jump against the other until it has been stable again.
 *
 * What was written meanwhile carries times of a clock that was not to be
 * believed: `doubted` says so, until whoever wrote it has put it right.
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

/* The wall clock cannot be right, for reasons of the caller's. */
void lc_clock_doubt(struct lc_clock_guard *guard, int64_t wall, int64_t boot);

/* An operator says that the wall clock is right as it is now. */
void lc_clock_accept(struct lc_clock_guard *guard, int64_t wall, int64_t boot);

/*
 * What a guard must remember over a restart.  CLOCK_TEXT_SIZE octets.  Of
 * another boot's text only the doubt is kept; one that makes no sense changes
 * nothing, and the first check believes what it sees.  lc_clock_format() is
 * false when the boot has no identity.  lc_clock_parse() is false for another
 * boot.
 */
bool lc_clock_format(const struct lc_clock_guard *guard, char *ret_text);
bool lc_clock_parse(struct lc_clock_guard *guard, const char *text);

/* The two clocks of this machine.  The wall clock never says less than 1: 0
 * means "has not happened" in rows. */
int64_t lc_clock_wall(void);
int64_t lc_clock_boot(void);
/* Milliseconds, for how long something took. */
int64_t lc_clock_ticks(void);
/* For how many seconds this boot of the machine has been suspended. */
int64_t lc_clock_suspended(void);

#endif
