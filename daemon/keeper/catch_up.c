/*
 * Memory follows the store.  A key set stays where it is: what waits for a
 * key pair or a signature has its id, and some have a pointer to it.  Must
 * never forget a key set, or a revocation, without telling it.
 */
#include "daemon/keeper/catch_up.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#include "daemon/keeper/difference.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"

/* Rows as the store has them, by id. */
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

/* One of them, as the store has it. */
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

/* The generations of was that row lacks, behind those that it has. */
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
keeper_catch_up_tell(struct keeper *keeper, struct keeper_set *set,
    const struct key_set *was, const char *cause)
{
	struct keeper_difference d;
	struct keeper_news news = {.set = set};

	keeper_difference_make(was, &set->row, keeper_now(keeper), cause, &d);
	for (size_t i = 0; i < d.count; i++)
		keeper_log_change(set, &d.changes[i], d.keys[i]->kid, NULL);
	news.changes = d.changes;
	news.count = d.count;
	news.keys = d.keys;
	news.order = d.order;
	news.document_changed = d.document_changed;
	/* Sent from now on: absent until the next second. */
	if (d.starts_wait)
		set->late_since = keeper_now(keeper) + 1;
	keeper_tell(keeper, &news);
}

static enum jw_err
take_over(struct keeper *keeper, struct keeper_set *set,
    struct key_set *take_row, const char *cause)
{
	struct key_set was = set->row;
	enum jw_err err = add_ended(keeper, &was, take_row);

	if (err != JW_OK) {
		store_set_done(take_row);
		return err;
	}
	keeper_replace_row(keeper, set, take_row);
	keeper_catch_up_tell(keeper, set, &was, cause);
	store_set_done(&was);
	keeper_drop_tombstones(keeper, set);
	if (set->row.facts.removed_at != 0)
		keeper_drop_set(keeper, set);
	else
		keeper_reconsider(keeper, set);
	return JW_OK;
}

/* It is in the store no longer: it was removed, and its keys with it. */
static enum jw_err
take_leave(struct keeper *keeper, struct keeper_set *set, const char *cause)
{
	struct key_set row = set->row;

	row.keys = NULL;
	row.nkeys = 0;
	row.facts.removed_at = keeper_now(keeper);
	return take_over(keeper, set, &row, cause);
}

static enum jw_err
welcome(struct keeper *keeper, struct key_set *take_row, const char *cause)
{
	int64_t id = take_row->id;
	struct keeper_set *set;
	enum jw_err err = keeper_hold_set(take_row, keeper);

	if (err != JW_OK)
		return err;
	set = keeper_by_id(keeper, id);
	keeper_catch_up_tell(keeper, set, NULL, cause);
	keeper_reconsider(keeper, set);
	return JW_OK;
}

/* ---- all of them ---- */

/* What one row of the store means; it is empty afterwards. */
static enum jw_err
meet(struct keeper *keeper, struct key_set *row, const char *cause)
{
	struct keeper_set *set = keeper_by_id(keeper, row->id);
	struct key_set taken = *row;

	if (set != NULL && set->row.revision == row->revision)
		return JW_OK;
	row->keys = NULL;
	row->nkeys = 0;
	return set == NULL ? welcome(keeper, &taken, cause)
			   : take_over(keeper, set, &taken, cause);
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
say_goodbye(struct keeper *keeper, const struct rows *rows, const char *cause)
{
	enum jw_err err = JW_OK;
	size_t place = 0;

	while (err == JW_OK && place < keeper->nsets) {
		struct keeper_set *set = keeper->sets[place];

		if (has_row(rows, set->row.id))
			place++;
		else
			err = take_leave(keeper, set, cause);
	}
	return err;
}

enum jw_err
keeper_catch_up(struct keeper *keeper, const char *cause)
{
	struct rows rows = {.count = 0};
	enum jw_err err = store_load(keeper->store, add_row, &rows);

	/* Names are free again before others take them. */
	if (err == JW_OK)
		err = say_goodbye(keeper, &rows, cause);
	for (size_t i = 0; err == JW_OK && i < rows.count; i++)
		err = meet(keeper, &rows.list[i], cause);
	rows_done(&rows);
	return err;
}
