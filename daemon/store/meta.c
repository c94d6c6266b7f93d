/*
 * The tables of requests (method calls that have been answered) and of single
 * values about the database as a whole.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "daemon/store/internal.h"

enum jw_err
store_request_find(
    struct store *store, const char *id, char **ret_asked, char **ret_outcome)
{
	sqlite3_stmt *st = store_statement(store, ST_REQUEST_FIND);
	char *asked = NULL, *outcome = NULL;
	enum jw_err err;
	int rc;

	store_bind_text(st, 1, id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		asked = store_column_text(st, 0);
		outcome = store_column_text(st, 1);
		err = asked == NULL || outcome == NULL ? JW_NO_MEMORY : JW_OK;
	} else {
		err = rc == SQLITE_DONE ? JW_NO_SUCH_KEY
					: store_failed(store, rc);
	}
	sqlite3_reset(st);
	if (err != JW_OK) {
		free(asked);
		free(outcome);
		return err;
	}
	*ret_asked = asked;
	*ret_outcome = outcome;
	return JW_OK;
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
	char *value;
	int rc;

	store_bind_text(st, 1, name);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		err = rc == SQLITE_DONE ? JW_NO_SUCH_KEY
					: store_failed(store, rc);
	} else {
		value = store_column_text(st, 0);
		err = value == NULL ? JW_NO_MEMORY : JW_OK;
		if (value != NULL)
			*ret_value = value;
	}
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
