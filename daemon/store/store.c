/*
 * The store in SQLite: WAL, synchronous=FULL, exclusive.  The only file that
 * knows SQL or sqlite3.h.  It keeps rows and enforces that a change is based
 * on what it claims to be based on; it knows no rule of the lifecycle.  Must
 * never acknowledge what is not on disk, nor touch a file that it refuses.
 */
#include "daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"

#include "daemon/store/place.h"
#include "daemon/store/refusal.h"
#include "daemon/store/sql_text.h"

#define APPLICATION_ID 0x4a574b53 /* "JWKS" */

enum statement {
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
	ST_REFUSAL_INSERT,
	ST_REQUEST_INSERT,
	ST_REQUEST_FIND,
	ST_REQUEST_PRUNE,
	ST_NEXT_NUMBER,
	ST_META_GET,
	ST_META_SET,
	ST_COUNT
};

#define POLICY_COLUMNS                                                \
	"algorithm, rsa_bits, mode, rotation_period, cache_max_age, " \
	"cache_stale_while_revalidate, cache_stale_if_error, "        \
	"verifier_max_age, propagation_delay, publish_safety, "       \
	"token_max_ttl, clock_skew, signer_drain, retire_safety, "    \
	"rollback_window, standby_count, max_published_keys"
#define SET_COLUMNS                                                     \
	POLICY_COLUMNS                                                  \
	", next_number, version, version_at, wanted_at, copies_until, " \
	"tokens_until, cached_until, polled_until, removed_at, "        \
	"withdrawn_at, follows_at, frozen"
#define FACT_COLUMNS                                                     \
	"created_at, published_at, ready_at, activated_at, retired_at, " \
	"removed_at, revoked_at, destroyed_at, absent_until, max_exp, "  \
	"publish_due, ready_due, rotate_due, destroy_due, remove_due, "  \
	"activations, retirements, verify_only"
#define KEY_COLUMNS "key_set_id, number, kid, alg, jwk, reason, " FACT_COLUMNS

/* ?1 and ?2 name the row; the columns follow in the order above. */
static const char *const statements[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_SETS] = "SELECT id, name, revision, " SET_COLUMNS
		" FROM key_set WHERE removed_at IS NULL ORDER BY id",
    [ST_REMOVED_SETS] = "SELECT id, name, revision, " SET_COLUMNS
			" FROM key_set WHERE name = ?1"
			" AND removed_at IS NOT NULL ORDER BY id",
    [ST_WITHDRAWN] = "UPDATE key_set SET withdrawn_at = ?1"
		     " WHERE removed_at IS NOT NULL AND withdrawn_at IS NULL",
    [ST_KEYS_LIVING] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE removed_at IS NULL AND revoked_at IS NULL"
		       " ORDER BY key_set_id, number",
    [ST_KEYS_OF_SET] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE key_set_id = ?1 AND number < ?2"
		       " ORDER BY number DESC",
    [ST_KEYS_BY_KID] = "SELECT " KEY_COLUMNS " FROM generation"
		       " WHERE kid >= ?1 AND kid < ?1 || '~'"
		       " ORDER BY kid LIMIT 16",
    [ST_SEALED] = "SELECT sealed FROM generation"
		  " WHERE key_set_id = ?1 AND number = ?2",
    [ST_SET_INSERT] =
	"INSERT INTO key_set (id, name, " SET_COLUMNS ")"
	" VALUES (NULL, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
	" ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,"
	" ?25, ?26, ?27, ?28, ?29, ?30, ?31)",
    [ST_SET_UPDATE] =
	"UPDATE key_set SET revision = revision + 1, (" SET_COLUMNS ")"
	" = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
	" ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28,"
	" ?29, ?30, ?31)"
	" WHERE id = ?1 AND revision = ?2",
    [ST_KEY_INSERT] =
	"INSERT INTO generation (key_set_id, number, " FACT_COLUMNS
	", kid, alg, jwk, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
	" ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
	" ?20, ?21, ?22, ?23, ?24)",
    [ST_KEY_UPDATE] =
	"UPDATE generation SET (" FACT_COLUMNS ") = (?3, ?4, ?5, ?6, ?7,"
	" ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20),"
	" sealed = CASE WHEN ?10 IS NULL THEN sealed END"
	" WHERE key_set_id = ?1 AND number = ?2",
    [ST_KEY_REASON] = "UPDATE generation SET reason = ?3"
		      " WHERE key_set_id = ?1 AND number = ?2",
    [ST_AUDIT_INSERT] =
	"INSERT INTO audit (at, key_set, generation, kid, event,"
	" from_state, to_state, cause, uid, gid, pid, request_id, reason)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [ST_REFUSAL_INSERT] =
	"INSERT INTO audit (at, key_set, generation, kid, event, cause,"
	" uid, gid, pid, request_id, reason, method, outcome, count)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
	" ?14)",
    [ST_REQUEST_INSERT] =
	"INSERT INTO request (id, at, uid, method, asked, outcome, seq)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
	" (SELECT coalesce(max(seq), 0) + 1 FROM request))",
    [ST_REQUEST_FIND] = "SELECT asked, outcome FROM request WHERE id = ?1",
    [ST_REQUEST_PRUNE] = "DELETE FROM request WHERE at < ?1 AND"
			 " seq <= (SELECT max(seq) FROM request) - ?2",
    [ST_NEXT_NUMBER] = "SELECT coalesce(max(next_number), 1) FROM key_set"
		       " WHERE name = ?1",
    [ST_META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [ST_META_SET] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
		    " ON CONFLICT (name) DO UPDATE SET value = ?2",
};

