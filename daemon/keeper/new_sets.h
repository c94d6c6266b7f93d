/*
 * How a key set begins: whole, or not at all.
 */
#ifndef JWKSD_DAEMON_KEEPER_NEW_SETS_H
#define JWKSD_DAEMON_KEEPER_NEW_SETS_H

#include <stddef.h>

#include "common/base/err.h"
#include "daemon/keeper/keeper.h"

struct keeper_making; /* of key pairs; ends with the call of its function */
struct keys_pair;
struct lc_outcome;

/* Called on the event loop; pairs are the callee's only for the call. */
typedef void keeper_pairs_fn(
    enum jw_err err, struct keys_pair *const *pairs, size_t count, void *arg);

/*
 * Make count key pairs off the event loop, one after the other and after those
 * that existing key sets need.  On JW_OK fn is called once, with JW_IO when the
 * keeper ends first.
 */
enum jw_err keeper_generate(struct keeper *keeper,
    const struct jw_policy *policy, size_t count, keeper_pairs_fn *fn,
    void *arg, struct keeper_making **ret_making);
/* They are not wanted any more: fn is not called. */
void keeper_cancel(struct keeper *keeper, struct keeper_making *making);

/*
 * A key set as it will be when it begins its life with these pairs: published
 * and signing, or waiting for the end of an earlier one of its name
 * (lc_begin(), with `now`).  Release with store_set_done().  JW_CONFLICT:
 * there is one of that name.
 */
enum jw_err keeper_draft_set(struct keeper *keeper, const char *name,
    const struct jw_policy *policy, struct keys_pair *const *pairs,
    size_t count, bool now, struct key_set *ret_draft,
    struct lc_outcome *ret_outcome);

/* Make a draft true, as keeper_commit() does.  The draft is its own from here
 * on, on success and on failure. */
enum jw_err keeper_add_set(struct keeper *keeper, struct key_set *take_draft,
    struct keys_pair *const *pairs, const struct keeper_commit *how);

#endif
