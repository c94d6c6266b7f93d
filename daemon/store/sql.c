/*
 * Every SQL statement of the store, in one table, and how each is run: bind,
 * step, translate SQLite's result.  Must never build a statement from text
 * that came from a client.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "daemon/store/internal.h"

#define KEY_COLUMNS "key_set_id, number, kid, alg, jwk, reason, {key}"

/* {set} and {key} stand for columns, {:set} and {:key} for their parameters;
 * see store_expand(). */
static const char *const statements[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_SETS] = "SELECT id, name, revision, {set} FROM key_set"
		" WHERE removed_at IS NULL ORDER BY id",
    [ST_REMOVED_SETS] = "SELECT id, name, revision, {set} FROM key_set"
			" WHERE name = ? AND removed_at IS NOT NULL"
			" ORDER BY id",
    [ST_WITHDRAWN] = "UPDATE key_set SET withdrawn_at = ?"
		     " WHERE removed_at IS NOT NULL AND withdrawn_at IS NULL",
    [ST_KEYS_LIVING] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE removed_at IS NULL AND revoked_at IS NULL"
		       " ORDER BY key_set_id, number",
    [ST_KEYS_OF_SET] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE key_set_id = ? AND number < ?"
		       " ORDER BY number DESC",
    [ST_KEYS_BY_KID] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE kid >= ?1 AND kid < ?1 || '~'"
		       " ORDER BY kid LIMIT 16",
    [ST_SEALED] = "SELECT sealed FROM generation"
		  " WHERE key_set_id = ? AND number = ?",
    [ST_SET_INSERT] = "INSERT INTO key_set ({set}, name)"
		      " VALUES ({:set}, ?)",
    [ST_SET_UPDATE] = "UPDATE key_set SET revision = revision + 1,"
		      " ({set}) = ({:set}) WHERE id = ? AND revision = ?",
    [ST_KEY_INSERT] = "INSERT INTO generation"
		      " ({key}, key_set_id, number, kid, alg, jwk, sealed)"
		      " VALUES ({:key}, ?, ?, ?, ?, ?, ?)",
    [ST_KEY_UPDATE] = "UPDATE generation SET ({key}) = ({:key}),"
		      " sealed = CASE WHEN :destroyed_at IS NULL"
		      " THEN sealed END WHERE key_set_id = ? AND number = ?",
    [ST_KEY_REASON] = "UPDATE generation SET reason = ?"
		      " WHERE key_set_id = ? AND number = ?",
    [ST_AUDIT_INSERT] =
	"INSERT INTO audit (at, key_set, generation, kid, event, cause,"
	" uid, gid, pid, request_id, reason, method, outcome, count,"
	" from_state, to_state)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ST_REQUEST_INSERT] =
	"INSERT INTO request (id, at, uid, method, asked, outcome, seq)"
	" VALUES (?, ?, ?, ?, ?, ?,"
	" (SELECT coalesce(max(seq), 0) + 1 FROM request))",
    [ST_REQUEST_FIND] = "SELECT asked, outcome FROM request WHERE id = ?",
    [ST_REQUEST_PRUNE] = "DELETE FROM request WHERE at < ? AND"
			 " seq <= (SELECT max(seq) FROM request) - ?",
    [ST_NEXT_NUMBER] = "SELECT coalesce(max(next_number), 1) FROM key_set"
		       " WHERE name = ?",
    [ST_META_GET] = "SELECT value FROM meta WHERE name = ?",
    [ST_META_SET] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
		    " ON CONFLICT (name) DO UPDATE SET value = ?2",
};

static const char in_doubt_text[] =
    "the disk did not confirm a write: nothing is read or changed until it "
    "does";

static enum jw_err
translate(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return JW_OK;
	case SQLITE_NOMEM:
		return JW_NO_MEMORY;
	case SQLITE_FULL:
		return JW_NO_SPACE;
	case SQLITE_CONSTRAINT:
		return rc == SQLITE_CONSTRAINT_CHECK ? JW_BUG : JW_CONFLICT;
	case SQLITE_BUSY:
		return JW_LOCKED;
	case SQLITE_NOTADB:
		return JW_FOREIGN_FILE;
	case SQLITE_CORRUPT:
		return JW_CORRUPT;
	default:
		return JW_STORE_FAILED;
	}
}

enum jw_err
store_failed(struct store *store, int rc)
{
	if (store->db == NULL)
		snprintf(store->message, sizeof(store->message), "%s",
		    in_doubt_text);
	else
		snprintf(store->message, sizeof(store->message), "%s (%d)",
		    sqlite3_errmsg(store->db), rc);
	return translate(rc);
}

const char *
store_message(const struct store *store)
{
	return store->message;
}

/* NULL while the database is closed: SQLITE_MISUSE from every step. */
sqlite3_stmt *
store_statement(struct store *store, enum store_statement which)
{
	if (store->st[which] == NULL)
		return NULL;
	sqlite3_reset(store->st[which]);
	sqlite3_clear_bindings(store->st[which]);
	return store->st[which];
}

/* SQLite reports an exceeded quota as an I/O error.  Asked of the log alone,
 * which is the file that transactions write. */
static bool
is_over_quota(struct store *store, int rc)
{
	sqlite3_file *log = NULL;
	int error = 0;

	if (rc != SQLITE_IOERR_WRITE ||
	    sqlite3_file_control(store->db, "main",
		SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
	    log == NULL || log->pMethods == NULL)
		return false;
	log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
	return error == EDQUOT;
}

/* Run a statement that returns no row. */
enum jw_err
store_run(struct store *store, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	enum jw_err err;

	sqlite3_reset(st);
	if (rc == SQLITE_DONE)
		return JW_OK;
	err = store_failed(store, rc);
	return is_over_quota(store, rc) ? JW_NO_SPACE : err;
}

enum jw_err
store_prepare(struct store *store)
{
	for (int i = 0; i < ST_COUNT; i++) {
		char *text = store_expand(statements[i]);
		int rc = sqlite3_prepare_v3(store->db, text, -1,
		    SQLITE_PREPARE_PERSISTENT, &store->st[i], NULL);

		free(text);
		if (rc != SQLITE_OK)
			return store_failed(store, rc);
	}
	return JW_OK;
}

void
store_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

/* The row's own, until the next step; NULL where the column is. */
const char *
store_peek_text(sqlite3_stmt *st, int at)
{
	bool is_null = sqlite3_column_type(st, at) == SQLITE_NULL;
	const char *text = (const char *)sqlite3_column_text(st, at);

	if (text == NULL && !is_null)
		jw_out_of_memory((size_t)sqlite3_column_bytes(st, at));
	return text;
}

enum jw_err
store_step(struct store *store, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return JW_OK;
	return rc == SQLITE_DONE ? JW_NO_SUCH_KEY : store_failed(store, rc);
}

enum jw_err
store_execute(struct store *store, const char *sql)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? JW_OK : store_failed(store, rc);
}
