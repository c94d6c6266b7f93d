/*
 * Performing a step: the facts that it adds, the deadlines that follow from it,
 * and the next version of what is published.  Must never take a fact back.
 */
#include <assert.h>

#include "common/base/int64.h"
#include "daemon/lifecycle/internal.h"
#include "daemon/lifecycle/lifecycle.h"

/* Times are whole seconds: what happens in this one is certainly over in the
 * next, and no wait begins earlier. */
static int64_t
over(const struct lc_env *env)
{
	return env->now + 1;
}

/*
 * Copies of an earlier set, last handed out at `last`, live as long as the
 * longer of the two policies says, and as long as it remembered itself.
 */
static void
inherit(int64_t *until, int64_t last, int64_t was, int64_t is,
    int64_t remembered, int64_t lag)
{
	if (was + lag > is)
		*until = jw_max64(*until, last + was + lag);
	if (remembered != 0)
		*until = jw_max64(*until, remembered + lag);
}

void
lc_follow(struct lc_set *set, const struct key_set_facts *earlier, int64_t last)
{
	const struct jw_policy *was = &earlier->policy;
	const struct jw_policy *is = &set->facts.policy;
	struct key_set_facts *f = &set->facts;
	int64_t old = was->propagation_delay, new = is->propagation_delay;
	int64_t lag = jw_max64(new - old, 0);

	f->follows_at = jw_max64(f->follows_at, last);
	inherit(&f->copies_until, last, jw_policy_publish_interval(was),
	    jw_policy_publish_interval(is), earlier->copies_until, lag);
	inherit(&f->cached_until, last, old + was->cache_max_age,
	    new + is->cache_max_age, earlier->cached_until, lag);
	inherit(&f->polled_until, last, old + was->verifier_max_age,
	    new + is->verifier_max_age, earlier->polled_until, lag);
}

static void
publish(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	gen->published_at = env->now;
	gen->absent_until = 0;
	if (gen->verify_only) {
		gen->retirements = 1;
		gen->retired_at = env->now;
		gen->remove_due = jw_max64(gen->remove_due,
		    over(env) + jw_policy_retire_interval(&set->facts.policy));
		return;
	}
	/* Moved to later by lc_read(). */
	gen->ready_due = lc_ready_due(set, over(env));
}

static void
retire(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	assert(lc_state(gen) == GEN_ACTIVE);
	gen->retirements++;
	gen->retired_at = env->now;
	gen->destroy_due = over(env) + set->facts.policy.rollback_window;
	gen->remove_due = jw_max64(
	    jw_max64(lc_signed_until(set, gen), set->facts.tokens_until),
	    over(env) + jw_policy_retire_interval(&set->facts.policy));
}

static void
activate(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	assert(gen->published_at != 0 && !gen->verify_only);
	/* A wait that is held back must not look as if it were over. */
	if (gen->ready_at == 0)
		gen->ready_at =
		    gen->ready_due > env->now ||
			    (env->serving && !lc_is_held(set, env) &&
				gen->absent_until != 0)
			? env->now
			: gen->ready_due - 1;
	gen->activations++;
	gen->activated_at = env->now;
	gen->destroy_due = 0;
	gen->remove_due = 0;
	gen->rotate_due = lc_rotate_due(set, gen);
}

static void
promote(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	const struct generation *active = lc_active(set);

	if (active != NULL)
		retire(set, lc_find_mutable(set, active->number), env);
	if (gen->published_at == 0)
		publish(set, gen, env);
	activate(set, gen, env);
	set->facts.wanted_at = 0;
}

/*
 * The first version holds the signer and its standby: no copy without the
 * standby ever existed, so it is ready at once.  Unless an earlier key set had
 * the name: its copies lack them all.
 */
static void
lc_start(struct lc_set *set, const struct lc_env *env)
{
	bool first = true;

	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (lc_state(gen) != GEN_PENDING)
			continue;
		publish(set, gen, env);
		if (gen->verify_only)
			continue;
		if (set->facts.follows_at != 0) {
			gen->absent_until = set->facts.follows_at;
			gen->ready_due = lc_ready_due(set, gen->absent_until);
			continue;
		}
		gen->absent_until = over(env);
		gen->ready_due = env->now;
		gen->ready_at = env->now;
		if (first)
			activate(set, gen, env);
		first = false;
	}
}

void
lc_end_key(struct generation *gen, int64_t *when, int64_t now)
{
	*when = now;
	if (gen->destroyed_at == 0)
		gen->destroyed_at = now;
}

static void
lc_perform(
    struct lc_set *set, const struct lc_step *step, const struct lc_env *env)
{
	struct generation *gen = lc_find_mutable(set, step->number);

	if (step->action == LC_START)
		lc_start(set, env);
	else if (step->action == LC_CREATE)
		lc_add(set, env, set->facts.policy.algorithm, 0);
	else if (gen == NULL)
		return;
	else if (step->action == LC_PUBLISH)
		publish(set, gen, env);
	else if (step->action == LC_READY)
		gen->ready_at = env->now;
	else if (step->action == LC_KNOWN)
		gen->ready_due = gen->ready_at;
	else if (step->action == LC_PROMOTE)
		promote(set, gen, env);
	else if (step->action == LC_DESTROY)
		gen->destroyed_at = env->now;
	else if (step->action == LC_REMOVE)
		lc_end_key(gen, &gen->removed_at, env->now);
}

bool
lc_add(
    struct lc_set *set, const struct lc_env *env, int32_t alg, uint32_t spread)
{
	struct generation *gen;

	if (set->count == MODEL_GENERATIONS_MAX)
		return false;
	gen = &set->gens[set->count++];
	*gen = (struct generation){
	    .number = set->facts.next_number++,
	    .created_at = env->now,
	    .publish_due = env->now,
	    .alg = alg,
	    .spread = spread,
	};
	return true;
}

static bool
same_publication(const struct lc_set *a, const struct lc_set *b)
{
	size_t ia[MODEL_GENERATIONS_MAX], ib[MODEL_GENERATIONS_MAX];
	size_t na = lc_publication(a, ia), nb = lc_publication(b, ib);

	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (a->gens[ia[i]].number != b->gens[ib[i]].number)
			return false;
	return true;
}

void
lc_touch(
    const struct lc_set *before, struct lc_set *set, const struct lc_env *env)
{
	if (same_publication(before, set))
		return;
	set->facts.version++;
	/*
	 * Last-Modified must never run backwards, whatever the clock does,
	 * nor stand still: two versions of one second differ.
	 */
	set->facts.version_at = jw_max64(env->now, set->facts.version_at + 1);
}

void
lc_apply(
    struct lc_set *set, const struct lc_step *step, const struct lc_env *env)
{
	struct lc_set before = *set;

	lc_perform(set, step, env);
	assert(lc_count(set, GEN_ACTIVE) <= 1);
	lc_touch(&before, set, env);
}

void
lc_promote(struct lc_set *set, int64_t number, const struct lc_env *env)
{
	struct lc_step step = {LC_PROMOTE, number, env->now, ""};

	lc_apply(set, &step, env);
}
