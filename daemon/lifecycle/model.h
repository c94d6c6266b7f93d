/*
 * The rows of key sets and generations.  Plain data, no code.
 *
 * A generation holds facts (`*_at`: when something happened; 0: it has not) and
 * deadlines (`*_due`: when something may or must happen; 0: none yet), all in
 * seconds since the epoch.  The state follows from the facts alone.
 */
#ifndef JWKSD_DAEMON_LIFECYCLE_MODEL_H
#define JWKSD_DAEMON_LIFECYCLE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/policy.h"

enum {
	MODEL_NAME_SIZE = 128,      /* "APP/NAME", two labels of 63 */
	MODEL_KID_SIZE = 44,        /* base64url of SHA-256 */
	MODEL_GENERATIONS_MAX = 32, /* living ones of one key set */
};

enum gen_state {
	GEN_PENDING,
	GEN_PUBLISHED,
	GEN_READY,
	GEN_ACTIVE,
	GEN_RETIRED,
	GEN_REMOVED,
	GEN_REVOKED,
	GEN_STATE_COUNT
};

struct generation {
	int64_t number; /* from 1, strictly increasing in its key set */

	int64_t created_at;
	int64_t published_at;
	int64_t ready_at;
	int64_t activated_at; /* the last time */
	int64_t retired_at;   /* the last time */
	int64_t removed_at;
	int64_t revoked_at;
	int64_t destroyed_at; /* the private key is gone */
	/* A version without it was servable until then; 0: it may still be,
	 * since not every front is known to have read a version with it. */
	int64_t absent_until;
	int64_t max_exp; /* the largest exp that it signed */

	int64_t publish_due;
	int64_t ready_due;
	int64_t rotate_due;
	int64_t destroy_due;
	int64_t remove_due;

	int32_t activations; /* how often it became active */
	int32_t retirements; /* how often it stopped being active */
	int32_t alg;         /* enum jw_alg */
	uint32_t spread;     /* from the kid: spreads rotations in time */
	bool verify_only;    /* imported without a private half */
	bool damaged; /* its row is damaged: it is neither published nor signed
			 with */
	uint8_t unused[6]; /* zero: generations are compared as octets */
};

/* The members of a key set that change. */
struct key_set_facts {
	struct jw_policy policy;
	int64_t next_number;  /* of the next generation */
	int64_t version;      /* of the published bytes; 0: none yet */
	int64_t version_at;   /* when that version was made */
	int64_t wanted_at;    /* an operator wants a rotation then; 0: none */
	int64_t copies_until; /* copies from before a policy change live */
	int64_t tokens_until; /* tokens from before a policy change live */
	/* Copies from before another cache_max_age or verifier_max_age live,
	 * in caches and with verifiers that poll. */
	int64_t cached_until;
	int64_t polled_until;
	int64_t removed_at;   /* the key set is gone */
	int64_t withdrawn_at; /* when every front had read that; 0: not yet */
	int64_t follows_at;   /* one of its name was servable until then */
	bool frozen;          /* by an operator, whatever the mode says */
};

/* A generation with its identity and its published form. */
struct key {
	struct generation facts;
	char kid[MODEL_KID_SIZE];
	char *jwk;    /* public JWK, compact, as published */
	char *reason; /* of a revocation; NULL without */
};

/* A key set with its living generations, ordered by number. */
struct key_set {
	char name[MODEL_NAME_SIZE];
	int64_t id;       /* the store's own */
	int64_t revision; /* +1 with every commit: compare and swap */
	struct key_set_facts facts;
	struct key *keys;
	size_t nkeys;
};

#endif
