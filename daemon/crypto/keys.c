/*
 * Key pairs over OpenSSL 3.  What an algorithm needs (type of key, curve,
 * digest, padding) is one row of a table; what has no row does not exist.
 *
 * Private numbers are copied into the secure heap only, and cleansed on every
 * way out.  This file must never log, never ask a person for a passphrase,
 * and never use an OpenSSL call that 3.0 deprecates.
 */
#include <endian.h>
#include <malloc.h>
#include <stdatomic.h>
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

#include "daemon/crypto/keys.h"

#include "common/base/memory.h"

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 4096,
	RSA_OCTETS_MAX = RSA_BITS_MAX / 8,
	RSA_MEMBERS = 8,
	RSA_PUBLIC_MEMBERS = 2,
	ED25519_OCTETS = 32,
	ED448_OCTETS = 57,
	OKP_OCTETS_MAX = ED448_OCTETS,
	SEED_OCTETS = 32,
	AKP_OCTETS_MAX = 2592,
	IMPORT_MAX = 65536,
	SECURE_HEAP_UNIT = 32,
	SECURE_HEAP_MIN = 4096,
	ECDSA_DER_MAX = 160, /* of P-521: 141 */
	PENS = 8,            /* of a key, for as many threads */
};

/* What OpenSSL 3.5 calls the seed of an ML-DSA key; 3.0 has no name for it. */
#define PARAM_SEED "seed"

/* The public numbers as base64url: n and e, x and y, or x or pub alone. */
struct members {
	char *first;
	char *second;
};

struct algorithm;
struct import;

/* What keys of one kty have in common. */
struct family {
	const char *kty;
	EVP_PKEY *(*generate)(const struct algorithm *algorithm, int rsa_bits,
	    const atomic_bool *cancelled);
	bool (*describe)(const struct algorithm *algorithm,
	    const EVP_PKEY *pkey, struct members *ret_members);
	/* What a thumbprint is made over, RFC 7638 section 3.2. */
	char *(*canonical)(
	    const struct algorithm *algorithm, const struct members *members);
	/* The members of a JWK behind those that every key has. */
	char *(*tail)(
	    const struct algorithm *algorithm, const struct members *members);
	/* Sizes and curve; cheap. */
	enum jw_err (*check)(const struct algorithm *algorithm,
	    const EVP_PKEY *pkey, struct jw_why *why);
	enum jw_err (*from_jwk)(struct import *import);
	/* The private half; *ret_der for crypto_private_free(). */
	enum jw_err (*to_der)(
	    const EVP_PKEY *pkey, uint8_t **ret_der, size_t *ret_len);
	/* NULL for anything but such DER. */
	EVP_PKEY *(*from_der)(
	    const struct algorithm *algorithm, const uint8_t *der, size_t len);
};

struct algorithm {
	const struct family *family;
	const char *type;   /* OpenSSL's name of the type of key */
	int id;             /* its number; 0 where no DER needs one */
	const char *crv;    /* as a JWK has it */
	const char *group;  /* the same curve as OpenSSL answers it */
	const char *digest; /* NULL where the scheme has its own */
	bool pss;
	size_t field;  /* octets of a coordinate, for ECDSA */
	size_t octets; /* of x (OKP) or pub (AKP) */
};

/*
 * What a signature is made with, ready for the next one: to set it up by name
 * takes 12 % of an ES256 signature.  In the hands of one thread at a time.
 */
struct pen {
	EVP_MD_CTX *digest; /* or the whole of it where no digest has a name */
	EVP_PKEY_CTX *key;
};

/* Whoever signs takes one out. */
struct pen_case {
	_Atomic(struct pen *) pens[PENS];
};

