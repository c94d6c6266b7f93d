/*
 * The private key of a generation, and the record of the largest exp that it
 * has signed.
 */
#ifndef JWKSD_DAEMON_KEEPER_SIGN_H
#define JWKSD_DAEMON_KEEPER_SIGN_H

#include <stdint.h>

#include "common/base/err.h"
#include "daemon/keeper/keeper.h"

struct keys_pair;

/* The generation that signs; NULL: there is none.  Valid until the next commit
 * of the key set. */
const struct key *keeper_active(const struct keeper_set *set);

/*
 * Open a generation's private key.  Reads the store, and signs and verifies
 * once.  JW_UNSEAL, JW_NO_SUCH_KEY (there is none), JW_STORE_FAILED,
 * JW_BAD_KEY, JW_NO_MEMORY (which says nothing about the key: the next try
 * may succeed).  Free with crypto_free().
 */
enum jw_err keeper_unseal(struct keeper *keeper, const struct keeper_set *set,
    const struct key *key, struct keys_pair **ret_pair);

/*
 * The active generation signs a token that is valid until max_exp: on disk
 * when this returns.  Does nothing when a larger one is known.  Where nothing
 * can be committed (the disk is full, the database was moved), it is kept in
 * memory and goes with the next commit: JW_OK.  Other errors are
 * keeper_commit()'s; after JW_OUTCOME_UNKNOWN set is gone.
 */
enum jw_err keeper_note_exp(
    struct keeper *keeper, struct keeper_set *set, int64_t max_exp);

/* Commit the recorded exps that could not be committed before, once that is
 * worth another try. */
void keeper_note_late(struct keeper *keeper, int64_t now);

/* The last process may have signed tokens without recording their exp: the next
 * commit of each key set records the longest exp that its policy allows. */
void keeper_doubt_exps(struct keeper *keeper, int64_t now);

#endif
