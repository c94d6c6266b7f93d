/*
 * Keys whose public half is a string of octets: OKP (RFC 8037) and AKP (ML-DSA,
 * RFC 9964).
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "common/base/base64url.h"
#include "common/base/memory.h"
#include "daemon/crypto/import.h"
#include "daemon/crypto/internal.h"

enum { SEED_OCTETS = 32 };

/* OpenSSL 3.5's name for the seed of an ML-DSA key; 3.0 has none. */
#define PARAM_SEED "seed"

/* Public octets from one member, private ones (secret of them) from another,
 * for the parameter of OpenSSL that takes them. */
static enum jw_err
raw_from_jwk(struct import *in, const char *public_member,
    const char *private_member, size_t secret, const char *private_param)
{
	const size_t size = in->algorithm->octets;
	enum jw_err err = crypto_import_octets(
	    in, public_member, size, size, &in->point, &in->point_len);

	if (err == JW_OK && in->private)
		err = crypto_import_octets(in, private_member, secret, secret,
		    &in->scalar, &in->scalar_len);
	if (err != JW_OK)
		return err;
	if (!OSSL_PARAM_BLD_push_octet_string(
		in->params, OSSL_PKEY_PARAM_PUB_KEY, in->point, size) ||
	    (in->private && !OSSL_PARAM_BLD_push_octet_string(
				in->params, private_param, in->scalar, secret)))
		return JW_NO_MEMORY;
	return JW_OK;
}

/* ---- OKP ---- */

static enum jw_err
okp_from_jwk(struct import *in)
{
	return raw_from_jwk(
	    in, "x", "d", in->algorithm->octets, OSSL_PKEY_PARAM_PRIV_KEY);
}

const struct family crypto_okp = {
    .kty = "OKP",
    .members = {"x"},
    .params = {OSSL_PKEY_PARAM_PUB_KEY},
    .from_jwk = okp_from_jwk,
    .to_der = crypto_any_to_der,
    .from_der = crypto_any_from_der,
};

/* ---- AKP ---- */

static enum jw_err
akp_from_jwk(struct import *in)
{
	return raw_from_jwk(in, "pub", "priv", SEED_OCTETS, PARAM_SEED);
}

/* Read the seed, SEED_OCTETS; false: a public key, or a key without its seed.
 */
static bool
akp_seed(const EVP_PKEY *pkey, uint8_t *ret_seed)
{
	size_t len;

	return EVP_PKEY_get_octet_string_param(
		   pkey, PARAM_SEED, ret_seed, SEED_OCTETS, &len) == 1 &&
	       len == SEED_OCTETS;
}

/* A key without its seed is refused: the seed is all that is sealed, and that a
 * JWK holds (RFC 9964). */
static enum jw_err
akp_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	uint8_t seed[SEED_OCTETS];
	size_t len = 0;
	bool whole;

	whole = EVP_PKEY_get_octet_string_param(
		    pkey, OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0, &len) != 1 ||
		len == 0 || akp_seed(pkey, seed);
	OPENSSL_cleanse(seed, sizeof(seed));
	ERR_clear_error();
	if (whole)
		return JW_OK;
	return jw_fail(JW_BAD_KEY, why,
	    "the %s key has no seed, and should be given with it (RFC 9881 "
	    "section 6)",
	    algorithm->type);
}

/*
 * RFC 9881 section 6: seed [0] OCTET STRING (SIZE (32)).  OpenSSL 3.5 would
 * write 2.5 to 4.9 KB that follow from the seed, and no earlier release knows
 * ML-DSA.
 */
static const uint8_t seed_head[] = {0x80, SEED_OCTETS};

static enum jw_err
akp_to_der(const EVP_PKEY *pkey, uint8_t **ret_der, size_t *ret_len)
{
	const size_t len = sizeof(seed_head) + SEED_OCTETS;
	uint8_t *der = OPENSSL_secure_malloc(len);

	if (der == NULL)
		return JW_NO_MEMORY;
	memcpy(der, seed_head, sizeof(seed_head));
	if (!akp_seed(pkey, der + sizeof(seed_head))) {
		crypto_private_free(der, len);
		return JW_BAD_KEY;
	}
	*ret_der = der;
	*ret_len = len;
	return JW_OK;
}

static EVP_PKEY *
akp_from_der(const struct algorithm *algorithm, const uint8_t *der, size_t len)
{
	/* OSSL_PARAM has no const; OpenSSL only reads the seed. */
	void *seed = (void *)(uintptr_t)(der + sizeof(seed_head));
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(PARAM_SEED, seed, SEED_OCTETS),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context;
	EVP_PKEY *pkey = NULL;

	if (len != sizeof(seed_head) + SEED_OCTETS ||
	    memcmp(der, seed_head, sizeof(seed_head)) != 0)
		return NULL;
	context = EVP_PKEY_CTX_new_from_name(NULL, algorithm->type, NULL);
	if (context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
	    EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	return pkey;
}

const struct family crypto_akp = {
    .kty = "AKP",
    .members = {"pub"},
    .params = {OSSL_PKEY_PARAM_PUB_KEY},
    .alg_is_member = true,
    .check = akp_check,
    .from_jwk = akp_from_jwk,
    .to_der = akp_to_der,
    .from_der = akp_from_der,
};
