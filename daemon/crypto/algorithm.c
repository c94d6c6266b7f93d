/*
 * What each algorithm needs of OpenSSL (type of key, curve, digest, padding):
 * one row of a table.  An algorithm without a row does not exist.
 */
#include <stddef.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "daemon/crypto/internal.h"

/* clang-format off */
#define RSA_ROW(digest, pss) \
	{ &crypto_rsa, "RSA", EVP_PKEY_RSA, NULL, NULL, digest, pss, 0, 0 }
#define EC_ROW(crv, group, digest, field) \
	{ &crypto_ec, "EC", EVP_PKEY_EC, crv, group, digest, false, field, 0 }
#define OKP_ROW(crv, type, id, octets) \
	{ &crypto_okp, type, id, crv, NULL, NULL, false, 0, octets }
#define AKP_ROW(type, octets) \
	{ &crypto_akp, type, 0, NULL, NULL, NULL, false, 0, octets }
/* clang-format on */

const struct algorithm crypto_algorithms[JW_ALG_COUNT] = {
    [JW_ALG_RS256] = RSA_ROW("SHA256", false),
    [JW_ALG_RS384] = RSA_ROW("SHA384", false),
    [JW_ALG_RS512] = RSA_ROW("SHA512", false),
    [JW_ALG_PS256] = RSA_ROW("SHA256", true),
    [JW_ALG_PS384] = RSA_ROW("SHA384", true),
    [JW_ALG_PS512] = RSA_ROW("SHA512", true),
    [JW_ALG_ES256] = EC_ROW("P-256", "prime256v1", "SHA256", 32),
    [JW_ALG_ES384] = EC_ROW("P-384", "secp384r1", "SHA384", 48),
    [JW_ALG_ES512] = EC_ROW("P-521", "secp521r1", "SHA512", 66),
    [JW_ALG_ES256K] = EC_ROW("secp256k1", "secp256k1", "SHA256", 32),
    [JW_ALG_EDDSA] = OKP_ROW("Ed25519", "ED25519", EVP_PKEY_ED25519, 32),
    [JW_ALG_ED25519] = OKP_ROW("Ed25519", "ED25519", EVP_PKEY_ED25519, 32),
    [JW_ALG_ED448] = OKP_ROW("Ed448", "ED448", EVP_PKEY_ED448, 57),
    [JW_ALG_MLDSA44] = AKP_ROW("ML-DSA-44", 1312),
    [JW_ALG_MLDSA65] = AKP_ROW("ML-DSA-65", 1952),
    [JW_ALG_MLDSA87] = AKP_ROW("ML-DSA-87", AKP_OCTETS_MAX),
};

/* The other families are as old as the oldest OpenSSL that will do. */
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
