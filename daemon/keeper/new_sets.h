/*
 * How key sets begin: several in one transaction, each with all its keys.
 */
#ifndef JWKSD_DAEMON_KEEPER_NEW_SETS_H
#define JWKSD_DAEMON_KEEPER_NEW_SETS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"

struct keeper_new_sets; /* that begin together */

struct keeper_new_set {
	/* The caller sets name and policy; the keys come with
	 * keeper_make_keys(), the other facts with keeper_draft_sets(). */
	struct key_set row;
	struct lc_outcome outcome;     /* of keeper_draft_sets() */
	struct store_new_key *created; /* sealed private keys, one a key */
};

/* Room for count key sets, at least one; NULL: no memory. */
struct keeper_new_sets *keeper_new_sets_new(
    struct keeper *keeper, size_t count);
size_t keeper_new_sets_count(const struct keeper_new_sets *sets);
struct keeper_new_set *keeper_new_sets_at(
    struct keeper_new_sets *sets, size_t place);
/* Keys that are still being made are not waited for. */
void keeper_new_sets_free(struct keeper_new_sets *sets);

/*
 * Make and seal the keys of every key set (one to sign and its standbys) off
 * the event loop, one after the other and after those that existing key sets
 * need.  JW_OK: fn is called on the event loop, several times with the number
 * of key sets that are done so far, at last with all of them or an error
 * (JW_BAD_KEY, JW_IO when the keeper ends first, ...).  Blocks on the disk to
 * look up each name's next generation number.
 */
typedef void keeper_made_fn(enum jw_err err, size_t made, void *arg);
enum jw_err keeper_make_keys(
    struct keeper_new_sets *sets, keeper_made_fn *fn, void *arg);

/*
 * The key sets as they will be when they begin now: published and signing, or
 * waiting for the end of an earlier one of the same name (lc_begin(), with
 * `now`).  JW_CONFLICT: there is one of that name, or was one since the keys
 * were made; *ret_place says which of them failed.
 */
enum jw_err keeper_draft_sets(
    struct keeper_new_sets *sets, bool now, size_t *ret_place);

/*
 * Commit drafts in one transaction, hold them in memory and tell the observers,
 * as keeper_commit() does for one.
 */
enum jw_err keeper_add_sets(
    struct keeper_new_sets *sets, const struct keeper_commit *how);

#endif