/* The members behind FACT_COLUMNS: times, where 0 is NULL, then numbers. */
static const size_t fact_times[] = {
    offsetof(struct generation, created_at),
    offsetof(struct generation, published_at),
    offsetof(struct generation, ready_at),
    offsetof(struct generation, activated_at),
    offsetof(struct generation, retired_at),
    offsetof(struct generation, removed_at),
    offsetof(struct generation, revoked_at),
    offsetof(struct generation, destroyed_at),
    offsetof(struct generation, absent_until),
    offsetof(struct generation, max_exp),
    offsetof(struct generation, publish_due),
    offsetof(struct generation, ready_due),
    offsetof(struct generation, rotate_due),
    offsetof(struct generation, destroy_due),
    offsetof(struct generation, remove_due),
};

static const size_t set_times[] = {
    offsetof(struct key_set_facts, version_at),
    offsetof(struct key_set_facts, wanted_at),
    offsetof(struct key_set_facts, copies_until),
    offsetof(struct key_set_facts, tokens_until),
    offsetof(struct key_set_facts, cached_until),
    offsetof(struct key_set_facts, polled_until),
    offsetof(struct key_set_facts, removed_at),
    offsetof(struct key_set_facts, withdrawn_at),
    offsetof(struct key_set_facts, follows_at),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A file that is open, as it was when last looked at. */
struct store_file {
	const char *suffix; /* to the path of the database */
	dev_t device;
	ino_t inode; /* 0: it has not been looked at */
	off_t size;
};

enum store_file_slot { FILE_DATABASE, FILE_LOG, FILE_LOCK, FILE_COUNT };

struct store {
	sqlite3 *db;
	int lock_fd;
	char *path;
	struct store_file files[FILE_COUNT];
	char *uuid;
	char message[256];
	sqlite3_stmt *st[ST_COUNT];
	bool unscrubbed; /* the log may have an erased private key */
	bool in_doubt;   /* a COMMIT failed: closed until it is looked up */
};

static const char in_doubt_text[] =
    "the disk did not confirm a write: nothing is read or changed until it "
    "does";

/* ---- errors ---- */

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

static enum jw_err
failed(struct store *store, int rc)
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

/* ---- statements ---- */

/* NULL while the database is closed: SQLITE_MISUSE from every step. */
static sqlite3_stmt *
statement(struct store *store, enum statement which)
{
	if (store->st[which] == NULL)
		return NULL;
	sqlite3_reset(store->st[which]);
	sqlite3_clear_bindings(store->st[which]);
	return store->st[which];
}

/* SQLite takes a quota for a fault of the disk.  Of the log alone: that is what
 * transactions write. */
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
static enum jw_err
store_run(struct store *store, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	enum jw_err err;

	sqlite3_reset(st);
	if (rc == SQLITE_DONE)
		return JW_OK;
	err = failed(store, rc);
	return is_over_quota(store, rc) ? JW_NO_SPACE : err;
}

static void
bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void
bind_time(sqlite3_stmt *st, int at, int64_t when)
{
	if (when != 0)
		sqlite3_bind_int64(st, at, when);
}

/* The row's own, until the next step; NULL where the column is. */
static const char *
peek_text(sqlite3_stmt *st, int at)
{
	bool is_null = sqlite3_column_type(st, at) == SQLITE_NULL;
	const char *text = (const char *)sqlite3_column_text(st, at);

	if (text == NULL && !is_null)
		jw_out_of_memory((size_t)sqlite3_column_bytes(st, at));
	return text;
}

static char *
column_text(sqlite3_stmt *st, int at)
{
	return jw_strdup(peek_text(st, at));
}

/* ---- rows to structs and back ---- */

static void
bind_policy_value(
    sqlite3_stmt *st, int at, const struct jw_param *param, int32_t value)
{
	if (param->kind == JW_PARAM_ALGORITHM)
		bind_text(st, at, jw_alg_name(value));
	else if (param->kind == JW_PARAM_MODE)
		bind_text(st, at, jw_mode_name(value));
	else
		sqlite3_bind_int(st, at, value);
}

static int
bind_set_facts(sqlite3_stmt *st, int at, const struct key_set_facts *facts)
{
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	for (size_t i = 0; i < n; i++)
		bind_policy_value(st, at++, &params[i],
		    jw_policy_get(&facts->policy, &params[i]));
	sqlite3_bind_int64(st, at++, facts->next_number);
	sqlite3_bind_int64(st, at++, facts->version);
	for (size_t i = 0; i < COUNT(set_times); i++)
		bind_time(st, at++,
		    *(const int64_t *)(const void *)((const char *)facts +
						     set_times[i]));
	sqlite3_bind_int(st, at++, facts->frozen);
	return at;
}

static bool
read_policy_value(
    sqlite3_stmt *st, int at, const struct jw_param *param, int32_t *ret_value)
{
	bool is_word =
	    param->kind == JW_PARAM_ALGORITHM || param->kind == JW_PARAM_MODE;
	const char *text = is_word ? peek_text(st, at) : NULL;

	if (param->kind == JW_PARAM_ALGORITHM)
		*ret_value = text == NULL ? -1 : jw_alg_parse(text);
	else if (param->kind == JW_PARAM_MODE)
		*ret_value = text == NULL ? -1 : jw_mode_parse(text);
	else
		*ret_value = sqlite3_column_int(st, at);
	return *ret_value >= 0;
}

static bool
read_set_facts(sqlite3_stmt *st, int at, struct key_set_facts *facts)
{
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	for (size_t i = 0; i < n; i++) {
		int32_t value;

		if (!read_policy_value(st, at++, &params[i], &value))
			return false;
		jw_policy_set(&facts->policy, &params[i], value);
	}
	facts->next_number = sqlite3_column_int64(st, at++);
	facts->version = sqlite3_column_int64(st, at++);
	for (size_t i = 0; i < COUNT(set_times); i++)
		*(int64_t *)(void *)((char *)facts + set_times[i]) =
		    sqlite3_column_int64(st, at++);
	facts->frozen = sqlite3_column_int(st, at++) != 0;
	return true;
}

static int
bind_facts(sqlite3_stmt *st, int at, const struct generation *gen)
{
	for (size_t i = 0; i < COUNT(fact_times); i++)
		bind_time(st, at++,
		    *(const int64_t *)(const void *)((const char *)gen +
						     fact_times[i]));
	sqlite3_bind_int(st, at++, gen->activations);
	sqlite3_bind_int(st, at++, gen->retirements);
	sqlite3_bind_int(st, at++, gen->verify_only);
	return at;
}

static bool
read_key(sqlite3_stmt *st, struct key *ret_key, int64_t *ret_set_id)
{
	struct generation *gen = &ret_key->facts;
	const char *kid = peek_text(st, 2);
	const char *alg = peek_text(st, 3);
	int at = 6;

	memset(ret_key, 0, sizeof(*ret_key));
	*ret_set_id = sqlite3_column_int64(st, 0);
	gen->number = sqlite3_column_int64(st, 1);
	/* -1: one that is not known, and which its reader has to leave out. */
	gen->alg = alg == NULL ? -1 : jw_alg_parse(alg);
	if (kid == NULL)
		return false;
	snprintf(ret_key->kid, sizeof(ret_key->kid), "%s", kid);
	for (size_t i = 0; i < COUNT(fact_times); i++)
		*(int64_t *)(void *)((char *)gen + fact_times[i]) =
		    sqlite3_column_int64(st, at++);
	gen->activations = sqlite3_column_int(st, at++);
	gen->retirements = sqlite3_column_int(st, at++);
	gen->verify_only = sqlite3_column_int(st, at++) != 0;
	ret_key->jwk = column_text(st, 4);
	ret_key->reason = column_text(st, 5);
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

/* ---- opening ---- */

bool
store_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
store_is_new(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0 ||
	       (S_ISREG(st.st_mode) && st.st_size == 0);
}

/*
 * One process at a time: an advisory lock beside the database, since the
 * database itself may only be touched by its holder.
 */
static enum jw_err
take_lock(struct store *store, struct jw_why *why)
{
	char name[PATH_MAX];
	int error;

	if (snprintf(name, sizeof(name), "%s.lock", store->path) >=
	    (int)sizeof(name)) {
		jw_why_set(why, "%s: the path is too long", store->path);
		return JW_STORE_FAILED;
	}
	store->lock_fd =
	    open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	error = errno;
	if (store->lock_fd < 0) {
		jw_why_set(why, "%s: %s", name, strerror(error));
		jw_why_hint(why,
		    "its directory must exist and be writable by the daemon");
		return error == ENOSPC || error == EDQUOT ? JW_NO_SPACE
							  : JW_STORE_FAILED;
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return JW_OK;
	jw_why_set(
	    why, "%s: another jwksd has this database open", store->path);
	jw_why_hint(why, "one database belongs to one daemon: stop the other, "
			 "or give this one its own [store] path");
	return JW_LOCKED;
}

/* Symbolic links above the file are the administrator's business. */
static char *
resolve(const char *path)
{
	char dir[PATH_MAX], base[PATH_MAX], real[PATH_MAX], *joined;

	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	if (realpath(dirname(dir), real) == NULL)
		return strdup(path);
	if (asprintf(&joined, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
		basename(base)) < 0)
		return NULL;
	return joined;
}

static enum jw_err
refuse_link(const char *path, struct jw_why *why)
{
	struct stat st;

	if (lstat(path, &st) != 0 || S_ISREG(st.st_mode))
		return JW_OK;
	if (S_ISLNK(st.st_mode)) {
		jw_why_set(why,
		    "%s: is a symbolic link; the database must be "
		    "a file of its own",
		    path);
		jw_why_hint(why, "name the file itself in [store] path");
		return JW_SYMLINK;
	}
	jw_why_set(why, "%s: is not a regular file", path);
	return JW_FOREIGN_FILE;
}

/* Whoever may write these files decides what is published. */
static enum jw_err
refuse_writable(const char *path, struct jw_why *why)
{
	static const char *const suffixes[] = {"", "-wal", "-journal", ".lock"};
	char name[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < COUNT(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (lstat(name, &st) != 0 ||
		    ((st.st_uid == 0 || st.st_uid == geteuid()) &&
			(st.st_mode & (S_IWGRP | S_IWOTH)) == 0))
			continue;
		jw_why_set(
		    why, "%s: others than the daemon may write it", name);
		jw_why_hint(why,
		    "look whether they have, then let it belong to the "
		    "daemon's user alone: chown, and chmod go-w %s",
		    name);
		return JW_PERMISSION_DENIED;
	}
	return JW_OK;
}

static enum jw_err
query_int(struct store *store, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &st, NULL);
	enum jw_err err;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	err = rc == SQLITE_ROW ? JW_OK : failed(store, rc);
	if (err == JW_OK)
		*ret_value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return err;
}

static enum jw_err
execute(struct store *store, const char *sql)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? JW_OK : failed(store, rc);
}

static int
newest_schema(void)
{
	int newest = 0;

	for (const struct store_sql_text *t = sql_texts; t->text != NULL; t++)
		newest = t->number;
	return newest;
}

/* What the library said, and what helps. */
static void
explain(const struct store *store, enum jw_err err, struct jw_why *why)
{
	jw_why_set(why, "%s: %s", store->path, store->message);
	if (err == JW_CORRUPT)
		jw_why_hint(why, "restore a backup; the file is left as it is");
}

/*
 * Whose file is it?  Only reads, so that a foreign database stays as it is.
 * ret_schema is 0 for an empty file.
 */
static enum jw_err
store_identify(struct store *store, int64_t *ret_schema, struct jw_why *why)
{
	int64_t application = 0, tables = 0;
	enum jw_err err;

	err = query_int(store, "PRAGMA application_id", &application);
	if (err == JW_OK)
		err = query_int(
		    store, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err == JW_OK)
		err = query_int(store, "PRAGMA user_version", ret_schema);
	if (err == JW_OK && application != APPLICATION_ID &&
	    (application != 0 || tables != 0 || *ret_schema != 0))
		err = JW_FOREIGN_FILE;
	if (err == JW_FOREIGN_FILE) {
		jw_why_set(why, "%s: is not a database of jwksd", store->path);
		jw_why_hint(why, "[store] path must name a file that jwksd "
				 "made, or none yet");
	} else if (err != JW_OK) {
		explain(store, err, why);
	} else if (*ret_schema > newest_schema()) {
		jw_why_set(why,
		    "%s: was made by a newer jwksd (schema %lld, this program "
		    "knows %d)",
		    store->path, (long long)*ret_schema, newest_schema());
		jw_why_hint(why, "install the newer jwksd again");
		err = JW_NEWER_SCHEMA;
	}
	return err;
}

/*
 * Until it is known whose file this is, a log that another program left is
 * neither brought home nor removed.
 */
static void
look_only(struct store *store, bool on)
{
	char log[PATH_MAX];

	/* A log that only we made goes when we do. */
	snprintf(log, sizeof(log), "%s-wal", store->path);
	on = on && store_exists(log);
	sqlite3_db_config(
	    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)on, NULL);
}

static enum jw_err
settings(struct store *store)
{
	static const char *const pragmas[] = {
	    "PRAGMA journal_mode = WAL",
	    "PRAGMA synchronous = FULL",
	    "PRAGMA foreign_keys = ON",
	    "PRAGMA trusted_schema = OFF",
	    "PRAGMA secure_delete = ON",
	    "PRAGMA temp_store = MEMORY",
	};
	enum jw_err err = JW_OK;

	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	for (size_t i = 0; err == JW_OK && i < COUNT(pragmas); i++)
		err = execute(store, pragmas[i]);
	return err;
}

static enum jw_err
check_integrity(struct store *store)
{
	sqlite3_stmt *st = NULL;
	enum jw_err err = JW_OK;
	int rc = sqlite3_prepare_v2(
	    store->db, "PRAGMA quick_check(1)", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		err = failed(store, rc);
	} else if (strcmp(peek_text(st, 0), "ok") != 0) {
		snprintf(store->message, sizeof(store->message), "%s",
		    peek_text(st, 0));
		err = JW_CORRUPT;
	}
	sqlite3_finalize(st);
	return err;
}

/* A copy of what was, before it is changed. */
static enum jw_err
copy_before(struct store *store, int64_t schema)
{
	sqlite3_stmt *st = NULL;
	char name[PATH_MAX];
	enum jw_err err;
	int rc;

	snprintf(name, sizeof(name), "%s.before-%lld", store->path,
	    (long long)schema + 1);
	if (unlink(name) != 0 && errno != ENOENT)
		return JW_STORE_FAILED;
	rc = sqlite3_prepare_v2(store->db, "VACUUM INTO ?1", -1, &st, NULL);
	if (rc != SQLITE_OK)
		return failed(store, rc);
	bind_text(st, 1, name);
	err = store_run(store, st);
	sqlite3_finalize(st);
	return err;
}

static enum jw_err
migrate_one(struct store *store, const struct store_sql_text *text)
{
	char version[96];
	enum jw_err err;

	snprintf(version, sizeof(version),
	    "PRAGMA application_id = %d; PRAGMA user_version = %d",
	    APPLICATION_ID, text->number);
	err = execute(store, "BEGIN IMMEDIATE");
	if (err == JW_OK)
		err = execute(store, text->text);
	if (err == JW_OK)
		err = execute(store, version);
	if (err == JW_OK)
		err = execute(store, "COMMIT");
	if (err != JW_OK && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static enum jw_err
migrate(struct store *store, int64_t schema)
{
	enum jw_err err = JW_OK;

	if (schema == newest_schema())
		return JW_OK;
	if (schema > 0)
		err = copy_before(store, schema);
	for (const struct store_sql_text *t = sql_texts;
	     err == JW_OK && t->text != NULL; t++)
		if (t->number > schema)
			err = migrate_one(store, t);
	return err;
}

static enum jw_err
prepare_all(struct store *store)
{
	for (int i = 0; i < ST_COUNT; i++) {
		int rc = sqlite3_prepare_v3(store->db, statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &store->st[i], NULL);

		if (rc != SQLITE_OK)
			return failed(store, rc);
	}
	return JW_OK;
}

/* Version 4, RFC 9562. */
static enum jw_err
make_uuid(char *buf, size_t size)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return JW_IO;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(buf, size,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
	return JW_OK;
}

static enum jw_err
name_database(struct store *store, int64_t now)
{
	char uuid[37], created[24];
	enum jw_err err = store_meta_get(store, "uuid", &store->uuid);

	if (err != JW_NO_SUCH_KEY)
		return err;
	snprintf(created, sizeof(created), "%lld", (long long)now);
	err = make_uuid(uuid, sizeof(uuid));
	if (err == JW_OK)
		err = store_meta_set(store, "created_at", created);
	if (err == JW_OK)
		err = store_meta_set(store, "uuid", uuid);
	if (err == JW_OK)
		err = store_meta_get(store, "uuid", &store->uuid);
	return err;
}

/* ---- what the disk has for certain ---- */

static enum jw_err
log_failed(struct store *store)
{
	enum jw_err err = errno == ENOSPC ? JW_NO_SPACE : JW_STORE_FAILED;

	snprintf(store->message, sizeof(store->message),
	    "its write-ahead log: %s", strerror(errno));
	return err;
}

/* The same octets to the same places. */
static bool
copy_onto_itself(int fd)
{
	uint8_t buf[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		if (pwrite(fd, buf, (size_t)n, at) != n) {
			/* Of a short write nothing says why. */
			errno = errno == ENOSPC ? ENOSPC : EIO;
			return false;
		}
		at += n;
	}
	return n == 0 && fdatasync(fd) == 0;
}

static bool
store_sync_directory(const char *path)
{
	char copy[PATH_MAX];
	bool synced;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	synced = fsync(fd) == 0;
	close(fd);
	return synced;
}

/*
 * After a failed sync the kernel takes the pages for clean: a later sync
 * succeeds without having written them.  So the log is written again before
 * anything is read from it.  ret_any: there is a log.
 */
static enum jw_err
write_log_again(struct store *store, bool *ret_any)
{
	char name[PATH_MAX];
	enum jw_err err = JW_OK;
	int fd;

	snprintf(name, sizeof(name), "%s-wal", store->path);
	fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	*ret_any = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? JW_OK : log_failed(store);
	errno = 0;
	if (!copy_onto_itself(fd) || !store_sync_directory(name))
		err = log_failed(store);
	close(fd);
	return err;
}

/* ---- are the files still where they were ---- */

static bool
file_in_place(struct store *store, struct store_file *file)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", store->path, file->suffix);
	if (lstat(name, &st) != 0) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been moved or deleted: nothing is committed "
		    "until it is back",
		    name);
		return false;
	}
	if (st.st_dev != file->device || st.st_ino != file->inode) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been replaced by another file: nothing is "
		    "committed until the one that was there is back",
		    name);
		return false;
	}
	if (st.st_size < file->size) {
		snprintf(store->message, sizeof(store->message),
		    "%.160s has been cut short: stop jwksd and restore a "
		    "backup",
		    name);
		return false;
	}
	file->size = st.st_size;
	return true;
}

