/*
 * When each step of a generation's life is due: one tiny function for each
 * timing rule, one table that lists them, and lc_next() that takes the
 * earliest. Must never read a clock, allocate, or change what it looks at.
 */
#include "common/base/int64.h"
#include "daemon/lifecycle/internal.h"
#include "daemon/lifecycle/lifecycle.h"

/* Is the clock not trusted, or the set frozen?  Then no step that time triggers
 * is due. */
bool
lc_is_held(const struct lc_set *set, const struct lc_env *env)
{
	return !env->clock_trusted || env->frozen ||
	       lc_mode(set) == JW_MODE_FROZEN;
}

int64_t
lc_ready_due(const struct lc_set *set, int64_t absent_until)
{
	return jw_max64(
	    absent_until + jw_policy_publish_interval(&set->facts.policy),
	    set->facts.copies_until);
}

int64_t
lc_signs_at(const struct lc_set *set)
{
	struct lc_env env = {.now = set->facts.follows_at};

	return lc_awaits(set) ? lc_ready_time(set, &env) : 0;
}

/* The jitter only shortens a period. */
int64_t
lc_rotate_due(const struct lc_set *set, const struct generation *gen)
{
	int64_t period = set->facts.policy.rotation_period;

	return gen->activated_at + period - gen->spread % (period / 50 + 1);
}

/* Until when a token that it really signed may be shown to a verifier. */
int64_t
lc_signed_until(const struct lc_set *set, const struct generation *gen)
{
	const struct jw_policy *p = &set->facts.policy;

	return gen->max_exp + p->clock_skew + p->retire_safety;
}

/* The first start needs the signer and its standbys.  A key that was imported
 * to verify alone does not count. */
static int64_t
start_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	int wanted = 1 + set->facts.policy.standby_count;

	(void)gen;
	for (size_t i = 0; i < set->count; i++)
		wanted -= lc_is_future(&set->gens[i]);
	return lc_is_initialised(set) || wanted > 0 ? LC_NEVER : env->now;
}

static int64_t
create_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	int wanted = set->facts.policy.standby_count +
		     (!lc_is_initialised(set) || lc_awaits(set));

	(void)gen;
	if (set->count == MODEL_GENERATIONS_MAX)
		return LC_NEVER;
	for (size_t i = 0; i < set->count; i++)
		wanted -= lc_is_future(&set->gens[i]) &&
			  lc_is_current_alg(set, &set->gens[i]);
	return wanted > env->pairs_coming ? env->now : LC_NEVER;
}

static int64_t
publish_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	(void)env;
	if (lc_state(gen) != GEN_PENDING || !lc_is_initialised(set) ||
	    lc_count_published(set) >=
		(size_t)set->facts.policy.max_published_keys)
		return LC_NEVER;
	return gen->publish_due;
}

/* The end of a wait to be known to verifiers. */
static int64_t
wait_end(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (lc_is_unread_key(gen) || lc_is_held(set, env) || !env->serving)
		return LC_NEVER;
	return gen->ready_due;
}

static int64_t
ready_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	return lc_state(gen) == GEN_PUBLISHED ? wait_end(set, env, gen)
					      : LC_NEVER;
}

static int64_t
known_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	return lc_is_early(gen) ? wait_end(set, env, gen) : LC_NEVER;
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
		return lc_state(gen) == GEN_READY && !lc_is_held(set, env)
			   ? env->now
			   : LC_NEVER;
	/* No key signs: waiting can only make it worse. */
	if (active == NULL)
		return env->now;
	if (lc_state(gen) != GEN_READY || lc_is_held(set, env))
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
	    lc_is_held(set, env))
		return LC_NEVER;
	return gen->destroy_due;
}

/* When a retired one may leave the set; LC_NEVER for all others. */
static int64_t
leaves_at(const struct lc_set *set, const struct generation *gen)
{
	return lc_state(gen) == GEN_RETIRED
		   ? jw_max64(gen->remove_due, lc_signed_until(set, gen))
		   : LC_NEVER;
}

/*
 * Is it a standby of an algorithm that is no longer wanted?  While the
 * algorithm of the signer is not wanted either, the standby of the signer is
 * the reserve.
 */
static bool
is_obsolete(const struct lc_set *set, const struct generation *gen)
{
	const struct generation *active = lc_active(set);

	return lc_is_future(gen) && lc_is_published(gen) &&
	       !lc_is_current_alg(set, gen) && active != NULL &&
	       (lc_is_current_alg(set, active) || gen->alg != active->alg);
}

static int64_t
remove_rule(const struct lc_set *set, const struct lc_env *env,
    const struct generation *gen)
{
	if (lc_is_held(set, env))
		return LC_NEVER;
	if (is_obsolete(set, gen))
		return env->now;
	return leaves_at(set, gen);
}

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
	size_t count = lc_count_published(set);
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