struct keys_pair {
	enum jw_alg alg;
	const struct algorithm *algorithm;
	EVP_PKEY *pkey;
	struct pen_case *pens; /* NULL without a private half */
	char kid[KEYS_KID_SIZE];
	uint8_t spki_hash[KEYS_HASH_SIZE];
	char *jwk;
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789-_";

static size_t
encoded_size(size_t len)
{
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* 1 in each octet of those of values, all below 64, that is at least this. */
static uint64_t
at_least(uint64_t values, unsigned least)
{
	return (values + EACH(128 - least)) >> 7 & EACH(1);
}

/*
 * The characters for 48 bits, the first one on top, without a look into the
 * alphabet: of a token's octets nearly all come through here.
 */
static uint64_t
eight_characters(uint64_t bits)
{
	uint64_t v = (bits & 0xffffff000000) << 8 | (bits & 0xffffff);

	v = (v & 0x00fff00000fff000) << 4 | (v & 0x00000fff00000fff);
	v = (v & 0x0fc00fc00fc00fc0) << 2 | (v & 0x003f003f003f003f);
	/* Each octet ends as a character: none carries into the next. */
	return v + EACH('A') + at_least(v, 26) * ('a' - 'A' - 26) -
	       at_least(v, 52) * ('a' + 26 - '0') -
	       at_least(v, 62) * ('0' + 10 - '-') +
	       at_least(v, 63) * ('_' - '-' - 1);
}

static size_t
encode(const uint8_t *data, size_t len, char *text)
{
	char *at = text;
	uint64_t word;
	uint32_t bits;
	size_t i;

	/* Eight octets are looked at, six taken. */
	for (i = 0; i + sizeof(word) <= len; i += 6, at += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		word = htobe64(eight_characters(be64toh(word) >> 16));
		memcpy(at, &word, sizeof(word));
	}
	for (; i + 2 < len; i += 3) {
		bits = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 |
		       data[i + 2];
		*at++ = alphabet[bits >> 18];
		*at++ = alphabet[bits >> 12 & 63];
		*at++ = alphabet[bits >> 6 & 63];
		*at++ = alphabet[bits & 63];
	}
	if (i == len)
		return (size_t)(at - text);
	bits = (uint32_t)data[i] << 16;
	if (i + 1 < len)
		bits |= (uint32_t)data[i + 1] << 8;
	*at++ = alphabet[bits >> 18];
	*at++ = alphabet[bits >> 12 & 63];
	if (i + 1 < len)
		*at++ = alphabet[bits >> 6 & 63];
	return (size_t)(at - text);
}

static size_t
decoded_size(size_t len)
{
	return len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1);
}

/* What a character stands for; -1: for nothing. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
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
		int value = value_of(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
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
crypto_base64url(const void *data, size_t len)
{
	char *text = jw_alloc(encoded_size(len) + 1);

	text[encode(data, len, text)] = '\0';
	return text;
}

size_t
crypto_base64url_size(size_t len)
{
	return encoded_size(len);
}

size_t
crypto_base64url_write(const void *data, size_t len, char *text)
{
	return encode(data, len, text);
}

enum jw_err
crypto_base64url_decode(
    const char *text, size_t len, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data = jw_alloc(decoded_size(len) + 1);

	if (!decode(text, len, data)) {
		OPENSSL_cleanse(data, decoded_size(len) + 1);
		free(data);
		return JW_INVALID_PARAMETER;
	}
	data[decoded_size(len)] = '\0';
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
crypto_etag(const void *body, size_t len, char *etag)
{
	uint8_t hash[KEYS_HASH_SIZE];

	if (!sha256(body, len, hash))
		return JW_BUG;
	etag[0] = '"';
	memcpy(etag + 1 + encode(hash, 16, etag + 1), "\"", 2);
	return JW_OK;
}

enum jw_err
crypto_random(void *buf, size_t len)
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
	text = crypto_base64url(octets, (size_t)len);
out:
	BN_free(number);
	return text;
}

/* OpenSSL asks between the candidates for a prime. */
static int
crypto_may_go_on(EVP_PKEY_CTX *context)
{
	const atomic_bool *cancelled = EVP_PKEY_CTX_get_app_data(context);

	return cancelled == NULL || !atomic_load(cancelled);
}

static EVP_PKEY *
rsa_generate(const struct algorithm *algorithm, int rsa_bits,
    const atomic_bool *cancelled)
{
	EVP_PKEY_CTX *context;
	EVP_PKEY *pkey = NULL;

	if (rsa_bits < RSA_BITS_MIN || rsa_bits > RSA_BITS_MAX)
		return NULL;
	context = EVP_PKEY_CTX_new_from_name(NULL, algorithm->type, NULL);
	if (context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_keygen_bits(context, rsa_bits) == 1) {
		EVP_PKEY_CTX_set_app_data(
		    context, (void *)(uintptr_t)cancelled);
		EVP_PKEY_CTX_set_cb(context, crypto_may_go_on);
		if (EVP_PKEY_generate(context, &pkey) != 1)
			pkey = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return pkey;
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
ec_generate(const struct algorithm *algorithm, int rsa_bits,
    const atomic_bool *cancelled)
{
	(void)rsa_bits;
	(void)cancelled;
	return EVP_PKEY_Q_keygen(NULL, NULL, algorithm->type, algorithm->group);
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
okp_generate(const struct algorithm *algorithm, int rsa_bits,
    const atomic_bool *cancelled)
{
	(void)rsa_bits;
	(void)cancelled;
	return EVP_PKEY_Q_keygen(NULL, NULL, algorithm->type);
}

static bool
okp_describe(const struct algorithm *algorithm, const EVP_PKEY *pkey,
    struct members *ret_members)
{
	uint8_t x[OKP_OCTETS_MAX];
	size_t len = sizeof(x);

	if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1 ||
	    len != algorithm->octets)
		return false;
	ret_members->first = crypto_base64url(x, len);
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

static EVP_PKEY *
akp_generate(const struct algorithm *algorithm, int rsa_bits,
    const atomic_bool *cancelled)
{
	EVP_PKEY_CTX *context =
	    EVP_PKEY_CTX_new_from_name(NULL, algorithm->type, NULL);
	EVP_PKEY *pkey = NULL;

	(void)rsa_bits;
	(void)cancelled;
	if (context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
	    EVP_PKEY_generate(context, &pkey) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static bool
akp_describe(const struct algorithm *algorithm, const EVP_PKEY *pkey,
    struct members *ret_members)
{
	uint8_t pub[AKP_OCTETS_MAX];
	size_t len;

	if (EVP_PKEY_get_octet_string_param(
		pkey, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub), &len) != 1 ||
	    len != algorithm->octets)
		return false;
	ret_members->first = crypto_base64url(pub, len);
	return ret_members->first != NULL;
}

/* Its seed, SEED_OCTETS; false for a public key or one without. */
static bool
akp_seed(const EVP_PKEY *pkey, uint8_t *ret_seed)
{
	size_t len;

	return EVP_PKEY_get_octet_string_param(
		   pkey, PARAM_SEED, ret_seed, SEED_OCTETS, &len) == 1 &&
	       len == SEED_OCTETS;
}

/* What is sealed, and what a JWK holds (RFC 9964), is the seed. */
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
	jw_why_set(why,
	    "the %s key has no seed, and should be given with it (RFC 9881 "
	    "section 6)",
	    algorithm->type);
	return JW_BAD_KEY;
}

/* A JWK on its way in; what it holds on to until the key is made. */
struct import {
	const struct algorithm *algorithm;
	json_t *jwk;
	bool private;
	bool ours; /* has been checked before it was stored */
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
	const size_t size = in->algorithm->octets;
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

static enum jw_err
akp_from_jwk(struct import *in)
{
	const size_t size = in->algorithm->octets;
	enum jw_err err;

	err = import_octets(in, "pub", size, size, &in->point, &in->point_len);
	if (err == JW_OK && in->private)
		err = import_octets(in, "priv", SEED_OCTETS, SEED_OCTETS,
		    &in->scalar, &in->scalar_len);
	if (err != JW_OK)
		return err;
	if (!OSSL_PARAM_BLD_push_octet_string(
		in->params, OSSL_PKEY_PARAM_PUB_KEY, in->point, size))
		return JW_NO_MEMORY;
	if (in->private && !OSSL_PARAM_BLD_push_octet_string(
			       in->params, PARAM_SEED, in->scalar, SEED_OCTETS))
		return JW_NO_MEMORY;
	return JW_OK;
}

static char *
rsa_canonical(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf("{\"e\":\"%s\",\"kty\":\"%s\",\"n\":\"%s\"}",
	    members->second, algorithm->family->kty, members->first);
}

static char *
ec_canonical(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf("{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%s\","
			   "\"y\":\"%s\"}",
	    algorithm->crv, algorithm->family->kty, members->first,
	    members->second);
}

static char *
okp_canonical(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf("{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"%s\"}",
	    algorithm->crv, algorithm->family->kty, members->first);
}

/* RFC 9964: alg is a part of it, since it is what names the parameters. */
static char *
akp_canonical(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf("{\"alg\":\"%s\",\"kty\":\"%s\",\"pub\":\"%s\"}",
	    algorithm->type, algorithm->family->kty, members->first);
}

static char *
rsa_tail(const struct algorithm *algorithm, const struct members *members)
{
	(void)algorithm;
	return jw_asprintf(
	    "\"n\":\"%s\",\"e\":\"%s\"", members->first, members->second);
}

static char *
ec_tail(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf("\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"",
	    algorithm->crv, members->first, members->second);
}

static char *
okp_tail(const struct algorithm *algorithm, const struct members *members)
{
	return jw_asprintf(
	    "\"crv\":\"%s\",\"x\":\"%s\"", algorithm->crv, members->first);
}

static char *
akp_tail(const struct algorithm *algorithm, const struct members *members)
{
	(void)algorithm;
	return jw_asprintf("\"pub\":\"%s\"", members->first);
}

static enum jw_err
any_to_der(const EVP_PKEY *pkey, uint8_t **ret_der, size_t *ret_len)
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

static EVP_PKEY *
any_from_der(const struct algorithm *algorithm, const uint8_t *der, size_t len)
{
	const uint8_t *at = der;
	EVP_PKEY *pkey = d2i_PrivateKey(algorithm->id, NULL, &at, (long)len);

	if (pkey == NULL || at == der + len)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

/*
 * RFC 9881 section 6: seed [0] OCTET STRING (SIZE (32)).  OpenSSL would write
 * 2.5 to 4.9 KB that follow from these, and no release before 3.5 knows how.
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
	/* OSSL_PARAM has no const; the seed is only read. */
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

static const struct family rsa = {"RSA", rsa_generate, rsa_describe,
    rsa_canonical, rsa_tail, rsa_check, rsa_from_jwk, any_to_der, any_from_der};
static const struct family ec = {"EC", ec_generate, ec_describe, ec_canonical,
    ec_tail, ec_check, ec_from_jwk, any_to_der, any_from_der};
static const struct family okp = {"OKP", okp_generate, okp_describe,
    okp_canonical, okp_tail, okp_check, okp_from_jwk, any_to_der, any_from_der};
static const struct family akp = {"AKP", akp_generate, akp_describe,
    akp_canonical, akp_tail, akp_check, akp_from_jwk, akp_to_der, akp_from_der};

/* clang-format off */
#define RSA_ROW(digest, pss) \
	{ &rsa, "RSA", EVP_PKEY_RSA, NULL, NULL, digest, pss, 0, 0 }
#define EC_ROW(crv, group, digest, field) \
	{ &ec, "EC", EVP_PKEY_EC, crv, group, digest, false, field, 0 }
#define OKP_ROW(crv, type, id, octets) \
	{ &okp, type, id, crv, NULL, NULL, false, 0, octets }
#define AKP_ROW(type, octets) \
	{ &akp, type, 0, NULL, NULL, NULL, false, 0, octets }
/* clang-format on */

static const struct algorithm algorithms[JW_ALG_COUNT] = {
    [JW_ALG_RS256] = RSA_ROW("SHA256", false),
    [JW_ALG_RS384] = RSA_ROW("SHA384", false),
    [JW_ALG_RS512] = RSA_ROW("SHA512", false),
    [JW_ALG_PS256] = RSA_ROW("SHA256", true),
    [JW_ALG_PS384] = RSA_ROW("SHA384", true),
    [JW_ALG_PS512] = RSA_ROW("SHA512", true),
    [JW_ALG_ES256] = EC_ROW("P-256", "prime256v1", "SHA256", 32),
    [JW_ALG_ES384] = EC_ROW("P-384", "secp384r1", "SHA384", 48),
    [JW_ALG_ES512] = EC_ROW("P-521", "secp521r1", "SHA512", 66),
    [JW_ALG_ES256K] = EC_ROW("secp256k1", "secp256k1", "SHA256", 32),
    [JW_ALG_EDDSA] =
	OKP_ROW("Ed25519", "ED25519", EVP_PKEY_ED25519, ED25519_OCTETS),
    [JW_ALG_ED25519] =
	OKP_ROW("Ed25519", "ED25519", EVP_PKEY_ED25519, ED25519_OCTETS),
    [JW_ALG_ED448] = OKP_ROW("Ed448", "ED448", EVP_PKEY_ED448, ED448_OCTETS),
    [JW_ALG_MLDSA44] = AKP_ROW("ML-DSA-44", 1312),
    [JW_ALG_MLDSA65] = AKP_ROW("ML-DSA-65", 1952),
    [JW_ALG_MLDSA87] = AKP_ROW("ML-DSA-87", AKP_OCTETS_MAX),
};

/* The other families are as old as the oldest OpenSSL that will do. */
static bool
openssl_has(const struct algorithm *algorithm)
{
	EVP_KEYMGMT *keymgmt;
	EVP_SIGNATURE *signature;
	bool has;

	if (algorithm->family != &akp)
		return true;
	keymgmt = EVP_KEYMGMT_fetch(NULL, algorithm->type, NULL);
	signature = EVP_SIGNATURE_fetch(NULL, algorithm->type, NULL);
	has = keymgmt != NULL && signature != NULL;
	EVP_KEYMGMT_free(keymgmt);
	EVP_SIGNATURE_free(signature);
	ERR_clear_error();
	return has;
}

static bool
openssl_is_older(unsigned major, unsigned minor)
{
	return OPENSSL_version_major() < major ||
	       (OPENSSL_version_major() == major &&
		   OPENSSL_version_minor() < minor);
}

/* NULL with why for one that does not exist, or not in this OpenSSL. */
static const struct algorithm *
algorithm_find(enum jw_alg alg, struct jw_why *why)
{
	const char *version = OpenSSL_version(OPENSSL_VERSION_STRING);

	if ((unsigned)alg >= JW_ALG_COUNT) {
		jw_why_set(why, "no such algorithm: %d", (int)alg);
		return NULL;
	}
	if (openssl_has(&algorithms[alg]))
		return &algorithms[alg];
	if (openssl_is_older(3, 5))
		jw_why_set(why,
		    "%s needs OpenSSL 3.5 or newer; this is OpenSSL %s",
		    jw_alg_name((int)alg), version);
	else
		jw_why_set(why,
		    "%s needs an OpenSSL that was built with it; this "
		    "OpenSSL %s was not",
		    jw_alg_name((int)alg), version);
	return NULL;
}

enum jw_err
crypto_supported(enum jw_alg alg, struct jw_why *why)
{
	return algorithm_find(alg, why) == NULL ? JW_BAD_POLICY : JW_OK;
}

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

/* For verifying as the algorithm's row says. */
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
pen_free(struct pen *pen)
{
	if (pen == NULL)
		return;
	EVP_MD_CTX_free(pen->digest);
	EVP_PKEY_CTX_free(pen->key);
	free(pen);
}

static bool
pen_init(struct pen *pen, const struct algorithm *algorithm, EVP_PKEY *pkey)
{
	if (algorithm->digest == NULL)
		return EVP_DigestSignInit_ex(pen->digest, NULL, NULL, NULL,
			   NULL, pkey, NULL) == 1;
	pen->key = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	return pen->key != NULL && EVP_PKEY_sign_init(pen->key) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(
		   pen->key, EVP_get_digestbyname(algorithm->digest)) == 1 &&
	       set_pss(algorithm, pen->key) &&
	       EVP_DigestInit_ex2(pen->digest,
		   EVP_get_digestbyname(algorithm->digest), NULL) == 1;
}

/* NULL: no memory, or not a key that signs so. */
static struct pen *
pen_new(const struct keys_pair *pair)
{
	struct pen *pen = jw_zalloc(sizeof(*pen));

	pen->digest = EVP_MD_CTX_new();
	if (pen->digest != NULL && pen_init(pen, pair->algorithm, pair->pkey))
		return pen;
	pen_free(pen);
	return NULL;
}

static struct pen *
pen_take(const struct keys_pair *pair)
{
	struct pen *pen = NULL;

	for (int i = 0; i < PENS && pen == NULL; i++)
		pen = atomic_exchange(&pair->pens->pens[i], NULL);
	return pen != NULL ? pen : pen_new(pair);
}

/* For the next one.*/
static void
pen_give_back(const struct keys_pair *pair, struct pen *take_pen)
{
	struct pen *none = NULL;

	for (int i = 0; i < PENS; i++, none = NULL)
		if (atomic_compare_exchange_strong(
			&pair->pens->pens[i], &none, take_pen))
			return;
	pen_free(take_pen);
}

static bool
pair_set_kid(struct keys_pair *pair, const struct members *members)
{
	const struct algorithm *algorithm = pair->algorithm;
	char *text = algorithm->family->canonical(algorithm, members);
	uint8_t hash[KEYS_HASH_SIZE];
	bool ok;

	ok = text != NULL && sha256(text, strlen(text), hash);
	if (ok)
		pair->kid[encode(hash, sizeof(hash), pair->kid)] = '\0';
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
	struct keys_pair *pair = jw_zalloc(sizeof(*pair));
	struct pen *pen = NULL;
	enum jw_err err = JW_NO_MEMORY;

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
		pair->pens = jw_zalloc(sizeof(*pair->pens));
		pen = pen_new(pair);
		err = JW_BAD_KEY;
		if (pen == NULL)
			goto out;
		pen_give_back(pair, pen);
		pen = NULL;
	}
	*ret_pair = pair;
	pair = NULL;
	err = JW_OK;
out:
	pen_free(pen);
	crypto_free(pair);
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

/* From outside: check everything first, but for what is ours.  Takes pkey,
 * also on failure. */
static enum jw_err
pair_take_foreign(enum jw_alg alg, EVP_PKEY *pkey, bool private, bool ours,
    struct keys_pair **ret_pair, struct jw_why *why)
{
	const struct algorithm *algorithm = &algorithms[alg];
	enum jw_err err = JW_BAD_KEY;

	if (!EVP_PKEY_is_a(pkey, algorithm->type)) {
		jw_why_set(why, "%s needs a key of type %s",
		    jw_alg_name((int)alg), algorithm->type);
		goto out;
	}
	err = algorithm->family->check(algorithm, pkey, why);
	if (err == JW_OK && !ours)
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

/*
 * What OpenSSL queued for this thread is told by our own result.  A secure heap
 * that is full makes a good key look bad.
 */
static enum jw_err
done(enum jw_err err)
{
	unsigned long code;

	while (err != JW_OK && (code = ERR_get_error()) != 0)
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			err = JW_NO_MEMORY;
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
 * And where it gets no memory, it says in most places that the key is bad.
 */
static void *
wiping_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return jw_alloc(size);
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
		data = jw_alloc(size);
		if (old_size > 0)
			memcpy(data, old, old_size < size ? old_size : size);
	}
	wiping_free(old, file, line);
	return data;
}

enum jw_err
crypto_init(size_t secure_heap_bytes, int *ret_locked)
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
crypto_done(void)
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
crypto_generate(enum jw_alg alg, int rsa_bits, const atomic_bool *cancelled,
    struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = algorithm_find(alg, NULL);
	EVP_PKEY *pkey;

	if (algorithm == NULL || !reseed())
		return done(JW_BAD_KEY);
	pkey = algorithm->family->generate(algorithm, rsa_bits, cancelled);
	if (pkey == NULL)
		return done(JW_BAD_KEY);
	return done(pair_take(alg, pkey, true, ret_pair));
}

void
crypto_free(struct keys_pair *pair)
{
	if (pair == NULL)
		return;
	for (int i = 0; pair->pens != NULL && i < PENS; i++)
		pen_free(atomic_load(&pair->pens->pens[i]));
	free(pair->pens);
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

/* One INTEGER of at most field octets, without its zeroes in front. */
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

/*
 * From the SEQUENCE of two INTEGERs that OpenSSL has made to R || S, RFC 7518
 * section 3.4.
 */
static bool
ecdsa_to_jws(const uint8_t *der, size_t len, size_t field, uint8_t *ret_raw)
{
	const uint8_t *end = der + len;
	/* Of P-521 the length has a second octet. */
	size_t head = len > 1 && der[1] == 0x81 ? 3 : 2;

	if (len < head || der[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) ||
	    der[head - 1] != len - head)
		return false;
	der += head;
	return read_integer(&der, end, field, ret_raw) &&
	       read_integer(&der, end, field, ret_raw + field) && der == end;
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

/* With a digest of its own name; ret_len is at first the room. */
static bool
pen_sign_hash(struct pen *pen, const void *data, size_t len,
    uint8_t *ret_signature, size_t *ret_len)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_len;

	return EVP_DigestInit_ex2(pen->digest, NULL, NULL) == 1 &&
	       EVP_DigestUpdate(pen->digest, data, len) == 1 &&
	       EVP_DigestFinal_ex(pen->digest, hash, &hash_len) == 1 &&
	       EVP_PKEY_sign(
		   pen->key, ret_signature, ret_len, hash, hash_len) == 1;
}

/* Not every release of OpenSSL begins again without being told the key. */
static bool
pen_sign_whole(struct pen *pen, EVP_PKEY *pkey, const void *data, size_t len,
    uint8_t *ret_signature, size_t *ret_len)
{
	if (EVP_DigestSignInit_ex(
		pen->digest, NULL, NULL, NULL, NULL, NULL, NULL) != 1) {
		EVP_MD_CTX_reset(pen->digest);
		if (EVP_DigestSignInit_ex(
			pen->digest, NULL, NULL, NULL, NULL, pkey, NULL) != 1)
			return false;
	}
	return EVP_DigestSign(pen->digest, ret_signature, ret_len, data, len) ==
	       1;
}

enum jw_err
crypto_sign(const struct keys_pair *pair, const void *data, size_t len,
    uint8_t *signature, size_t *ret_len)
{
	const size_t field = pair->algorithm->field;
	uint8_t der[ECDSA_DER_MAX];
	size_t made_len = field == 0 ? KEYS_SIGNATURE_MAX : sizeof(der);
	uint8_t *made = field == 0 ? signature : der;
	struct pen *pen;
	bool ok;

	if (pair->pens == NULL)
		return JW_BAD_KEY;
	pen = pen_take(pair);
	if (pen == NULL)
		return done(JW_NO_MEMORY);
	if (pair->algorithm->digest != NULL)
		ok = pen_sign_hash(pen, data, len, made, &made_len);
	else
		ok =
		    pen_sign_whole(pen, pair->pkey, data, len, made, &made_len);
	if (ok && field != 0) {
		ok = ecdsa_to_jws(der, made_len, field, signature);
		made_len = 2 * field;
	}
	if (!ok) {
		pen_free(pen);
		return done(JW_BAD_KEY);
	}
	pen_give_back(pair, pen);
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
		return done(JW_NO_MEMORY);
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
	return done(err);
}

enum jw_err
crypto_private_export(
    const struct keys_pair *pair, uint8_t **ret_der, size_t *ret_len)
{
	if (pair->pens == NULL)
		return JW_BAD_KEY;
	return done(
	    pair->algorithm->family->to_der(pair->pkey, ret_der, ret_len));
}

void
crypto_private_free(uint8_t *der, size_t len)
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
crypto_private_import(enum jw_alg alg, const uint8_t *der, size_t len,
    struct keys_pair **ret_pair)
{
	const struct algorithm *algorithm = algorithm_find(alg, NULL);
	EVP_PKEY *pkey;
	enum jw_err err = JW_BAD_KEY;

	if (algorithm == NULL || len > IMPORT_MAX)
		return err;
	pkey = algorithm->family->from_der(algorithm, der, len);
	if (pkey == NULL || !EVP_PKEY_is_a(pkey, algorithm->type) ||
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
crypto_from_pem(enum jw_alg alg, const char *pem, size_t len,
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
	err = pair_take_foreign(alg, pkey, true, false, ret_pair, why);
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
	if (algorithm->family == &akp &&
	    !is_text(in->jwk, "alg", algorithm->type)) {
		jw_why_set(in->why, "%s needs a JWK with \"alg\":\"%s\"",
		    jw_alg_name((int)alg), algorithm->type);
		return JW_BAD_KEY;
	}
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
		jw_why_set(in->why, "the JWK's numbers make no %s key",
		    in->algorithm->crv != NULL ? in->algorithm->crv
					       : in->algorithm->type);
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
	for (size_t i = 0; private_members[i] != NULL; i++) {
		json_t *member = json_object_get(in->jwk, private_members[i]);

		/* Ours to free, hence to overwrite; Jansson has no way. */
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
	    .algorithm = algorithm_find(alg, why), .ours = ours, .why = why};
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
		err = pair_take_foreign(
		    alg, pkey, in.private, in.ours, ret_pair, why);
	import_done(&in);
	return done_why(err, why);
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