static void
look_at_file(const struct store *store, struct store_file *file)
{
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", store->path, file->suffix);
	if (lstat(name, &st) != 0)
		return;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->size = st.st_size;
}

static void
look_at_files(struct store *store)
{
	static const char *const suffixes[FILE_COUNT] = {
	    [FILE_DATABASE] = "",
	    [FILE_LOG] = "-wal",
	    [FILE_LOCK] = ".lock",
	};

	for (size_t i = 0; i < FILE_COUNT; i++) {
		store->files[i].suffix = suffixes[i];
		look_at_file(store, &store->files[i]);
	}
}

bool
store_in_place(struct store *store)
{
	for (size_t i = 0; i < FILE_COUNT; i++)
		if (store->files[i].inode != 0 &&
		    !file_in_place(store, &store->files[i]))
			return false;
	return true;
}

/* ---- the database as a whole ---- */

static enum jw_err
open_database(struct store *store, int64_t now, int create, struct jw_why *why)
{
	int64_t schema = 0;
	enum jw_err err;
	int rc = sqlite3_open_v2(store->path, &store->db,
	    SQLITE_OPEN_READWRITE | create | SQLITE_OPEN_NOFOLLOW |
		SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
		SQLITE_OPEN_NOMUTEX,
	    NULL);

	if (rc != SQLITE_OK) {
		err = failed(store, rc);
		explain(store, err, why);
		return err;
	}
	look_only(store, true);
	/* Before the first look, so that no -shm file is made. */
	err = execute(store, "PRAGMA locking_mode = EXCLUSIVE");
	if (err == JW_OK)
		err = store_identify(store, &schema, why);
	if (err != JW_OK)
		return err;
	look_only(store, false);
	/* A daemon that was killed may not have had the time to scrub. */
	err = write_log_again(store, &store->unscrubbed);
	if (err == JW_OK)
		err = settings(store);
	if (err == JW_OK)
		err = check_integrity(store);
	if (err == JW_OK)
		err = migrate(store, schema);
	if (err == JW_OK)
		err = prepare_all(store);
	if (err == JW_OK)
		err = name_database(store, now);
	if (err != JW_OK)
		explain(store, err, why);
	return err;
}

