/*
 * Key pairs from PEM, from JWK and from the DER that envelope.c sealed.  Must
 * never ask a person for a passphrase, nor quote a text that may be a private
 * key.
 */
#include <string.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "common/base/base64url.h"
#include "daemon/crypto/import.h"
#include "daemon/crypto/internal.h"

enum { IMPORT_MAX = 65536 };

enum jw_err
crypto_import_octets(const struct import *in, const char *name, size_t min,
    size_t max, uint8_t **ret_data, size_t *ret_len)
{
	const json_t *member = json_object_get(in->jwk, name);
	const char *text = json_string_value(member);
	size_t len = json_string_length(member);
	uint8_t *data;

	if (text == NULL)
		return jw_fail(JW_BAD_KEY, in->why,
		    "the JWK has no text member \"%s\", which a%s %s key needs",
		    name, in->private ? " private" : "",
		    in->algorithm->family->kty);
	if (jw_base64url_decoded_size(len) < min ||
	    jw_base64url_decoded_size(len) > max)
		return jw_fail(JW_BAD_KEY, in->why,
		    "\"%s\" in the JWK has %zu octets, and should have "
		    "%zu to %zu",
		    name, jw_base64url_decoded_size(len), min, max);
	data = OPENSSL_secure_malloc(jw_base64url_decoded_size(len) + 1);
	if (data == NULL)
		return JW_NO_MEMORY;
	if (!jw_base64url_read(text, len, data)) {
		OPENSSL_secure_clear_free(
		    data, jw_base64url_decoded_size(len) + 1);
		return jw_fail(JW_BAD_KEY, in->why,
		    "\"%s\" in the JWK is not base64url without padding", name);
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

/* As crypto_result(); sets why when there was no memory. */
static enum jw_err
result_why(enum jw_err err, struct jw_why *why)
{
	if (err == JW_NO_MEMORY)
		jw_why_set(why, "%s", jw_err_text(err));
	return crypto_result(err);
}

static enum jw_err
check_kind(enum jw_alg alg, const EVP_PKEY *pkey, struct jw_why *why)
{
	const struct algorithm *algorithm = &crypto_algorithms[alg];
	const struct family *family = algorithm->family;

	if (!EVP_PKEY_is_a(pkey, algorithm->type))
		return jw_fail(JW_BAD_KEY, why, "%s needs a key of type %s",
		    jw_alg_name((int)alg), algorithm->type);
	return family->check == NULL ? JW_OK
				     : family->check(algorithm, pkey, why);
}

/* Check the key by itself: the point is on the curve, and the private half
 * belongs to the public half. */
static enum jw_err
pkey_validate(EVP_PKEY *pkey, bool private, struct jw_why *why)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	enum jw_err err = JW_OK;

	if (context == NULL)
		return JW_NO_MEMORY;
	if (EVP_PKEY_public_check(context) != 1) {
		err = jw_fail(JW_BAD_KEY, why,
		    "the public key is not a valid one of its kind");
	} else if (private && EVP_PKEY_check(context) != 1) {
		err = jw_fail(JW_BAD_KEY, why,
		    "the private half does not belong to the public half");
	}
	EVP_PKEY_CTX_free(context);
	return err;
}

/*
 * Make a pair of a key that comes from outside. `ours`: the key was checked
 * before it was stored, so only its kind is checked.  Takes pkey, also on
 * failure.
 */
static enum jw_err
pair_take_foreign(enum jw_alg alg, EVP_PKEY *pkey, bool private, bool ours,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	enum jw_err err;

	err = check_kind(alg, pkey, why);
	if (err == JW_OK && !ours)
		err = pkey_validate(pkey, private, why);
	if (err != JW_OK)
		goto out;
	err = crypto_take_pkey(alg, pkey, private, ret_pair);
	pkey = NULL;
	if (err == JW_BAD_KEY)
		jw_why_set(why, "OpenSSL cannot sign with the key");
out:
	EVP_PKEY_free(pkey);
	return err;
}

/* Does the private half give the public half that stands beside it? */
static bool
halves_match(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = context != NULL && EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return ok;
}

enum jw_err
crypto_private_import(enum jw_alg alg, const uint8_t *der, size_t len,
    struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = crypto_algorithm(alg, NULL);
	EVP_PKEY *pkey;
	enum jw_err err = JW_BAD_KEY;

	if (algorithm == NULL || len > IMPORT_MAX)
		return err;
	pkey = algorithm->family->from_der(algorithm, der, len);
	if (pkey == NULL || check_kind(alg, pkey, NULL) != JW_OK)
		goto out;
	/* Skipped for RSA, where it takes 100 ms to prove primes: envelope.c
	 * signs and verifies instead. */
	if (algorithm->family != &crypto_rsa && !halves_match(pkey))
		goto out;
	err = crypto_take_pkey(alg, pkey, true, ret_pair);
	pkey = NULL;
out:
	EVP_PKEY_free(pkey);
	return crypto_result(err);
}

enum jw_err
crypto_private_export(
    const struct keys_pair *pair, uint8_t **ret_der, size_t *ret_len)
{
	if (pair->contexts == NULL)
		return JW_BAD_KEY;
	return crypto_result(
	    pair->algorithm->family->to_der(pair->pkey, ret_der, ret_len));
}

void
crypto_private_free(uint8_t *der, size_t len)
{
	OPENSSL_secure_clear_free(der, len);
}

/* OpenSSL calls this instead of asking on the terminal. */
static int
refuse_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

enum jw_err
crypto_from_pem(enum jw_alg alg, const char *pem, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	const struct algorithm *algorithm = crypto_algorithm(alg, why);
	EVP_PKEY *pkey;
	bool asked = false;
	enum jw_err err;
	BIO *bio;

	if (algorithm == NULL)
		return JW_BAD_KEY;
	if (len > IMPORT_MAX)
		return jw_fail(JW_BAD_KEY, why,
		    "the PEM text is longer than %d octets", (int)IMPORT_MAX);
	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return result_why(JW_NO_MEMORY, why);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
	BIO_free(bio);
	if (pkey == NULL) {
		jw_why_set(
		    why, asked ? "the PEM text is encrypted, and should not be"
			       : "no private key in PEM was found in the text");
		if (asked)
			jw_why_hint(why, "openssl pkey -in FILE takes the "
					 "passphrase off");
		return crypto_result(JW_BAD_KEY);
	}
	err = pair_take_foreign(alg, pkey, true, false, ret_pair, why);
	return result_why(err, why);
}

static bool
is_text(const json_t *jwk, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(jwk, name));

	return text != NULL && strcmp(text, wanted) == 0;
}

