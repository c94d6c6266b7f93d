/*
 * Unsealed private keys, and signatures with them: a bounded number of keys
 * (the least recently used is dropped first), threads for slow algorithms, and
 * a bounded queue in front of them.
 *
 * Which key may sign is decided by the caller.  Everything runs on the event
 * loop but the signatures on threads.
 */
#ifndef JWKSD_DAEMON_CRYPTO_SIGNER_H
#define JWKSD_DAEMON_CRYPTO_SIGNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"

struct event_base;
struct keys_pair;
struct crypto_signer;
struct crypto_signer_key; /* lives while the signer has it or a signature uses
			     it */

/* keys_max keys; jobs_max signatures that wait for a thread, of which each user
 * may have as many as it leaves to others. */
enum jw_err crypto_signer_new(struct event_base *base, int threads,
    size_t keys_max, size_t jobs_max, struct crypto_signer **ret_signer);
/* Waiting signatures are dropped. */
void crypto_signer_free(struct crypto_signer *signer);

/* NULL: the signer does not have it.  Counts as a use. */
struct crypto_signer_key *crypto_signer_find(
    struct crypto_signer *signer, const char *kid);
/* Keep a pair of a key set; NULL: no memory, and the pair has been freed. */
struct crypto_signer_key *crypto_signer_keep(
    struct crypto_signer *signer, int64_t set_id, struct keys_pair *take_pair);
/* Forget every key for which `may_stay` is false.  A signature that a thread is
 * making is finished with it; those that wait end with JW_CONFLICT. */
typedef bool crypto_signer_stay_fn(int64_t set_id, const char *kid, void *arg);
void crypto_signer_sweep(
    struct crypto_signer *signer, crypto_signer_stay_fn *may_stay, void *arg);

/*
 * A signature, or why there is none: JW_CONFLICT when the key was forgotten
 * before its turn came (sign with its successor), JW_BAD_KEY, JW_NO_MEMORY.
 */
typedef void crypto_signer_done_fn(
    enum jw_err err, const uint8_t *signature, size_t len, void *arg);

/*
 * Sign len octets of data, which the caller keeps until `done` or `drop` is
 * called.  On JW_OK exactly one of the two is called: `done`, maybe before this
 * returns, or `drop` when the signer is freed.  Nothing is signed once *gone is
 * true (NULL: it never is), because the client has closed its connection:
 * `done` has JW_CONFLICT then.  Users take turns at the threads; uid is only
 * compared.  JW_OVERLOADED: too many wait; JW_NO_MEMORY.
 */
enum jw_err crypto_signer_sign(struct crypto_signer *signer,
    struct crypto_signer_key *key, uid_t uid, const void *data, size_t len,
    const atomic_bool *gone, crypto_signer_done_fn *done,
    void (*drop)(void *arg), void *arg);

#endif
