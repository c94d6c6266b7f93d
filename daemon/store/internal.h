/*
 * Shared by the files of the store, and by no other folder: the open database
 * and its prepared statements.
 */
#ifndef JWKSD_DAEMON_STORE_INTERNAL_H
#define JWKSD_DAEMON_STORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum { STORE_APPLICATION_ID = 0x4a574b53 }; /* "JWKS" */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum store_statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_SETS,
	ST_REMOVED_SETS,
	ST_WITHDRAWN,
	ST_KEYS_LIVING,
	ST_KEYS_OF_SET,
	ST_KEYS_BY_KID,
	ST_SEALED,
	ST_SET_INSERT,
	ST_SET_UPDATE,
	ST_KEY_INSERT,
	ST_KEY_UPDATE,
	ST_KEY_REASON,
	ST_AUDIT_INSERT,
	ST_REQUEST_INSERT,
	ST_REQUEST_FIND,
	ST_REQUEST_PRUNE,
	ST_NEXT_NUMBER,
	ST_META_GET,
	ST_META_SET,
	ST_COUNT
};

enum store_file_slot { FILE_DATABASE, FILE_LOG, FILE_LOCK, FILE_COUNT };

/* The identity and size of an open file when it was last checked. */
struct store_file {
	const char *suffix; /* to the path of the database */
	dev_t device;
	ino_t inode; /* 0: not checked yet */
	off_t size;
};

struct store {
	struct sqlite3 *db; /* NULL while in doubt */
	int lock_fd;
	char *path;
	struct store_file files[FILE_COUNT];
	char *uuid;
	char message[256];
	struct sqlite3_stmt *st[ST_COUNT];
	bool unscrubbed; /* the log may contain an erased private key */
	bool in_doubt;   /* a COMMIT failed: closed until store_recover() */
};

/* ---- sql.c ---- */

/* Keep SQLite's message for store_message(); the error for its result code. */
enum jw_err store_failed(struct store *store, int rc);
enum jw_err store_prepare(struct store *store);
/* Reset and without bindings.  NULL while the database is closed. */
struct sqlite3_stmt *store_statement(
    struct store *store, enum store_statement which);
/* Run a statement that returns no row. */
enum jw_err store_run(struct store *store, struct sqlite3_stmt *st);
enum jw_err store_execute(struct store *store, const char *sql);
void store_bind_text(struct sqlite3_stmt *st, int at, const char *text);
/* Owned by the row, until the next step; NULL where the column is NULL. */
const char *store_peek_text(struct sqlite3_stmt *st, int at);
/* Step to a row that is the only one; JW_NO_SUCH_KEY: there is none. */
enum jw_err store_step(struct store *store, struct sqlite3_stmt *st);

/* ---- columns.c ---- */

enum store_table { STORE_SET, STORE_KEY }; /* key_set_facts, generation */

/* A statement with the columns of a table in place of {set} and {key}, and
 * their parameters in place of {:set} and {:key}.  The caller frees. */
char *store_expand(const char *text);
/* Bind every column of a row to the first parameters; the number behind the
 * last. */
int store_bind_columns(
    struct sqlite3_stmt *st, enum store_table table, const void *row);
/* Read them from column `at` on.  False: a value is not one of its enum. */
bool store_read_columns(
    struct sqlite3_stmt *st, int at, enum store_table table, void *ret_row);

/* ---- open.c, migrate.c ---- */

enum jw_err store_refuse_link(const char *path, struct jw_why *why);
enum jw_err store_open_database(
    struct store *store, int64_t now, int create, struct jw_why *why);
void store_close_database(struct store *store);
/* Put SQLite's message into why. */
void store_explain(
    const struct store *store, enum jw_err err, struct jw_why *why);
int store_newest_schema(void);
enum jw_err store_migrate(struct store *store, int64_t schema);
enum jw_err store_name_database(struct store *store, int64_t now);

/* ---- place.c, recover.c ---- */

void store_look_at_file(const struct store *store, struct store_file *file);
void store_look_at_files(struct store *store);
enum jw_err store_write_log_again(struct store *store, bool *ret_any);

#endif
