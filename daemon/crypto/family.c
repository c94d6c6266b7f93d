/*
 * What the families of keys (RSA, EC, OKP, AKP) have in common: members of a
 * JWK as octets, private keys as DER.
 */
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/base/base64url.h"
#include "daemon/crypto/import.h"
#include "daemon/crypto/internal.h"

enum jw_err
crypto_import_octets(const struct import *in, const char *name, size_t min,
    size_t max, uint8_t **ret_data, size_t *ret_len)
{
	const json_t *member = json_object_get(in->jwk, name);
	const char *text = json_string_value(member);
	size_t len = json_string_length(member);
	uint8_t *data;

	if (text == NULL) {
		jw_why_set(in->why,
		    "the JWK has no text member \"%s\", which a%s %s key needs",
		    name, in->private ? " private" : "",
		    in->algorithm->family->kty);
		return JW_BAD_KEY;
	}
	if (jw_base64url_decoded_size(len) < min ||
	    jw_base64url_decoded_size(len) > max) {
		jw_why_set(in->why,
		    "\"%s\" in the JWK has %zu octets, and should have "
		    "%zu to %zu",
		    name, jw_base64url_decoded_size(len), min, max);
		return JW_BAD_KEY;
	}
	data = OPENSSL_secure_malloc(jw_base64url_decoded_size(len) + 1);
	if (data == NULL)
		return JW_NO_MEMORY;
	if (!jw_base64url_read(text, len, data)) {
		OPENSSL_secure_clear_free(
		    data, jw_base64url_decoded_size(len) + 1);
		jw_why_set(in->why,
		    "\"%s\" in the JWK is not base64url without padding", name);
		return JW_BAD_KEY;
	}
	*ret_data = data;
	*ret_len = jw_base64url_decoded_size(len);
	return JW_OK;
}

enum jw_err
crypto_any_to_der(const EVP_PKEY *pkey, uint8_t **ret_der, size_t *ret_len)
{
	int len = i2d_PrivateKey(pkey, NULL);
	uint8_t *der, *at;

	if (len <= 0)
		return JW_BAD_KEY;
	der = at = OPENSSL_secure_malloc((size_t)len);
	if (der == NULL)
		return JW_NO_MEMORY;
	if (i2d_PrivateKey(pkey, &at) != len) {
		crypto_private_free(der, (size_t)len);
		return JW_BAD_KEY;
	}
	*ret_der = der;
	*ret_len = (size_t)len;
	return JW_OK;
}

EVP_PKEY *
crypto_any_from_der(
    const struct algorithm *algorithm, const uint8_t *der, size_t len)
{
	const uint8_t *at = der;
	EVP_PKEY *pkey = d2i_PrivateKey(algorithm->id, NULL, &at, (long)len);

	if (pkey == NULL || at == der + len)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}
