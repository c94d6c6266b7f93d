/*
 * Key pairs over OpenSSL 3.  What an algorithm needs (type of key, curve,
 * digest, padding) is one row of a table; what has no row does not exist.
 *
 * Private numbers are copied into the secure heap only, and cleansed on every
 * way out.  This file must never log, never ask a person for a passphrase,
 * and never use an OpenSSL call that 3.0 deprecates.
 */
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "daemon/keys.h"

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 4096,
	RSA_OCTETS_MAX = RSA_BITS_MAX / 8,
	RSA_MEMBERS = 8,
	RSA_PUBLIC_MEMBERS = 2,
	ED25519_OCTETS = 32,
	IMPORT_MAX = 65536,
	SECURE_HEAP_UNIT = 32,
	SECURE_HEAP_MIN = 4096,
};

/* The public numbers as base64url: n and e, x and y, or x alone. */
struct members {
	char *first;
	char *second;
};

struct algorithm;
struct import;

struct family {
	const char *kty;
	const char *type; /* OpenSSL's name */
	int id;           /* OpenSSL's number */
	EVP_PKEY *(*generate)(const struct algorithm *algorithm, int rsa_bits);
	bool (*describe)(const struct algorithm *algorithm,
	    const EVP_PKEY *pkey, struct members *ret_members);
	/* Sizes and curve; cheap. */
	enum jw_err (*check)(const struct algorithm *algorithm,
	    const EVP_PKEY *pkey, struct jw_why *why);
	enum jw_err (*from_jwk)(struct import *import);
};

struct algorithm {
	const struct family *family;
	const char *crv;    /* as a JWK has it */
	const char *group;  /* the same curve as OpenSSL answers it */
	const char *digest; /* NULL where the scheme has its own */
	bool pss;
	size_t field; /* octets of a coordinate, for ECDSA */
};

