/*
 * After a failed COMMIT: the database is closed until the disk has confirmed
 * what is in its log.  Must never read from a log whose last sync failed before
 * that log has been written again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/directory.h"
#include "daemon/store/internal.h"
#include "daemon/store/place.h"

static enum jw_err
log_failed(struct store *store)
{
	enum jw_err err = errno == ENOSPC ? JW_NO_SPACE : JW_STORE_FAILED;

	snprintf(store->message, sizeof(store->message),
	    "its write-ahead log: %s", strerror(errno));
	return err;
}

/* Write every octet of a file again. */
static bool
copy_onto_itself(int fd)
{
	uint8_t buf[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		if (pwrite(fd, buf, (size_t)n, at) != n) {
			/* A short write does not set errno. */
			errno = errno == ENOSPC ? ENOSPC : EIO;
			return false;
		}
		at += n;
	}
	return n == 0 && fdatasync(fd) == 0;
}

/*
 * After a failed sync the kernel marks the pages as clean: a later sync
 * succeeds without having written them.  So the log is written again before
 * anything is read from it. ret_any: there is a log.
 */
enum jw_err
store_write_log_again(struct store *store, bool *ret_any)
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
	if (!copy_onto_itself(fd) || !jw_directory_sync_of(name))
		err = log_failed(store);
	close(fd);
	return err;
}

/* The log is not copied into the database: it may hold what no sync has
 * confirmed. */
void
store_doubt(struct store *store)
{
	if (store->db != NULL)
		sqlite3_db_config(
		    store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	store_close_database(store);
	store->in_doubt = true;
	/* store_recover() truncates the log. */
	store->files[FILE_LOG].size = 0;
}

bool
store_in_doubt(const struct store *store)
{
	return store != NULL && store->in_doubt;
}

/* A full disk is found before anything is written: the outcome is known. */
static enum jw_err
unless_full(enum jw_err err)
{
	return err == JW_NO_SPACE ? JW_OK : err;
}

/* Copy the log into the database, and make one commit: the disk has confirmed
 * both. */
static enum jw_err
prove(struct store *store, int64_t now)
{
	char when[24];
	enum jw_err err;
	int rc = sqlite3_wal_checkpoint_v2(
	    store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	err = rc == SQLITE_OK ? JW_OK : unless_full(store_failed(store, rc));
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
	err = store_open_database(store, now, 0, why);
	if (err == JW_OK && strcmp(uuid, store->uuid) != 0) {
		err = jw_fail(JW_FOREIGN_FILE, why,
		    "%s: is another database now", store->path);
	}
	free(store->uuid);
	store->uuid = uuid;
	return err;
}

enum jw_err
store_recover(struct store *store, int64_t now, struct jw_why *why)
{
	enum jw_err err = store_refuse_link(store->path, why);

	if (err == JW_OK && !store_in_place(store)) {
		err = JW_STORE_FAILED;
		jw_why_set(why, "%s", store->message);
	}
	if (err == JW_OK)
		err = open_same(store, now, why);
	if (err == JW_OK) {
		err = prove(store, now);
		if (err != JW_OK)
			store_explain(store, err, why);
	}
	if (err == JW_OK) {
		assert(store->db != NULL);
		store->in_doubt = false;
		store_look_at_files(store);
	} else {
		store_doubt(store);
	}
	return err;
}
