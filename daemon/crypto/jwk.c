/*
 * How a key pair is described to others: public JWK, thumbprint (kid), hash of
 * the SubjectPublicKeyInfo; and the entity tag of a document.  Must never put a
 * private number into a JWK.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/base/base64url.h"
#include "common/base/memory.h"
#include "daemon/crypto/internal.h"

/* ret_hash has KEYS_HASH_SIZE octets. */
bool
crypto_sha256(const void *data, size_t len, uint8_t *ret_hash)
{
	size_t n;

	return EVP_Q_digest(NULL, "SHA256", NULL, data, len, ret_hash, &n) == 1;
}

enum jw_err
crypto_etag(const void *body, size_t len, char *etag)
{
	uint8_t hash[KEYS_HASH_SIZE];

	if (!crypto_sha256(body, len, hash))
		return JW_BUG;
	etag[0] = '"';
	memcpy(etag + 1 + jw_base64url_write(hash, 16, etag + 1), "\"", 2);
	return JW_OK;
}

static bool
pair_set_kid(struct keys_pair *pair, const struct members *members)
{
	const struct algorithm *algorithm = pair->algorithm;
	char *text = algorithm->family->canonical(algorithm, members);
	uint8_t hash[KEYS_HASH_SIZE];
	bool ok;

	ok = text != NULL && crypto_sha256(text, strlen(text), hash);
	if (ok)
		pair->kid[jw_base64url_write(hash, sizeof(hash), pair->kid)] =
		    '\0';
	free(text);
	return ok;
}

static bool
pair_set_jwk(struct keys_pair *pair, const struct members *members)
{
	const struct algorithm *algorithm = pair->algorithm;
	char *tail = algorithm->family->tail(algorithm, members);

	if (tail != NULL)
		pair->jwk = jw_asprintf("{\"kty\":\"%s\",\"use\":\"sig\","
					"\"alg\":\"%s\",\"kid\":\"%s\",%s}",
		    algorithm->family->kty, jw_alg_name((int)pair->alg),
		    pair->kid, tail);
	free(tail);
	return pair->jwk != NULL;
}

static bool
pair_set_spki_hash(struct keys_pair *pair)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pair->pkey, &der);
	bool ok = len > 0 && crypto_sha256(der, (size_t)len, pair->spki_hash);

	OPENSSL_free(der);
	return ok;
}

bool
crypto_describe_pair(struct keys_pair *pair)
{
	const struct algorithm *algorithm = pair->algorithm;
	struct members members = {NULL, NULL};
	bool ok;

	ok = algorithm->family->describe(algorithm, pair->pkey, &members) &&
	     pair_set_kid(pair, &members) && pair_set_jwk(pair, &members) &&
	     pair_set_spki_hash(pair);
	free(members.first);
	free(members.second);
	return ok;
}
