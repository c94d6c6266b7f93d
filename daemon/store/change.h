/*
 * What one transaction of the store is made of.  Plain data; everything that
 * is pointed at is the caller's and outlives the commit.
 */
#ifndef JWKSD_DAEMON_STORE_CHANGE_H
#define JWKSD_DAEMON_STORE_CHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/model.h"

/* A new generation: kid, jwk and facts of key, and its sealed private key
 * (NULL: verify-only). */
struct store_new_key {
	const struct key *key;
	const uint8_t *sealed;
	size_t sealed_len;
};

/* Who asked; all -1 for the daemon itself. */
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

#endif
