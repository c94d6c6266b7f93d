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

/* JWS algorithms: RFC 7518 3.1, RFC 8037, RFC 8812, RFC 9864, RFC 9964. */
enum jw_alg {
	JW_ALG_RS256,
	JW_ALG_RS384,
	JW_ALG_RS512,
	JW_ALG_PS256,
	JW_ALG_PS384,
	JW_ALG_PS512,
	JW_ALG_ES256,
	JW_ALG_ES384,
	JW_ALG_EDDSA,   /* Ed25519 under the name most verifiers know */
	JW_ALG_ED25519, /* the same keys under the RFC 9864 name */
	JW_ALG_ES512,   /* from here on exotic */
	JW_ALG_ES256K,
	JW_ALG_ED448,
	JW_ALG_MLDSA44, /* where the OpenSSL at hand has it: crypto_supported()
			 */
	JW_ALG_MLDSA65,
	JW_ALG_MLDSA87,
	JW_ALG_COUNT
};

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