struct keys_pair {
	enum jw_alg alg;
	const struct algorithm *algorithm;
	EVP_PKEY *pkey;
	/* Ready to be copied for a signature; NULL without a private half. */
	EVP_MD_CTX *signer;
	char kid[KEYS_KID_SIZE];
	uint8_t spki_hash[KEYS_HASH_SIZE];
	char *jwk;
};

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *
format(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789-_";

static size_t
encoded_size(size_t len)
{
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

static void
encode(const uint8_t *data, size_t len, char *text)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (have += 8; have >= 6; have -= 6)
			*text++ = alphabet[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*text++ = alphabet[bits << (6 - have) & 63];
	*text = '\0';
}

static size_t
decoded_size(size_t len)
{
	return len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1);
}

/* data has room for decoded_size(len). */
static bool
decode(const char *text, size_t len, uint8_t *data)
{
	uint32_t bits = 0;
	int have = 0;

	if (len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *at =
		    text[i] == '\0' ? NULL : strchr(alphabet, text[i]);
		if (at == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			*data++ = (uint8_t)(bits >> have);
		}
	}
	/* Two texts for the same octets would be two names for one key. */
	return (bits & ((1U << have) - 1)) == 0;
}

char *
keys_base64url(const void *data, size_t len)
{
	char *text = malloc(encoded_size(len) + 1);

	if (text != NULL)
		encode(data, len, text);
	return text;
}

enum jw_err
keys_base64url_decode(
    const char *text, size_t len, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data = malloc(decoded_size(len) + 1);

	if (data == NULL)
		return JW_NO_MEMORY;
	if (!decode(text, len, data)) {
		OPENSSL_cleanse(data, decoded_size(len) + 1);
		free(data);
		return JW_INVALID_PARAMETER;
	}
	*ret_data = data;
	*ret_len = decoded_size(len);
	return JW_OK;
}

/* ret_hash has KEYS_HASH_SIZE octets. */
static bool
sha256(const void *data, size_t len, uint8_t *ret_hash)
{
	size_t n;

	return EVP_Q_digest(NULL, "SHA256", NULL, data, len, ret_hash, &n) == 1;
}

enum jw_err
keys_etag(const void *body, size_t len, char *etag)
{
	uint8_t hash[KEYS_HASH_SIZE];

	if (!sha256(body, len, hash))
		return JW_BUG;
	etag[0] = '"';
	encode(hash, 16, etag + 1);
	memcpy(etag + KEYS_ETAG_SIZE - 2, "\"", 2);
	return JW_OK;
}

enum jw_err
keys_random(void *buf, size_t len)
{
	if (RAND_bytes_ex(NULL, buf, len, 0) == 1)
		return JW_OK;
	ERR_clear_error();
	return JW_BUG;
}

/* One public number; width 0 is the smallest that holds it. */
static char *
number_text(const EVP_PKEY *pkey, const char *name, size_t width)
{
	uint8_t octets[RSA_OCTETS_MAX];
	BIGNUM *number = NULL;
	char *text = NULL;
	int len;

	if (!EVP_PKEY_get_bn_param(pkey, name, &number))
		goto out;
	len = width == 0 ? BN_num_bytes(number) : (int)width;
	if (len > RSA_OCTETS_MAX || BN_bn2binpad(number, octets, len) != len)
		goto out;
	text = keys_base64url(octets, (size_t)len);
out:
	BN_free(number);
	return text;
}

static EVP_PKEY *
rsa_generate(const struct algorithm *algorithm, int rsa_bits)
{
	if (rsa_bits < RSA_BITS_MIN || rsa_bits > RSA_BITS_MAX)
		return NULL;
	return EVP_PKEY_Q_keygen(
	    NULL, NULL, algorithm->family->type, (size_t)rsa_bits);
}

static bool
rsa_describe(const struct algorithm *algorithm, const EVP_PKEY *pkey,
    struct members *ret_members)
{
	(void)algorithm;
	ret_members->first = number_text(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
	ret_members->second = number_text(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
	return ret_members->first != NULL && ret_members->second != NULL;
}

static enum jw_err
rsa_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	int bits = EVP_PKEY_get_bits(pkey);
	BIGNUM *e = NULL;
	bool fits;

	(void)algorithm;
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
		jw_why_set(why,
		    "the RSA key has %d bits, and should have %d to %d", bits,
		    RSA_BITS_MIN, RSA_BITS_MAX);
		return JW_BAD_KEY;
	}
	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e)) {
		jw_why_set(why, "the RSA key has no public exponent");
		return JW_BAD_KEY;
	}
	/* Verifiers hold e in 31 bits (Go), and refuse the whole set. */
	fits = BN_is_odd(e) && BN_num_bits(e) >= 17 && BN_num_bits(e) <= 31;
	BN_free(e);
	if (!fits) {
		jw_why_set(why, "the RSA public exponent should be 65537, or "
				"odd and between 65537 and 2147483647");
		return JW_BAD_KEY;
	}
	return JW_OK;
}

static EVP_PKEY *
ec_generate(const struct algorithm *algorithm, int rsa_bits)
{
	(void)rsa_bits;
	return EVP_PKEY_Q_keygen(
	    NULL, NULL, algorithm->family->type, algorithm->group);
}

static bool
ec_describe(const struct algorithm *algorithm, const EVP_PKEY *pkey,
    struct members *ret_members)
{
	ret_members->first =
	    number_text(pkey, OSSL_PKEY_PARAM_EC_PUB_X, algorithm->field);
	ret_members->second =
	    number_text(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, algorithm->field);
	return ret_members->first != NULL && ret_members->second != NULL;
}

static enum jw_err
ec_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	char group[64] = "";
	size_t len;
	int explicit = 0;

	/* A curve spelled out number by number may differ in one of them. */
	EVP_PKEY_get_int_param(
	    pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit);
	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
	    !explicit && strcmp(group, algorithm->group) == 0)
		return JW_OK;
	jw_why_set(why, "the key is not on the named curve %s", algorithm->crv);
	return JW_BAD_KEY;
}

static EVP_PKEY *
okp_generate(const struct algorithm *algorithm, int rsa_bits)
{
	(void)rsa_bits;
	return EVP_PKEY_Q_keygen(NULL, NULL, algorithm->family->type);
}

