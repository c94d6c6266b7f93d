/*
 * Shared by the files of the signing path: the calls (sign.c), the keys
 * (sign_keys.c) and the tokens (sign_token.c).
 */
#ifndef JWKSD_DAEMON_VERBS_SIGN_INTERNAL_H
#define JWKSD_DAEMON_VERBS_SIGN_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/crypto/signer.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/verbs/claims.h"

enum {
	SIGN_HEADER_ROOM = 256, /* the longest header has 192 octets */
	SIGN_BROKEN_MAX = 32,
};

/* A key that should sign and does not open. */
struct verbs_sign_broken {
	char kid[MODEL_KID_SIZE];
	int64_t set_id;
	int64_t again_at; /* then it is tried again */
};

struct verbs_sign {
	struct verbs *verbs;
	struct crypto_signer *signer;
	struct verbs_rights *rights;
	struct keeper_observer observer;
	struct verbs_sign_broken broken[SIGN_BROKEN_MAX];
	size_t nbroken;
	/* The last header, which most often is the next one as well. */
	char *header; /* base64url */
	char header_type[CLAIMS_TYPE_MAX + 1];
	char header_kid[MODEL_KID_SIZE];
};

/* A call that is being answered. */
struct verbs_sign_request {
	struct verbs_sign *signing;
	struct serve_call *call; /* NULL: the client has gone */
	atomic_bool gone;        /* the same for a thread */
	int64_t set_id;
	int64_t exp;
	bool is_payload;
	char type[CLAIMS_TYPE_MAX + 1];
	char kid[MODEL_KID_SIZE];
	/* The input of the signature: the payload begins SIGN_HEADER_ROOM
	 * octets into the text; before it come the header and a dot. */
	size_t header_len, payload_len;
	char text[];
};

/* ---- sign_keys.c ---- */

/*
 * The key is among those that are open in the signer.  JW_BAD_KEY: it does
 * not open, which is logged and not tried again for a while; JW_STORE_FAILED,
 * JW_NO_MEMORY.
 */
enum jw_err verbs_sign_open_key(struct verbs_sign *signing,
    const struct keeper_set *set, const struct key *key);
/* After each commit: keys that no longer sign are not kept open. */
void verbs_sign_on_news(const struct keeper_news *news, void *arg);

/* ---- sign_token.c ---- */

/* Without a header, which comes with the key; NULL: no memory. */
struct verbs_sign_request *verbs_sign_request_new(
    struct verbs_sign *signing, size_t payload_len);
/* Answers the call, now or later, and frees the request. */
void verbs_sign_start(struct verbs_sign_request *request);
/* The connection of the call is gone: forget the call. */
void verbs_sign_on_closed(struct serve_call *call, void *arg);

#endif
