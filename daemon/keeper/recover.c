/*
 * After a COMMIT whose outcome is unknown: ask the store again, and take over
 * what it has.  Must never serve or sign with what the disk has not confirmed.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "daemon/keeper/difference.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/lifecycle/clock_guard.h"

const char keeper_late_cause[] =
    "a commit that had been reported as failed is there";

/* The rows of the store, by id. */
struct rows {
	struct key_set *list;
	size_t count, room;
};

static enum jw_err
add_row(struct key_set *take_row, void *arg)
{
	struct rows *rows = arg;
	size_t room = rows->room == 0 ? 16 : rows->room * 2;
	struct key_set *grown;

	if (rows->count == rows->room) {
		grown = realloc(rows->list, room * sizeof(*grown));
		if (grown == NULL) {
			store_set_done(take_row);
			return JW_NO_MEMORY;
		}
		rows->list = grown;
		rows->room = room;
	}
	rows->list[rows->count++] = *take_row;
	return JW_OK;
}

static void
rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		store_set_done(&rows->list[i]);
	free(rows->list);
}

/* ---- generations that have ended ---- */

/* The row of a generation that is removed or revoked. */
struct tombstone {
	int64_t number;
	struct key key;
	enum jw_err err;
};

static bool
copy_tombstone(int64_t set_id, const struct key *key, void *arg)
{
	struct tombstone *found = arg;

	(void)set_id;
	if (key->facts.number != found->number)
		return false;
	found->key = *key;
	found->key.jwk = jw_strdup(key->jwk);
	found->key.reason = jw_strdup(key->reason);
	found->err = JW_OK;
	return false;
}

static bool
has_number(const struct key_set *row, int64_t number)
{
	for (size_t i = 0; i < row->nkeys; i++)
		if (row->keys[i].facts.number == number)
			return true;
	return false;
}

/* Append the generations that `was` has and row lacks: they have been removed
 * or revoked. */
static enum jw_err
add_ended(struct keeper *keeper, const struct key_set *was, struct key_set *row)
{
	struct key *grown =
	    realloc(row->keys, (row->nkeys + was->nkeys + 1) * sizeof(*grown));

	if (grown == NULL)
		return JW_NO_MEMORY;
	row->keys = grown;
	for (size_t i = 0; i < was->nkeys; i++) {
		struct tombstone found = {
		    .number = was->keys[i].facts.number,
		    .err = JW_CORRUPT,
		};
		enum jw_err err;

		if (has_number(row, found.number))
			continue;
		err = store_each_key(keeper->store, was->id, found.number + 1,
		    copy_tombstone, &found);
		if (err != JW_OK || found.err != JW_OK)
			return err != JW_OK ? err : found.err;
		row->keys[row->nkeys++] = found.key;
	}
	return JW_OK;
}

/* ---- telling ---- */

static void
tell_difference(
    struct keeper *keeper, struct keeper_set *set, const struct key_set *was)
{
	struct keeper_difference d;
	struct keeper_news news = {.set = set, .is_new = was == NULL};

	keeper_difference_make(
	    was, &set->row, keeper_now(keeper), keeper_late_cause, &d);
	for (size_t i = 0; i < d.count; i++)
		keeper_log_change(set, &d.changes[i], d.keys[i]->kid, NULL);
	news.changes = d.changes;
	news.count = d.count;
	news.keys = d.keys;
	news.order = d.order;
	news.document_changed = d.document_changed;
	/* Sent to the fronts from now on: absent until the next second. */
	if (d.starts_wait)
		set->late_since = keeper_now(keeper) + 1;
	keeper_tell(keeper, &news);
}

static enum jw_err
replace_set(
    struct keeper *keeper, struct keeper_set *set, struct key_set *take_row)
{
	struct key_set was = set->row;
	enum jw_err err = add_ended(keeper, &was, take_row);

	if (err != JW_OK) {
		store_set_done(take_row);
		return err;
	}
	keeper_replace_row(keeper, set, take_row);
	tell_difference(keeper, set, &was);
	store_set_done(&was);
	keeper_drop_tombstones(keeper, set);
	if (set->row.facts.removed_at != 0)
		keeper_drop_set(keeper, set);
	else
		keeper_reconsider(keeper, set);
	return JW_OK;
}

/* A key set that the store no longer has: it was removed, and its keys
 * with it. */
static enum jw_err
drop_missing_set(struct keeper *keeper, struct keeper_set *set)
{
	struct key_set row = set->row;

	row.keys = NULL;
	row.nkeys = 0;
	row.facts.removed_at = keeper_now(keeper);
	return replace_set(keeper, set, &row);
}

static enum jw_err
add_set(struct keeper *keeper, struct key_set *take_row)
{
	int64_t id = take_row->id;
	struct keeper_set *set;
	enum jw_err err = keeper_hold_set(take_row, keeper);

	if (err != JW_OK)
		return err;
	set = keeper_by_id(keeper, id);
	tell_difference(keeper, set, NULL);
	keeper_reconsider(keeper, set);
	return JW_OK;
}

