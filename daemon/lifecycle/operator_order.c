/*
 * The orders of operators, as pure functions on a working copy of a key set.
 * Each order holds as a whole or changes nothing.  Must never make a verifier
 * reject a valid token unless the operator ordered exactly that, and then the
 * outcome says which verifiers, and until when.
 */
#include "daemon/lifecycle/operator_order.h"

#include <string.h>

#include "common/base/int64.h"
#include "daemon/lifecycle/internal.h"
#include "daemon/lifecycle/reading.h"

enum { FLUSH_AFTER = 36 * 60 }; /* Envoy, Istio and jwx have polled by then */

const char *
lc_frozen_by(const struct lc_set *set, const struct lc_env *env)
{
	if (env->frozen)
		return "an operator froze every key set";
	if (set->facts.frozen)
		return "an operator froze the key set";
	if (lc_mode(set) == JW_MODE_FROZEN)
		return "the key set's mode is frozen";
	return NULL;
}

/*
 * The end of copies that fronts handed out last at `from`, and replicas a delay
 * later; and of those from before another cache time or another age that
 * verifiers allow.
 */
static struct lc_times
copies_end(const struct lc_set *set, int64_t from)
{
	const struct key_set_facts *f = &set->facts;
	int64_t served = from + f->policy.propagation_delay;

	return (struct lc_times){
	    .honours_cache_control =
		jw_max64(served + f->policy.cache_max_age, f->cached_until),
	    .polls_within_max_age =
		jw_max64(served + f->policy.verifier_max_age, f->polled_until),
	};
}

/* The exposure ends when it has ended for both classes. */
static void
expose_until(struct lc_exposure *e, const struct lc_times *times)
{
	e->until = jw_max64(e->until, times->honours_cache_control);
	e->until = jw_max64(e->until, times->polls_within_max_age);
}

/* Copies without the new key live on; `from` is when the last was served. */
static void
expose_new(const struct lc_set *set, int64_t from, struct lc_exposure *e)
{
	e->reject_new_tokens = copies_end(set, from);
	/* Verifiers without expiry read the set again when they see an unknown
	 * kid. */
	e->reject_new_tokens.never_expires = 0;
	expose_until(e, &e->reject_new_tokens);
}

void
lc_expose_copies(
    const struct lc_set *set, int64_t from, struct lc_exposure *ret_exposure)
{
	expose_new(set, from, ret_exposure);
}

/* Copies with the old key live on. */
static void
expose_old(const struct lc_set *set, int64_t from, struct lc_exposure *e)
{
	e->accept_old_tokens = copies_end(set, from);
	e->accept_old_tokens.never_expires = LC_NEVER;
	expose_until(e, &e->accept_old_tokens);
}

/* Would no verifier that re-reads the set in time reject its tokens? */
static bool
may_sign_unnoticed(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (lc_state(gen) == GEN_RETIRED)
		return lc_is_known(set, env, gen);
	return lc_state(gen) == GEN_READY;
}

static void
promote_now(struct lc_set *set, const struct lc_env *env,
    const struct generation *standby, const char *cause, struct lc_outcome *out)
{
	const struct generation *active = lc_active(set);
	int64_t number = standby->number;

	if (!may_sign_unnoticed(set, env, standby)) {
		int64_t absent = standby->absent_until != 0
				     ? standby->absent_until
				     : env->now + 1;

		out->exposed = true;
		expose_new(set, absent, &out->exposure);
	}
	out->retired = active == NULL ? 0 : active->number;
	out->activated = number;
	out->cause = cause;
	lc_promote(set, number, env);
}

/* Let the first key sign, or wait. */
static void
begin_signing(struct lc_set *set, const struct lc_env *env, bool now,
    struct lc_outcome *out)
{
	struct lc_step step = lc_next(set, env);

	while (lc_awaits(set) && step.due <= env->now &&
	       (step.action == LC_READY || step.action == LC_PROMOTE)) {
		lc_apply(set, &step, env);
		step = lc_next(set, env);
	}
	if (now && lc_awaits(set))
		promote_now(set, env, lc_standby(set),
		    "an operator would not wait", out);
	out->ready_at = lc_signs_at(set);
}