static enum jw_err
refuse_new(const struct store *store, const char *uuid, struct jw_why *why)
{
	if (uuid == NULL || !store_is_new(store->path))
		return JW_OK;
	jw_why_set(
	    why, "%s: the database %s is no longer there", store->path, uuid);
	jw_why_hint(why, "put it back, or restore a backup");
	return JW_DATABASE_GONE;
}

static enum jw_err
refuse_other(const struct store *store, const char *uuid, struct jw_why *why)
{
	if (uuid == NULL || strcmp(uuid, store->uuid) == 0)
		return JW_OK;
	jw_why_set(why,
	    "%s: is another database (%s) than the one that was "
	    "here (%s)",
	    store->path, store->uuid, uuid);
	jw_why_hint(why, "put the right one back; if this is the right one, "
			 "start once with --new-database");
	return JW_DATABASE_GONE;
}

static enum jw_err
open_any(const char *path, const char *uuid, int64_t now,
    struct store **ret_store, struct jw_why *why)
{
	struct store *store = calloc(1, sizeof(*store));
	enum jw_err err;

	if (store == NULL)
		return JW_NO_MEMORY;
	store->lock_fd = -1;
	store->path = resolve(path);
	err =
	    store->path == NULL ? JW_NO_MEMORY : refuse_link(store->path, why);
	if (err == JW_OK)
		err = refuse_writable(store->path, why);
	if (err == JW_OK)
		err = take_lock(store, why);
	if (err == JW_OK)
		err = refuse_new(store, uuid, why);
	if (err == JW_OK)
		err = open_database(store, now, SQLITE_OPEN_CREATE, why);
	if (err == JW_OK)
		err = refuse_other(store, uuid, why);
	if (err != JW_OK) {
		store_close(store);
		return err;
	}
	look_at_files(store);
	store_scrub(store);
	*ret_store = store;
	return JW_OK;
}