/* ---- all of them ---- */

/* Take over one row of the store; row is empty afterwards. */
static enum jw_err
take_over_row(struct keeper *keeper, struct key_set *row)
{
	struct keeper_set *set = keeper_by_id(keeper, row->id);
	struct key_set taken = *row;

	if (set != NULL && set->row.revision == row->revision)
		return JW_OK;
	row->keys = NULL;
	row->nkeys = 0;
	return set == NULL ? add_set(keeper, &taken)
			   : replace_set(keeper, set, &taken);
}

static bool
has_row(const struct rows *rows, int64_t id)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (rows->list[mid].id == id)
			return true;
		if (rows->list[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static enum jw_err
drop_missing_sets(struct keeper *keeper, const struct rows *rows)
{
	enum jw_err err = JW_OK;
	size_t place = 0;

	while (err == JW_OK && place < keeper->nsets) {
		struct keeper_set *set = keeper->sets[place];

		if (has_row(rows, set->row.id))
			place++;
		else
			err = drop_missing_set(keeper, set);
	}
	return err;
}

static enum jw_err
catch_up(struct keeper *keeper)
{
	struct rows rows = {.count = 0};
	enum jw_err err = store_load(keeper->store, add_row, &rows);

	/* Names of removed key sets must be free before others use them. */
	if (err == JW_OK)
		err = drop_missing_sets(keeper, &rows);
	for (size_t i = 0; err == JW_OK && i < rows.count; i++)
		err = take_over_row(keeper, &rows.list[i]);
	rows_done(&rows);
	return err;
}

/* ---- the store ---- */

/* Values for all key sets: a commit of unknown outcome may have changed
 * them. */
static enum jw_err
catch_up_values(struct keeper *keeper)
{
	char *frozen = NULL, *clock = NULL, text[CLOCK_TEXT_SIZE];
	const struct store_actor by_daemon = {-1, -1, -1};
	enum jw_err err = store_meta_get(keeper->store, "frozen", &frozen);
	bool is_frozen = frozen != NULL && strcmp(frozen, "1") == 0;

	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "clock", &clock);
	if (err == JW_OK || err == JW_NO_SUCH_KEY) {
		err = JW_OK;
		if (is_frozen != keeper->frozen)
			keeper_adopt_frozen(keeper, is_frozen, &by_daemon);
		if (keeper->accepting && clock != NULL &&
		    lc_clock_format(&keeper->accepted, keeper->boot_id, text) &&
		    strcmp(clock, text) == 0)
			keeper_adopt_accepted(keeper);
		keeper->accepting = false;
	}
	free(frozen);
	free(clock);
	return err;
}

/* May another try succeed? */
static bool
is_worth_a_try(enum jw_err err)
{
	return err == JW_STORE_FAILED || err == JW_NO_SPACE ||
	       err == JW_NO_MEMORY || err == JW_LOCKED || err == JW_IO;
}

static void
give_up(struct keeper *keeper)
{
	jw_log(JW_LOG_ERROR, "the store cannot be opened again: ending; the "
			     "front serves on");
	store_close(keeper->store);
	keeper->store = NULL;
	keeper_forget_sets(keeper);
	event_base_loopbreak(keeper->base);
}

/* Write what could not be written while the store was in doubt. */
static void
remember_values(struct keeper *keeper)
{
	if (keeper->unresumed == 0)
		keeper_remember_servable(keeper);
	keeper_remember_clock(keeper);
}

/*
 * The changes of a failed COMMIT may be in the store, which is known only once
 * the disk has confirmed what can be read from it.  Until then, the last
 * confirmed state is served and signed with.
 */
void
keeper_recover(struct keeper *keeper)
{
	struct jw_why why = {"", ""};
	int64_t now = keeper_now(keeper);
	enum jw_err err;

	/* The pause grows with each failure. */
	keeper->hold_until = now + keeper_hold_time(&keeper->failures);
	err = store_recover(keeper->store, now, &why);
	if (err == JW_OK)
		err = catch_up_values(keeper);
	if (err == JW_OK)
		err = catch_up(keeper);
	if (err == JW_OK) {
		jw_log(JW_LOG_NOTICE,
		    "%s: the disk has confirmed what is in "
		    "the database",
		    keeper->store_path);
		remember_values(keeper);
	} else {
		if (!store_in_doubt(keeper->store))
			store_doubt(keeper->store);
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_STORE_FAILED},
		    "%s", why.text[0] != '\0' ? why.text : jw_err_text(err));
	}
	if (err == JW_OK || is_worth_a_try(err))
		keeper_reconsider_all(keeper);
	else
		give_up(keeper);
}
