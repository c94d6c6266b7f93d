/*
 * The life of key generations: one tiny function for each timing rule, one
 * table that lists them, and lc_next() that takes the earliest.  The only
 * place that knows when a key may be published, sign, retire or go.  Must
 * never read a clock, allocate, or derive a state from a deadline.
 */
#include "daemon/lifecycle/lifecycle.h"

#include <string.h>

#include "common/base/base64url.h"
#include "common/base/int64.h"

static const char *const state_names[GEN_STATE_COUNT] = {
    [GEN_PENDING] = "pending",
    [GEN_PUBLISHED] = "published",
    [GEN_READY] = "ready",
    [GEN_ACTIVE] = "active",
    [GEN_RETIRED] = "retired",
    [GEN_REMOVED] = "removed",
    [GEN_REVOKED] = "revoked",
};

/* ---- what a generation is ---- */

enum gen_state
lc_state(const struct generation *gen)
{
	if (gen->revoked_at != 0)
		return GEN_REVOKED;
	if (gen->removed_at != 0)
		return GEN_REMOVED;
	if (gen->activations > gen->retirements)
		return GEN_ACTIVE;
	if (gen->retirements > 0)
		return GEN_RETIRED;
	if (gen->ready_at != 0)
		return GEN_READY;
	if (gen->published_at != 0)
		return GEN_PUBLISHED;
	return GEN_PENDING;
}

const char *
lc_state_name(enum gen_state state)
{
	return state < GEN_STATE_COUNT ? state_names[state] : "?";
}

bool
lc_is_published(const struct generation *gen)
{
	enum gen_state state = lc_state(gen);

	return state >= GEN_PUBLISHED && state <= GEN_RETIRED;
}

bool
lc_same(const struct generation *a, const struct generation *b)
{
	return a->number == b->number && a->created_at == b->created_at &&
	       a->published_at == b->published_at &&
	       a->ready_at == b->ready_at &&
	       a->activated_at == b->activated_at &&
	       a->retired_at == b->retired_at &&
	       a->removed_at == b->removed_at &&
	       a->revoked_at == b->revoked_at &&
	       a->destroyed_at == b->destroyed_at &&
	       a->absent_until == b->absent_until && a->max_exp == b->max_exp &&
	       a->publish_due == b->publish_due &&
	       a->ready_due == b->ready_due && a->rotate_due == b->rotate_due &&
	       a->destroy_due == b->destroy_due &&
	       a->remove_due == b->remove_due &&
	       a->activations == b->activations &&
	       a->retirements == b->retirements && a->alg == b->alg &&
	       a->spread == b->spread && a->verify_only == b->verify_only;
}

bool
lc_has_private(const struct generation *gen)
{
	return !gen->verify_only && gen->destroyed_at == 0;
}

bool
lc_can_sign(const struct generation *gen)
{
	return lc_has_private(gen) && !gen->damaged;
}

bool
lc_is_early(const struct generation *gen)
{
	enum gen_state state = lc_state(gen);

	return (state == GEN_ACTIVE || state == GEN_RETIRED) &&
	       lc_has_private(gen) && gen->ready_due > gen->ready_at;
}

bool
lc_waits(const struct generation *gen)
{
	return lc_state(gen) == GEN_PUBLISHED || lc_is_early(gen);
}

bool
lc_is_unread_key(const struct generation *gen)
{
	return gen->absent_until == 0 && lc_waits(gen);
}

uint32_t
lc_spread(const char *kid)
{
	uint32_t spread = 0;

	for (int i = 0; i < 5 && kid[i] != '\0'; i++) {
		int value = jw_base64url_value(kid[i]);

		spread = spread << 6 | (uint32_t)jw_max64(value, 0);
	}
	return spread;
}

/* ---- what a key set has ---- */

size_t
lc_count(const struct lc_set *set, enum gen_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += lc_state(&set->gens[i]) == state;
	return n;
}

static size_t
count_published(const struct lc_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += lc_is_published(&set->gens[i]);
	return n;
}

const struct generation *
lc_active(const struct lc_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (lc_state(&set->gens[i]) == GEN_ACTIVE)
			return &set->gens[i];
	return NULL;
}

const struct generation *
lc_find(const struct lc_set *set, int64_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].number == number)
			return &set->gens[i];
	return NULL;
}