static bool
okp_describe(const struct algorithm *algorithm, const EVP_PKEY *pkey,
    struct members *ret_members)
{
	uint8_t x[ED25519_OCTETS];
	size_t len = sizeof(x);

	(void)algorithm;
	if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1)
		return false;
	ret_members->first = keys_base64url(x, len);
	return ret_members->first != NULL;
}

static enum jw_err
okp_check(
    const struct algorithm *algorithm, const EVP_PKEY *pkey, struct jw_why *why)
{
	(void)algorithm;
	(void)pkey;
	(void)why;
	return JW_OK;
}

/* A JWK on its way in; what it holds on to until the key is made. */
struct import {
	const struct algorithm *algorithm;
	json_t *jwk;
	bool private;
	struct jw_why *why;
	OSSL_PARAM_BLD *params;
	BIGNUM *numbers[RSA_MEMBERS];
	uint8_t *point;
	size_t point_len;
	uint8_t *scalar;
	size_t scalar_len;
};

/*
 * The octets of a member, in the secure heap; free with
 * OPENSSL_secure_clear_free().  JW_BAD_KEY unless min <= len <= max.
 */
static enum jw_err
import_octets(const struct import *in, const char *name, size_t min, size_t max,
    uint8_t **ret_data, size_t *ret_len)
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
	if (decoded_size(len) < min || decoded_size(len) > max) {
		jw_why_set(in->why,
		    "\"%s\" in the JWK has %zu octets, and should have "
		    "%zu to %zu",
		    name, decoded_size(len), min, max);
		return JW_BAD_KEY;
	}
	data = OPENSSL_secure_malloc(decoded_size(len) + 1);
	if (data == NULL)
		return JW_NO_MEMORY;
	if (!decode(text, len, data)) {
		OPENSSL_secure_clear_free(data, decoded_size(len) + 1);
		jw_why_set(in->why,
		    "\"%s\" in the JWK is not base64url without padding", name);
		return JW_BAD_KEY;
	}
	*ret_data = data;
	*ret_len = decoded_size(len);
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

	err = import_octets(in, name, 1, RSA_OCTETS_MAX + 1, &data, &len);
	if (err != JW_OK)
		return err;
	if (minimal && data[0] == 0) {
		jw_why_set(in->why,
		    "\"%s\" in the JWK begins with a zero octet, and should "
		    "be as short as it can be (RFC 7518 section 2)",
		    name);
		err = JW_BAD_KEY;
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

	if (json_object_get(in->jwk, "oth") != NULL) {
		jw_why_set(in->why, "the JWK has more than two primes "
				    "(\"oth\"), and should have two");
		return JW_BAD_KEY;
	}
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

static enum jw_err
ec_private_from_jwk(struct import *in)
{
	size_t field = in->algorithm->field;
	enum jw_err err;

	err =
	    import_octets(in, "d", field, field, &in->scalar, &in->scalar_len);
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
		enum jw_err err = import_octets(
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

static enum jw_err
okp_from_jwk(struct import *in)
{
	const size_t size = ED25519_OCTETS;
	enum jw_err err;

	err = import_octets(in, "x", size, size, &in->point, &in->point_len);
	if (err == JW_OK && in->private)
		err = import_octets(
		    in, "d", size, size, &in->scalar, &in->scalar_len);
	if (err != JW_OK)
		return err;
	if (!OSSL_PARAM_BLD_push_octet_string(
		in->params, OSSL_PKEY_PARAM_PUB_KEY, in->point, size))
		return JW_NO_MEMORY;
	if (in->private && !OSSL_PARAM_BLD_push_octet_string(in->params,
			       OSSL_PKEY_PARAM_PRIV_KEY, in->scalar, size))
		return JW_NO_MEMORY;
	return JW_OK;
}

static const struct family rsa = {"RSA", "RSA", EVP_PKEY_RSA, rsa_generate,
    rsa_describe, rsa_check, rsa_from_jwk};
static const struct family ec = {
    "EC", "EC", EVP_PKEY_EC, ec_generate, ec_describe, ec_check, ec_from_jwk};
static const struct family okp = {"OKP", "ED25519", EVP_PKEY_ED25519,
    okp_generate, okp_describe, okp_check, okp_from_jwk};

static const struct algorithm algorithms[JW_ALG_COUNT] = {
    [JW_ALG_RS256] = {&rsa, NULL, NULL, "SHA256", false, 0},
    [JW_ALG_RS384] = {&rsa, NULL, NULL, "SHA384", false, 0},
    [JW_ALG_RS512] = {&rsa, NULL, NULL, "SHA512", false, 0},
    [JW_ALG_PS256] = {&rsa, NULL, NULL, "SHA256", true, 0},
    [JW_ALG_PS384] = {&rsa, NULL, NULL, "SHA384", true, 0},
    [JW_ALG_PS512] = {&rsa, NULL, NULL, "SHA512", true, 0},
    [JW_ALG_ES256] = {&ec, "P-256", "prime256v1", "SHA256", false, 32},
    [JW_ALG_ES384] = {&ec, "P-384", "secp384r1", "SHA384", false, 48},
    [JW_ALG_EDDSA] = {&okp, "Ed25519", NULL, NULL, false, 0},
    [JW_ALG_ED25519] = {&okp, "Ed25519", NULL, NULL, false, 0},
};

static const struct algorithm *
algorithm_find(enum jw_alg alg, struct jw_why *why)
{
	if ((unsigned)alg < JW_ALG_COUNT)
		return &algorithms[alg];
	jw_why_set(why, "no such algorithm: %d", (int)alg);
	return NULL;
}

/* For signing or verifying as the algorithm's row says. */
static bool
context_init(const struct algorithm *algorithm, EVP_PKEY *pkey, bool sign,
    EVP_MD_CTX *context)
{
	EVP_PKEY_CTX *key = NULL;
	int ok;

	if (sign)
		ok = EVP_DigestSignInit_ex(
		    context, &key, algorithm->digest, NULL, NULL, pkey, NULL);
	else
		ok = EVP_DigestVerifyInit_ex(
		    context, &key, algorithm->digest, NULL, NULL, pkey, NULL);
	if (ok != 1 || !algorithm->pss)
		return ok == 1;
	return EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(
		   key, algorithm->digest, NULL) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) ==
		   1;
}

static bool
pair_set_kid(struct keys_pair *pair, const struct members *members)
{
	const struct algorithm *algorithm = pair->algorithm;
	const char *kty = algorithm->family->kty;
	uint8_t hash[KEYS_HASH_SIZE];
	char *text;
	bool ok;

	/* RFC 7638 section 3.2: these members only, in this order. */
	if (algorithm->crv == NULL)
		text = format("{\"e\":\"%s\",\"kty\":\"%s\",\"n\":\"%s\"}",
		    members->second, kty, members->first);
	else if (members->second != NULL)
		text = format("{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%s\","
			      "\"y\":\"%s\"}",
		    algorithm->crv, kty, members->first, members->second);
	else
		text = format("{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%s\"}",
		    algorithm->crv, kty, members->first);
	ok = text != NULL && sha256(text, strlen(text), hash);
	if (ok)
		encode(hash, sizeof(hash), pair->kid);
	free(text);
	return ok;
}

static bool
pair_set_jwk(struct keys_pair *pair, const struct members *members)
{
	const struct algorithm *algorithm = pair->algorithm;
	char *head, *tail;

	head = format("\"kty\":\"%s\",\"use\":\"sig\",\"alg\":\"%s\","
		      "\"kid\":\"%s\"",
	    algorithm->family->kty, jw_alg_name((int)pair->alg), pair->kid);
	if (algorithm->crv == NULL)
		tail = format("\"n\":\"%s\",\"e\":\"%s\"", members->first,
		    members->second);
	else if (members->second != NULL)
		tail = format("\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"",
		    algorithm->crv, members->first, members->second);
	else
		tail = format("\"crv\":\"%s\",\"x\":\"%s\"", algorithm->crv,
		    members->first);
	if (head != NULL && tail != NULL)
		pair->jwk = format("{%s,%s}", head, tail);
	free(head);
	free(tail);
	return pair->jwk != NULL;
}

static bool
pair_set_spki_hash(struct keys_pair *pair)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pair->pkey, &der);
	bool ok = len > 0 && sha256(der, (size_t)len, pair->spki_hash);

	OPENSSL_free(der);
	return ok;
}

