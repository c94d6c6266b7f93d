/*
 * Two rows in, changes out.  Must report exactly the changes that a commit
 * would have reported: observers handle both in the same way.
 */
#include "daemon/keeper/difference.h"

#include <string.h>

#include "daemon/document/jwks.h"

static const struct key *
find(const struct key_set *set, int64_t number)
{
	for (size_t i = 0; set != NULL && i < set->nkeys; i++)
		if (set->keys[i].facts.number == number)
			return &set->keys[i];
	return NULL;
}

bool
keeper_difference_in_document(
    const struct key_set_facts *before, const struct key_set_facts *after)
{
	char was[JWKS_HEADER_SIZE], is[JWKS_HEADER_SIZE];

	document_cache_control(&before->policy, was);
	document_cache_control(&after->policy, is);
	return after->removed_at != 0 || before->version != after->version ||
	       strcmp(was, is) != 0;
}

static bool
same_policy(const struct jw_policy *a, const struct jw_policy *b)
{
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	for (size_t i = 0; i < n; i++)
		if (jw_policy_get(a, &params[i]) !=
		    jw_policy_get(b, &params[i]))
			return false;
	return true;
}

/* The event of the order that left these traces. */
static const char *
order_of(const struct key_set *before, const struct key_set *after)
{
	if (before == NULL)
		return "keyset";
	if (after->facts.removed_at != 0)
		return "removed";
	if (before->facts.frozen != after->facts.frozen)
		return after->facts.frozen ? "frozen" : "thawed";
	if (!same_policy(&before->facts.policy, &after->facts.policy))
		return "policy";
	if (after->facts.wanted_at != 0 &&
	    before->facts.wanted_at != after->facts.wanted_at)
		return "scheduled";
	return NULL;
}

static bool
starts_wait(const struct lc_change *change)
{
	bool was_published = change->has_from && change->from != GEN_PENDING;

	return change->to == GEN_RETIRED ||
	       (!was_published && change->to != GEN_PENDING);
}

void
keeper_difference_make(const struct key_set *before,
    const struct key_set *after, int64_t now, const char *cause,
    struct keeper_difference *ret_difference)
{
	struct keeper_difference *d = ret_difference;

	d->count = 0;
	for (size_t i = 0; i < after->nkeys; i++) {
		const struct key *key = &after->keys[i];
		const struct key *was = find(before, key->facts.number);
		struct lc_change change = {
		    .time = now,
		    .number = key->facts.number,
		    .has_from = was != NULL,
		    .from = was == NULL ? GEN_PENDING : lc_state(&was->facts),
		    .to = lc_state(&key->facts),
		    .cause = cause,
		};

		if (was == NULL || change.from != change.to)
			d->count = lc_insert_change(
			    d->changes, d->count, DIFFERENCE_MAX, &change);
	}
	d->starts_wait = false;
	for (size_t i = 0; i < d->count; i++) {
		d->keys[i] = find(after, d->changes[i].number);
		d->starts_wait |= starts_wait(&d->changes[i]);
	}
	d->order = order_of(before, after);
	d->document_changed =
	    before == NULL ||
	    keeper_difference_in_document(&before->facts, &after->facts);
}