/* Yet to sign, and able to. */
static bool
is_future(const struct generation *gen)
{
	return lc_state(gen) <= GEN_READY && lc_can_sign(gen);
}

static bool
is_current_alg(const struct lc_set *set, const struct generation *gen)
{
	return gen->alg == set->facts.policy.algorithm;
}

/*
 * The next to sign: of the policy's algorithm if there is any, so that a
 * change of algorithm waits for its own standby; the most advanced first.
 */
const struct generation *
lc_standby(const struct lc_set *set)
{
	const struct generation *best = NULL;

	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];

		if (!is_future(gen))
			continue;
		if (best == NULL ||
		    is_current_alg(set, gen) > is_current_alg(set, best) ||
		    (is_current_alg(set, gen) == is_current_alg(set, best) &&
			lc_state(gen) > lc_state(best)))
			best = gen;
	}
	return best;
}

static bool
is_initialised(const struct lc_set *set)
{
	return set->facts.version > 0;
}

/* Rank for publication: active, then ready and published, then retired. */
static int
publication_rank(const struct generation *gen)
{
	switch (lc_state(gen)) {
	case GEN_ACTIVE:
		return 0;
	case GEN_READY:
	case GEN_PUBLISHED:
		return 1;
	default:
		return 2;
	}
}

static bool
publishes_before(const struct generation *a, const struct generation *b)
{
	int ra = publication_rank(a), rb = publication_rank(b);

	return ra != rb ? ra < rb : a->number > b->number;
}

size_t
lc_publication(const struct lc_set *set, size_t *ret_index)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++) {
		size_t at = n;

		if (!lc_is_published(&set->gens[i]) || set->gens[i].damaged)
			continue;
		while (at > 0 && publishes_before(&set->gens[i],
				     &set->gens[ret_index[at - 1]])) {
			ret_index[at] = ret_index[at - 1];
			at--;
		}
		ret_index[at] = i;
		n++;
	}
	return n;
}

enum jw_mode
lc_mode(const struct lc_set *set)
{
	return set->facts.frozen ? JW_MODE_FROZEN
				 : (enum jw_mode)set->facts.policy.mode;
}

/* ---- timing, one rule each ---- */

/* What the clock triggers holds while time or the operator says so. */
static bool
is_held(const struct lc_set *set, const struct lc_env *env)
{
	return !env->clock_trusted || env->frozen ||
	       lc_mode(set) == JW_MODE_FROZEN;
}

/*
 * Times are whole seconds: what happens in this one is over for sure in the
 * next, and no wait begins before.
 */
static int64_t
over(const struct lc_env *env)
{
	return env->now + 1;
}

int64_t
lc_ready_due(const struct lc_set *set, int64_t absent_until)
{
	return jw_max64(
	    absent_until + jw_policy_publish_interval(&set->facts.policy),
	    set->facts.copies_until);
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

bool
lc_awaits(const struct lc_set *set)
{
	if (set->facts.follows_at == 0 || set->facts.removed_at != 0 ||
	    !is_initialised(set))
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].activations > 0)
			return false;
	return true;
}

int64_t
lc_signs_at(const struct lc_set *set)
{
	struct lc_env env = {.now = set->facts.follows_at};

	return lc_awaits(set) ? lc_ready_time(set, &env) : 0;
}

/* The jitter only shortens: no generation signs longer than it was told. */
int64_t
lc_rotate_due(const struct lc_set *set, const struct generation *gen)
{
	int64_t period = set->facts.policy.rotation_period;

	return gen->activated_at + period - gen->spread % (period / 50 + 1);
}

/* Until when a token that it really signed may be shown to a verifier. */
static int64_t
signed_until(const struct lc_set *set, const struct generation *gen)
{
	const struct jw_policy *p = &set->facts.policy;

	return gen->max_exp + p->clock_skew + p->retire_safety;
}

/*
 * Two standbys at least are wanted before the first start: one to sign.  What
 * was imported to verify alone is none.
 */
static int64_t
start_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	int wanted = 1 + set->facts.policy.standby_count;

	(void)gen;
	for (size_t i = 0; i < set->count; i++)
		wanted -= is_future(&set->gens[i]);
	return is_initialised(set) || wanted > 0 ? LC_NEVER : env->now;
}