static bool
pair_describe(struct keys_pair *pair)
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

/* Takes pkey, also on failure. */
static enum jw_err
pair_take(
    enum jw_alg alg, EVP_PKEY *pkey, bool private, struct keys_pair **ret_pair)
{
	struct keys_pair *pair = calloc(1, sizeof(*pair));
	enum jw_err err = JW_NO_MEMORY;

	if (pair == NULL) {
		EVP_PKEY_free(pkey);
		return err;
	}
	pair->alg = alg;
	pair->algorithm = &algorithms[alg];
	pair->pkey = pkey;
	/* One key, one SubjectPublicKeyInfo: a file may hold a short point. */
	if (pair->algorithm->family == &ec &&
	    EVP_PKEY_set_utf8_string_param(pkey,
		OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1)
		goto out;
	if (!pair_describe(pair))
		goto out;
	if (private) {
		pair->signer = EVP_MD_CTX_new();
		if (pair->signer == NULL)
			goto out;
		err = JW_BAD_KEY;
		if (!context_init(pair->algorithm, pkey, true, pair->signer))
			goto out;
	}
	*ret_pair = pair;
	pair = NULL;
	err = JW_OK;
out:
	keys_free(pair);
	return err;
}

/* The key against itself: point on the curve, halves that belong together. */
static enum jw_err
pkey_validate(EVP_PKEY *pkey, bool private, struct jw_why *why)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	enum jw_err err = JW_OK;

