/*
 * Rows that were written while the wall clock could not be believed, or that
 * were made known later than they say.  Pure, like lifecycle.h.
 *
 * Such a row may say that a key was published, or retired, long before or
 * after it was.  When the clock is believed again, every wait in progress
 * starts anew from then, as long as it was to be: later than needed at worst,
 * never earlier.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_TIME_CORRECTION_H
#define JWKSD_DAEMON_LIFECYCLE_TIME_CORRECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"

/* False: no deadline is another one than before. */
bool lc_retime(struct lc_set *set, int64_t now);

/*
 * What a commit published, or whom it retired, was made known only at since:
 * published keys wait from then, and retired ones stay as long as if they had
 * signed until then.  False: no deadline is another one than before.
 */
bool lc_make_late(struct lc_set *set, int64_t since);

/* The latest time at which something happened, as the facts say. */
int64_t lc_latest_fact(const struct lc_set *set);

#endif
