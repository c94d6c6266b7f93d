/*
 * The schema: the migrations of sql/, run one by one in transactions of their
 * own, and the identity that a new database is given.  Must never change an
 * existing database before a copy of it has been made.
 */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/store/internal.h"
#include "daemon/store/sql_text.h"

int
store_newest_schema(void)
{
	int newest = 0;

	for (const struct store_sql_text *t = sql_texts; t->text != NULL; t++)
		newest = t->number;
	return newest;
}

/* Copy the database before it is changed. */
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
		return store_failed(store, rc);
	store_bind_text(st, 1, name);
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
	    STORE_APPLICATION_ID, text->number);
	err = store_execute(store, "BEGIN IMMEDIATE");
	if (err == JW_OK)
		err = store_execute(store, text->text);
	if (err == JW_OK)
		err = store_execute(store, version);
	if (err == JW_OK)
		err = store_execute(store, "COMMIT");
	if (err != JW_OK && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

enum jw_err
store_migrate(struct store *store, int64_t schema)
{
	enum jw_err err = JW_OK;

	if (schema == store_newest_schema())
		return JW_OK;
	if (schema > 0)
		err = copy_before(store, schema);
	for (const struct store_sql_text *t = sql_texts;
	     err == JW_OK && t->text != NULL; t++)
		if (t->number > schema)
			err = migrate_one(store, t);
	return err;
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

enum jw_err
store_name_database(struct store *store, int64_t now)
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
