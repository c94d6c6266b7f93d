/*
 * One row of a table for each algorithm: its type of key, curve, digest and
 * padding in OpenSSL. An algorithm without a row does not exist.
 */
#include <stddef.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "daemon/crypto/internal.h"

#define RSA .family = &crypto_rsa, .type = "RSA", .id = EVP_PKEY_RSA
#define EC .family = &crypto_ec, .type = "EC", .id = EVP_PKEY_EC
#define ED25519                                                           \
	.family = &crypto_okp, .type = "ED25519", .id = EVP_PKEY_ED25519, \
	.crv = "Ed25519", .octets = 32
#define ED448                                                         \
	.family = &crypto_okp, .type = "ED448", .id = EVP_PKEY_ED448, \
	.crv = "Ed448", .octets = 57

/* clang-format off */
const struct algorithm crypto_algorithms[JW_ALG_COUNT] = {
[JW_ALG_RS256] = {RSA, .digest = "SHA256"},
[JW_ALG_RS384] = {RSA, .digest = "SHA384"},
[JW_ALG_RS512] = {RSA, .digest = "SHA512"},
[JW_ALG_PS256] = {RSA, .digest = "SHA256", .pss = true},
[JW_ALG_PS384] = {RSA, .digest = "SHA384", .pss = true},
[JW_ALG_PS512] = {RSA, .digest = "SHA512", .pss = true},
[JW_ALG_ES256] = {EC, .crv = "P-256", .group = "prime256v1",
    .digest = "SHA256", .field = 32, .quick = true},
[JW_ALG_ES384] = {EC, .crv = "P-384", .group = "secp384r1",
    .digest = "SHA384", .field = 48},
[JW_ALG_ES512] = {EC, .crv = "P-521", .group = "secp521r1",
    .digest = "SHA512", .field = 66},
[JW_ALG_ES256K] = {EC, .crv = "secp256k1", .group = "secp256k1",
    .digest = "SHA256", .field = 32},
[JW_ALG_EDDSA] = {ED25519, .quick = true},
[JW_ALG_ED25519] = {ED25519, .quick = true},
[JW_ALG_ED448] = {ED448},
[JW_ALG_MLDSA44] = {.family = &crypto_akp, .type = "ML-DSA-44", .octets = 1312},
[JW_ALG_MLDSA65] = {.family = &crypto_akp, .type = "ML-DSA-65", .octets = 1952},
[JW_ALG_MLDSA87] = {.family = &crypto_akp, .type = "ML-DSA-87",
    .octets = AKP_OCTETS_MAX},
};
/* clang-format on */

/* OpenSSL 3.0, the oldest that is supported, has all other families. */
static bool
openssl_has(const struct algorithm *algorithm)
{
	EVP_KEYMGMT *keymgmt;
	EVP_SIGNATURE *signature;
	bool has;

	if (algorithm->family != &crypto_akp)
		return true;
	keymgmt = EVP_KEYMGMT_fetch(NULL, algorithm->type, NULL);
	signature = EVP_SIGNATURE_fetch(NULL, algorithm->type, NULL);
	has = keymgmt != NULL && signature != NULL;
	EVP_KEYMGMT_free(keymgmt);
	EVP_SIGNATURE_free(signature);
	ERR_clear_error();
	return has;
}

static bool
openssl_is_older(unsigned major, unsigned minor)
{
	return OPENSSL_version_major() < major ||
	       (OPENSSL_version_major() == major &&
		   OPENSSL_version_minor() < minor);
}

const struct algorithm *
crypto_algorithm(enum jw_alg alg, struct jw_why *why)
{
	const char *version = OpenSSL_version(OPENSSL_VERSION_STRING);

	if ((unsigned)alg >= JW_ALG_COUNT) {
		jw_why_set(why, "no such algorithm: %d", (int)alg);
		return NULL;
	}
	if (openssl_has(&crypto_algorithms[alg]))
		return &crypto_algorithms[alg];
	if (openssl_is_older(3, 5))
		jw_why_set(why,
		    "%s needs OpenSSL 3.5 or newer; this is OpenSSL %s",
		    jw_alg_name((int)alg), version);
	else
		jw_why_set(why,
		    "%s needs an OpenSSL that was built with it; this "
		    "OpenSSL %s was not",
		    jw_alg_name((int)alg), version);
	return NULL;
}

enum jw_err
crypto_supported(enum jw_alg alg, struct jw_why *why)
{
	return crypto_algorithm(alg, why) == NULL ? JW_BAD_POLICY : JW_OK;
}
