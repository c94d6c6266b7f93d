/*
 * The key sets in memory: held, found by name and by id, replaced, dropped.
 * Must never keep a generation that is removed or revoked: those are in the
 * store alone.
 */
#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/lifecycle.h"

static int
keeper_compare_names(const void *a, const void *b)
{
	const struct keeper_set *x = a, *y = b;

	return strcmp(x->row.name, y->row.name);
}

static void
set_free(struct keeper_set *set)
{
	store_set_done(&set->row);
	free(set);
}

static bool
has_active(const struct keeper_set *set)
{
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (lc_state(&set->row.keys[i].facts) == GEN_ACTIVE)
			return true;
	return false;
}

/* A key set that waits until copies of an earlier one have expired lacks no
 * signer. */
bool
keeper_lacks_signer(const struct keeper_set *set)
{
	struct lc_set view;

	if (has_active(set))
		return false;
	keeper_view(set, &view);
	return !lc_awaits(&view);
}

static enum jw_err
index_set(struct keeper *keeper, struct keeper_set *set)
{
	struct keeper_set **grown;
	size_t room = keeper->sets_room == 0 ? 16 : keeper->sets_room * 2;

	if (keeper->nsets == keeper->sets_room) {
		grown =
		    realloc(keeper->sets, room * sizeof(struct keeper_set *));
		if (grown == NULL)
			return JW_NO_MEMORY;
		keeper->sets = grown;
		keeper->sets_room = room;
	}
	if (tsearch(set, &keeper->by_name, keeper_compare_names) == NULL)
		return JW_NO_MEMORY;
	keeper->sets[keeper->nsets++] = set;
	keeper->without_active += keeper_lacks_signer(set);
	keeper->ngenerations += set->row.nkeys;
	return JW_OK;
}

static size_t
place_of(const struct keeper *keeper, int64_t id)
{
	size_t low = 0, high = keeper->nsets;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (keeper->sets[mid]->row.id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A key set that has been removed. */
static void
forget_set(struct keeper *keeper, struct keeper_set *set)
{
	size_t place = place_of(keeper, set->row.id);

	assert(place < keeper->nsets && keeper->sets[place] == set);

	keeper->nsets--;
	memmove(&keeper->sets[place], &keeper->sets[place + 1],
	    (keeper->nsets - place) * sizeof(struct keeper_set *));
	keeper->without_active -= keeper_lacks_signer(set);
	keeper->unread -= set->unread;
	keeper->ngenerations -= set->row.nkeys;
	jw_deadlines_remove(&keeper->deadlines, &set->item);
	tdelete(set, &keeper->by_name, keeper_compare_names);
	set_free(set);
}

/* Take over a row from the store. */
enum jw_err
keeper_hold_set(struct key_set *take_row, void *arg)
{
	struct keeper *keeper = arg;
	struct keeper_set *set = calloc(1, sizeof(*set));
	enum jw_err err;

	if (set == NULL) {
		store_set_done(take_row);
		return JW_NO_MEMORY;
	}
	set->row = *take_row;
	for (size_t i = 0; i < set->row.nkeys; i++)
		set->row.keys[i].facts.spread = lc_spread(set->row.keys[i].kid);
	keeper_note_damage(set);
	err = index_set(keeper, set);
	if (err != JW_OK)
		set_free(set);
	return err;
}

void
keeper_forget_sets(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->nsets; i++) {
		jw_deadlines_remove(&keeper->deadlines, &keeper->sets[i]->item);
		tdelete(
		    keeper->sets[i], &keeper->by_name, keeper_compare_names);
		set_free(keeper->sets[i]);
	}
	keeper->nsets = 0;
	keeper->unread = 0;
	keeper->ngenerations = 0;
	keeper->without_active = 0;
}

size_t
keeper_count(const struct keeper *keeper)
{
	return keeper->nsets;
}

struct keeper_set *
keeper_at(const struct keeper *keeper, size_t place)
{
	return place < keeper->nsets ? keeper->sets[place] : NULL;
}

size_t
keeper_place_after(const struct keeper *keeper, int64_t id)
{
	return place_of(keeper, id + 1);
}

struct keeper_set *
keeper_find(const struct keeper *keeper, const char *name)
{
	struct keeper_set probe;
	size_t len = strlen(name);
	void *found;

	if (len >= sizeof(probe.row.name))
		return NULL;
	memcpy(probe.row.name, name, len + 1);
	found = tfind(&probe, &keeper->by_name, keeper_compare_names);
	return found == NULL ? NULL : *(struct keeper_set **)found;
}

struct keeper_set *
keeper_by_id(const struct keeper *keeper, int64_t id)
{
	size_t low = place_of(keeper, id);

	return low < keeper->nsets && keeper->sets[low]->row.id == id
		   ? keeper->sets[low]
		   : NULL;
}

size_t
keeper_generations(const struct keeper *keeper)
{
	return keeper->ngenerations;
}

void
keeper_view(const struct keeper_set *set, struct lc_set *ret_view)
{
	ret_view->facts = set->row.facts;
	ret_view->count = set->row.nkeys;
	for (size_t i = 0; i < set->row.nkeys; i++)
		ret_view->gens[i] = set->row.keys[i].facts;
}

void
keeper_replace_row(
    struct keeper *keeper, struct keeper_set *set, struct key_set *take_row)
{
	keeper->without_active -= keeper_lacks_signer(set);
	keeper->ngenerations -= set->row.nkeys;
	/* The fronts have yet to read what this row publishes. */
	if (set->row.facts.version != take_row->facts.version)
		set->read_at = 0;
	set->row = *take_row;
	for (size_t i = 0; i < set->row.nkeys; i++)
		set->row.keys[i].facts.spread = lc_spread(set->row.keys[i].kid);
	keeper_note_damage(set);
	keeper->without_active += keeper_lacks_signer(set);
	keeper->ngenerations += set->row.nkeys;
	set->failures = 0;
	set->hold_until = 0;
}

void
keeper_drop_tombstones(struct keeper *keeper, struct keeper_set *set)
{
	size_t n = 0, before = set->row.nkeys;

	for (size_t i = 0; i < set->row.nkeys; i++) {
		struct key *key = &set->row.keys[i];

		if (lc_state(&key->facts) < GEN_REMOVED) {
			set->row.keys[n++] = *key;
			continue;
		}
		free(key->jwk);
		free(key->reason);
	}
	set->row.nkeys = n;
	keeper->ngenerations -= before - n;
}

void
keeper_drop_set(struct keeper *keeper, struct keeper_set *set)
{
	if (set->resumed_at != 0)
		keeper_resumed(keeper, set);
	if (set->to_retime)
		keeper_retimed(keeper, set);
	keeper_restated(keeper, set);
	keeper->withdrawing = true;
	forget_set(keeper, set);
}

const struct key *
keeper_key(const struct keeper_set *set, int64_t number)
{
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return &set->row.keys[i];
	return NULL;
}