	if (context == NULL)
		return JW_NO_MEMORY;
	if (EVP_PKEY_public_check(context) != 1) {
		jw_why_set(
		    why, "the public key is not a valid one of its kind");
		err = JW_BAD_KEY;
	} else if (private && EVP_PKEY_check(context) != 1) {
		jw_why_set(
		    why, "the private half does not belong to the public half");
		err = JW_BAD_KEY;
	}
	EVP_PKEY_CTX_free(context);
	return err;
}

/* From outside: check everything first.  Takes pkey, also on failure. */
static enum jw_err
pair_take_foreign(enum jw_alg alg, EVP_PKEY *pkey, bool private,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	const struct algorithm *algorithm = &algorithms[alg];
	enum jw_err err = JW_BAD_KEY;

	if (!EVP_PKEY_is_a(pkey, algorithm->family->type)) {
		jw_why_set(why, "%s needs a key of type %s",
		    jw_alg_name((int)alg), algorithm->family->type);
		goto out;
	}
	err = algorithm->family->check(algorithm, pkey, why);
	if (err == JW_OK)
		err = pkey_validate(pkey, private, why);
	if (err != JW_OK)
		goto out;
	err = pair_take(alg, pkey, private, ret_pair);
	pkey = NULL;
	if (err == JW_BAD_KEY)
		jw_why_set(why, "OpenSSL cannot sign with the key");
out:
	EVP_PKEY_free(pkey);
	return err;
}

/* What OpenSSL queued for this thread is told by our own result. */
static enum jw_err
done(enum jw_err err)
{
	if (err != JW_OK)
		ERR_clear_error();
	return err;
}

/* The same for a caller that is told why. */
static enum jw_err
done_why(enum jw_err err, struct jw_why *why)
{
	if (err == JW_NO_MEMORY)
		jw_why_set(why, "%s", jw_err_text(err));
	return done(err);
}

/*
 * OpenSSL frees some buffers that held a private key without cleansing them
 * (measured: i2d_PrivateKey of RSA and Ed25519).  So all that it frees is.
 */