enum jw_err
store_open(
    const char *path, int64_t now, struct store **ret_store, struct jw_why *why)
{
	return open_any(path, NULL, now, ret_store, why);
}

enum jw_err
store_open_known(const char *path, const char *uuid, int64_t now,
    struct store **ret_store, struct jw_why *why)
{
	return open_any(path, uuid, now, ret_store, why);
}

static void
close_database(struct store *store)
{
	for (int i = 0; i < ST_COUNT; i++) {
		sqlite3_finalize(store->st[i]);
		store->st[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

/* The log stays as it is: it may hold what no sync has confirmed. */
void
store_doubt(struct store *store)
{
	if (store->db != NULL)
		sqlite3_db_config(
		    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_database(store);
	store->in_doubt = true;
	/* A recovery empties it. */
	store->files[FILE_LOG].size = 0;
}

bool
store_in_doubt(const struct store *store)
{
	return store != NULL && store->in_doubt;
}

/* A full disk is no doubt: it is found before anything is written. */
static enum jw_err
unless_full(enum jw_err err)
{
	return err == JW_NO_SPACE ? JW_OK : err;
}

/* Everything in the database, and a commit of our own behind it. */
static enum jw_err
prove(struct store *store, int64_t now)
{
	char when[24];
	enum jw_err err;
	int rc = sqlite3_wal_checkpoint_v2(
	    store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	err = rc == SQLITE_OK ? JW_OK : unless_full(failed(store, rc));
	if (rc == SQLITE_OK)
		store->unscrubbed = false;
	snprintf(when, sizeof(when), "%lld", (long long)now);
	if (err == JW_OK)
		err = unless_full(store_meta_set(store, "recovered_at", when));
	return err;
}

static enum jw_err
open_same(struct store *store, int64_t now, struct jw_why *why)
{
	char *uuid = store->uuid;
	enum jw_err err;

	store->uuid = NULL;
	err = open_database(store, now, 0, why);
	if (err == JW_OK && strcmp(uuid, store->uuid) != 0) {
		jw_why_set(why, "%s: is another database now", store->path);
		err = JW_FOREIGN_FILE;
	}
	free(store->uuid);
	store->uuid = uuid;
	return err;
}

enum jw_err
store_recover(struct store *store, int64_t now, struct jw_why *why)
{
	enum jw_err err = refuse_link(store->path, why);

	if (err == JW_OK && !store_in_place(store)) {
		err = JW_STORE_FAILED;
		jw_why_set(why, "%s", store->message);
	}
	if (err == JW_OK)
		err = open_same(store, now, why);
	if (err == JW_OK) {
		err = prove(store, now);
		if (err != JW_OK)
			explain(store, err, why);
	}
	if (err == JW_OK) {
		store->in_doubt = false;
		look_at_files(store);
	} else {
		store_doubt(store);
	}
	return err;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	/* Names that are not ours any more are left alone, and the log stays
	 * with the database that has been moved. */
	if (store->db != NULL && !store_in_place(store))
		sqlite3_db_config(
		    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_database(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->uuid);
	free(store->path);
	free(store);
}

const char *
store_uuid(const struct store *store)
{
	return store->uuid;
}

/* ---- loading ---- */

static bool
read_set(sqlite3_stmt *st, struct key_set *set)
{
	memset(set, 0, sizeof(*set));
	set->id = sqlite3_column_int64(st, 0);
	snprintf(set->name, sizeof(set->name), "%s", peek_text(st, 1));
	set->revision = sqlite3_column_int64(st, 2);
	return read_set_facts(st, 3, &set->facts);
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

/* Take the rows of set from a cursor that stands on its first key. */
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
		err = failed(store, *row);
	return err;
}

/* Two cursors in step: one pass over each table. */
enum jw_err
store_load(struct store *store, store_set_fn *fn, void *arg)
{
	sqlite3_stmt *sets = statement(store, ST_SETS);
	sqlite3_stmt *keys = statement(store, ST_KEYS_LIVING);
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
		err = failed(store, rc);
	sqlite3_reset(sets);
	sqlite3_reset(keys);
	return err;
}

enum jw_err
store_each_removed(
    struct store *store, const char *name, store_facts_fn *fn, void *arg)
{
	sqlite3_stmt *st = statement(store, ST_REMOVED_SETS);
	enum jw_err err = JW_OK;
	int rc = SQLITE_DONE;

	bind_text(st, 1, name);
	while (err == JW_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct key_set set;

		if (read_set(st, &set))
			fn(&set.facts, arg);
		else
			err = JW_CORRUPT;
	}
	if (err == JW_OK && rc != SQLITE_DONE)
		err = failed(store, rc);
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_withdrawn(struct store *store, int64_t at)
{
	sqlite3_stmt *st = statement(store, ST_WITHDRAWN);

	sqlite3_bind_int64(st, 1, at);
	return store_run(store, st);
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
		err = failed(store, rc);
	sqlite3_reset(st);
	return err;
}

enum jw_err
store_each_key(struct store *store, int64_t set_id, int64_t below,
    store_key_fn *fn, void *arg)
{
	sqlite3_stmt *st = statement(store, ST_KEYS_OF_SET);

	sqlite3_bind_int64(st, 1, set_id);
	sqlite3_bind_int64(st, 2, below);
	return each_key(store, st, fn, arg);
}

enum jw_err
store_find_kid(
    struct store *store, const char *kid_prefix, store_key_fn *fn, void *arg)
{
	sqlite3_stmt *st = statement(store, ST_KEYS_BY_KID);

	bind_text(st, 1, kid_prefix);
	return each_key(store, st, fn, arg);
}

enum jw_err
store_sealed(struct store *store, int64_t set_id, int64_t number,
    uint8_t **ret_blob, size_t *ret_len)
{
	sqlite3_stmt *st = statement(store, ST_SEALED);
	enum jw_err err = JW_NO_SUCH_KEY;
	const void *blob;
	int rc, len;

	sqlite3_bind_int64(st, 1, set_id);
	sqlite3_bind_int64(st, 2, number);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && (len = sqlite3_column_bytes(st, 0)) > 0) {
		blob = sqlite3_column_blob(st, 0);
		if (blob == NULL)
			jw_out_of_memory((size_t)len);
		*ret_blob = memcpy(jw_alloc((size_t)len), blob, (size_t)len);
		*ret_len = (size_t)len;
		err = JW_OK;
	} else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		err = failed(store, rc);
	}
	sqlite3_reset(st);
	return err;
}

/* ---- committing ---- */

static enum jw_err
write_set(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	bool is_new = change->set->id == 0;
	sqlite3_stmt *st =
	    statement(store, is_new ? ST_SET_INSERT : ST_SET_UPDATE);
	enum jw_err err;

	if (is_new) {
		bind_text(st, 2, change->set->name);
	} else {
		sqlite3_bind_int64(st, 1, change->set->id);
		sqlite3_bind_int64(st, 2, change->set->revision);
	}
	bind_set_facts(st, 3, change->facts);
	err = store_run(store, st);
	if (err != JW_OK)
		return err;
	if (sqlite3_changes(store->db) != 1) {
		snprintf(store->message, sizeof(store->message),
		    "key set %s: changed meanwhile", change->set->name);
		return JW_CONFLICT;
	}
	*ret_id =
	    is_new ? sqlite3_last_insert_rowid(store->db) : change->set->id;
	return JW_OK;
}

static enum jw_err
update_key(struct store *store, const struct store_change *change, int64_t id,
    const struct generation *gen)
{
	sqlite3_stmt *st = statement(store, ST_KEY_UPDATE);
	enum jw_err err;

	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, gen->number);
	bind_facts(st, 3, gen);
	err = store_run(store, st);
	if (err == JW_OK && sqlite3_changes(store->db) != 1)
		err = JW_BUG;
	if (err != JW_OK || gen->revoked_at == 0 || change->reason == NULL)
		return err;
	st = statement(store, ST_KEY_REASON);
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, gen->number);
	bind_text(st, 3, change->reason);
	return store_run(store, st);
}

static bool
is_signer(const struct generation *gen)
{
	return gen->activations > gen->retirements && gen->removed_at == 0 &&
	       gen->revoked_at == 0;
}

/* Who stops signing first, then who starts: the index allows only one. */
static enum jw_err
update_keys(struct store *store, const struct store_change *change, int64_t id)
{
	enum jw_err err = JW_OK;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; err == JW_OK && i < change->nupdated; i++)
			if (is_signer(&change->updated[i]) == (pass == 1))
				err = update_key(
				    store, change, id, &change->updated[i]);
	return err;
}

static enum jw_err
insert_key(struct store *store, int64_t id, const struct store_new_key *new)
{
	sqlite3_stmt *st = statement(store, ST_KEY_INSERT);
	int at;

	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, new->key->facts.number);
	at = bind_facts(st, 3, &new->key->facts);
	bind_text(st, at++, new->key->kid);
	bind_text(st, at++, jw_alg_name(new->key->facts.alg));
	bind_text(st, at++, new->key->jwk);
	if (new->sealed != NULL)
		sqlite3_bind_blob(
		    st, at, new->sealed, (int)new->sealed_len, SQLITE_STATIC);
	return store_run(store, st);
}

static void
bind_actor(sqlite3_stmt *st, const struct store_change *change)
{
	if (change->actor.uid >= 0) {
		sqlite3_bind_int64(st, 9, change->actor.uid);
		sqlite3_bind_int64(st, 10, change->actor.gid);
		sqlite3_bind_int64(st, 11, change->actor.pid);
	}
	if (change->request != NULL)
		bind_text(st, 12, change->request->id);
	bind_text(st, 13, change->audit_reason);
}

static enum jw_err
insert_audit(struct store *store, const struct store_change *change,
    const struct store_audit *audit)
{
	sqlite3_stmt *st = statement(store, ST_AUDIT_INSERT);

	sqlite3_bind_int64(st, 1, change->now);
	bind_text(st, 2, change->set == NULL ? NULL : change->set->name);
	if (audit->generation != 0)
		sqlite3_bind_int64(st, 3, audit->generation);
	bind_text(st, 4, audit->kid);
	bind_text(st, 5, audit->event);
	bind_text(st, 6, audit->from_state);
	bind_text(st, 7, audit->to_state);
	bind_text(st, 8, audit->cause);
	bind_actor(st, change);
	return store_run(store, st);
}

static enum jw_err
insert_request(struct store *store, const struct store_change *change)
{
	sqlite3_stmt *st = statement(store, ST_REQUEST_INSERT);

	bind_text(st, 1, change->request->id);
	sqlite3_bind_int64(st, 2, change->now);
	sqlite3_bind_int64(st, 3, change->actor.uid);
	bind_text(st, 4, change->request->method);
	bind_text(st, 5, change->request->asked);
	bind_text(st, 6, change->request->outcome);
	return store_run(store, st);
}

static enum jw_err
write_change(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	enum jw_err err = write_set(store, change, ret_id);

	if (err == JW_OK)
		err = update_keys(store, change, *ret_id);
	for (size_t i = 0; err == JW_OK && i < change->ncreated; i++)
		err = insert_key(store, *ret_id, &change->created[i]);
	for (size_t i = 0; err == JW_OK && i < change->naudit; i++)
		err = insert_audit(store, change, &change->audit[i]);
	if (err == JW_OK && change->request != NULL)
		err = insert_request(store, change);
	return err;
}

/* End a transaction whose writes ended with err. */
static enum jw_err
end_transaction(struct store *store, enum jw_err err)
{
	char message[sizeof(store->message)];

	/* What goes into a file that was moved is not there after a restart. */
	if (err == JW_OK && !store_in_place(store))
		err = JW_STORE_FAILED;
	if (err != JW_OK) {
		memcpy(message, store->message, sizeof(message));
		if (!sqlite3_get_autocommit(store->db))
			store_run(store, statement(store, ST_ROLLBACK));
		memcpy(store->message, message, sizeof(message));
		return err;
	}
	err = store_run(store, statement(store, ST_COMMIT));
	if (err == JW_OK)
		return JW_OK;
	memcpy(message, store->message, sizeof(message));
	/* A full disk is found before anything is written; else who knows. */
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, statement(store, ST_ROLLBACK));
	if (err != JW_NO_SPACE)
		store_doubt(store);
	memcpy(store->message, message, sizeof(message));
	return err == JW_NO_SPACE ? err : JW_OUTCOME_UNKNOWN;
}

