/*
 * RSA keys: RFC 7518 section 6.3.  Must never accept a public exponent that
 * common verifiers refuse: they would refuse the whole key set.
 */
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "common/base/memory.h"
#include "daemon/crypto/import.h"
#include "daemon/crypto/internal.h"

enum { RSA_PUBLIC_MEMBERS = 2 };

static enum jw_err
rsa_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	int bits = EVP_PKEY_get_bits(pkey);
	BIGNUM *e = NULL;
	bool fits;

	(void)algorithm;
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return jw_fail(JW_BAD_KEY, why,
		    "the RSA key has %d bits, and should have %d to %d", bits,
		    RSA_BITS_MIN, RSA_BITS_MAX);
	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
		return jw_fail(
		    JW_BAD_KEY, why, "the RSA key has no public exponent");
	/* Verifiers in Go hold e in 31 bits, and refuse the whole set
	 * otherwise. */
	fits = BN_is_odd(e) && BN_num_bits(e) >= 17 && BN_num_bits(e) <= 31;
	BN_free(e);
	if (!fits)
		return jw_fail(JW_BAD_KEY, why,
		    "the RSA public exponent should be 65537, or "
		    "odd and between 65537 and 2147483647");
	return JW_OK;
}

static enum jw_err
rsa_number(const struct import *in, const char *name, bool minimal,
    BIGNUM **ret_number)
{
	uint8_t *data = NULL;
	BIGNUM *number = NULL;
	size_t len = 0;
	enum jw_err err;

	err =
	    crypto_import_octets(in, name, 1, RSA_OCTETS_MAX + 1, &data, &len);
	if (err != JW_OK)
		return err;
	if (minimal && data[0] == 0) {
		err = jw_fail(JW_BAD_KEY, in->why,
		    "\"%s\" in the JWK begins with a zero octet, and should "
		    "be as short as it can be (RFC 7518 section 2)",
		    name);
		goto out;
	}
	err = JW_NO_MEMORY;
	number = BN_secure_new();
	if (number == NULL || BN_bin2bn(data, (int)len, number) == NULL)
		goto out;
	*ret_number = number;
	number = NULL;
	err = JW_OK;
out:
	BN_clear_free(number);
	OPENSSL_secure_clear_free(data, len + 1);
	return err;
}

static const struct {
	const char *name;
	const char *param;
} rsa_members[RSA_MEMBERS] = {
    {"n", OSSL_PKEY_PARAM_RSA_N},
    {"e", OSSL_PKEY_PARAM_RSA_E},
    {"d", OSSL_PKEY_PARAM_RSA_D},
    {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
    {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

static enum jw_err
rsa_from_jwk(struct import *in)
{
	size_t count = in->private ? RSA_MEMBERS : RSA_PUBLIC_MEMBERS;

	if (json_object_get(in->jwk, "oth") != NULL)
		return jw_fail(JW_BAD_KEY, in->why,
		    "the JWK has more than two primes "
		    "(\"oth\"), and should have two");
	for (size_t i = 0; i < count; i++) {
		enum jw_err err = rsa_number(in, rsa_members[i].name,
		    i < RSA_PUBLIC_MEMBERS, &in->numbers[i]);
		if (err != JW_OK)
			return err;
		if (!OSSL_PARAM_BLD_push_BN(
			in->params, rsa_members[i].param, in->numbers[i]))
			return JW_NO_MEMORY;
	}
	return JW_OK;
}

const struct family crypto_rsa = {
    .kty = "RSA",
    .members = {"n", "e"},
    .params = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E},
    .check = rsa_check,
    .from_jwk = rsa_from_jwk,
    .to_der = crypto_any_to_der,
    .from_der = crypto_any_from_der,
};
