/*
 * The future of a key set, the changes between two copies of it, and what is
 * late.  Pure: lifecycle.h run forward in virtual time, or compared before and
 * after.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_PLAN_H
#define JWKSD_DAEMON_LIFECYCLE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"

/* When an operator's scheduled rotation will happen; 0 without one. */
int64_t lc_scheduled_for(const struct lc_set *set);

/* When the active generation's successor takes over: the earlier of the
 * schedule and an operator's order.  0 while no generation is active. */
int64_t lc_rotates_at(const struct lc_set *set);

/* When a generation that has never signed is to take over; 0: it is not the
 * next one, or it waits for an operator's order. */
int64_t lc_takes_over_at(
    const struct lc_set *set, const struct generation *gen);

/* Why a rotation that is due waits: the mode, a freeze, the clock, or the
 * missing standby.  NULL: none waits.  Static text. */
const char *lc_overdue(const struct lc_set *set, const struct lc_env *env);

/* A change of state of one generation. */
struct lc_change {
	int64_t time;
	int64_t number;
	bool has_from;
	enum gen_state from;
	enum gen_state to;
	const char *cause;
};

/* Insert a change into n of them in the order in which operators read them.
 * Returns how many there are now; a full list loses its last one. */
size_t lc_insert_change(struct lc_change *changes, size_t n, size_t max,
    const struct lc_change *change);

/*
 * When the next step of a plan happens, if it does until `until` (inclusive);
 * else false.  env as for lc_plan(), with no pair coming.
 */
bool lc_plan_due(const struct lc_set *set, const struct lc_env *env,
    int64_t until, int64_t *ret_due);

/*
 * Perform that step: on `set`, and on env, whose time it becomes.  Its changes
 * (MODEL_GENERATIONS_MAX at most) go to ret_changes; there may be none.
 */
void lc_plan_step(struct lc_set *set, struct lc_env *env,
    struct lc_change *ret_changes, size_t *ret_count);

/*
 * Every coming transition until `until` (inclusive), at most max of them, in
 * virtual time; key pairs are at hand as soon as they are wanted.  Returns
 * how many.  `set` is used as scratch space.
 */
size_t lc_plan(struct lc_set *set, struct lc_env env, int64_t until,
    struct lc_change *ret_changes, size_t max);

/* The changes between two copies of one set, in the order in which operators
 * read them: the new signer first.  At most max; returns how many. */
size_t lc_diff(const struct lc_set *before, const struct lc_set *after,
    struct lc_change *ret_changes, size_t max);

#endif