static enum jw_err
begin_transaction(struct store *store)
{
	enum jw_err err;

	if (!store_in_place(store))
		return JW_STORE_FAILED;
	err = store_run(store, statement(store, ST_BEGIN));
	return err == JW_OK || err == JW_NO_SPACE ? err : JW_STORE_FAILED;
}

enum jw_err
store_commit(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	int64_t id = 0;
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	err = end_transaction(store, write_change(store, change, &id));
	if (err == JW_OK)
		*ret_id = id;
	for (size_t i = 0; err == JW_OK && i < change->nupdated; i++)
		store->unscrubbed |= change->updated[i].destroyed_at != 0;
	return err;
}

enum jw_err
store_scrub(struct store *store)
{
	enum jw_err err;
	int rc;

	if (!store->unscrubbed)
		return JW_OK;
	if (store->db == NULL || !store_in_place(store))
		return JW_STORE_FAILED;
	rc = sqlite3_wal_checkpoint_v2(
	    store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK) {
		err = failed(store, rc);
		return err == JW_NO_SPACE ? err : JW_STORE_FAILED;
	}
	store->unscrubbed = false;
	look_at_file(store, &store->files[FILE_LOG]);
	return JW_OK;
}

enum jw_err
store_meta_commit(struct store *store, const char *name, const char *value,
    const struct store_change *change)
{
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	err = store_meta_set(store, name, value);
	for (size_t i = 0; err == JW_OK && i < change->naudit; i++)
		err = insert_audit(store, change, &change->audit[i]);
	if (err == JW_OK && change->request != NULL)
		err = insert_request(store, change);
	return end_transaction(store, err);
}

