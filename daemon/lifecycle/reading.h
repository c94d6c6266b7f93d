/*
 * When waits begin: pure.  A published key counts as absent until every front
 * has read a version with it, and again until the end of an outage.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_READING_H
#define JWKSD_DAEMON_LIFECYCLE_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"

/* May a front not have read what is published? */
bool lc_is_unread(const struct lc_set *set);

/* Every front has read the set as it is, before `at` (rounded up).  False: that
 * changes nothing. */
bool lc_read(struct lc_set *set, int64_t at);

/* After lc_follow(): the earlier set is served until lc_read(). */
void lc_make_unread(struct lc_set *set);

/* A version without it was servable until then, at least. */
int64_t lc_absent_until(const struct generation *gen);

/*
 * Serving resumed at `since` (rounded up) after an outage: copies of the set
 * from before it may be as old as verifiers allow, so waits in progress start
 * again.  False: no generation waits.
 */
bool lc_resume(struct lc_set *set, int64_t since);

#endif
