/*
 * Signatures, and the contexts that are kept ready for them.  Must never use
 * one context in two threads at a time.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "common/base/memory.h"
#include "daemon/crypto/internal.h"

enum {
	ECDSA_DER_MAX = 160, /* a signature of P-521 has 141 at most */
	CONTEXTS_MAX = 8,    /* kept for one key: one for each thread */
};

/*
 * Set up for a key and ready to sign: setting one up takes 12 % of the time of
 * an ES256 signature.  Used by one thread at a time.
 */
struct context {
	EVP_MD_CTX *digest; /* signs itself where the scheme has no digest */
	EVP_PKEY_CTX *key;
};

/* A thread takes one out of its slot to sign, and puts it back. */
struct sign_contexts {
	_Atomic(struct context *) free[CONTEXTS_MAX];
};

static bool
set_pss(const struct algorithm *algorithm, EVP_PKEY_CTX *key)
{
	if (!algorithm->pss)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(
		   key, algorithm->digest, NULL) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) ==
		   1;
}

/* Set up a context that verifies. */
static bool
verifier_init(
    const struct algorithm *algorithm, EVP_PKEY *pkey, EVP_MD_CTX *context)
{
	EVP_PKEY_CTX *key = NULL;

	return EVP_DigestVerifyInit_ex(context, &key, algorithm->digest, NULL,
		   NULL, pkey, NULL) == 1 &&
	       set_pss(algorithm, key);
}

static void
context_free(struct context *context)
{
	if (context == NULL)
		return;
	EVP_MD_CTX_free(context->digest);
	EVP_PKEY_CTX_free(context->key);
	free(context);
}

static bool
context_init(
    struct context *context, const struct algorithm *algorithm, EVP_PKEY *pkey)
{
	if (algorithm->digest == NULL)
		return EVP_DigestSignInit_ex(context->digest, NULL, NULL, NULL,
			   NULL, pkey, NULL) == 1;
	context->key = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	return context->key != NULL && EVP_PKEY_sign_init(context->key) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(context->key,
		   EVP_get_digestbyname(algorithm->digest)) == 1 &&
	       set_pss(algorithm, context->key) &&
	       EVP_DigestInit_ex2(context->digest,
		   EVP_get_digestbyname(algorithm->digest), NULL) == 1;
}

/* NULL: no memory, or the key cannot sign with its algorithm. */
static struct context *
context_new(const struct keys_pair *pair)
{
	struct context *context = jw_zalloc(sizeof(*context));

	context->digest = EVP_MD_CTX_new();
	if (context->digest != NULL &&
	    context_init(context, pair->algorithm, pair->pkey))
		return context;
	context_free(context);
	return NULL;
}

static struct context *
context_take(const struct keys_pair *pair)
{
	struct context *context = NULL;

	for (int i = 0; i < CONTEXTS_MAX && context == NULL; i++)
		context = atomic_exchange(&pair->contexts->free[i], NULL);
	return context != NULL ? context : context_new(pair);
}

static void
context_put_back(const struct keys_pair *pair, struct context *take_context)
{
	struct context *none = NULL;

	for (int i = 0; i < CONTEXTS_MAX; i++, none = NULL)
		if (atomic_compare_exchange_strong(
			&pair->contexts->free[i], &none, take_context))
			return;
	context_free(take_context);
}

void
crypto_contexts_free(struct sign_contexts *contexts)
{
	if (contexts == NULL)
		return;
	for (int i = 0; i < CONTEXTS_MAX; i++)
		context_free(atomic_load(&contexts->free[i]));
	free(contexts);
}

struct sign_contexts *
crypto_contexts_new(const struct keys_pair *pair)
{
	struct context *first = context_new(pair);
	struct sign_contexts *contexts;

	if (first == NULL)
		return NULL;
	contexts = jw_zalloc(sizeof(*contexts));
	atomic_init(&contexts->free[0], first);
	return contexts;
}

/* Read one INTEGER, and write it with exactly field octets.  False: it is none,
 * or a larger one. */
static bool
read_integer(
    const uint8_t **at, const uint8_t *end, size_t field, uint8_t *ret_number)
{
	const uint8_t *number = *at + 2;
	size_t len;

	if (end - *at < 2 || (*at)[0] != V_ASN1_INTEGER)
		return false;
	len = (*at)[1];
	if (len > 127 || (size_t)(end - number) < len)
		return false;
	*at = number + len;
	for (; len > 0 && *number == 0; len--)
		number++;
	if (len > field)
		return false;
	memset(ret_number, 0, field - len);
	memcpy(ret_number + field - len, number, len);
	return true;
}

