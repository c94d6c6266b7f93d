/*
 * Rows that were written while the wall clock was not trusted, or that were
 * published later than they say.  Pure.
 *
 * Such a row may say that a key was published, or retired, long before or after
 * it was.  When the clock is trusted again, every wait in progress starts anew
 * from then with its planned length: later than needed at worst, never earlier.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_TIME_CORRECTION_H
#define JWKSD_DAEMON_LIFECYCLE_TIME_CORRECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"

/* Start every wait in progress anew.  False: no deadline has changed. */
bool lc_retime(struct lc_set *set, int64_t now);

/*
 * The changes of a commit became visible only at since: published keys wait
 * from then, and retired ones stay as long as if they had signed until then.
 * False: no deadline has changed.
 */
bool lc_make_late(struct lc_set *set, int64_t since);

/* The latest time at which something happened, as the facts say. */
int64_t lc_latest_fact(const struct lc_set *set);

#endif
