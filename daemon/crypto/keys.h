/*
 * Key pairs: generate, describe, sign, verify.
 *
 * Private octets never leave this folder.  Functions are safe to call from
 * several threads at once on different keys; crypto_sign also on the same key.
 */
#ifndef JWKSD_DAEMON_CRYPTO_KEYS_H
#define JWKSD_DAEMON_CRYPTO_KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/alg.h"

enum {
	KEYS_KID_SIZE = 44,        /* base64url of SHA-256, and NUL */
	KEYS_ETAG_SIZE = 25,       /* quotes, base64url of 16 octets, NUL */
	KEYS_SIGNATURE_MAX = 4627, /* ML-DSA-87 */
	KEYS_HASH_SIZE = 32,
};

struct keys_pair;

/* Once per process, before any other function here and before any thread.
 * *ret_locked: the secure heap is locked into memory. */
enum jw_err crypto_init(size_t secure_heap_bytes, int *ret_locked);
void crypto_done(void);

/* JW_BAD_POLICY with why where the OpenSSL that runs has no alg; every other
 * function then fails with JW_BAD_KEY. */
enum jw_err crypto_supported(enum jw_alg alg, struct jw_why *why);

/*
 * Make a new key pair for alg; rsa_bits counts for RSA only.  Reseeds the
 * generator first.  May take 10 s for RSA-4096: never on the event loop.  Ends
 * early, with JW_BAD_KEY, when another thread sets *cancelled (NULL: no thread
 * does).  JW_BAD_KEY when OpenSSL fails, JW_NO_MEMORY. Free with crypto_free().
 */
enum jw_err crypto_generate(enum jw_alg alg, int rsa_bits,
    const atomic_bool *cancelled, struct keys_pair **ret_pair);
void crypto_free(struct keys_pair *pair);

enum jw_alg crypto_alg(const struct keys_pair *pair);
/* Does a signature take less time than passing it to a thread and back? */
bool crypto_is_quick(const struct keys_pair *pair);

/* RFC 7638 SHA-256 thumbprint; KEYS_KID_SIZE octets. */
const char *crypto_kid(const struct keys_pair *pair);

/*
 * The public JWK as it is published: compact JSON, members in the order kty use
 * alg kid and then n e | crv x y | crv x | pub (RFC 9964).  EC coordinates have
 * the full field size (RFC 7518 6.2.1.2), n the minimal one (6.3.1.1).  Owned
 * by the pair.
 */
const char *crypto_public_jwk(const struct keys_pair *pair);

/* SHA-256 of the DER SubjectPublicKeyInfo; KEYS_HASH_SIZE octets. */
const uint8_t *crypto_spki_hash(const struct keys_pair *pair);

/*
 * Sign data with the pair's algorithm in its JWS form: ECDSA as R || S of the
 * field size (RFC 7518 3.4), PSS with a salt as long as the hash (3.5).
 * signature has room for KEYS_SIGNATURE_MAX.  JW_BAD_KEY for a pair without
 * a private half.
 */
enum jw_err crypto_sign(const struct keys_pair *pair, const void *data,
    size_t len, uint8_t *signature, size_t *ret_len);
/* JW_BAD_KEY when the signature does not verify. */
enum jw_err crypto_verify(const struct keys_pair *pair, const void *data,
    size_t len, const uint8_t *signature, size_t signature_len);

/*
 * The private half as DER (RFC 8017 A.1.2, RFC 5915, RFC 8410; of ML-DSA the
 * seed, RFC 9881 section 6), for envelope.c alone, in memory of the secure
 * heap; crypto_private_free() cleanses and frees it.
 */
enum jw_err crypto_private_export(
    const struct keys_pair *pair, uint8_t **ret_der, size_t *ret_len);
void crypto_private_free(uint8_t *der, size_t len);
/*
 * The pair from that DER; derives the public half and checks the algorithm
 * against the key type and curve.  JW_BAD_KEY for anything else.
 */
enum jw_err crypto_private_import(enum jw_alg alg, const uint8_t *der,
    size_t len, struct keys_pair **ret_pair);

/*
 * From PEM (PKCS#8, or traditional RSA/EC; ML-DSA with its seed) text, for
 * import and tests.  Never asks for a passphrase.  JW_BAD_KEY with why.  For
 * RSA this proves primes, up to some seconds: not on the event loop.
 */
enum jw_err crypto_from_pem(enum jw_alg alg, const char *pem, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why);
/*
 * From a JWK text (RFC 7517): kty RSA, EC, OKP, AKP; with or without private
 * members.  Members other than the key's own are ignored.  JW_BAD_KEY with
 * why, also for a private half that does not belong to the public one.  For
 * RSA as slow as crypto_from_pem().
 */
enum jw_err crypto_from_jwk(enum jw_alg alg, const char *jwk, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why);

/* A public key from the JWK that crypto_public_jwk() gave.  It was checked when
 * it was made, so only its kind is checked: quick enough for the event loop. */
enum jw_err crypto_from_own_jwk(
    enum jw_alg alg, const char *jwk, struct keys_pair **ret_pair);

/* Strong entity tag (RFC 9110 8.8.3) of a body: quoted base64url of the
 * first 16 octets of its SHA-256.  etag has KEYS_ETAG_SIZE octets. */
enum jw_err crypto_etag(const void *body, size_t len, char *etag);

/* Random octets for identifiers.  JW_BUG when the generator fails. */
enum jw_err crypto_random(void *buf, size_t len);

#endif
