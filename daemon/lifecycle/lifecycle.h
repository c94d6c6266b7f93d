/*
 * The life of key generations: pure rules.
 *
 * Facts, policy, mode and `now` in; the next step with its time and cause out.
 * No clock, no I/O, no allocation, no library.  The keeper asks lc_next(),
 * performs what is due with lc_apply() in one transaction, and asks again;
 * lc_plan() runs the same two functions in virtual time.  Timing follows the
 * reasoning of RFC 7583 for a JWKSet.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_LIFECYCLE_H
#define JWKSD_DAEMON_LIFECYCLE_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/state.h"

#define LC_NEVER INT64_MAX

/* What a step depends on beside the key set. */
struct lc_env {
	int64_t now;
	bool clock_trusted;
	bool frozen;      /* an operator froze every key set */
	bool serving;     /* a front serves the documents that it was sent */
	int pairs_coming; /* key pairs that are being generated */
};

enum lc_action {
	LC_NONE,
	LC_START,   /* first start: publish all, activate the first */
	LC_CREATE,  /* a key pair is wanted */
	LC_PUBLISH, /* a pending key is published */
	LC_READY,   /* every copy without it has expired */
	LC_KNOWN,   /* the same for a key that signed before it was ready */
	LC_PROMOTE, /* the standby signs, and the active key retires */
	LC_DESTROY, /* the rollback window is over */
	LC_REMOVE,  /* no valid token can carry it */
	LC_ACTION_COUNT
};

struct lc_step {
	enum lc_action action;
	int64_t number;    /* of the generation; for LC_CREATE the next */
	int64_t due;       /* LC_NEVER with LC_NONE */
	const char *cause; /* static text */
};

/*
 * Before a set begins its life: an earlier one of its name was servable until
 * `last` (rounded up), and no key signs before copies of that one have expired.
 */
void lc_follow(
    struct lc_set *set, const struct key_set_facts *earlier, int64_t last);
/* When that key signs; 0: the set does not wait. */
int64_t lc_signs_at(const struct lc_set *set);

/* The next step and its time.  A step whose due is not after env->now is due.
 * One step at a time; LC_NONE when no step will come by itself. */
struct lc_step lc_next(const struct lc_set *set, const struct lc_env *env);

/*
 * Perform a step that is due, at env->now.  LC_CREATE adds a pending generation
 * of the algorithm of the policy (the caller gives it a kid).  A change of what
 * is published bumps the version.
 */
void lc_apply(
    struct lc_set *set, const struct lc_step *step, const struct lc_env *env);

/*
 * Add a pending generation; false when there is no room.  `spread` is the
 * kid's.  verify_only ones go from published to retired at once.
 */
bool lc_add(
    struct lc_set *set, const struct lc_env *env, int32_t alg, uint32_t spread);

/* When an active generation's period ends. */
int64_t lc_rotate_due(const struct lc_set *set, const struct generation *gen);

/* Promote a generation now, in any state; the old active one retires. */
void lc_promote(struct lc_set *set, int64_t number, const struct lc_env *env);

/* Bump the version when `set` publishes something else than `before`. */
void lc_touch(
    const struct lc_set *before, struct lc_set *set, const struct lc_env *env);

/* Does every verifier know a key that has signed?  Then it is not early any
 * more. */
bool lc_is_known(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen);

/* The end of a wait that runs from absent_until. */
int64_t lc_ready_due(const struct lc_set *set, int64_t absent_until);

/* When one more key may be published: now, or when a retired one leaves. */
int64_t lc_room_time(const struct lc_set *set, const struct lc_env *env);

/* When the standby is (or was) ready; counted from now while there is none. */
int64_t lc_ready_time(const struct lc_set *set, const struct lc_env *env);

#endif