static enum jw_err
import_check_kind(const struct import *in, enum jw_alg alg)
{
	const struct algorithm *algorithm = in->algorithm;

	if (!json_is_object(in->jwk))
		return jw_fail(
		    JW_BAD_KEY, in->why, "a JWK should be a JSON object");
	if (!is_text(in->jwk, "kty", algorithm->family->kty))
		return jw_fail(JW_BAD_KEY, in->why,
		    "%s needs a JWK with \"kty\":\"%s\"", jw_alg_name((int)alg),
		    algorithm->family->kty);
	if (algorithm->crv != NULL && !is_text(in->jwk, "crv", algorithm->crv))
		return jw_fail(JW_BAD_KEY, in->why,
		    "%s needs a JWK with \"crv\":\"%s\"", jw_alg_name((int)alg),
		    algorithm->crv);
	if (algorithm->family->alg_is_member &&
	    !is_text(in->jwk, "alg", algorithm->type))
		return jw_fail(JW_BAD_KEY, in->why,
		    "%s needs a JWK with \"alg\":\"%s\"", jw_alg_name((int)alg),
		    algorithm->type);
	return JW_OK;
}

static const char *const private_members[] = {
    "d", "p", "q", "dp", "dq", "qi", "priv", NULL};

/* Any private member makes it a private key, which then must be whole. */
static bool
import_is_private(const json_t *jwk)
{
	for (size_t i = 0; private_members[i] != NULL; i++) {
		if (json_object_get(jwk, private_members[i]) != NULL)
			return true;
	}
	return false;
}