enum jw_err
lc_begin(struct lc_set *set, const struct lc_env *env, bool now,
    struct lc_outcome *ret_outcome)
{
	struct lc_set before = *set;
	struct lc_step step = lc_next(set, env);

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (step.action != LC_START)
		return JW_BUG;
	lc_apply(set, &step, env);
	begin_signing(set, env, now, ret_outcome);
	/* All of it is one version. */
	set->facts.version = before.facts.version;
	set->facts.version_at = before.facts.version_at;
	lc_touch(&before, set, env);
	return JW_OK;
}

static bool
is_full(const struct lc_set *set)
{
	size_t index[MODEL_GENERATIONS_MAX];

	return lc_publication(set, index) >=
	       (size_t)set->facts.policy.max_published_keys;
}

static enum jw_err
rotate_checked(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *out)
{
	const struct generation *standby = lc_standby(set);
	bool ready = standby != NULL && lc_state(standby) == GEN_READY;
	int64_t ready_time = lc_ready_time(set, env);

	if (order->now && standby == NULL) {
		/* Its key pair is being made, which takes seconds. */
		out->ready_at = env->now;
		return JW_NOT_READY;
	}
	if (order->now && !lc_is_published(standby) && is_full(set)) {
		/* A signer that is not published would be worse. */
		out->ready_at = lc_room_time(set, env);
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
	/* A second order does not postpone an earlier schedule. */
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

/* Without an active key, only a set that waits for its first key can be
 * rotated. */
static enum jw_err
rotate_waiting(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *out)
{
	const struct generation *standby = lc_standby(set);

	if (!lc_awaits(set))
		return JW_NO_ACTIVE_KEY;
	if (order->expects)
		return JW_CONFLICT;
	out->frozen_by = lc_frozen_by(set, env);
	if (out->frozen_by != NULL)
		return JW_FROZEN;
	out->ready_at = jw_max64(lc_signs_at(set), env->now);
	if (!order->now || standby == NULL ||
	    (!lc_is_published(standby) && is_full(set)))
		return JW_NOT_READY;
	out->ready_at = 0;
	promote_now(set, env, standby, "an operator would not wait", out);
	return JW_OK;
}

enum jw_err
lc_rotate(struct lc_set *set, const struct lc_env *env,
    const struct lc_rotate *order, struct lc_outcome *ret_outcome)
{
	const struct generation *active = lc_active(set);

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (active == NULL)
		return rotate_waiting(set, env, order, ret_outcome);
	if (order->expects && order->expected != active->number) {
		ret_outcome->actual = active->number;
		return JW_CONFLICT;
	}
	if (order->cancel) {
		ret_outcome->cause = set->facts.wanted_at == 0
					 ? "no rotation was scheduled"
					 : "an operator took it back";
		set->facts.wanted_at = 0;
		return JW_OK;
	}
	ret_outcome->frozen_by = lc_frozen_by(set, env);
	if (ret_outcome->frozen_by != NULL)
		return JW_FROZEN;
	return rotate_checked(set, env, order, ret_outcome);
}

/* ---- rollback ---- */

/* The key that signed last before the active one, and still may.  A clock that
 * is not trusted ends no rollback window. */
static const struct generation *
predecessor(const struct lc_set *set, const struct lc_env *env)
{
	const struct generation *best = NULL;

	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];

		if (lc_state(gen) != GEN_RETIRED || !lc_can_sign(gen) ||
		    (env->clock_trusted && env->now >= gen->destroy_due))
			continue;
		if (best == NULL || gen->retired_at >= best->retired_at)
			best = gen;
	}
	return best;
}

enum jw_err
lc_rollback(struct lc_set *set, const struct lc_env *env,
    const struct lc_rollback *order, struct lc_outcome *ret_outcome)
{
	const struct generation *active = lc_active(set);
	const struct generation *before = predecessor(set, env);
	bool known = before != NULL && lc_is_known(set, env, before);

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (active == NULL)
		return JW_NO_ACTIVE_KEY;
	ret_outcome->actual = active->number;
	if (order->expects && order->expected != active->number)
		return JW_CONFLICT;
	if (before == NULL)
		return JW_BAD_STATE;
	if (!known && !order->now) {
		ret_outcome->ready_at = before->ready_due;
		return JW_NOT_READY;
	}
	promote_now(set, env, before,
	    known ? "an operator rolled back"
		  : "an operator rolled back to a key that was not ready",
	    ret_outcome);
	return JW_OK;
}

