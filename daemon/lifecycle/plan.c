/*
 * Plans, differences and lateness.  Takes every decision from lc_next() and
 * lc_apply(), so that a plan is what then happens.
 */
#include "daemon/lifecycle/plan.h"

#include "common/base/int64.h"
#include "daemon/lifecycle/reading.h"

int64_t
lc_scheduled_for(const struct lc_set *set)
{
	struct lc_env at = {.now = set->facts.wanted_at};

	if (set->facts.wanted_at == 0)
		return 0;
	return jw_max64(set->facts.wanted_at, lc_ready_time(set, &at));
}

int64_t
lc_rotates_at(const struct lc_set *set)
{
	const struct generation *active = lc_active(set);
	int64_t ordered = lc_scheduled_for(set);

	if (active == NULL)
		return 0;
	/* In other modes than auto only an order promotes. */
	return ordered != 0 && (lc_mode(set) != JW_MODE_AUTO ||
				   ordered < active->rotate_due)
		   ? ordered
		   : active->rotate_due;
}

int64_t
lc_takes_over_at(const struct lc_set *set, const struct generation *gen)
{
	struct lc_env at = {.now = 0};

	if (gen != lc_standby(set) || !lc_is_published(gen))
		return 0;
	if (lc_mode(set) != JW_MODE_AUTO && set->facts.wanted_at == 0)
		return 0;
	return jw_max64(lc_rotates_at(set), lc_ready_time(set, &at));
}

const char *
lc_overdue(const struct lc_set *set, const struct lc_env *env)
{
	const struct generation *active = lc_active(set);
	const struct generation *standby = lc_standby(set);

	if (active == NULL || active->rotate_due > env->now)
		return NULL;
	if (env->frozen || lc_mode(set) == JW_MODE_FROZEN)
		return "rotation is frozen";
	if (lc_mode(set) == JW_MODE_MANUAL)
		return "the mode is manual";
	if (!env->clock_trusted)
		return "the clock is not trusted";
	if (standby == NULL || lc_state(standby) != GEN_READY)
		return "the standby is not ready";
	return NULL;
}

/* The key that signs now first, then the one that stopped, then all others by
 * number. */
static int
change_rank(const struct lc_change *change)
{
	if (change->to == GEN_ACTIVE)
		return 0;
	return change->to == GEN_RETIRED ? 1 : 2;
}

size_t
lc_insert_change(struct lc_change *changes, size_t n, size_t max,
    const struct lc_change *change)
{
	size_t place = n;

	while (place > 0 &&
	       change_rank(change) < change_rank(&changes[place - 1])) {
		if (place < max)
			changes[place] = changes[place - 1];
		place--;
	}
	if (place < max)
		changes[place] = *change;
	return n < max ? n + 1 : n;
}

size_t
lc_diff(const struct lc_set *before, const struct lc_set *after,
    struct lc_change *ret_changes, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < after->count; i++) {
		const struct generation *now = &after->gens[i];
		const struct generation *was = lc_find(before, now->number);
		struct lc_change change = {
		    .number = now->number,
		    .to = lc_state(now),
		};

		if (was != NULL) {
			change.has_from = true;
			change.from = lc_state(was);
			if (change.from == change.to)
				continue;
		}
		n = lc_insert_change(ret_changes, n, max, &change);
	}
	return n;
}

bool
lc_plan_due(const struct lc_set *set, const struct lc_env *env, int64_t until,
    int64_t *ret_due)
{
	struct lc_set read = *set;
	struct lc_step step;

	/* Fronts will have read what is published in a moment. */
	lc_read(&read, env->now + 1);
	step = lc_next(&read, env);
	if (step.action == LC_NONE || step.due > until)
		return false;
	*ret_due = jw_max64(env->now, step.due);
	return true;
}

static size_t
plan_step(struct lc_set *set, struct lc_env *env, struct lc_change *ret_changes,
    size_t max)
{
	struct lc_set before = *set;
	struct lc_step step;
	size_t n;

	lc_read(set, env->now + 1);
	step = lc_next(set, env);
	env->now = jw_max64(env->now, step.due);
	lc_apply(set, &step, env);
	n = lc_diff(&before, set, ret_changes, max);
	for (size_t i = 0; i < n; i++) {
		ret_changes[i].time = env->now;
		ret_changes[i].cause = step.cause;
	}
	lc_bury(set);
	return n;
}

void
lc_plan_step(struct lc_set *set, struct lc_env *env,
    struct lc_change *ret_changes, size_t *ret_count)
{
	*ret_count = plan_step(set, env, ret_changes, MODEL_GENERATIONS_MAX);
}

size_t
lc_plan(struct lc_set *set, struct lc_env env, int64_t until,
    struct lc_change *ret_changes, size_t max)
{
	size_t n = 0;
	int64_t due;

	env.pairs_coming = 0;
	while (n < max && lc_plan_due(set, &env, until, &due))
		n += plan_step(set, &env, ret_changes + n, max - n);
	return n;
}
