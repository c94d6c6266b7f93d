/*
 * Shared by the files of key pairs: the row of an algorithm, and the family of
 * a key.
 */
#ifndef JWKSD_DAEMON_CRYPTO_INTERNAL_H
#define JWKSD_DAEMON_CRYPTO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/crypto/keys.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 4096,
	RSA_OCTETS_MAX = RSA_BITS_MAX / 8,
	AKP_OCTETS_MAX = 2592,
	MEMBERS_MAX = 2, /* public ones of a JWK */
};

struct algorithm;
struct import;

/* One kty of a JWK. */
struct family {
	const char *kty;
	/* The public members of a JWK, as they are published, and OpenSSL's
	 * names of the same; the second may be NULL. */
	const char *members[MEMBERS_MAX];
	const char *params[MEMBERS_MAX];
	bool alg_is_member; /* of what a thumbprint is made over (RFC 9964) */
	/* Sizes and curve; cheap.  NULL: its type says all. */
	enum jw_err (*check)(const struct algorithm *algorithm,
	    const struct evp_pkey_st *pkey, struct jw_why *why);
	enum jw_err (*from_jwk)(struct import *import);
	/* The private half; *ret_der for crypto_private_free(). */
	enum jw_err (*to_der)(
	    const struct evp_pkey_st *pkey, uint8_t **ret_der, size_t *ret_len);
	/* NULL for anything but such DER. */
	struct evp_pkey_st *(*from_der)(
	    const struct algorithm *algorithm, const uint8_t *der, size_t len);
};

extern const struct family crypto_rsa, crypto_ec, crypto_okp, crypto_akp;

struct algorithm {
	const struct family *family;
	const char *type;   /* OpenSSL's name of the type of key */
	int id;             /* OpenSSL's number of it; 0: no DER needs one */
	const char *crv;    /* as a JWK has it */
	const char *group;  /* the same curve as OpenSSL answers it */
	const char *digest; /* NULL where the scheme has its own */
	bool pss;
	bool quick;    /* signs faster than a thread is reached and left */
	size_t field;  /* octets of a coordinate, for ECDSA */
	size_t octets; /* of x (OKP) or pub (AKP) */
};

extern const struct algorithm crypto_algorithms[JW_ALG_COUNT];
/* NULL with why for one that does not exist, or not in this OpenSSL. */
const struct algorithm *crypto_algorithm(enum jw_alg alg, struct jw_why *why);

struct sign_contexts;

struct keys_pair {
	enum jw_alg alg;
	const struct algorithm *algorithm;
	struct evp_pkey_st *pkey;
	struct sign_contexts *contexts; /* NULL without a private half */
	char kid[KEYS_KID_SIZE];
	uint8_t spki_hash[KEYS_HASH_SIZE];
	char *jwk;
};

/* ---- heap.c ---- */

bool crypto_reseed(void);
/* Empty OpenSSL's error queue of this thread.  Returns err, or JW_NO_MEMORY
 * where the queue says that the reason was a full (secure) heap. */
enum jw_err crypto_result(enum jw_err err);

/* ---- import.c ---- */

enum jw_err crypto_any_to_der(
    const struct evp_pkey_st *pkey, uint8_t **ret_der, size_t *ret_len);
struct evp_pkey_st *crypto_any_from_der(
    const struct algorithm *algorithm, const uint8_t *der, size_t len);

/* ---- jwk.c, keys.c, sign.c ---- */

/* ret_hash has KEYS_HASH_SIZE octets. */
bool crypto_sha256(const void *data, size_t len, uint8_t *ret_hash);
/* Fill kid, spki_hash and jwk. */
bool crypto_describe_pair(struct keys_pair *pair);
/* Takes pkey, also on failure. */
enum jw_err crypto_take_pkey(enum jw_alg alg, struct evp_pkey_st *pkey,
    bool private, struct keys_pair **ret_pair);
/* NULL: the key cannot sign with its algorithm. */
struct sign_contexts *crypto_contexts_new(const struct keys_pair *pair);
void crypto_contexts_free(struct sign_contexts *contexts);

#endif