/* ---- revoke ---- */

/* Is a better than b to take over from a revoked signer? */
static bool
is_better(const struct lc_set *set, const struct generation *a,
    const struct generation *b)
{
	int32_t alg = set->facts.policy.algorithm;

	if (b == NULL || lc_state(a) != lc_state(b))
		return b == NULL || lc_state(a) > lc_state(b);
	return a->alg == alg && b->alg != alg;
}

static const struct generation *
successor(const struct lc_set *set)
{
	const struct generation *best = NULL;

	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];

		if (lc_state(gen) <= GEN_READY && lc_can_sign(gen) &&
		    is_better(set, gen, best))
			best = gen;
	}
	return best;
}

/* Without a ready standby, the key that signed before is preferred to a standby
 * that no verifier knows, and any of both to none. */
static const struct generation *
forced_successor(const struct lc_set *set, const struct lc_env *env,
    const struct generation *standby)
{
	const struct generation *before = predecessor(set, env);

	if (before == NULL ||
	    (standby != NULL && !lc_is_known(set, env, before)))
		return standby;
	return before;
}

static enum jw_err
replace_signer(struct lc_set *set, const struct lc_env *env, bool force,
    struct lc_outcome *out)
{
	const struct generation *next = successor(set);
	bool ready = next != NULL && lc_state(next) == GEN_READY;

	if (!ready && force)
		next = forced_successor(set, env, next);
	if (next == NULL || (!ready && !force)) {
		out->ready_at =
		    next == NULL ? env->now : lc_ready_time(set, env);
		return JW_NOT_READY;
	}
	promote_now(set, env, next, NULL, out);
	out->retired = 0;
	return JW_OK;
}

static bool
is_only_one_published(const struct lc_set *set, int64_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].number != number &&
		    lc_is_published(&set->gens[i]))
			return false;
	return true;
}

enum jw_err
lc_revoke(struct lc_set *set, const struct lc_env *env, int64_t number,
    bool force, struct lc_outcome *ret_outcome)
{
	struct lc_set before = *set;
	struct generation *gen = lc_find_mutable(set, number);
	bool published = gen != NULL && lc_is_published(gen);
	enum jw_err err = JW_OK;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (gen == NULL)
		return JW_NO_SUCH_KEY;
	if (lc_state(gen) >= GEN_REMOVED)
		return JW_BAD_STATE;
	if (lc_state(gen) == GEN_ACTIVE)
		err = replace_signer(set, env, force, ret_outcome);
	else if (published && is_only_one_published(set, number))
		err = JW_NOT_READY;
	if (err != JW_OK)
		return err;
	lc_end_key(gen, &gen->revoked_at, env->now);
	ret_outcome->cause = "an operator revoked it";
	ret_outcome->exposed = true;
	if (published) {
		expose_old(set, env->now + 1, &ret_outcome->exposure);
		ret_outcome->flush_at = env->now + FLUSH_AFTER;
	}
	/* Both changes are one version. */
	set->facts.version = before.facts.version;
	lc_touch(&before, set, env);
	return JW_OK;
}

/* ---- the end of a key set ---- */

/* The end of tokens that it really signed, and of those that an older policy
 * lets live longer. */
static int64_t
signed_end(const struct lc_set *set, const struct generation *gen)
{
	if (gen->max_exp == 0)
		return 0;
	return jw_max64(lc_signed_until(set, gen), set->facts.tokens_until);
}

/* Until when a valid token may exist; for retired keys as their deadline
 * allows. */
static int64_t
tokens_end(const struct lc_set *set, const struct lc_env *env)
{
	int64_t end = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];

		end = jw_max64(end, signed_end(set, gen));
		if (lc_state(gen) == GEN_RETIRED)
			end = jw_max64(end, gen->remove_due);
	}
	/* A clock that is not trusted ends nothing. */
	if (end != 0 && !env->clock_trusted)
		end = jw_max64(
		    end, env->now + 1 +
			     jw_policy_retire_interval(&set->facts.policy));
	return end;
}