/* Convert the SEQUENCE of two INTEGERs that OpenSSL has made to R || S, RFC
 * 7518 section 3.4. */
static bool
ecdsa_to_jws(const uint8_t *der, size_t len, size_t field, uint8_t *ret_raw)
{
	const uint8_t *end = der + len;
	/* The length of a P-521 signature takes a second octet. */
	size_t head = len > 1 && der[1] == 0x81 ? 3 : 2;

	if (len < head || der[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) ||
	    der[head - 1] != len - head)
		return false;
	der += head;
	return read_integer(&der, end, field, ret_raw) &&
	       read_integer(&der, end, field, ret_raw + field) && der == end;
}

/* Convert R || S to DER; ret_der has room for KEYS_SIGNATURE_MAX. */
static bool
ecdsa_from_jws(const uint8_t *raw, size_t len, size_t field, uint8_t *ret_der,
    size_t *ret_len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = NULL, *s = NULL;
	bool ok = false;
	int n;

	if (sig == NULL || len != 2 * field)
		goto out;
	r = BN_bin2bn(raw, (int)field, NULL);
	s = BN_bin2bn(raw + field, (int)field, NULL);
	if (r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1)
		goto out;
	r = s = NULL;
	n = i2d_ECDSA_SIG(sig, &ret_der);
	ok = n > 0;
	if (ok)
		*ret_len = (size_t)n;
out:
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return ok;
}

/* Where hash and signature are two steps. *ret_len is the room at first. */
static bool
sign_hash(struct context *context, const void *data, size_t len,
    uint8_t *ret_signature, size_t *ret_len)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_len;

	return EVP_DigestInit_ex2(context->digest, NULL, NULL) == 1 &&
	       EVP_DigestUpdate(context->digest, data, len) == 1 &&
	       EVP_DigestFinal_ex(context->digest, hash, &hash_len) == 1 &&
	       EVP_PKEY_sign(
		   context->key, ret_signature, ret_len, hash, hash_len) == 1;
}

/*
 * Where the scheme hashes by itself (EdDSA, ML-DSA).  OpenSSL 3.0 starts the
 * next signature without the key; where a release refuses that, a context that
 * is reset and given the key again does.
 */
static bool
sign_whole(struct context *context, EVP_PKEY *pkey, const void *data,
    size_t len, uint8_t *ret_signature, size_t *ret_len)
{
	if (EVP_DigestSignInit_ex(
		context->digest, NULL, NULL, NULL, NULL, NULL, NULL) != 1) {
		EVP_MD_CTX_reset(context->digest);
		if (EVP_DigestSignInit_ex(context->digest, NULL, NULL, NULL,
			NULL, pkey, NULL) != 1)
			return false;
	}
	return EVP_DigestSign(
		   context->digest, ret_signature, ret_len, data, len) == 1;
}

enum jw_err
crypto_sign(const struct keys_pair *pair, const void *data, size_t len,
    uint8_t *signature, size_t *ret_len)
{
	const size_t field = pair->algorithm->field;
	uint8_t der[ECDSA_DER_MAX];
	size_t made_len = field == 0 ? KEYS_SIGNATURE_MAX : sizeof(der);
	uint8_t *made = field == 0 ? signature : der;
	struct context *context;
	bool ok;

	if (pair->contexts == NULL)
		return JW_BAD_KEY;
	context = context_take(pair);
	if (context == NULL)
		return crypto_result(JW_NO_MEMORY);
	if (pair->algorithm->digest != NULL)
		ok = sign_hash(context, data, len, made, &made_len);
	else
		ok =
		    sign_whole(context, pair->pkey, data, len, made, &made_len);
	if (ok && field != 0) {
		ok = ecdsa_to_jws(der, made_len, field, signature);
		made_len = 2 * field;
	}
	if (!ok) {
		context_free(context);
		return crypto_result(JW_BAD_KEY);
	}
	context_put_back(pair, context);
	*ret_len = made_len;
	return JW_OK;
}

enum jw_err
crypto_verify(const struct keys_pair *pair, const void *data, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	const size_t field = pair->algorithm->field;
	uint8_t der[KEYS_SIGNATURE_MAX];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	enum jw_err err = JW_BAD_KEY;

	if (context == NULL)
		return crypto_result(JW_NO_MEMORY);
	if (field != 0) {
		if (!ecdsa_from_jws(
			signature, signature_len, field, der, &signature_len))
			goto out;
		signature = der;
	}
	if (verifier_init(pair->algorithm, pair->pkey, context) &&
	    EVP_DigestVerify(context, signature, signature_len, data, len) == 1)
		err = JW_OK;
out:
	EVP_MD_CTX_free(context);
	return crypto_result(err);
}
