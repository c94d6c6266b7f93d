/*
 * How a key pair is described to others: public JWK, thumbprint (kid), hash of
 * the SubjectPublicKeyInfo; and the entity tag of a document.  Must never put a
 * private number into a JWK.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/base/base64url.h"
#include "common/base/memory.h"
#include "daemon/crypto/internal.h"

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

/* ---- public members ---- */

/* One public number; width 0: the smallest that holds it. */
static char *
number_text(const EVP_PKEY *pkey, const char *param, size_t width)
{
	uint8_t octets[RSA_OCTETS_MAX];
	BIGNUM *number = NULL;
	char *text = NULL;
	int len;

	if (!EVP_PKEY_get_bn_param(pkey, param, &number))
		goto out;
	len = width == 0 ? BN_num_bytes(number) : (int)width;
	if (len > RSA_OCTETS_MAX || BN_bn2binpad(number, octets, len) != len)
		goto out;
	text = jw_base64url(octets, (size_t)len);
out:
	BN_free(number);
	return text;
}

static char *
octets_text(const EVP_PKEY *pkey, const char *param, size_t size)
{
	uint8_t octets[AKP_OCTETS_MAX];
	size_t len;

	if (EVP_PKEY_get_octet_string_param(
		pkey, param, octets, sizeof(octets), &len) != 1 ||
	    len != size)
		return NULL;
	return jw_base64url(octets, len);
}

static bool
read_members(const struct keys_pair *pair, char **ret_texts)
{
	const struct algorithm *algorithm = pair->algorithm;
	const char *const *params = algorithm->family->params;

	for (size_t i = 0; i < MEMBERS_MAX && params[i] != NULL; i++) {
		ret_texts[i] =
		    algorithm->octets != 0
			? octets_text(pair->pkey, params[i], algorithm->octets)
			: number_text(pair->pkey, params[i], algorithm->field);
		if (ret_texts[i] == NULL)
			return false;
	}
	return true;
}

/* ---- JSON ---- */

struct member {
	const char *name, *value;
};

enum { THUMBPRINT_MEMBERS = 3 + MEMBERS_MAX, JWK_MEMBERS = 5 + MEMBERS_MAX };

static int
compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
put_member(struct member *list, size_t *n, const char *name, const char *value)
{
	if (name != NULL && value != NULL)
		list[(*n)++] = (struct member){name, value};
}

/* Compact; the values need no escape.  The caller frees. */
static char *
join_members(const struct member *list, size_t n)
{
	char *text = jw_strdup("{");

	for (size_t i = 0; i < n; i++) {
		char *longer = jw_asprintf("%s\"%s\":\"%s\"%s", text,
		    list[i].name, list[i].value, i + 1 < n ? "," : "}");

		free(text);
		text = longer;
	}
	return text;
}

/* RFC 7638 section 3: the members that a key needs, in the order of names. */
static bool
set_kid(struct keys_pair *pair, char *const *texts)
{
	const struct algorithm *algorithm = pair->algorithm;
	const struct family *family = algorithm->family;
	struct member list[THUMBPRINT_MEMBERS];
	uint8_t hash[KEYS_HASH_SIZE];
	size_t n = 0;
	char *text;
	bool ok;

	put_member(list, &n, "kty", family->kty);
	put_member(list, &n, "crv", algorithm->crv);
	if (family->alg_is_member)
		put_member(list, &n, "alg", algorithm->type);
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		put_member(list, &n, family->members[i], texts[i]);
	qsort(list, n, sizeof(*list), compare_members);
	text = join_members(list, n);
	ok = crypto_sha256(text, strlen(text), hash);
	if (ok)
		pair->kid[jw_base64url_write(hash, sizeof(hash), pair->kid)] =
		    '\0';
	free(text);
	return ok;
}

static void
set_jwk(struct keys_pair *pair, char *const *texts)
{
	const struct algorithm *algorithm = pair->algorithm;
	const struct family *family = algorithm->family;
	struct member list[JWK_MEMBERS];
	size_t n = 0;

	put_member(list, &n, "kty", family->kty);
	put_member(list, &n, "use", "sig");
	put_member(list, &n, "alg", jw_alg_name((int)pair->alg));
	put_member(list, &n, "kid", pair->kid);
	put_member(list, &n, "crv", algorithm->crv);
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		put_member(list, &n, family->members[i], texts[i]);
	pair->jwk = join_members(list, n);
}

static bool
set_spki_hash(struct keys_pair *pair)
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
	char *texts[MEMBERS_MAX] = {NULL};
	bool ok = read_members(pair, texts) && set_kid(pair, texts) &&
		  set_spki_hash(pair);

	if (ok)
		set_jwk(pair, texts);
	for (size_t i = 0; i < MEMBERS_MAX; i++)
		free(texts[i]);
	return ok;
}
