/*
 * Begins waits when fronts have read a version, and again after an outage.
 * Must never move a deadline to an earlier time.
 */
#include "daemon/lifecycle/reading.h"

#include "common/base/int64.h"

bool
lc_resume(struct lc_set *set, int64_t since)
{
	bool waits = false;

	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (!lc_waits(gen))
			continue;
		waits = true;
		/* Fronts will read it after that time. */
		if (lc_is_unread_key(gen))
			continue;
		gen->absent_until = jw_max64(gen->absent_until, since);
		gen->ready_due = jw_max64(
		    gen->ready_due, lc_ready_due(set, gen->absent_until));
	}
	return waits;
}

bool
lc_is_unread(const struct lc_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (lc_is_unread_key(&set->gens[i]))
			return true;
	return false;
}

int64_t
lc_absent_until(const struct generation *gen)
{
	return gen->absent_until != 0 ? gen->absent_until
				      : gen->published_at + 1;
}

void
lc_make_unread(struct lc_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (lc_waits(gen))
			gen->absent_until = 0;
	}
}

static int64_t
moved(int64_t until, int64_t by)
{
	return until == 0 ? 0 : until + by;
}

/* No version of the set has been read before: the earlier set of its name was
 * served until now, and its copies end later by as much. */
static void
replace_earlier(struct lc_set *set, int64_t at)
{
	struct key_set_facts *f = &set->facts;
	int64_t by = at - f->follows_at;

	if (f->follows_at == 0 || by <= 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		if (set->gens[i].absent_until != 0)
			return;
	f->follows_at = at;
	f->copies_until = moved(f->copies_until, by);
	f->cached_until = moved(f->cached_until, by);
	f->polled_until = moved(f->polled_until, by);
}

bool
lc_read(struct lc_set *set, int64_t at)
{
	if (!lc_is_unread(set))
		return false;
	replace_earlier(set, at);
	for (size_t i = 0; i < set->count; i++) {
		struct generation *gen = &set->gens[i];

		if (!lc_is_unread_key(gen))
			continue;
		gen->absent_until = at;
		gen->ready_due =
		    jw_max64(gen->ready_due, lc_ready_due(set, at));
	}
	return true;
}
