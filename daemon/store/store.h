/*
 * The store: key sets, generations, requests and audit in one SQLite database.
 *
 * Reached through few operations (open, load, commit, look up), so that another
 * store can take its place.  Each commit is one transaction and a
 * compare-and-swap on the revision of the key set; when it returns JW_OK it is
 * on disk.  Every function blocks on the disk.  Not for use by several threads.
 */
#ifndef JWKSD_DAEMON_STORE_STORE_H
#define JWKSD_DAEMON_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/lifecycle/model.h"
#include "daemon/store/change.h"
#include "daemon/store/meta.h"

struct store;

/* Is there anything at path?  Does not follow a symbolic link. */
bool store_exists(const char *path);
/* JW_LOCKED with why: another daemon has it open.  Changes nothing. */
enum jw_err store_check_lock(const char *path, struct jw_why *why);
/*
 * Open, or create, the database at path (its directory must exist), lock it,
 * check it, and migrate it (after a copy to PATH.before-VERSION).  Each with
 * why: JW_LOCKED (another daemon), JW_SYMLINK, JW_FOREIGN_FILE,
 * JW_NEWER_SCHEMA, JW_CORRUPT, JW_NO_SPACE, JW_STORE_FAILED,
 * JW_PERMISSION_DENIED (others may write it), and JW_DATABASE_GONE where uuid
 * is not NULL and no database, or another one, is at path.  A refused file is
 * left as it was.  `now` is for a new database.
 */
enum jw_err store_open(const char *path, const char *uuid, int64_t now,
    struct store **ret_store, struct jw_why *why);
void store_close(struct store *store);

/*
 * A COMMIT failed, and its changes may be on disk all the same.  Until
 * store_recover() has succeeded every other function returns JW_STORE_FAILED:
 * the rows that can be read may be gone after a power cut.
 */
bool store_in_doubt(const struct store *store);
/* Enter that state because the caller could not take over the rows of the
 * store. */
void store_doubt(struct store *store);
/*
 * Write the log again, open the same database, and make one commit: JW_OK when
 * the disk has confirmed all of it; the rows that can be read then are final.
 * JW_STORE_FAILED, JW_NO_SPACE, JW_NO_MEMORY, JW_LOCKED: still in doubt, try
 * again.  Other errors of store_open(): the file is another one, or damaged.
 */
enum jw_err store_recover(struct store *store, int64_t now, struct jw_why *why);

/* The identity of the database, for ever; owned by the store. */
const char *store_uuid(const struct store *store);

/* The message of the last failure, for a log. */
const char *store_message(const struct store *store);

/*
 * Every living key set with its living generations, in the order of ids.  fn
 * takes over set's heap members (the struct itself is the store's);
 * `spread` of the generations is left 0.
 * Stops at the first error of fn, and returns it.
 */
typedef enum jw_err store_set_fn(struct key_set *take_set, void *arg);
enum jw_err store_load(struct store *store, store_set_fn *fn, void *arg);

/* Every front has read, before `at`, that all removed key sets are gone. */
enum jw_err store_withdrawn(struct store *store, int64_t at);

/* Every removed key set that had a name, in the order of ids. */
typedef void store_facts_fn(const struct key_set_facts *facts, void *arg);
enum jw_err store_each_removed(
    struct store *store, const char *name, store_facts_fn *fn, void *arg);

/*
 * Every generation of a key set with a number below `below`, highest first, or
 * every one whose kid begins with kid_prefix; removed and revoked ones too.
 * The key is owned by the store.  Stops without error when fn returns false.
 */
typedef bool store_key_fn(int64_t set_id, const struct key *key, void *arg);
enum jw_err store_each_key(struct store *store, int64_t set_id, int64_t below,
    store_key_fn *fn, void *arg);
enum jw_err store_find_kid(
    struct store *store, const char *kid_prefix, store_key_fn *fn, void *arg);

/*
 * The sealed private key; the caller frees it.  JW_NO_SUCH_KEY when there is
 * none (destroyed, verify-only).
 */
enum jw_err store_sealed(struct store *store, int64_t set_id, int64_t number,
    uint8_t **ret_blob, size_t *ret_len);

/*
 * Remove erased private keys from the files of the database: older pages of the
 * log still have them.  Does nothing when there are none.  JW_NO_SPACE,
 * JW_STORE_FAILED: try again.
 */
enum jw_err store_scrub(struct store *store);

/* The first number that no generation of a key set of that name has had. */
enum jw_err store_next_number(
    struct store *store, const char *name, int64_t *ret_number);

/* Frees what a key set holds, not the struct. */
void store_set_done(struct key_set *set);

#endif