static void *
wiping_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void
wiping_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	if (old == NULL)
		return;
	explicit_bzero(old, malloc_usable_size(old));
	free(old);
}

static void *
wiping_realloc(void *old, size_t size, const char *file, int line)
{
	size_t old_size = old == NULL ? 0 : malloc_usable_size(old);
	void *data = NULL;

	if (size > 0) {
		data = malloc(size);
		if (data == NULL)
			return NULL;
		if (old_size > 0)
			memcpy(data, old, old_size < size ? old_size : size);
	}
	wiping_free(old, file, line);
	return data;
}

enum jw_err
keys_init(size_t secure_heap_bytes, int *ret_locked)
{
	size_t size = SECURE_HEAP_MIN;
	int result;

	if (CRYPTO_secure_malloc_initialized())
		return JW_BUG;
	/* Refused once OpenSSL has allocated; then we do without. */
	CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
	/* Keys do not depend on what an administrator configured for TLS. */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return done(JW_NO_MEMORY);
	while (size < secure_heap_bytes && size <= SIZE_MAX / 4)
		size *= 2;
	result = CRYPTO_secure_malloc_init(size, SECURE_HEAP_UNIT);
	if (result == 0)
		return done(JW_NO_MEMORY);
	*ret_locked = result == 1;
	return JW_OK;
}

void
keys_done(void)
{
	CRYPTO_secure_malloc_done();
}

/*
 * A copy of this machine's memory may run elsewhere and would draw the same
 * numbers: the generator has to hear from the kernel first.
 */
static bool
reseed(void)
{
	EVP_RAND_CTX *generator = RAND_get0_private(NULL);

	return generator != NULL &&
	       EVP_RAND_reseed(generator, 1, NULL, 0, NULL, 0) == 1;
}

enum jw_err
keys_generate(enum jw_alg alg, int rsa_bits, struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = algorithm_find(alg, NULL);
	EVP_PKEY *pkey;

	if (algorithm == NULL || !reseed())
		return done(JW_BAD_KEY);
	pkey = algorithm->family->generate(algorithm, rsa_bits);
	if (pkey == NULL)
		return done(JW_BAD_KEY);
	return done(pair_take(alg, pkey, true, ret_pair));
}

void
keys_free(struct keys_pair *pair)
{
	if (pair == NULL)
		return;
	EVP_MD_CTX_free(pair->signer);
	EVP_PKEY_free(pair->pkey);
	free(pair->jwk);
	free(pair);
}

enum jw_alg
keys_alg(const struct keys_pair *pair)
{
	return pair->alg;
}

const char *
keys_kid(const struct keys_pair *pair)
{
	return pair->kid;
}

const char *
keys_public_jwk(const struct keys_pair *pair)
{
	return pair->jwk;
}

const uint8_t *
keys_spki_hash(const struct keys_pair *pair)
{
	return pair->spki_hash;
}

/* From the SEQUENCE of two INTEGERs to R || S, RFC 7518 section 3.4. */
static bool
ecdsa_to_jws(const uint8_t *der, size_t len, size_t field, uint8_t *ret_raw)
{
	const uint8_t *at = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	int size = (int)field;
	bool ok;

	ok = sig != NULL && at == der + len &&
	     BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_raw, size) == size &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_raw + field, size) == size;
	ECDSA_SIG_free(sig);
	return ok;
}

/* The way back; ret_der has room for KEYS_SIGNATURE_MAX. */
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

/*
 * Copying what is ready spares OpenSSL to look up names, 12 % of an ES256
 * signature.  Early 3.0 releases do not copy a context without a digest.
 */
static bool
signer_copy(const struct keys_pair *pair, EVP_MD_CTX *context)
{
	if (pair->algorithm->digest != NULL)
		return EVP_MD_CTX_copy_ex(context, pair->signer) == 1;
	return context_init(pair->algorithm, pair->pkey, true, context);
}

