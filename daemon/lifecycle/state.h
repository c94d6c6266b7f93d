/*
 * The states of a generation, and the generations of a key set, from their
 * facts.  Pure.
 *
 * `struct lc_set` is a copy to work on: nothing here keeps a pointer.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_STATE_H
#define JWKSD_DAEMON_LIFECYCLE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/model.h"

struct lc_set {
	struct key_set_facts facts;
	size_t count;
	struct generation gens[MODEL_GENERATIONS_MAX]; /* by number */
};

enum gen_state lc_state(const struct generation *gen);
const char *lc_state_name(enum gen_state state); /* "published" */
/* Are they the same in every fact and deadline? */
bool lc_same(const struct generation *a, const struct generation *b);
bool lc_is_published(const struct generation *gen);
bool lc_has_private(const struct generation *gen);
bool lc_can_sign(const struct generation *gen); /* and is not damaged */
/* Did it sign before it was ready?  After its wait ready_due is ready_at. */
bool lc_is_early(const struct generation *gen);

/* Published, or signing before it was ready: does it wait to be known to
 * verifiers? */
bool lc_waits(const struct generation *gen);
/* Has that wait yet to begin (reading.h)? */
bool lc_is_unread_key(const struct generation *gen);
/* Spreads rotations in time: evenly distributed, from the kid alone. */
uint32_t lc_spread(const char *kid);

/* NULL when there is none. */
const struct generation *lc_active(const struct lc_set *set);
const struct generation *lc_find(const struct lc_set *set, int64_t number);
/* The generation that the next rotation promotes; NULL without one. */
const struct generation *lc_standby(const struct lc_set *set);
size_t lc_count(const struct lc_set *set, enum gen_state state);

/*
 * The order of publication: active, then ready and published, then retired,
 * each newest first; none that is damaged.  ret_index gets indices of gens
 * (MODEL_GENERATIONS_MAX at most); returns how many.
 */
size_t lc_publication(const struct lc_set *set, size_t *ret_index);

/* auto, manual or frozen, as it is in force. */
enum jw_mode lc_mode(const struct lc_set *set);

/* Has it begun, and does its first key wait until copies of an earlier key set
 * of its name have expired? */
bool lc_awaits(const struct lc_set *set);

/* Forget the removed and revoked. */
void lc_bury(struct lc_set *set);

#endif
