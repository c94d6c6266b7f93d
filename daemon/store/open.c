/*
 * Opening the database: lock it, find out whether the file is one of jwksd's,
 * check it, migrate it.  Must never write to a file that it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "daemon/store/internal.h"
#include "daemon/store/place.h"

static enum jw_err
refuse_second(const char *path, struct jw_why *why)
{
	jw_why_set(why, "%s: another jwksd has this database open", path);
	jw_why_hint(why, "one database belongs to one daemon: stop the other, "
			 "or give this one its own [store] path");
	return JW_LOCKED;
}

/* An advisory lock on a file beside the database: the database file itself must
 * not be opened before the lock is held. */
static enum jw_err
take_lock(struct store *store, struct jw_why *why)
{
	char name[PATH_MAX];
	int error;

	if (snprintf(name, sizeof(name), "%s.lock", store->path) >=
	    (int)sizeof(name))
		return jw_fail(JW_STORE_FAILED, why, "%s: the path is too long",
		    store->path);
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
	return refuse_second(store->path, why);
}

enum jw_err
store_check_lock(const char *path, struct jw_why *why)
{
	char name[PATH_MAX];
	bool locked;
	int fd;

	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return JW_OK;
	locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked ? refuse_second(path, why) : JW_OK;
}

/* Directories above the file may be symbolic links, as the administrator likes;
 * the file itself may not. */
static char *
resolve(const char *path)
{
	char dir[PATH_MAX], base[PATH_MAX], real[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	if (realpath(dirname(dir), real) == NULL)
		return jw_strdup(path);
	return jw_asprintf(
	    "%s/%s", strcmp(real, "/") == 0 ? "" : real, basename(base));
}

enum jw_err
store_refuse_link(const char *path, struct jw_why *why)
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
	return jw_fail(JW_FOREIGN_FILE, why, "%s: is not a regular file", path);
}

/* A user who may write these files decides which keys are published. */
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
	err = rc == SQLITE_ROW ? JW_OK : store_failed(store, rc);
	if (err == JW_OK)
		*ret_value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return err;
}

/* Report what SQLite said, and a hint. */
void
store_explain(const struct store *store, enum jw_err err, struct jw_why *why)
{
	jw_why_set(why, "%s: %s", store->path, store->message);
	if (err == JW_CORRUPT)
		jw_why_hint(why, "restore a backup; the file is left as it is");
}

/* Find out whether the file is one of jwksd.  Only reads, so that a foreign
 * database stays as it is. ret_schema is 0 for an empty file. */
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
	if (err == JW_OK && application != STORE_APPLICATION_ID &&
	    (application != 0 || tables != 0 || *ret_schema != 0))
		err = JW_FOREIGN_FILE;
	if (err == JW_FOREIGN_FILE) {
		jw_why_set(why, "%s: is not a database of jwksd", store->path);
		jw_why_hint(why, "[store] path must name a file that jwksd "
				 "made, or none yet");
	} else if (err != JW_OK) {
		store_explain(store, err, why);
	} else if (*ret_schema > store_newest_schema()) {
		jw_why_set(why,
		    "%s: was made by a newer jwksd (schema %lld, this program "
		    "knows %d)",
		    store->path, (long long)*ret_schema, store_newest_schema());
		jw_why_hint(why, "install the newer jwksd again");
		err = JW_NEWER_SCHEMA;
	}
	return err;
}

/* Until the database is known to be one of jwksd, a log that another program
 * left is neither copied into the database nor removed. */
static void
look_only(struct store *store, bool on)
{
	char log[PATH_MAX];

	/* A log that this process made is removed on closing. */
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
		err = store_execute(store, pragmas[i]);
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
		err = store_failed(store, rc);
	} else if (strcmp(store_peek_text(st, 0), "ok") != 0) {
		snprintf(store->message, sizeof(store->message), "%s",
		    store_peek_text(st, 0));
		err = JW_CORRUPT;
	}
	sqlite3_finalize(st);
	return err;
}

enum jw_err
store_open_database(
    struct store *store, int64_t now, int create, struct jw_why *why)
{
	int64_t schema = 0;
	enum jw_err err;
	int rc = sqlite3_open_v2(store->path, &store->db,
	    SQLITE_OPEN_READWRITE | create | SQLITE_OPEN_NOFOLLOW |
		SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
		SQLITE_OPEN_NOMUTEX,
	    NULL);

	if (rc != SQLITE_OK) {
		err = store_failed(store, rc);
		store_explain(store, err, why);
		return err;
	}
	look_only(store, true);
	/* Set before anything is read, so that no -shm file is made. */
	err = store_execute(store, "PRAGMA locking_mode = EXCLUSIVE");
	if (err == JW_OK)
		err = store_identify(store, &schema, why);
	if (err != JW_OK)
		return err;
	look_only(store, false);
	/* A daemon that was killed may have left an erased private key in the
	 * log. */
	err = store_write_log_again(store, &store->unscrubbed);
	if (err == JW_OK)
		err = settings(store);
	if (err == JW_OK)
		err = check_integrity(store);
	if (err == JW_OK)
		err = store_migrate(store, schema);
	if (err == JW_OK)
		err = store_prepare(store);
	if (err == JW_OK)
		err = store_name_database(store, now);
	if (err != JW_OK)
		store_explain(store, err, why);
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

enum jw_err
store_open(const char *path, const char *uuid, int64_t now,
    struct store **ret_store, struct jw_why *why)
{
	struct store *store = jw_zalloc(sizeof(*store));
	enum jw_err err;

	store->lock_fd = -1;
	store->path = resolve(path);
	err = store_refuse_link(store->path, why);
	if (err == JW_OK)
		err = refuse_writable(store->path, why);
	if (err == JW_OK)
		err = take_lock(store, why);
	if (err == JW_OK)
		err = refuse_new(store, uuid, why);
	if (err == JW_OK)
		err = store_open_database(store, now, SQLITE_OPEN_CREATE, why);
	if (err == JW_OK)
		err = refuse_other(store, uuid, why);
	if (err != JW_OK) {
		store_close(store);
		return err;
	}
	store_look_at_files(store);
	store_scrub(store);
	*ret_store = store;
	return JW_OK;
}

void
store_close_database(struct store *store)
{
	for (int i = 0; i < ST_COUNT; i++) {
		sqlite3_finalize(store->st[i]);
		store->st[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	/* The log stays with a database that has been moved, and files of other
	 * databases at these names stay as they are. */
	if (store->db != NULL && !store_in_place(store))
		sqlite3_db_config(
		    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	store_close_database(store);
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
