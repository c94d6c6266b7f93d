/*
 * Waits that start anew when the clock is trusted again: one function for each
 * state.  Must never shorten a wait below what existing copies and tokens ask
 * for, nor let a time that never was hold a key for ever.
 */
#include "daemon/lifecycle/time_correction.h"

#include "common/base/int64.h"
#include "daemon/lifecycle/reading.h"

/* The planned length of a wait: it may be longer than now, under an older
 * policy. */
static int64_t
length(int64_t from, int64_t due, int64_t least)
{
	return jw_max64(due - from, least);
}

static void
retime_pending(struct lc_set *set, struct generation *gen, int64_t now)
{
	(void)set;
	if (gen->created_at > now)
		gen->publish_due = jw_min64(gen->publish_due, now);
}

static void
retime_published(struct lc_set *set, struct generation *gen, int64_t now)
{
	int64_t wait = length(lc_absent_until(gen), gen->ready_due,
	    jw_policy_publish_interval(&set->facts.policy));

	if (gen->absent_until != 0)
		gen->absent_until = now + 1;
	gen->ready_due = now + 1 + wait;
}

/* The wait of a key that signed before it was ready. */
static void
retime_early(struct lc_set *set, struct generation *gen, int64_t now)
{
	if (lc_is_early(gen))
		retime_published(set, gen, now);
}

/* It signs for no longer than a rotation period from now. */
static void
retime_active(struct lc_set *set, struct generation *gen, int64_t now)
{
	retime_early(set, gen, now);
	gen->rotate_due =
	    jw_min64(gen->rotate_due, now + set->facts.policy.rotation_period);
}

static void
retime_retired(struct lc_set *set, struct generation *gen, int64_t now)
{
	int64_t wait = length(gen->retired_at + 1, gen->remove_due,
	    jw_policy_retire_interval(&set->facts.policy));

	retime_early(set, gen, now);
	gen->remove_due = now + 1 + wait;
	if (lc_has_private(gen))
		gen->destroy_due = now + 1 + set->facts.policy.rollback_window;
}

static void (*const retime_state[GEN_STATE_COUNT])(
    struct lc_set *set, struct generation *gen, int64_t now) = {
    [GEN_PENDING] = retime_pending,
    [GEN_PUBLISHED] = retime_published,
    [GEN_ACTIVE] = retime_active,
    [GEN_RETIRED] = retime_retired,
};

bool
lc_retime(struct lc_set *set, int64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i], was = *gen;

		if (retime_state[lc_state(gen)] == NULL)
			continue;
		retime_state[lc_state(gen)](set, gen, now);
		changed |= !lc_same(&was, gen);
	}
	return changed;
}

bool
lc_make_late(struct lc_set *set, int64_t since)
{
	int64_t stay = since + jw_policy_retire_interval(&set->facts.policy);
	bool changed = lc_resume(set, since);

	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (lc_state(gen) != GEN_RETIRED || gen->remove_due >= stay)
			continue;
		gen->remove_due = stay;
		changed = true;
	}
	return changed;
}

int64_t
lc_latest_fact(const struct lc_set *set)
{
	int64_t latest = set->facts.version_at;

	for (size_t i = 0; i < set->count; i++) {
		const struct generation *gen = &set->gens[i];

		latest = jw_max64(latest, gen->created_at);
		latest = jw_max64(latest, gen->published_at);
		latest = jw_max64(latest, gen->ready_at);
		latest = jw_max64(latest, gen->activated_at);
		latest = jw_max64(latest, gen->retired_at);
	}
	return latest;
}
