/*
 * Shared by the files of the lifecycle, and by no other folder.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_INTERNAL_H
#define JWKSD_DAEMON_LIFECYCLE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"

/* ---- state.c ---- */

/* Has it published a version? */
bool lc_is_initialised(const struct lc_set *set);
size_t lc_count_published(const struct lc_set *set);
struct generation *lc_find_mutable(struct lc_set *set, int64_t number);
/* Has it yet to sign, and can it? */
bool lc_is_future(const struct generation *gen);
/* Has it the algorithm that the policy asks for? */
bool lc_is_current_alg(const struct lc_set *set, const struct generation *gen);

/* ---- rules.c ---- */

/* Is what the clock would trigger held back, by the clock, a freeze or the
 * mode? */
bool lc_is_held(const struct lc_set *set, const struct lc_env *env);
/* Until when a token that it really signed may be shown to a verifier. */
int64_t lc_signed_until(const struct lc_set *set, const struct generation *gen);

/* ---- changes.c ---- */

/* A generation is removed or revoked (when: that fact of its own), and its
 * private key destroyed with it. */
void lc_end_key(struct generation *gen, int64_t *when, int64_t now);

#endif
