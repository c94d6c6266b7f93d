/*
 * The orders of operators: pure, on a working copy of a key set.  Each changes
 * the copy as a whole, or returns an error and leaves it as it was.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_OPERATOR_ORDER_H
#define JWKSD_DAEMON_LIFECYCLE_OPERATOR_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/lifecycle/lifecycle.h"

/* Times of one effect; 0: it does not happen; LC_NEVER: it has no end. */
struct lc_times {
	int64_t honours_cache_control;
	int64_t polls_within_max_age;
	int64_t never_expires;
};

struct lc_exposure {
	int64_t until;
	struct lc_times reject_new_tokens;
	struct lc_times accept_old_tokens;
};

struct lc_rotate {
	bool now;
	bool cancel;
	int64_t at; /* 0: as soon as it is safe */
	bool expects;
	int64_t expected; /* the generation that must be active */
};

/* The outcome of an order; members that do not apply are zero. */
struct lc_outcome {
	int64_t activated; /* generation numbers */
	int64_t retired;
	int64_t scheduled_for;
	const char *cause; /* static text */
	bool exposed;
	struct lc_exposure exposure;
	int64_t actual;        /* with JW_CONFLICT */
	int64_t ready_at;      /* with JW_NOT_READY */
	const char *frozen_by; /* with JW_FROZEN */
	int64_t flush_at;      /* a second rotation then flushes old copies */
};

/* Copies of this set, last handed out at `from`, are at a URL of another one
 * now: who may reject tokens of that one, and until when. */
void lc_expose_copies(
    const struct lc_set *set, int64_t from, struct lc_exposure *ret_exposure);

/*
 * Why an operator's rotation is refused, static text; NULL: it is not.
 */
const char *lc_frozen_by(const struct lc_set *set, const struct lc_env *env);

/*
 * Rotate: with a ready standby at once, otherwise scheduled
 * for its ready_at; `now` promotes regardless; `at` schedules; `cancel` takes
 * a schedule back.  JW_CONFLICT (actual), JW_NOT_READY (ready_at), JW_FROZEN
 * (frozen_by), JW_NO_ACTIVE_KEY, JW_INVALID_PARAMETER (`at` is past).
 */
enum jw_err lc_rotate(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *ret_outcome);

struct lc_rollback {
	bool now; /* also to a key that not every verifier knows */
	bool expects;
	int64_t expected; /* the generation that must be active */
};

/*
 * T5: the generation that signed before signs again, inside its rollback
 * window; also while frozen.  JW_NO_ACTIVE_KEY, JW_CONFLICT (actual),
 * JW_BAD_STATE: there is none to go back to (`actual` is the active one),
 * JW_NOT_READY (ready_at): it signed before it was ready, and copies of the
 * set without it may exist until then; with `now` it signs all the same,
 * exposed.
 */
enum jw_err lc_rollback(struct lc_set *set, const struct lc_env *env,
    const struct lc_rollback *order, struct lc_outcome *ret_outcome);

/*
 * A key set begins with its pending generations.  After an earlier one of its
 * name (lc_follow()) the first key waits, and ready_at says until when; with
 * `now` it signs all the same, exposed.  JW_BUG: a key pair is missing.
 */
enum jw_err lc_begin(struct lc_set *set, const struct lc_env *env, bool now,
    struct lc_outcome *ret_outcome);

/*
 * T7: a living generation is revoked.  An active one gives way to a ready
 * standby; with `force` to the key that signed before it, if every verifier
 * knows that one and it may still sign, and else to any other key.
 * JW_NO_SUCH_KEY, JW_BAD_STATE (removed or revoked already), JW_NOT_READY
 * (ready_at): no other key may sign yet, or none would stay published.
 */
enum jw_err lc_revoke(struct lc_set *set, const struct lc_env *env,
    int64_t number, bool force, struct lc_outcome *ret_outcome);

/*
 * The whole key set goes.  JW_NOT_READY (ready_at: from when it may) while a
 * token that one of its keys signed may be valid; with `force` it goes all
 * the same, exposed.
 */
enum jw_err lc_remove_set(struct lc_set *set, const struct lc_env *env,
    bool force, struct lc_outcome *ret_outcome);

/*
 * Another policy, which has passed jw_policy_check().  No wait in progress
 * becomes shorter: copies and tokens from under the old one live on.
 */
void lc_set_policy(struct lc_set *set, const struct lc_env *env,
    const struct jw_policy *policy);

#endif