static int64_t
create_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	int wanted = set->facts.policy.standby_count +
		     (!is_initialised(set) || lc_awaits(set));

	(void)gen;
	if (set->count == MODEL_GENERATIONS_MAX)
		return LC_NEVER;
	for (size_t i = 0; i < set->count; i++)
		wanted -= is_future(&set->gens[i]) &&
			  is_current_alg(set, &set->gens[i]);
	return wanted > env->pairs_coming ? env->now : LC_NEVER;
}

static int64_t
publish_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	(void)env;
	if (lc_state(gen) != GEN_PENDING || !is_initialised(set) ||
	    count_published(set) >=
		(size_t)set->facts.policy.max_published_keys)
		return LC_NEVER;
	return gen->publish_due;
}

static int64_t
ready_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (lc_state(gen) != GEN_PUBLISHED || lc_is_unread_key(gen) ||
	    is_held(set, env) || !env->serving)
		return LC_NEVER;
	return gen->ready_due;
}

/* What holds a published key's wait holds that of an early one. */
static int64_t
known_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (!lc_is_early(gen) || lc_is_unread_key(gen) || is_held(set, env) ||
	    !env->serving)
		return LC_NEVER;
	return gen->ready_due;
}

static int64_t
promote_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	const struct generation *active = lc_active(set);
	int64_t due = LC_NEVER;

	if (gen != lc_standby(set) || !lc_is_published(gen))
		return LC_NEVER;
	if (lc_awaits(set))
		return lc_state(gen) == GEN_READY && !is_held(set, env)
			   ? env->now
			   : LC_NEVER;
	/* Nobody signs: waiting can only make it worse. */
	if (active == NULL)
		return env->now;
	if (lc_state(gen) != GEN_READY || is_held(set, env))
		return LC_NEVER;
	if (lc_mode(set) == JW_MODE_AUTO)
		due = active->rotate_due;
	if (set->facts.wanted_at != 0 && set->facts.wanted_at < due)
		due = set->facts.wanted_at;
	return due;
}

static int64_t
destroy_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (lc_state(gen) != GEN_RETIRED || !lc_has_private(gen) ||
	    is_held(set, env))
		return LC_NEVER;
	return gen->destroy_due;
}

/* When a retired one may leave the set; LC_NEVER for all others. */
static int64_t
leaves_at(const struct lc_set *set, const struct generation *gen)
{
	return lc_state(gen) == GEN_RETIRED
		   ? jw_max64(gen->remove_due, signed_until(set, gen))
		   : LC_NEVER;
}

/*
 * A standby of an algorithm that is no longer wanted never signed.  While the
 * signer's own is not wanted either, that signer's standby is the reserve.
 */
static bool
is_obsolete(const struct lc_set *set, const struct generation *gen)
{
	const struct generation *active = lc_active(set);

	return is_future(gen) && lc_is_published(gen) &&
	       !is_current_alg(set, gen) && active != NULL &&
	       (is_current_alg(set, active) || gen->alg != active->alg);
}

static int64_t
remove_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (is_held(set, env))
		return LC_NEVER;
	if (is_obsolete(set, gen))
		return env->now;
	return leaves_at(set, gen);
}

/* ---- the next step ---- */

typedef int64_t rule_fn(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen);

/* In the order in which steps of one moment are taken. */
static const struct rule {
	enum lc_action action;
	rule_fn *due;
	bool of_set; /* asked once, without a generation */
	const char *cause;
} rules[] = {
    {LC_START, start_rule, true, "first start"},
    {LC_PROMOTE, promote_rule, false, "rotation is due"},
    {LC_PUBLISH, publish_rule, false, "the standby is made known"},
    {LC_CREATE, create_rule, true, "a standby is missing"},
    {LC_READY, ready_rule, false,
	"every copy of the set without it has expired"},
    {LC_KNOWN, known_rule, false,
	"every copy of the set without it has expired"},
    {LC_DESTROY, destroy_rule, false, "the rollback window is over"},
    {LC_REMOVE, remove_rule, false, "no valid token can carry it"},
};

static const char *
cause_of(const struct lc_set *set, const struct rule *rule,
    const struct generation *gen)
{
	const struct generation *active = lc_active(set);

	if (rule->action == LC_REMOVE && lc_state(gen) != GEN_RETIRED)
		return "its algorithm is no longer wanted";
	if (rule->action != LC_PROMOTE)
		return rule->cause;
	if (lc_awaits(set))
		return "copies of an earlier key set of its name have expired";
	if (active == NULL)
		return "no key signs";
	if (lc_mode(set) == JW_MODE_AUTO &&
	    (set->facts.wanted_at == 0 ||
		active->rotate_due <= set->facts.wanted_at))
		return rule->cause;
	return "an operator asked for it";
}