enum jw_err
lc_remove_set(struct lc_set *set, const struct lc_env *env, bool force,
    struct lc_outcome *ret_outcome)
{
	int64_t end = tokens_end(set, env);
	struct lc_times *rejected = &ret_outcome->exposure.reject_new_tokens;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (end > env->now && !force) {
		ret_outcome->ready_at = end;
		return JW_NOT_READY;
	}
	if (end > env->now) {
		ret_outcome->exposed = true;
		ret_outcome->exposure.until = end;
		rejected->honours_cache_control = end;
		rejected->polls_within_max_age = end;
	}
	ret_outcome->cause = "an operator removed the key set";
	set->facts.removed_at = env->now;
	set->facts.wanted_at = 0;
	for (size_t i = 0; i < set->count; i++)
		lc_end_key(&set->gens[i], &set->gens[i].removed_at, env->now);
	return JW_OK;
}

/* ---- policy ---- */

/* How much longer copies and tokens live under the old policy. */
struct growth {
	int64_t lag;      /* replicas hand out old copies for longer */
	int64_t leeway;   /* verifiers grant it to old tokens as well */
	int64_t retained; /* after its exp, for tokens of the old policy */
};

/* The end of tokens that it signed under the old policy. */
static int64_t
held_until(const struct generation *gen, const struct growth *growth)
{
	return gen->max_exp + growth->retained;
}

/* Deadlines under the new policy: later ones count, earlier ones do not. */
static void
adjust(struct lc_set *set, struct generation *gen, const struct growth *growth)
{
	const struct jw_policy *p = &set->facts.policy;
	enum gen_state state = lc_state(gen);

	if (lc_waits(gen))
		gen->ready_due = jw_max64(gen->ready_due + growth->lag,
		    lc_absent_until(gen) + jw_policy_publish_interval(p));
	if (state == GEN_ACTIVE) {
		gen->rotate_due = lc_rotate_due(set, gen);
	} else if (state == GEN_RETIRED) {
		gen->remove_due =
		    jw_max64(gen->remove_due, held_until(gen, growth)) +
		    growth->leeway;
		gen->remove_due = jw_max64(gen->remove_due,
		    gen->retired_at + 1 + jw_policy_retire_interval(p));
		if (lc_has_private(gen))
			gen->destroy_due =
			    gen->retired_at + 1 + p->rollback_window;
	}
}

/* Copies of one class of verifiers, made under a time that is another now. */
static void
remember_class(int64_t *until, int64_t now, const struct jw_policy *old,
    int32_t was, int32_t is, int64_t lag)
{
	if (was != is)
		*until = jw_max64(*until, now + old->propagation_delay + was);
	if (*until != 0)
		*until += lag;
}

/* Copies and tokens of the old policy live on, and the new one's growth
 * prolongs their lives. */
void
lc_set_policy(struct lc_set *set, const struct lc_env *env,
    const struct jw_policy *policy)
{
	const struct jw_policy *old = &set->facts.policy;
	struct growth growth = {
	    .lag =
		jw_max64(policy->propagation_delay - old->propagation_delay, 0),
	    .leeway = jw_max64(policy->clock_skew - old->clock_skew, 0),
	    .retained = (int64_t)old->clock_skew + old->retire_safety,
	};
	/* 1: what happens in this second is over in the next. */
	int64_t now = env->now + 1;
	int64_t tokens = now + jw_policy_retire_interval(old);

	set->facts.copies_until = jw_max64(set->facts.copies_until,
				      now + jw_policy_publish_interval(old)) +
				  growth.lag;
	for (size_t i = 0; i < set->count; i++)
		tokens = jw_max64(tokens, held_until(&set->gens[i], &growth));
	set->facts.tokens_until =
	    jw_max64(set->facts.tokens_until, tokens) + growth.leeway;
	remember_class(&set->facts.cached_until, now, old, old->cache_max_age,
	    policy->cache_max_age, growth.lag);
	remember_class(&set->facts.polled_until, now, old,
	    old->verifier_max_age, policy->verifier_max_age, growth.lag);
	set->facts.policy = *policy;
	for (size_t i = 0; i < set->count; i++)
		adjust(set, &set->gens[i], &growth);
}