static enum jw_err
import_pkey(struct import *in, EVP_PKEY **ret_pkey)
{
	const struct family *family = in->algorithm->family;
	int selection = in->private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
	EVP_PKEY_CTX *context = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;
	enum jw_err err;

	err = family->from_jwk(in);
	if (err != JW_OK)
		return err;
	context = EVP_PKEY_CTX_new_from_name(NULL, in->algorithm->type, NULL);
	params = OSSL_PARAM_BLD_to_param(in->params);
	if (context == NULL || params == NULL) {
		err = JW_NO_MEMORY;
	} else if (EVP_PKEY_fromdata_init(context) != 1 ||
		   EVP_PKEY_fromdata(context, &pkey, selection, params) != 1) {
		err = jw_fail(JW_BAD_KEY, in->why,
		    "the JWK's numbers make no %s key",
		    in->algorithm->crv != NULL ? in->algorithm->crv
					       : in->algorithm->type);
	} else {
		*ret_pkey = pkey;
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(context);
	return err;
}

static void
import_done(struct import *in)
{
	for (size_t i = 0; i < RSA_MEMBERS; i++)
		BN_clear_free(in->numbers[i]);
	OPENSSL_secure_clear_free(in->point, in->point_len + 1);
	OPENSSL_secure_clear_free(in->scalar, in->scalar_len + 1);
	OSSL_PARAM_BLD_free(in->params);
	for (size_t i = 0; private_members[i] != NULL; i++) {
		json_t *member = json_object_get(in->jwk, private_members[i]);

		/* Jansson does not cleanse texts that it frees. */
		if (json_is_string(member))
			OPENSSL_cleanse(
			    (void *)(uintptr_t)json_string_value(member),
			    json_string_length(member));
	}
	json_decref(in->jwk);
}

static enum jw_err
from_jwk(enum jw_alg alg, const char *jwk, size_t len, bool ours,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	struct import in = {
	    .algorithm = crypto_algorithm(alg, why), .ours = ours, .why = why};
	EVP_PKEY *pkey = NULL;
	json_error_t error;
	enum jw_err err;

	if (in.algorithm == NULL)
		return JW_BAD_KEY;
	if (len > IMPORT_MAX)
		return jw_fail(JW_BAD_KEY, why,
		    "the JWK is longer than %d octets", (int)IMPORT_MAX);
	in.jwk = json_loadb(jwk, len, JSON_REJECT_DUPLICATES, &error);
	if (in.jwk == NULL) {
		/* Jansson's own text would quote what may be a private key. */
		return jw_fail(JW_BAD_KEY, why,
		    "the JWK is not JSON, at octet %d", error.position);
	}
	in.private = import_is_private(in.jwk);
	in.params = OSSL_PARAM_BLD_new();
	err = in.params == NULL ? JW_NO_MEMORY : import_check_kind(&in, alg);
	if (err == JW_OK)
		err = import_pkey(&in, &pkey);
	if (err == JW_OK)
		err = pair_take_foreign(
		    alg, pkey, in.private, in.ours, ret_pair, why);
	import_done(&in);
	return result_why(err, why);
}

enum jw_err
crypto_from_jwk(enum jw_alg alg, const char *jwk, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	return from_jwk(alg, jwk, len, false, ret_pair, why);
}

enum jw_err
crypto_from_own_jwk(
    enum jw_alg alg, const char *jwk, struct keys_pair **ret_pair)
{
	return from_jwk(alg, jwk, strlen(jwk), true, ret_pair, NULL);
}
