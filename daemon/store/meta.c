/*
 * The tables of requests (method calls that have been answered) and of single
 * values about the database as a whole.
 */
#include <sqlite3.h>

#include "common/base/memory.h"
#include "daemon/store/internal.h"

enum jw_err
store_request_find(
    struct store *store, const char *id, char **ret_asked, char **ret_outcome)
{
	sqlite3_stmt *st = store_statement(store, ST_REQUEST_FIND);
	enum jw_err err;

	store_bind_text(st, 1, id);
	err = store_step(store, st);
	if (err == JW_OK) {
		*ret_asked = jw_strdup(store_peek_text(st, 0));
		*ret_outcome = jw_strdup(store_peek_text(st, 1));
	}
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_request_prune(struct store *store, int64_t before, int64_t keep)
{
	sqlite3_stmt *st = store_statement(store, ST_REQUEST_PRUNE);

	sqlite3_bind_int64(st, 1, before);
	sqlite3_bind_int64(st, 2, keep);
	return store_run(store, st);
}

enum jw_err
store_meta_get(struct store *store, const char *name, char **ret_value)
{
	sqlite3_stmt *st = store_statement(store, ST_META_GET);
	enum jw_err err;

	store_bind_text(st, 1, name);
	err = store_step(store, st);
	if (err == JW_OK)
		*ret_value = jw_strdup(store_peek_text(st, 0));
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_meta_set(struct store *store, const char *name, const char *value)
{
	sqlite3_stmt *st = store_statement(store, ST_META_SET);

	store_bind_text(st, 1, name);
	store_bind_text(st, 2, value);
	return store_run(store, st);
}
