/*
 * What operators may order, as pure functions on a working copy of a key set.
 * Each order either holds as a whole or changes nothing; none may make a
 * verifier reject a valid token unless the operator said so in as many words,
 * and then the outcome says who and until when.
 */
#include "daemon/orders.h"

#include <string.h>

static const char *
frozen_by(const struct lc_set *set)
{
	return set->facts.frozen ? "an operator froze the key set"
				 : "the key set's mode is frozen";
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Copies without the new key live on; `from` is when the last was served. */
static struct lc_exposure
exposure_of_new(const struct lc_set *set, int64_t from, int64_t now)
{
	const struct jw_policy *p = &set->facts.policy;
	int64_t served = from + p->propagation_delay;
	struct lc_exposure e = {0};

	e.reject_new_tokens.honours_cache_control = served + p->cache_max_age;
	e.reject_new_tokens.polls_within_max_age = served + p->verifier_max_age;
	if (set->facts.copies_until > now) {
		e.reject_new_tokens.honours_cache_control =
		    later(e.reject_new_tokens.honours_cache_control,
			set->facts.copies_until);
		e.reject_new_tokens.polls_within_max_age =
		    later(e.reject_new_tokens.polls_within_max_age,
			set->facts.copies_until);
	}
	/* They meet an unknown kid, and read the set again. */
	e.reject_new_tokens.never_expires = 0;
	e.until = e.reject_new_tokens.polls_within_max_age;
	return e;
}

static void
promote_now(struct lc_set *set, const struct lc_env *env,
    const struct generation *standby, const char *cause, struct lc_outcome *out)
{
	const struct generation *active = lc_active(set);
	int64_t number = standby->number;

	if (lc_state(standby) != GEN_READY) {
		int64_t absent =
		    lc_is_published(standby) ? standby->absent_until : env->now;

		out->exposed = true;
		out->exposure = exposure_of_new(set, absent, env->now);
	}
	out->retired = active->number;
	out->activated = number;
	out->cause = cause;
	lc_promote(set, number, env);
}

static bool
is_full(const struct lc_set *set)
{
	size_t index[MODEL_GENERATIONS_MAX];

	return lc_publication(set, index) >=
	       (size_t)set->facts.policy.max_published_keys;
}

/* When a published key makes room for another; now when no one knows. */
static int64_t
next_removal(const struct lc_set *set, const struct lc_env *env)
{
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	struct lc_set ahead = *set;
	size_t n =
	    lc_plan(&ahead, *env, LC_NEVER - 1, changes, MODEL_GENERATIONS_MAX);

	for (size_t i = 0; i < n; i++)
		if (changes[i].to == GEN_REMOVED)
			return changes[i].time;
	return env->now;
}

static enum jw_err
rotate_checked(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *out)
{
	const struct generation *standby = lc_standby(set);
	bool ready = standby != NULL && lc_state(standby) == GEN_READY;
	int64_t ready_time = lc_ready_time(set, env);

	if (order->now && standby == NULL) {
		/* Its key pair is being made: a matter of seconds. */
		out->ready_at = env->now;
		return JW_NOT_READY;
	}
	if (order->now && !lc_is_published(standby) && is_full(set)) {
		out->ready_at = next_removal(set, env);
		return JW_NOT_READY;
	}
	if (order->now) {
		promote_now(set, env, standby,
		    ready ? "the standby was ready"
			  : "an operator would not wait",
		    out);
		return JW_OK;
	}
	if (order->at != 0 && order->at <= env->now)
		return JW_INVALID_PARAMETER;
	if (order->at != 0 && !ready && order->at < ready_time) {
		out->ready_at = ready_time;
		return JW_NOT_READY;
	}
	if (order->at == 0 && ready) {
		promote_now(set, env, standby, "the standby was ready", out);
		return JW_OK;
	}
	/* Asking again does not move what is already scheduled sooner. */
	if (order->at != 0 || set->facts.wanted_at == 0 ||
	    set->facts.wanted_at > env->now)
		set->facts.wanted_at = order->at != 0 ? order->at : env->now;
	out->scheduled_for = order->at != 0 ? order->at : ready_time;
	out->cause =
	    order->at != 0
		? "an operator asked for that time"
		: "copies of the set without the standby may live until then";
	return JW_OK;
}

enum jw_err
lc_rotate(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *ret_outcome)
{
	const struct generation *active = lc_active(set);

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (active == NULL)
		return JW_NO_ACTIVE_KEY;
	if (order->expects && order->expected != active->number) {
		ret_outcome->actual = active->number;
		return JW_CONFLICT;
	}
	if (order->cancel) {
		set->facts.wanted_at = 0;
		ret_outcome->cause = "an operator took it back";
		return JW_OK;
	}
	if (lc_mode(set) == JW_MODE_FROZEN) {
		ret_outcome->frozen_by = frozen_by(set);
		return JW_FROZEN;
	}
	return rotate_checked(set, env, order, ret_outcome);
}