static enum jw_err
insert_refusal(struct store *store, const struct store_refusal *row)
{
	sqlite3_stmt *st = statement(store, ST_REFUSAL_INSERT);

	sqlite3_bind_int64(st, 1, row->at);
	bind_text(st, 2, row->key_set);
	if (row->generation != 0)
		sqlite3_bind_int64(st, 3, row->generation);
	bind_text(st, 4, row->kid);
	bind_text(st, 5, row->event);
	bind_text(st, 6, row->cause);
	if (row->actor.uid >= 0) {
		sqlite3_bind_int64(st, 7, row->actor.uid);
		sqlite3_bind_int64(st, 8, row->actor.gid);
		sqlite3_bind_int64(st, 9, row->actor.pid);
	}
	bind_text(st, 10, row->request_id);
	bind_text(st, 11, row->reason);
	bind_text(st, 12, row->method);
	bind_text(st, 13, row->outcome);
	sqlite3_bind_int64(st, 14, row->count);
	return store_run(store, st);
}

enum jw_err
store_audit_refusals(
    struct store *store, const struct store_refusal *rows, size_t count)
{
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	for (size_t i = 0; err == JW_OK && i < count; i++)
		err = insert_refusal(store, &rows[i]);
	return end_transaction(store, err);
}

enum jw_err
store_next_number(struct store *store, const char *name, int64_t *ret_number)
{
	sqlite3_stmt *st = statement(store, ST_NEXT_NUMBER);
	enum jw_err err = JW_OK;
	int rc;

	bind_text(st, 1, name);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(st, 0);
	else
		err = failed(store, rc);
	sqlite3_reset(st);
	return err;
}

