/*
 * EC keys: RFC 7518 section 6.2.  Must never accept a curve that is not given
 * by its name.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "common/base/memory.h"
#include "daemon/crypto/import.h"
#include "daemon/crypto/internal.h"

static enum jw_err
ec_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	char group[64] = "";
	size_t len;
	int explicit = 0;

	/* Explicit curve parameters may differ from those of the named curve.
	 */
	EVP_PKEY_get_int_param(
	    pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit);
	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
	    !explicit && strcmp(group, algorithm->group) == 0)
		return JW_OK;
	return jw_fail(JW_BAD_KEY, why, "the key is not on the named curve %s",
	    algorithm->crv);
}

static enum jw_err
ec_private_from_jwk(struct import *in)
{
	size_t field = in->algorithm->field;
	enum jw_err err;

	err = crypto_import_octets(
	    in, "d", field, field, &in->scalar, &in->scalar_len);
	if (err != JW_OK)
		return err;
	in->numbers[0] = BN_secure_new();
	if (in->numbers[0] == NULL ||
	    BN_bin2bn(in->scalar, (int)field, in->numbers[0]) == NULL ||
	    !OSSL_PARAM_BLD_push_BN(
		in->params, OSSL_PKEY_PARAM_PRIV_KEY, in->numbers[0]))
		return JW_NO_MEMORY;
	return JW_OK;
}

static enum jw_err
ec_from_jwk(struct import *in)
{
	static const char *const names[] = {"x", "y"};
	size_t field = in->algorithm->field, size = 1 + 2 * field, len;
	uint8_t *coordinate;

	in->point = OPENSSL_secure_malloc(size + 1);
	if (in->point == NULL)
		return JW_NO_MEMORY;
	in->point_len = size;
	in->point[0] = POINT_CONVERSION_UNCOMPRESSED;
	for (size_t i = 0; i < 2; i++) {
		enum jw_err err = crypto_import_octets(
		    in, names[i], field, field, &coordinate, &len);
		if (err != JW_OK)
			return err;
		memcpy(in->point + 1 + i * field, coordinate, field);
		OPENSSL_secure_clear_free(coordinate, field + 1);
	}
	if (!OSSL_PARAM_BLD_push_utf8_string(in->params,
		OSSL_PKEY_PARAM_GROUP_NAME, in->algorithm->group, 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(
		in->params, OSSL_PKEY_PARAM_PUB_KEY, in->point, size))
		return JW_NO_MEMORY;
	return in->private ? ec_private_from_jwk(in) : JW_OK;
}

const struct family crypto_ec = {
    .kty = "EC",
    .members = {"x", "y"},
    .params = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y},
    .check = ec_check,
    .from_jwk = ec_from_jwk,
    .to_der = crypto_any_to_der,
    .from_der = crypto_any_from_der,
};