enum jw_err
keys_sign(const struct keys_pair *pair, const void *data, size_t len,
    uint8_t *signature, size_t *ret_len)
{
	const size_t field = pair->algorithm->field;
	uint8_t made[KEYS_SIGNATURE_MAX];
	size_t made_len = sizeof(made);
	EVP_MD_CTX *context = NULL;
	enum jw_err err = JW_BAD_KEY;

	if (pair->signer == NULL)
		return err;
	context = EVP_MD_CTX_new();
	if (context == NULL)
		return done(JW_NO_MEMORY);
	if (!signer_copy(pair, context))
		goto out;
	if (EVP_DigestSign(context, made, &made_len, data, len) != 1)
		goto out;
	if (field == 0) {
		memcpy(signature, made, made_len);
		*ret_len = made_len;
	} else {
		if (!ecdsa_to_jws(made, made_len, field, signature))
			goto out;
		*ret_len = 2 * field;
	}
	err = JW_OK;
out:
	EVP_MD_CTX_free(context);
	return done(err);
}

enum jw_err
keys_verify(const struct keys_pair *pair, const void *data, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	const size_t field = pair->algorithm->field;
	uint8_t der[KEYS_SIGNATURE_MAX];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	enum jw_err err = JW_BAD_KEY;

	if (context == NULL)
		return done(JW_NO_MEMORY);
	if (field != 0) {
		if (!ecdsa_from_jws(
			signature, signature_len, field, der, &signature_len))
			goto out;
		signature = der;
	}
	if (context_init(pair->algorithm, pair->pkey, false, context) &&
	    EVP_DigestVerify(context, signature, signature_len, data, len) == 1)
		err = JW_OK;
out:
	EVP_MD_CTX_free(context);
	return done(err);
}

enum jw_err
keys_private_export(
    const struct keys_pair *pair, uint8_t **ret_der, size_t *ret_len)
{
	uint8_t *der, *at;
	int len;

	if (pair->signer == NULL)
		return JW_BAD_KEY;
	len = i2d_PrivateKey(pair->pkey, NULL);
	if (len <= 0)
		return done(JW_BAD_KEY);
	der = at = OPENSSL_secure_malloc((size_t)len);
	if (der == NULL)
		return done(JW_NO_MEMORY);
	if (i2d_PrivateKey(pair->pkey, &at) != len) {
		keys_private_free(der, (size_t)len);
		return done(JW_BAD_KEY);
	}
	*ret_der = der;
	*ret_len = (size_t)len;
	return JW_OK;
}

void
keys_private_free(uint8_t *der, size_t len)
{
	OPENSSL_secure_clear_free(der, len);
}

/* The scalar must give the point that stands beside it. */
static bool
halves_match(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = context != NULL && EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return ok;
}

enum jw_err
keys_private_import(enum jw_alg alg, const uint8_t *der, size_t len,
    struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = algorithm_find(alg, NULL);
	const uint8_t *at = der;
	EVP_PKEY *pkey = NULL;
	enum jw_err err = JW_BAD_KEY;

	if (algorithm == NULL || len > IMPORT_MAX)
		return err;
	pkey = d2i_PrivateKey(algorithm->family->id, NULL, &at, (long)len);
	if (pkey == NULL || at != der + len ||
	    !EVP_PKEY_is_a(pkey, algorithm->family->type) ||
	    algorithm->family->check(algorithm, pkey, NULL) != JW_OK)
		goto out;
	/* For RSA that would prove primes, 100 ms: envelope.c signs instead. */
	if (algorithm->family != &rsa && !halves_match(pkey))
		goto out;
	err = pair_take(alg, pkey, true, ret_pair);
	pkey = NULL;
out:
	EVP_PKEY_free(pkey);
	return done(err);
}