/* ---- requests and meta ---- */

enum jw_err
store_request_find(
    struct store *store, const char *id, char **ret_asked, char **ret_outcome)
{
	sqlite3_stmt *st = statement(store, ST_REQUEST_FIND);
	char *asked = NULL, *outcome = NULL;
	enum jw_err err;
	int rc;

	bind_text(st, 1, id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		asked = column_text(st, 0);
		outcome = column_text(st, 1);
		err = asked == NULL || outcome == NULL ? JW_NO_MEMORY : JW_OK;
	} else {
		err = rc == SQLITE_DONE ? JW_NO_SUCH_KEY : failed(store, rc);
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
	sqlite3_stmt *st = statement(store, ST_REQUEST_PRUNE);

	sqlite3_bind_int64(st, 1, before);
	sqlite3_bind_int64(st, 2, keep);
	return store_run(store, st);
}

enum jw_err
store_meta_get(struct store *store, const char *name, char **ret_value)
{
	sqlite3_stmt *st = statement(store, ST_META_GET);
	enum jw_err err;
	char *value;
	int rc;

	bind_text(st, 1, name);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		err = rc == SQLITE_DONE ? JW_NO_SUCH_KEY : failed(store, rc);
	} else {
		value = column_text(st, 0);
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
	sqlite3_stmt *st = statement(store, ST_META_SET);

	bind_text(st, 1, name);
	bind_text(st, 2, value);
	return store_run(store, st);
}
