/*
 * One transaction of the store.  Plain data; everything that is pointed at
 * belongs to the caller and outlives the commit.
 */
#ifndef JWKSD_DAEMON_STORE_CHANGE_H
#define JWKSD_DAEMON_STORE_CHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/lifecycle/model.h"

struct store;

/* A new generation: kid, jwk and facts of key, and its sealed private key
 * (NULL: verify-only). */
struct store_new_key {
	const struct key *key;
	const uint8_t *sealed;
	size_t sealed_len;
};

/* The client that ordered it; all -1 for the daemon itself. */
struct store_actor {
	int64_t uid, gid, pid;
};

struct store_audit {
	int64_t generation; /* 0: of the key set as a whole */
	const char *kid;    /* NULL as well */
	const char *event;
	const char *from_state; /* NULL: none */
	const char *to_state;
	const char *cause;
};

struct store_request {
	const char *id;
	const char *method;
	const char *asked;
	const char *outcome;
};

/* One transaction. */
struct store_change {
	const struct key_set *set; /* id, name, revision; id 0: a new one */
	const struct key_set_facts *facts; /* as they are to be */
	int64_t now;

	const struct generation *updated; /* rows that exist */
	size_t nupdated;
	const char *reason; /* of the revocations among them; or NULL */
	const struct store_new_key *created;
	size_t ncreated;
	const struct store_audit *audit;
	size_t naudit;
	struct store_actor actor;
	const char *audit_reason;            /* or NULL */
	const struct store_request *request; /* or NULL */
};

/*
 * JW_CONFLICT: the revision is another, a name or a kid exists (tombstones
 * included), or a second signer.  JW_NO_SPACE, JW_STORE_FAILED: nothing
 * changed.  JW_OUTCOME_UNKNOWN: the commit itself failed; the store is in doubt
 * from then on (store_in_doubt()).  On JW_OK *ret_id is the key set's id and
 * its revision is one more than it was (1 for a new one).  Private keys of
 * generations with destroyed_at set are erased.
 */
enum jw_err store_commit(
    struct store *store, const struct store_change *change, int64_t *ret_id);
/*
 * Several changes (at least one) in one transaction: all or none.  Their
 * request, if they have one, is the same and is recorded once.  Errors are
 * store_commit()'s; *ret_ids has room for count, and is void on failure.
 */
enum jw_err store_commit_all(struct store *store,
    const struct store_change *changes, size_t count, int64_t *ret_ids);

#endif
