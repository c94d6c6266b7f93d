/*
 * Requests (method calls that have been answered), and single values about the
 * database as a whole.
 */
#ifndef JWKSD_DAEMON_STORE_META_H
#define JWKSD_DAEMON_STORE_META_H

#include <stdint.h>

#include "common/base/err.h"
#include "daemon/store/change.h"

struct store;

/* The caller frees both texts.  JW_NO_SUCH_KEY: no such request. */
enum jw_err store_request_find(
    struct store *store, const char *id, char **ret_asked, char **ret_outcome);
/* Delete requests from before a time, but none of the latest `keep`. */
enum jw_err store_request_prune(
    struct store *store, int64_t before, int64_t keep);

/* JW_NO_SUCH_KEY when unset.  The caller frees. */
enum jw_err store_meta_get(
    struct store *store, const char *name, char **ret_value);
enum jw_err store_meta_set(
    struct store *store, const char *name, const char *value);
/*
 * Set a value that holds for all key sets, with the audit rows and the request
 * of a change (change->set is NULL), in one transaction.  Errors are
 * store_commit()'s.
 */
enum jw_err store_meta_commit(struct store *store, const char *name,
    const char *value, const struct store_change *change);

#endif
