/*
 * Rows of the database to structs and back, and every function that reads key
 * sets and generations.  Must never know a rule of the lifecycle: a row that
 * cannot be read is reported, and no value of it is guessed.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/store/internal.h"

static bool
read_key(sqlite3_stmt *st, struct key *ret_key, int64_t *ret_set_id)
{
	struct generation *gen = &ret_key->facts;
	const char *kid = store_peek_text(st, 2);
	const char *alg = store_peek_text(st, 3);

	memset(ret_key, 0, sizeof(*ret_key));
	*ret_set_id = sqlite3_column_int64(st, 0);
	gen->number = sqlite3_column_int64(st, 1);
	/* -1: an unknown algorithm; the keeper leaves the key out. */
	gen->alg = alg == NULL ? -1 : jw_alg_parse(alg);
	if (kid == NULL)
		return false;
	snprintf(ret_key->kid, sizeof(ret_key->kid), "%s", kid);
	store_read_columns(st, 6, STORE_KEY, gen);
	ret_key->jwk = jw_strdup(store_peek_text(st, 4));
	ret_key->reason = jw_strdup(store_peek_text(st, 5));
	return ret_key->jwk != NULL;
}

static void
key_done(struct key *key)
{
	free(key->jwk);
	free(key->reason);
}

void
store_set_done(struct key_set *set)
{
	for (size_t i = 0; i < set->nkeys; i++)
		key_done(&set->keys[i]);
	free(set->keys);
	set->keys = NULL;
	set->nkeys = 0;
}

static bool
read_set(sqlite3_stmt *st, struct key_set *set)
{
	memset(set, 0, sizeof(*set));
	set->id = sqlite3_column_int64(st, 0);
	snprintf(set->name, sizeof(set->name), "%s", store_peek_text(st, 1));
	set->revision = sqlite3_column_int64(st, 2);
	return store_read_columns(st, 3, STORE_SET, &set->facts);
}

static enum jw_err
append_key(struct store *store, struct key_set *set, sqlite3_stmt *st)
{
	struct key *grown =
	    realloc(set->keys, (set->nkeys + 1) * sizeof(*grown));
	int64_t set_id;

	if (grown == NULL)
		return JW_NO_MEMORY;
	set->keys = grown;
	if (!read_key(st, &grown[set->nkeys], &set_id)) {
		key_done(&grown[set->nkeys]);
		snprintf(store->message, sizeof(store->message),
		    "key set %s: a generation's row makes no sense", set->name);
		return JW_CORRUPT;
	}
	set->nkeys++;
	return set->nkeys > MODEL_GENERATIONS_MAX ? JW_CORRUPT : JW_OK;
}

/* Take the rows of set from a cursor whose current row is its first key. */
static enum jw_err
take_keys(
    struct store *store, struct key_set *set, sqlite3_stmt *keys, int *row)
{
	enum jw_err err = JW_OK;

	while (err == JW_OK && *row == SQLITE_ROW &&
	       sqlite3_column_int64(keys, 0) < set->id)
		*row = sqlite3_step(keys);
	while (err == JW_OK && *row == SQLITE_ROW &&
	       sqlite3_column_int64(keys, 0) == set->id) {
		err = append_key(store, set, keys);
		*row = sqlite3_step(keys);
	}
	if (err == JW_OK && *row != SQLITE_ROW && *row != SQLITE_DONE)
		err = store_failed(store, *row);
	return err;
}

/* Two cursors advance together: one pass over each table. */
enum jw_err
store_load(struct store *store, store_set_fn *fn, void *arg)
{
	sqlite3_stmt *sets = store_statement(store, ST_SETS);
	sqlite3_stmt *keys = store_statement(store, ST_KEYS_LIVING);
	int row = sqlite3_step(keys), rc;
	enum jw_err err = JW_OK;

	while (err == JW_OK && (rc = sqlite3_step(sets)) == SQLITE_ROW) {
		struct key_set set;

		if (!read_set(sets, &set)) {
			snprintf(store->message, sizeof(store->message),
			    "key set %s: its row makes no sense", set.name);
			err = JW_CORRUPT;
			break;
		}
		err = take_keys(store, &set, keys, &row);
		if (err == JW_OK)
			err = fn(&set, arg);
		else
			store_set_done(&set);
	}
	if (err == JW_OK && rc != SQLITE_DONE)
		err = store_failed(store, rc);
	sqlite3_reset(sets);
	sqlite3_reset(keys);
	return err;
}

enum jw_err
store_each_removed(
    struct store *store, const char *name, store_facts_fn *fn, void *arg)
{
	sqlite3_stmt *st = store_statement(store, ST_REMOVED_SETS);
	enum jw_err err = JW_OK;
	int rc = SQLITE_DONE;

	store_bind_text(st, 1, name);
	while (err == JW_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct key_set set;

		if (read_set(st, &set))
			fn(&set.facts, arg);
		else
			err = JW_CORRUPT;
	}
	if (err == JW_OK && rc != SQLITE_DONE)
		err = store_failed(store, rc);
	sqlite3_reset(st);
	return err;
}

static enum jw_err
each_key(struct store *store, sqlite3_stmt *st, store_key_fn *fn, void *arg)
{
	enum jw_err err = JW_OK;
	bool more = true;
	int rc = SQLITE_DONE;

	while (err == JW_OK && more && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct key key;
		int64_t set_id;

		if (read_key(st, &key, &set_id))
			more = fn(set_id, &key, arg);
		else
			err = JW_CORRUPT;
		key_done(&key);
	}
	if (err == JW_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = store_failed(store, rc);
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_each_key(struct store *store, int64_t set_id, int64_t below,
    store_key_fn *fn, void *arg)
{
	sqlite3_stmt *st = store_statement(store, ST_KEYS_OF_SET);

	sqlite3_bind_int64(st, 1, set_id);
	sqlite3_bind_int64(st, 2, below);
	return each_key(store, st, fn, arg);
}

enum jw_err
store_find_kid(
    struct store *store, const char *kid_prefix, store_key_fn *fn, void *arg)
{
	sqlite3_stmt *st = store_statement(store, ST_KEYS_BY_KID);

	store_bind_text(st, 1, kid_prefix);
	return each_key(store, st, fn, arg);
}

enum jw_err
store_sealed(struct store *store, int64_t set_id, int64_t number,
    uint8_t **ret_blob, size_t *ret_len)
{
	sqlite3_stmt *st = store_statement(store, ST_SEALED);
	enum jw_err err;
	const void *blob;
	int len;

	sqlite3_bind_int64(st, 1, set_id);
	sqlite3_bind_int64(st, 2, number);
	err = store_step(store, st);
	len = err == JW_OK ? sqlite3_column_bytes(st, 0) : 0;
	if (len > 0) {
		blob = sqlite3_column_blob(st, 0);
		if (blob == NULL)
			jw_out_of_memory((size_t)len);
		*ret_blob = memcpy(jw_alloc((size_t)len), blob, (size_t)len);
		*ret_len = (size_t)len;
	} else if (err == JW_OK) {
		err = JW_NO_SUCH_KEY;
	}
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_next_number(struct store *store, const char *name, int64_t *ret_number)
{
	sqlite3_stmt *st = store_statement(store, ST_NEXT_NUMBER);
	enum jw_err err;

	store_bind_text(st, 1, name);
	err = store_step(store, st);
	if (err == JW_OK)
		*ret_number = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return err;
}
