/*
 * Looking at a key set, and changing it: an edit is begun, changed by the
 * lifecycle, and committed as a whole.
 */
#ifndef JWKSD_DAEMON_KEEPER_COMMIT_H
#define JWKSD_DAEMON_KEEPER_COMMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/store/change.h"

struct keeper;
struct keeper_set;

void keeper_view(const struct keeper_set *set, struct lc_set *ret_view);
struct lc_env keeper_env(struct keeper *keeper, const struct keeper_set *set);

struct keeper_edit {
	struct keeper_set *set;
	struct lc_env env;
	struct lc_set before;
	struct lc_set after; /* the caller's to change */
};

void keeper_edit_begin(struct keeper *keeper, struct keeper_set *set,
    struct keeper_edit *ret_edit);

/* The cause of a commit, and the order that asked for it.  All but cause may be
 * NULL or empty. */
struct keeper_commit {
	const char *cause;
	const char *event; /* of an order: gets an audit row */
	const char *reason;
	struct store_actor actor;
	const struct store_request *request;
	const struct store_new_key *created;
	size_t ncreated;
	bool urgent; /* on a full disk it may use the reserve */
};

/*
 * Commit an edit: on disk, then in memory, then to the observers.  Errors are
 * store_commit()'s; then nothing has changed in memory.  After
 * JW_OUTCOME_UNKNOWN memory follows the store once the disk confirms it, or the
 * event loop ends; the key set may be gone.  JW_OK takes over the created
 * `jwk`s.
 */
enum jw_err keeper_commit(struct keeper *keeper, struct keeper_edit *edit,
    const struct keeper_commit *how);

/* ---- what is published ---- */

/* The document of a key set as it is (view NULL), or as a view of it would be.
 * The caller frees.  JW_NO_ACTIVE_KEY before the first version. */
enum jw_err keeper_render(
    const struct keeper_set *set, const struct lc_set *view, char **ret_body);

#endif
