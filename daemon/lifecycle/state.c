/*
 * The states of a generation, and the generations of a key set, from their
 * facts.  Must never derive a state from a deadline or from a clock.
 */
#include "daemon/lifecycle/state.h"

#include <string.h>

#include "common/base/base64url.h"
#include "common/base/int64.h"
#include "daemon/lifecycle/internal.h"

_Static_assert(
    sizeof(struct generation) == offsetof(struct generation, unused) +
				     sizeof(((struct generation *)0)->unused),
    "no octet of a generation is outside of a member: lc_same()");

static const char *const state_names[GEN_STATE_COUNT] = {
    [GEN_PENDING] = "pending",
    [GEN_PUBLISHED] = "published",
    [GEN_READY] = "ready",
    [GEN_ACTIVE] = "active",
    [GEN_RETIRED] = "retired",
    [GEN_REMOVED] = "removed",
    [GEN_REVOKED] = "revoked",
};

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
	struct generation copy = *a;

	copy.damaged = b->damaged;
	return memcmp(&copy, b, sizeof(copy)) == 0;
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

size_t
lc_count(const struct lc_set *set, enum gen_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += lc_state(&set->gens[i]) == state;
	return n;
}

size_t
lc_count_published(const struct lc_set *set)
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

struct generation *
lc_find_mutable(struct lc_set *set, int64_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].number == number)
			return &set->gens[i];
	return NULL;
}

/* Has it yet to sign, and can it? */
bool
lc_is_future(const struct generation *gen)
{
	return lc_state(gen) <= GEN_READY && lc_can_sign(gen);
}

bool
lc_is_current_alg(const struct lc_set *set, const struct generation *gen)
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

		if (!lc_is_future(gen))
			continue;
		if (best == NULL ||
		    lc_is_current_alg(set, gen) >
			lc_is_current_alg(set, best) ||
		    (lc_is_current_alg(set, gen) ==
			    lc_is_current_alg(set, best) &&
			lc_state(gen) > lc_state(best)))
			best = gen;
	}
	return best;
}

bool
lc_is_initialised(const struct lc_set *set)
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

bool
lc_awaits(const struct lc_set *set)
{
	if (set->facts.follows_at == 0 || set->facts.removed_at != 0 ||
	    !lc_is_initialised(set))
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].activations > 0)
			return false;
	return true;
}

/* Removed and revoked generations have no further step. */
void
lc_bury(struct lc_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		if (lc_state(&set->gens[i]) < GEN_REMOVED)
			set->gens[n++] = set->gens[i];
	set->count = n;
}