/* Stands where OpenSSL would ask on the terminal. */
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
keys_from_pem(enum jw_alg alg, const char *pem, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	const struct algorithm *algorithm = algorithm_find(alg, why);
	EVP_PKEY *pkey;
	bool asked = false;
	enum jw_err err;
	BIO *bio;

	if (algorithm == NULL)
		return JW_BAD_KEY;
	if (len > IMPORT_MAX) {
		jw_why_set(why, "the PEM text is longer than %d octets",
		    (int)IMPORT_MAX);
		return JW_BAD_KEY;
	}
	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return done_why(JW_NO_MEMORY, why);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
	BIO_free(bio);
	if (pkey == NULL) {
		jw_why_set(
		    why, asked ? "the PEM text is encrypted, and should not be"
			       : "no private key in PEM was found in the text");
		if (asked)
			jw_why_hint(why, "openssl pkey -in FILE takes the "
					 "passphrase off");
		return done(JW_BAD_KEY);
	}
	err = pair_take_foreign(alg, pkey, true, ret_pair, why);
	return done_why(err, why);
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

	if (!json_is_object(in->jwk)) {
		jw_why_set(in->why, "a JWK should be a JSON object");
		return JW_BAD_KEY;
	}
	if (!is_text(in->jwk, "kty", algorithm->family->kty)) {
		jw_why_set(in->why, "%s needs a JWK with \"kty\":\"%s\"",
		    jw_alg_name((int)alg), algorithm->family->kty);
		return JW_BAD_KEY;
	}
	if (algorithm->crv != NULL &&
	    !is_text(in->jwk, "crv", algorithm->crv)) {
		jw_why_set(in->why, "%s needs a JWK with \"crv\":\"%s\"",
		    jw_alg_name((int)alg), algorithm->crv);
		return JW_BAD_KEY;
	}
	return JW_OK;
}

/* Any private member makes it a private key, which then must be whole. */
static bool
import_is_private(const json_t *jwk)
{
	for (size_t i = RSA_PUBLIC_MEMBERS; i < RSA_MEMBERS; i++) {
		if (json_object_get(jwk, rsa_members[i].name) != NULL)
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
	context = EVP_PKEY_CTX_new_from_name(NULL, family->type, NULL);
	params = OSSL_PARAM_BLD_to_param(in->params);
	if (context == NULL || params == NULL) {
		err = JW_NO_MEMORY;
	} else if (EVP_PKEY_fromdata_init(context) != 1 ||
		   EVP_PKEY_fromdata(context, &pkey, selection, params) != 1) {
		jw_why_set(in->why, "the JWK's numbers make no %s key",
		    in->algorithm->crv != NULL ? in->algorithm->crv
					       : family->kty);
		err = JW_BAD_KEY;
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
	for (size_t i = RSA_PUBLIC_MEMBERS; i < RSA_MEMBERS; i++) {
		json_t *member = json_object_get(in->jwk, rsa_members[i].name);

		/* Ours to free, hence to overwrite; Jansson has no way. */
		if (json_is_string(member))
			OPENSSL_cleanse(
			    (void *)(uintptr_t)json_string_value(member),
			    json_string_length(member));
	}
	json_decref(in->jwk);
}

enum jw_err
keys_from_jwk(enum jw_alg alg, const char *jwk, size_t len,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	struct import in = {.algorithm = algorithm_find(alg, why), .why = why};
	EVP_PKEY *pkey = NULL;
	json_error_t error;
	enum jw_err err;

	if (in.algorithm == NULL)
		return JW_BAD_KEY;
	if (len > IMPORT_MAX) {
		jw_why_set(
		    why, "the JWK is longer than %d octets", (int)IMPORT_MAX);
		return JW_BAD_KEY;
	}
	in.jwk = json_loadb(jwk, len, JSON_REJECT_DUPLICATES, &error);
	if (in.jwk == NULL) {
		/* Jansson's own text would quote what may be a private key. */
		jw_why_set(
		    why, "the JWK is not JSON, at octet %d", error.position);
		return JW_BAD_KEY;
	}
	in.private = import_is_private(in.jwk);
	in.params = OSSL_PARAM_BLD_new();
	err = in.params == NULL ? JW_NO_MEMORY : import_check_kind(&in, alg);
	if (err == JW_OK)
		err = import_pkey(&in, &pkey);
	if (err == JW_OK)
		err = pair_take_foreign(alg, pkey, in.private, ret_pair, why);
	import_done(&in);
	return done_why(err, why);
}
