/*
 * The JWS algorithms, which of them may share a key set, and how many of their
 * public keys a JWKSet holds.  Pure functions; nothing blocks.  Whether an
 * algorithm works here is another question: crypto_supported().
 */
#ifndef JWKSD_COMMON_CONFIG_ALG_H
#define JWKSD_COMMON_CONFIG_ALG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
	JW_SET_OCTETS_MAX = 16384, /* of a JWKSet: what every verifier reads */
	JW_SET_KEYS_MAX = 10,
};

/*
 * Every JWS algorithm (RFC 7518 3.1, RFC 8037, RFC 8812, RFC 9864, RFC 9964):
 * its value, name, whether it is exotic (jw_alg_is_exotic()), and the octets of
 * an AKP public key (FIPS 204 table 2).  EdDSA is Ed25519 under the name that
 * most verifiers know.  A new one is a row here and one in daemon/crypto.
 */
#define JW_ALGORITHMS(ROW)                    \
	ROW(RS256, "RS256", false, 0)         \
	ROW(RS384, "RS384", false, 0)         \
	ROW(RS512, "RS512", false, 0)         \
	ROW(PS256, "PS256", false, 0)         \
	ROW(PS384, "PS384", false, 0)         \
	ROW(PS512, "PS512", false, 0)         \
	ROW(ES256, "ES256", false, 0)         \
	ROW(ES384, "ES384", false, 0)         \
	ROW(EDDSA, "EdDSA", false, 0)         \
	ROW(ED25519, "Ed25519", false, 0)     \
	ROW(ES512, "ES512", true, 0)          \
	ROW(ES256K, "ES256K", true, 0)        \
	ROW(ED448, "Ed448", true, 0)          \
	ROW(MLDSA44, "ML-DSA-44", true, 1312) \
	ROW(MLDSA65, "ML-DSA-65", true, 1952) \
	ROW(MLDSA87, "ML-DSA-87", true, 2592)

#define JW_ALG_VALUE(value, name, exotic, pub) JW_ALG_##value,
enum jw_alg { JW_ALGORITHMS(JW_ALG_VALUE) JW_ALG_COUNT };

/* "ES256"; NULL outside the enum. */
const char *jw_alg_name(int alg);
/* The enum jw_alg of a name (exact case); -1 for an unknown one. */
int jw_alg_parse(const char *name);

/*
 * One key of such an algorithm makes many verifiers refuse the whole set that
 * it is in: a key set of such an algorithm has no key of another one.
 */
bool jw_alg_is_exotic(int alg);
/*
 * May a key set that signs with `from` go over to `to`?  Among the common
 * ones always; an exotic algorithm stays what it is for the life of its key
 * set.
 */
bool jw_alg_may_follow(int from, int to);
/* Why jw_alg_may_follow() is false, and the right alternative. */
void jw_alg_why_not_follow(int from, int to, struct jw_why *why);
/*
 * How many public keys of alg fit into one JWKSet: JW_SET_KEYS_MAX, or fewer
 * where they are so large that JW_SET_OCTETS_MAX are full before.
 */
int32_t jw_alg_max_published(int alg);

#endif