static void
lc_consider(const struct lc_set *set, const struct lc_env *env,
    const struct rule *rule, const struct generation *gen, struct lc_step *best)
{
	int64_t due = rule->due(set, env, gen);

	if (due >= best->due)
		return;
	best->action = rule->action;
	best->number = gen != NULL ? gen->number : set->facts.next_number;
	best->due = due;
	best->cause = cause_of(set, rule, gen);
}

struct lc_step
lc_next(const struct lc_set *set, const struct lc_env *env)
{
	struct lc_step best = {LC_NONE, 0, LC_NEVER, ""};

	if (set->facts.removed_at != 0)
		return best;
	for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++) {
		if (rules[r].of_set) {
			lc_consider(set, env, &rules[r], NULL, &best);
			continue;
		}
		for (size_t i = 0; i < set->count; i++)
			lc_consider(set, env, &rules[r], &set->gens[i], &best);
	}
	return best;
}

/* ---- performing a step ---- */

static struct generation *
lifecycle_find_mutable(struct lc_set *set, int64_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].number == number)
			return &set->gens[i];
	return NULL;
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
	/* At the earliest: lc_read(). */
	gen->ready_due = lc_ready_due(set, over(env));
}

static void
retire(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	gen->retirements++;
	gen->retired_at = env->now;
	gen->destroy_due = over(env) + set->facts.policy.rollback_window;
	gen->remove_due =
	    jw_max64(jw_max64(signed_until(set, gen), set->facts.tokens_until),
		over(env) + jw_policy_retire_interval(&set->facts.policy));
}

static void
activate(struct lc_set *set, struct generation *gen, const struct lc_env *env)
{
	/* What holds its wait must not make it look as if it were over. */
	if (gen->ready_at == 0)
		gen->ready_at = gen->ready_due > env->now ||
					(env->serving && !is_held(set, env) &&
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
		retire(set, lifecycle_find_mutable(set, active->number), env);
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

static void
remove_gen(struct generation *gen, const struct lc_env *env)
{
	gen->removed_at = env->now;
	if (gen->destroyed_at == 0)
		gen->destroyed_at = env->now;
}

static void
lc_perform(
    struct lc_set *set, const struct lc_step *step, const struct lc_env *env)
{
	struct generation *gen = lifecycle_find_mutable(set, step->number);

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
		remove_gen(gen, env);
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
	lc_touch(&before, set, env);
}

void
lc_promote(struct lc_set *set, int64_t number, const struct lc_env *env)
{
	struct lc_step step = {LC_PROMOTE, number, env->now, ""};

	lc_apply(set, &step, env);
}

/* ---- looking ahead ---- */

/* How many of the published keys will have left by then. */
static size_t
count_leaving(const struct lc_set *set, int64_t when)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += leaves_at(set, &set->gens[i]) <= when;
	return n;
}

int64_t
lc_room_time(const struct lc_set *set, const struct lc_env *env)
{
	size_t max = (size_t)set->facts.policy.max_published_keys;
	size_t count = count_published(set);
	int64_t best = LC_NEVER;

	if (count < max)
		return env->now;
	for (size_t i = 0; i < set->count; i++) {
		int64_t when = leaves_at(set, &set->gens[i]);

		if (when < best && count_leaving(set, when) > count - max)
			best = when;
	}
	return best == LC_NEVER ? env->now : jw_max64(best, env->now);
}

bool
lc_is_known(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	return !lc_is_early(gen) || known_rule(set, env, gen) <= env->now;
}

int64_t
lc_ready_time(const struct lc_set *set, const struct lc_env *env)
{
	const struct generation *gen = lc_standby(set);

	if (gen == NULL || lc_state(gen) == GEN_PENDING)
		return lc_ready_due(set, lc_room_time(set, env) + 1);
	return lc_state(gen) == GEN_READY ? gen->ready_at : gen->ready_due;
}

/* Tombstones take no part in what comes. */
void
lc_bury(struct lc_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		if (lc_state(&set->gens[i]) < GEN_REMOVED)
			set->gens[n++] = set->gens[i];
	set->count = n;
}
