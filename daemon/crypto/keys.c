/*
 * Key pairs over OpenSSL 3: made, held, freed.
 *
 * Private numbers are copied into the secure heap only, and cleansed on every
 * way out.  This file must never log, and never use an OpenSSL call that 3.0
 * deprecates.
 */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "common/base/memory.h"
#include "daemon/crypto/internal.h"

enum jw_err
crypto_take_pkey(
    enum jw_alg alg, EVP_PKEY *pkey, bool private, struct keys_pair **ret_pair)
{
	struct keys_pair *pair = jw_zalloc(sizeof(*pair));
	enum jw_err err = JW_NO_MEMORY;

	pair->alg = alg;
	pair->algorithm = &crypto_algorithms[alg];
	pair->pkey = pkey;
	/* A file may hold a compressed point; the hash of the
	 * SubjectPublicKeyInfo is made over the uncompressed form. */
	if (pair->algorithm->family == &crypto_ec &&
	    EVP_PKEY_set_utf8_string_param(pkey,
		OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1)
		goto out;
	if (!crypto_describe_pair(pair))
		goto out;
	if (private) {
		pair->contexts = crypto_contexts_new(pair);
		err = JW_BAD_KEY;
		if (pair->contexts == NULL)
			goto out;
	}
	*ret_pair = pair;
	pair = NULL;
	err = JW_OK;
out:
	crypto_free(pair);
	return err;
}

/* OpenSSL calls this between the candidates for a prime. */
static int
may_go_on(EVP_PKEY_CTX *context)
{
	const atomic_bool *cancelled = EVP_PKEY_CTX_get_app_data(context);

	return cancelled == NULL || !atomic_load(cancelled);
}

static bool
set_size(const struct algorithm *algorithm, int rsa_bits, EVP_PKEY_CTX *context)
{
	if (algorithm->group != NULL)
		return EVP_PKEY_CTX_set_group_name(context, algorithm->group) ==
		       1;
	if (algorithm->family != &crypto_rsa)
		return true;
	return rsa_bits >= RSA_BITS_MIN && rsa_bits <= RSA_BITS_MAX &&
	       EVP_PKEY_CTX_set_rsa_keygen_bits(context, rsa_bits) == 1;
}

static EVP_PKEY *
generate(const struct algorithm *algorithm, int rsa_bits,
    const atomic_bool *cancelled)
{
	EVP_PKEY_CTX *context =
	    EVP_PKEY_CTX_new_from_name(NULL, algorithm->type, NULL);
	EVP_PKEY *pkey = NULL;

	if (context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
	    set_size(algorithm, rsa_bits, context)) {
		EVP_PKEY_CTX_set_app_data(
		    context, (void *)(uintptr_t)cancelled);
		EVP_PKEY_CTX_set_cb(context, may_go_on);
		if (EVP_PKEY_generate(context, &pkey) != 1)
			pkey = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return pkey;
}

enum jw_err
crypto_generate(enum jw_alg alg, int rsa_bits, const atomic_bool *cancelled,
    struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = crypto_algorithm(alg, NULL);
	EVP_PKEY *pkey;

	if (algorithm == NULL || !crypto_reseed())
		return crypto_result(JW_BAD_KEY);
	pkey = generate(algorithm, rsa_bits, cancelled);
	if (pkey == NULL)
		return crypto_result(JW_BAD_KEY);
	return crypto_result(crypto_take_pkey(alg, pkey, true, ret_pair));
}

void
crypto_free(struct keys_pair *pair)
{
	if (pair == NULL)
		return;
	crypto_contexts_free(pair->contexts);
	EVP_PKEY_free(pair->pkey);
	free(pair->jwk);
	free(pair);
}

enum jw_alg
crypto_alg(const struct keys_pair *pair)
{
	return pair->alg;
}

const char *
crypto_kid(const struct keys_pair *pair)
{
	return pair->kid;
}

const char *
crypto_public_jwk(const struct keys_pair *pair)
{
	return pair->jwk;
}

const uint8_t *
crypto_spki_hash(const struct keys_pair *pair)
{
	return pair->spki_hash;
}

bool
crypto_is_quick(const struct keys_pair *pair)
{
	return pair->algorithm->quick;
}
