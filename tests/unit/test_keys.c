/*
 * daemon/crypto/keys.c against the vectors of the RFCs and of tests/vectors,
 * and against input that it must refuse.  Found under $JWKSD_SRC, by default
 * the current directory.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/base/base64url.h"
#include "daemon/crypto/keys.h"

static json_t *
vector(const char *name)
{
	const char *src = getenv("JWKSD_SRC");
	json_error_t error;
	char path[4096];
	json_t *json;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s",
	    src == NULL ? "." : src, name);
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		fail_msg("%s: %s", path, error.text);
	return json;
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static enum jw_err
from_json(enum jw_alg alg, const json_t *jwk, struct keys_pair **ret_pair,
    struct jw_why *why)
{
	char *text = json_dumps(jwk, JSON_COMPACT);
	enum jw_err err;

	assert_non_null(text);
	err = crypto_from_jwk(alg, text, strlen(text), ret_pair, why);
	free(text);
	return err;
}

static struct keys_pair *
pair_of(enum jw_alg alg, const json_t *jwk)
{
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};

	if (from_json(alg, jwk, &pair, &why) != JW_OK)
		fail_msg("%s: %s", jw_alg_name((int)alg), why.text);
	return pair;
}

static struct keys_pair *
pair_of_pem(enum jw_alg alg, const char *pem)
{
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};

	if (crypto_from_pem(alg, pem, strlen(pem), &pair, &why) != JW_OK)
		fail_msg("%s: %s", jw_alg_name((int)alg), why.text);
	return pair;
}

/* Everything but ML-DSA is in every OpenSSL that this is built for. */
static bool
openssl_has(enum jw_alg alg)
{
	bool has = crypto_supported(alg, NULL) == JW_OK;

	if (alg < JW_ALG_MLDSA44)
		assert_true(has);
	return has;
}

/* Neither a reason left out nor one told without need. */
static void
assert_refused(enum jw_alg alg, const char *jwk, const char *reason)
{
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};

	assert_int_equal(
	    crypto_from_jwk(alg, jwk, strlen(jwk), &pair, &why), JW_BAD_KEY);
	assert_null(pair);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
}

static void
test_base64url_round_trip(void **state)
{
	uint8_t octets[70], *back;
	unsigned seed = 3;
	size_t len, n;
	char *text;

	(void)state;
	for (size_t i = 0; i < 100 * (sizeof(octets) + 1); i++) {
		n = i % (sizeof(octets) + 1);
		for (size_t j = 0; j < n; j++)
			octets[j] = (uint8_t)rand_r(&seed);
		text = jw_base64url(octets, n);
		assert_int_equal(strlen(text), (n * 8 + 5) / 6);
		assert_int_equal(jw_base64url_size(n), strlen(text));
		assert_int_equal(
		    jw_base64url_decode(text, strlen(text), &back, &len),
		    JW_OK);
		assert_int_equal(len, n);
		assert_memory_equal(back, octets, n);
		free(back);
		free(text);
	}
}

static void
test_base64url_known(void **state)
{
	/* RFC 7515 appendix C. */
	static const uint8_t octets[] = {3, 236, 255, 224, 193};
	char *text = jw_base64url(octets, sizeof(octets));

	(void)state;
	assert_string_equal(text, "A-z_4ME");
	free(text);
}

static void
test_base64url_strict(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {{"A", 1}, {"AAAAA", 5}, {"AB", 2}, {"AAB", 3}, {"AA==", 4},
	    {"AAA=", 4}, {"A+AA", 4}, {"A/AA", 4}, {"AA A", 4}, {"AAA\n", 4},
	    {"\nAAA", 4}, {"AA\0A", 4}, {"AAA\xff", 4}, {"AAAA.", 5}};
	uint8_t *data = NULL;
	size_t len = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    jw_base64url_decode(bad[i].text, bad[i].len, &data, &len),
		    JW_INVALID_PARAMETER);
		assert_null(data);
		assert_int_equal(len, 77);
	}
}

static void
test_etag(void **state)
{
	char etag[KEYS_ETAG_SIZE];

	(void)state;
	/* SHA-256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 … */
	assert_int_equal(crypto_etag("abc", 3, etag), JW_OK);
	assert_string_equal(etag, "\"ungWv48Bz-pBQUDeXa4iIw\"");
}

static void
test_random(void **state)
{
	uint8_t one[16] = {0}, two[16] = {0};

	(void)state;
	assert_int_equal(crypto_random(one, sizeof(one)), JW_OK);
	assert_int_equal(crypto_random(two, sizeof(two)), JW_OK);
	assert_memory_not_equal(one, two, sizeof(one));
}

static void
test_rfc7638_thumbprint(void **state)
{
	json_t *json = vector("rfc7638_3.1.json");
	struct keys_pair *pair =
	    pair_of(JW_ALG_RS256, json_object_get(json, "jwk"));

	(void)state;
	assert_string_equal(crypto_kid(pair), text_of(json, "sha256_b64url"));
	crypto_free(pair);
	json_decref(json);
}

/* Signing input and signature of a compact JWS. */
static size_t
split(const char *jws, uint8_t **ret_signature, size_t *ret_len)
{
	const char *dot = strrchr(jws, '.');

	assert_non_null(dot);
	assert_int_equal(jw_base64url_decode(
			     dot + 1, strlen(dot + 1), ret_signature, ret_len),
	    JW_OK);
	return (size_t)(dot - jws);
}

static void
assert_verifies(const struct keys_pair *pair, const char *jws)
{
	uint8_t *signature;
	size_t len, n;

	n = split(jws, &signature, &len);
	assert_int_equal(crypto_verify(pair, jws, n, signature, len), JW_OK);
	assert_int_equal(
	    crypto_verify(pair, jws, n - 1, signature, len), JW_BAD_KEY);
	assert_int_equal(
	    crypto_verify(pair, jws, n, signature, len - 1), JW_BAD_KEY);
	for (size_t i = 0; i < len; i++) {
		signature[i] ^= 0x10;
		assert_int_equal(
		    crypto_verify(pair, jws, n, signature, len), JW_BAD_KEY);
		signature[i] ^= 0x10;
	}
	free(signature);
}

static void
assert_signs(const struct keys_pair *pair, const char *jws)
{
	uint8_t *wanted, made[KEYS_SIGNATURE_MAX];
	size_t wanted_len, len = 0, n;

	n = split(jws, &wanted, &wanted_len);
	assert_int_equal(crypto_sign(pair, jws, n, made, &len), JW_OK);
	assert_int_equal(len, wanted_len);
	assert_memory_equal(made, wanted, len);
	free(wanted);
}

static void
check_rfc7515(const char *name, enum jw_alg alg, bool deterministic)
{
	json_t *json = vector(name);
	struct keys_pair *private =
	    pair_of(alg, json_object_get(json, "private_jwk"));
	struct keys_pair *public =
	    pair_of(alg, json_object_get(json, "public_jwk"));
	const char *jws = text_of(json, "jws_compact");

	assert_string_equal(
	    crypto_kid(private), text_of(json, "thumbprint_sha256_computed"));
	assert_string_equal(
	    crypto_public_jwk(private), crypto_public_jwk(public));
	assert_memory_equal(crypto_spki_hash(private), crypto_spki_hash(public),
	    KEYS_HASH_SIZE);
	assert_verifies(public, jws);
	if (deterministic)
		assert_signs(private, jws);
	crypto_free(private);
	crypto_free(public);
	json_decref(json);
}

static void
test_rfc7515_rs256(void **state)
{
	(void)state;
	check_rfc7515("rfc7515_A.2_RS256.json", JW_ALG_RS256, true);
}

static void
test_rfc7515_es256(void **state)
{
	(void)state;
	check_rfc7515("rfc7515_A.3_ES256.json", JW_ALG_ES256, false);
}

/* Of the uncompressed point; computed by another implementation. */
static void
test_spki_hash(void **state)
{
	json_t *json = vector("rfc7515_A.3_ES256.json");
	struct keys_pair *pair =
	    pair_of(JW_ALG_ES256, json_object_get(json, "public_jwk"));
	char *text = jw_base64url(crypto_spki_hash(pair), KEYS_HASH_SIZE);

	(void)state;
	assert_string_equal(
	    text, "K9G7DESol8MKeqCZHN442AYv5EHeUNoPRoJTRPYC6Cc");
	free(text);
	crypto_free(pair);
	json_decref(json);
}

static void
test_rfc8037_ed25519(void **state)
{
	json_t *json = vector("rfc8037_A1-A5.json");
	struct keys_pair *pair =
	    pair_of(JW_ALG_EDDSA, json_object_get(json, "A1_private_jwk"));
	struct keys_pair *public =
	    pair_of(JW_ALG_EDDSA, json_object_get(json, "A2_public_jwk"));
	const char *jws = text_of(json_object_get(json, "A4"), "jws_compact");

	(void)state;
	assert_string_equal(
	    crypto_kid(pair), text_of(json, "A3_thumbprint_sha256"));
	assert_string_equal(crypto_kid(public), crypto_kid(pair));
	assert_signs(pair, jws);
	assert_verifies(public, text_of(json, "A5_verify"));
	crypto_free(pair);
	crypto_free(public);
	json_decref(json);
}

static void
test_rfc9864_ed25519(void **state)
{
	json_t *json = vector("rfc8037_A1-A5.json");
	struct keys_pair *pair =
	    pair_of(JW_ALG_ED25519, json_object_get(json, "A1_private_jwk"));
	const char *jws =
	    text_of(json_object_get(json, "derived_rfc9864"), "jws_compact");

	(void)state;
	/* alg is no part of the thumbprint of an OKP key. */
	assert_string_equal(
	    crypto_kid(pair), text_of(json, "A3_thumbprint_sha256"));
	assert_non_null(strstr(crypto_public_jwk(pair), "\"alg\":\"Ed25519\""));
	assert_signs(pair, jws);
	assert_verifies(pair, jws);
	crypto_free(pair);
	json_decref(json);
}

/* Another implementation's signatures; a PSS salt is as long as the hash. */
static void
test_signatures_of_others(void **state)
{
	json_t *json = vector("own_signatures.json"), *row;
	struct keys_pair *pair;
	uint8_t *signature;
	const char *jws;
	size_t i, n, len;

	(void)state;
	assert_int_equal(
	    json_array_size(json_object_get(json, "signatures")), 8);
	json_array_foreach (json_object_get(json, "signatures"), i, row) {
		pair = pair_of((enum jw_alg)jw_alg_parse(text_of(row, "alg")),
		    json_object_get(row, "jwk"));
		assert_verifies(pair, text_of(row, "jws"));
		crypto_free(pair);
	}
	assert_int_equal(
	    json_array_size(json_object_get(json, "salt_of_wrong_length")), 4);
	json_array_foreach (
	    json_object_get(json, "salt_of_wrong_length"), i, row) {
		pair = pair_of((enum jw_alg)jw_alg_parse(text_of(row, "alg")),
		    json_object_get(row, "jwk"));
		jws = text_of(row, "jws");
		n = split(jws, &signature, &len);
		assert_int_equal(
		    crypto_verify(pair, jws, n, signature, len), JW_BAD_KEY);
		free(signature);
		crypto_free(pair);
	}
	json_decref(json);
}

static int
alg_of_crv(const char *crv)
{
	if (strcmp(crv, "P-256") == 0)
		return JW_ALG_ES256;
	return strcmp(crv, "P-384") == 0 ? JW_ALG_ES384 : JW_ALG_ES512;
}

/* Every text member of wanted is in the pair's JWK, as it stands. */
static void
assert_jwk_has(const struct keys_pair *pair, json_t *wanted)
{
	const char *jwk = crypto_public_jwk(pair), *name;
	char member[1024];
	json_t *value;

	json_object_foreach (wanted, name, value) {
		snprintf(member, sizeof(member), "\"%s\":\"%s\"", name,
		    json_string_value(value));
		if (strstr(jwk, member) == NULL)
			fail_msg("%s lacks %s", jwk, member);
	}
}

static void
test_ec_leading_zero(void **state)
{
	json_t *json = vector("own_ec_leading_zero.json"), *key, *jwk;
	struct keys_pair *pair, *again;
	int tried = 0;
	size_t i;

	(void)state;
	json_array_foreach (json_object_get(json, "keys"), i, key) {
		int alg = alg_of_crv(text_of(key, "crv"));

		jwk = json_object_get(key, "expected_public_jwk");
		pair = pair_of_pem((enum jw_alg)alg, text_of(key, "pkcs8_pem"));
		assert_jwk_has(pair, jwk);
		assert_string_equal(
		    crypto_kid(pair), text_of(key, "thumbprint_sha256"));
		again = pair_of((enum jw_alg)alg, jwk);
		assert_string_equal(
		    crypto_public_jwk(again), crypto_public_jwk(pair));
		crypto_free(again);
		crypto_free(pair);
		tried++;
	}
	assert_int_equal(tried, 7);
	json_decref(json);
}

static void
test_rsa_minimal_n(void **state)
{
	json_t *json = vector("own_rsa_n_no_leading_zero.json");
	struct keys_pair *pair =
	    pair_of_pem(JW_ALG_PS384, text_of(json, "pkcs8_pem"));

	(void)state;
	assert_jwk_has(pair, json_object_get(json, "expected_public_jwk"));
	assert_string_equal(
	    crypto_kid(pair), text_of(json, "thumbprint_sha256"));
	crypto_free(pair);
	json_decref(json);
}

static void
test_published_shape(void **state)
{
	json_t *rs = vector("rfc7515_A.2_RS256.json");
	json_t *es = vector("rfc7515_A.3_ES256.json");
	json_t *ed = vector("rfc8037_A1-A5.json");
	json_t *example = vector("example_jwks_default.json");
	char *wanted = json_dumps(example, JSON_COMPACT), *made;
	struct keys_pair *pairs[3];

	(void)state;
	pairs[0] = pair_of(JW_ALG_RS256, json_object_get(rs, "private_jwk"));
	pairs[1] = pair_of(JW_ALG_ES256, json_object_get(es, "private_jwk"));
	pairs[2] = pair_of(JW_ALG_EDDSA, json_object_get(ed, "A1_private_jwk"));
	assert_true(
	    asprintf(&made, "{\"keys\":[%s,%s,%s]}",
		crypto_public_jwk(pairs[0]), crypto_public_jwk(pairs[1]),
		crypto_public_jwk(pairs[2])) > 0);
	assert_string_equal(made, wanted);
	free(made);
	free(wanted);
	for (size_t i = 0; i < 3; i++)
		crypto_free(pairs[i]);
	json_decref(rs);
	json_decref(es);
	json_decref(ed);
	json_decref(example);
}

static const size_t signature_sizes[JW_ALG_COUNT] = {
    [JW_ALG_RS256] = 256,
    [JW_ALG_RS384] = 256,
    [JW_ALG_RS512] = 256,
    [JW_ALG_PS256] = 256,
    [JW_ALG_PS384] = 256,
    [JW_ALG_PS512] = 256,
    [JW_ALG_ES256] = 64,
    [JW_ALG_ES384] = 96,
    [JW_ALG_EDDSA] = 64,
    [JW_ALG_ED25519] = 64,
    [JW_ALG_ES512] = 132,
    [JW_ALG_ES256K] = 64,
    [JW_ALG_ED448] = 114,
    [JW_ALG_MLDSA44] = 2420,
    [JW_ALG_MLDSA65] = 3309,
    [JW_ALG_MLDSA87] = 4627,
};

/* Out and in again, through DER and through the public JWK. */
static void
check_round_trip(const struct keys_pair *pair, size_t wanted_len)
{
	static const char text[] = "eyJhbGciOiJub25lIn0.e30";
	struct keys_pair *again = NULL, *public = NULL;
	uint8_t signature[KEYS_SIGNATURE_MAX], *der;
	size_t len = 0, der_len;
	const char *jwk = crypto_public_jwk(pair);

	assert_int_equal(crypto_private_export(pair, &der, &der_len), JW_OK);
	assert_int_equal(
	    crypto_private_import(crypto_alg(pair), der, der_len, &again),
	    JW_OK);
	assert_int_equal(
	    crypto_from_jwk(crypto_alg(pair), jwk, strlen(jwk), &public, NULL),
	    JW_OK);
	assert_string_equal(crypto_public_jwk(again), jwk);
	assert_string_equal(crypto_public_jwk(public), jwk);
	assert_memory_equal(
	    crypto_spki_hash(again), crypto_spki_hash(pair), KEYS_HASH_SIZE);
	assert_memory_equal(
	    crypto_spki_hash(public), crypto_spki_hash(pair), KEYS_HASH_SIZE);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
		    crypto_sign(again, text, sizeof(text), signature, &len),
		    JW_OK);
		assert_int_equal(len, wanted_len);
		assert_int_equal(
		    crypto_verify(public, text, sizeof(text), signature, len),
		    JW_OK);
	}
	assert_int_equal(
	    crypto_verify(public, text, sizeof(text) - 1, signature, len),
	    JW_BAD_KEY);
	assert_int_equal(
	    crypto_private_import(crypto_alg(pair), der, der_len - 1, &again),
	    JW_BAD_KEY);
	crypto_private_free(der, der_len);
	crypto_free(again);
	crypto_free(public);
}

static void
test_every_algorithm(void **state)
{
	struct keys_pair *pair;

	(void)state;
	for (int alg = 0; alg < JW_ALG_COUNT; alg++) {
		if (!openssl_has((enum jw_alg)alg))
			continue;
		pair = NULL;
		assert_int_equal(
		    crypto_generate((enum jw_alg)alg, 2048, NULL, &pair),
		    JW_OK);
		assert_int_equal(crypto_alg(pair), alg);
		check_round_trip(pair, signature_sizes[alg]);
		crypto_free(pair);
	}
}

static void
test_rsa_3072_4096(void **state)
{
	struct keys_pair *pair;

	(void)state;
	for (int bits = 3072; bits <= 4096; bits += 1024) {
		assert_int_equal(
		    crypto_generate(JW_ALG_PS512, bits, NULL, &pair), JW_OK);
		check_round_trip(pair, (size_t)bits / 8);
		assert_non_null(
		    strstr(crypto_public_jwk(pair), ",\"e\":\"AQAB\"}"));
		crypto_free(pair);
	}
}

/* Before any prime is found, that is: at once. */
static void
generation_is_cancelled(void **state)
{
	atomic_bool cancelled = true;
	struct keys_pair *pair = NULL;

	(void)state;
	assert_int_equal(
	    crypto_generate(JW_ALG_PS384, 4096, &cancelled, &pair), JW_BAD_KEY);
	assert_null(pair);
	cancelled = false;
	assert_int_equal(
	    crypto_generate(JW_ALG_PS384, 2048, &cancelled, &pair), JW_OK);
	crypto_free(pair);
}

static void
test_generate_refuses(void **state)
{
	struct keys_pair *pair = NULL;

	(void)state;
	assert_int_equal(
	    crypto_generate(JW_ALG_RS256, 1024, NULL, &pair), JW_BAD_KEY);
	assert_int_equal(
	    crypto_generate(JW_ALG_RS256, 8192, NULL, &pair), JW_BAD_KEY);
	assert_int_equal(
	    crypto_generate(JW_ALG_COUNT, 2048, NULL, &pair), JW_BAD_KEY);
	assert_int_equal(crypto_supported(JW_ALG_COUNT, NULL), JW_BAD_POLICY);
	assert_null(pair);
}

static void
test_generated_keys_differ(void **state)
{
	struct keys_pair *one, *two;

	(void)state;
	assert_int_equal(crypto_generate(JW_ALG_ES256, 0, NULL, &one), JW_OK);
	assert_int_equal(crypto_generate(JW_ALG_ES256, 0, NULL, &two), JW_OK);
	assert_string_not_equal(crypto_kid(one), crypto_kid(two));
	crypto_free(one);
	crypto_free(two);
}

static void
test_import_wants_its_own_kind(void **state)
{
	struct keys_pair *pair, *wrong = NULL;
	uint8_t *der, *longer;
	size_t len;

	(void)state;
	assert_int_equal(crypto_generate(JW_ALG_ES256, 0, NULL, &pair), JW_OK);
	assert_int_equal(crypto_private_export(pair, &der, &len), JW_OK);
	for (int alg = 0; alg < JW_ALG_COUNT; alg++) {
		if (alg == JW_ALG_ES256)
			continue;
		assert_int_equal(
		    crypto_private_import((enum jw_alg)alg, der, len, &wrong),
		    JW_BAD_KEY);
	}
	longer = malloc(len + 1);
	assert_non_null(longer);
	memcpy(longer, der, len);
	longer[len] = 0;
	assert_int_equal(
	    crypto_private_import(JW_ALG_ES256, longer, len + 1, &wrong),
	    JW_BAD_KEY);
	free(longer);
	/* A scalar that does not fit the point beside it. */
	der[12] ^= 1;
	assert_int_equal(
	    crypto_private_import(JW_ALG_ES256, der, len, &wrong), JW_BAD_KEY);
	assert_null(wrong);
	crypto_private_free(der, len);
	crypto_free(pair);
}

static void
test_public_pair_signs_nothing(void **state)
{
	json_t *json = vector("rfc7515_A.3_ES256.json");
	struct keys_pair *pair =
	    pair_of(JW_ALG_ES256, json_object_get(json, "public_jwk"));
	uint8_t signature[KEYS_SIGNATURE_MAX], *der = NULL;
	size_t len = 77;

	(void)state;
	assert_int_equal(
	    crypto_sign(pair, "x", 1, signature, &len), JW_BAD_KEY);
	assert_int_equal(crypto_private_export(pair, &der, &len), JW_BAD_KEY);
	assert_null(der);
	assert_int_equal(len, 77);
	crypto_free(pair);
	json_decref(json);
}

/* The vector's private JWK, with one member changed or (NULL) taken out. */
static char *
changed(const char *file, const char *set, const char *name, const char *value)
{
	json_t *json = vector(file);
	json_t *jwk = json_object_get(json, set);
	char *text;

	if (value == NULL)
		json_object_del(jwk, name);
	else
		json_object_set_new(jwk, name, json_string(value));
	text = json_dumps(jwk, JSON_COMPACT);
	json_decref(json);
	return text;
}

static void
assert_change_refused(enum jw_alg alg, const char *file, const char *set,
    const char *name, const char *value, const char *reason)
{
	char *text = changed(file, set, name, value);

	assert_refused(alg, text, reason);
	free(text);
}

#define RS "rfc7515_A.2_RS256.json"
#define ES "rfc7515_A.3_ES256.json"
#define ED "rfc8037_A1-A5.json"

/* A quarter of RFC 7515 A.2's n: an RSA key of about 512 bits. */
#define SHORT_N                                                        \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm" \
	"fHQp-Vaw-4qPCJrcS2mJPMEzPw"

static void
test_jwk_members_missing(void **state)
{
	static const char *const rsa[] = {
	    "n", "e", "d", "p", "q", "dp", "dq", "qi"};
	char quoted[8];

	(void)state;
	for (size_t i = 0; i < sizeof(rsa) / sizeof(rsa[0]); i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", rsa[i]);
		assert_change_refused(
		    JW_ALG_RS256, RS, "private_jwk", rsa[i], NULL, quoted);
	}
	assert_change_refused(
	    JW_ALG_ES256, ES, "private_jwk", "x", NULL, "\"x\"");
	assert_change_refused(
	    JW_ALG_ES256, ES, "private_jwk", "y", NULL, "\"y\"");
	assert_change_refused(
	    JW_ALG_ES256, ES, "private_jwk", "crv", NULL, "\"crv\"");
	assert_change_refused(
	    JW_ALG_ES256, ES, "private_jwk", "kty", NULL, "\"kty\"");
	assert_change_refused(
	    JW_ALG_EDDSA, ED, "A1_private_jwk", "x", NULL, "\"x\"");
}

static void
test_jwk_values(void **state)
{
	static const struct {
		enum jw_alg alg;
		const char *file, *set, *name, *value, *reason;
	} rows[] = {
	    {JW_ALG_RS256, RS, "public_jwk", "e", "AQ", "exponent"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "Aw", "exponent"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "AQAA", "exponent"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "gAAAAQ", "exponent"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "AAEAAQ", "zero octet"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "AQAB=", "base64url"},
	    {JW_ALG_RS256, RS, "public_jwk", "e", "", "octets"},
	    {JW_ALG_RS256, RS, "public_jwk", "n", SHORT_N, "bits"},
	    {JW_ALG_RS256, RS, "private_jwk", "d", "AQAB", "belong"},
	    {JW_ALG_RS256, RS, "private_jwk", "oth", "x", "primes"},
	    {JW_ALG_RS256, RS, "private_jwk", "kty", "EC", "RSA"},
	    {JW_ALG_ES384, ES, "private_jwk", "kty", "EC", "P-384"},
	    {JW_ALG_ES256, ES, "private_jwk", "crv", "P-384", "P-256"},
	    {JW_ALG_ES256, ES, "private_jwk", "crv", "p-256", "P-256"},
	    {JW_ALG_EDDSA, ED, "A1_private_jwk", "crv", "X25519", "Ed25519"},
	    {JW_ALG_EDDSA, ED, "A1_private_jwk", "crv", "Ed448", "Ed25519"},
	    {JW_ALG_ED448, ED, "A1_private_jwk", "kty", "OKP", "Ed448"},
	    {JW_ALG_ED448, ED, "A2_public_jwk", "crv", "Ed448", "57"},
	    {JW_ALG_ES256K, ES, "private_jwk", "kty", "EC", "secp256k1"},
	    {JW_ALG_ES256K, ES, "public_jwk", "crv", "secp256k1", "secp256k1"},
	    {JW_ALG_ES512, ES, "public_jwk", "crv", "P-521", "66"},
	    {JW_ALG_ES256, ES, "public_jwk", "priv", "AAAA", "\"d\""},
	    /* Not on the curve: y of another point. */
	    {JW_ALG_ES256, ES, "public_jwk", "y",
		"FsCMmElcGNuLUPbHYy13U9PNTC4xD62ESfhMRWLZph8", "P-256"},
	    /* 31 octets where the field has 32. */
	    {JW_ALG_ES256, ES, "public_jwk", "x",
		"SJVrLUsu1XYGzBISw9NqsZEh6aJ0aPIkkkO-93Lpog", "31"},
	    /* d = 1, and d = 0. */
	    {JW_ALG_ES256, ES, "private_jwk", "d",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "belong"},
	    {JW_ALG_ES256, ES, "private_jwk", "d",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""},
	    {JW_ALG_ES256, ES, "private_jwk", "d", "AQ", "octets"},
	    {JW_ALG_EDDSA, ED, "A1_private_jwk", "d",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "belong"},
	    {JW_ALG_EDDSA, ED, "A2_public_jwk", "x", "AAAA", "octets"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_change_refused(rows[i].alg, rows[i].file, rows[i].set,
		    rows[i].name, rows[i].value, rows[i].reason);
}

static void
test_jwk_is_no_jwk(void **state)
{
	static const char ec[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,"
				 "\"y\":[]}";

	(void)state;
	assert_refused(JW_ALG_ES256, "", "JSON");
	assert_refused(JW_ALG_ES256, "{", "JSON");
	assert_refused(JW_ALG_ES256, "[]", "object");
	assert_refused(JW_ALG_ES256, "{}", "kty");
	assert_refused(JW_ALG_ES256, "{\"kty\":\"EC\",\"kty\":\"EC\"}", "JSON");
	assert_refused(JW_ALG_ES256, ec, "\"x\"");
	assert_refused((enum jw_alg)99, "{}", "algorithm");
}

/* Jansson's own message would quote the text, secrets and all. */
static void
test_reason_quotes_no_secret(void **state)
{
	static const char jwk[] = "{\"kty\":\"OKP\",\"d\":\"secret\" oops}";
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};

	(void)state;
	assert_int_equal(
	    crypto_from_jwk(JW_ALG_EDDSA, jwk, strlen(jwk), &pair, &why),
	    JW_BAD_KEY);
	assert_true(why.text[0] != '\0');
	assert_null(strstr(why.text, "secret"));
	assert_null(strstr(why.text, "oops"));
}

static void
assert_pem_refused(enum jw_alg alg, const char *pem, const char *reason)
{
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};

	assert_int_equal(
	    crypto_from_pem(alg, pem, strlen(pem), &pair, &why), JW_BAD_KEY);
	assert_null(pair);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
}

/* Made with openssl(1) for these tests; the passphrase is "x". */
static const char pem_encrypted[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjOXDEFJEx4YAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFf1GpipdrVCKxTv4O0/pe4EgZA6\n"
    "IFZqPkWnQz0wWVT0eedVg1oRr5LbOF2uVTuw7uP5To8o3EIwwK7kilKqV452cFkS\n"
    "W9GwDJUnLzTSNzPnJl0JHGHshcsgvwBVYx4sdKjNms2Mqw3B5CuLE81fpqUh+mQk\n"
    "YybYhN74afxxhdkKp3TfPqOBUEDeFMRUAVeQp3fthvxjMhd5Vqhuvpc0grpLhZ0=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char pem_ec_traditional[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIAUxauOnLUoTk1MI6TDD4MS2SLU4CGgmjAr8hh4nw3VnoAoGCCqGSM49\n"
    "AwEHoUQDQgAETcu9bBc43JBZh5+0EGmwLjowtjT7iHwiVlRKBjw0EsQPUu6oH+eR\n"
    "eBhDKzqwkSDyDM5px+WfcQpZ21l7SHilSQ==\n"
    "-----END EC PRIVATE KEY-----\n";
static const char pem_ec_explicit[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIIBaAIBAQQgBTFq46ctShOTUwjpMMPgxLZItTgIaCaMCvyGHifDdWeggfowgfcC\n"
    "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
    "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
    "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
    "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
    "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
    "YyVRAgEBoUQDQgAETcu9bBc43JBZh5+0EGmwLjowtjT7iHwiVlRKBjw0EsQPUu6o\n"
    "H+eReBhDKzqwkSDyDM5px+WfcQpZ21l7SHilSQ==\n"
    "-----END EC PRIVATE KEY-----\n";
static const char pem_ec_compressed[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MFcCAQEEIAUxauOnLUoTk1MI6TDD4MS2SLU4CGgmjAr8hh4nw3VnoAoGCCqGSM49\n"
    "AwEHoSQDIgADTcu9bBc43JBZh5+0EGmwLjowtjT7iHwiVlRKBjw0EsQ=\n"
    "-----END EC PRIVATE KEY-----\n";
static const char pem_rsa_1024[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAJk71odGmLu1ZAES\n"
    "p3OLNtVvqBw2ojo1WxLTtDRrzQhaICA2dvuQ07Jl7tTFANGUyXOCvHuhI5/CJV9z\n"
    "lph7OTr5YmdqHmg2QeyC5ginZNbBWZ0Mt9j3C0tppMRLjQUb+2sU0x/gHnJ9Vg2E\n"
    "ee6QVqESxx69bj+hBA1R80otw7vVAgMBAAECgYAtKcnNDS2vBYN4HXtlPr7moYY2\n"
    "6pNd/KPfJK6UVMGVmJqnY+Ylt0Xt6sU9yOK44tWNShcriQ7q41oIjBTy1D7FgkHE\n"
    "7+kvuCv7LPrKW23wZE6cpDSb9Itxw5XNjGHvaAZIY6H8J8Palj1cy9PLpz0jY5Vt\n"
    "uHcXFubTRl3U9yFEcQJBAMe2xSHDyxGU3O6MJN5jpUncFC2efgeS8PTUbezQfmth\n"
    "PZyIDzkNs0YQPruPlwUOhLZl5X9h9NgKGwqbZn2uP1cCQQDEa41EZyE72MCTy4Fq\n"
    "ozQWb8qtJOjxLKxSQUsMoEXhxqZrl3WsGf44fh7Rmgi5+caTgKSfKDxkYp5KTCEe\n"
    "AN6zAkAsCk3maDq7ocwmfpkSwX6Njw6UEMNSAEFKfB3RfxihrUvc3NQejLrf1G1B\n"
    "ByUSZGU3o7i8ImnPykq0SBiN1oL5AkAuNMLZuY0G4BmFaxU5ucTSFmBOVOV7fq/W\n"
    "9ccq5DUsRKf3nXywDLlSHtEvK5Yr8cc2Acg4LKXwU4a7IaeUwE2jAkBDQLQJs1wF\n"
    "qKlQdj1Ihm9Sl9NQPZIpgxGoqzvL1N0K9RIJCr28wjBBpEqcTZMGvkdifsiEuOmT\n"
    "Am6x2OhC3Bti\n"
    "-----END PRIVATE KEY-----\n";
static const char pem_rsa_traditional[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpAIBAAKCAQEA90WWYpoF7vfRCucPnA3sAgpXQ+SbXCKL3xgB/hIcXNPb9QJu\n"
    "L0bMXt7GEApdzldRrGdMnyTpjR5TFmzYZlRDUdqC7cRLyqgsgE9v7eYoxNMy5LPH\n"
    "y/2djshirJ6YE+KJdimy/jCu9JsDytDnrxoxv3i3c4HtoA+JxRdhJ/78fA+Qi+TT\n"
    "yutSRwaHAmkvv1/BfDwhAiQP0P2iDNJZ72Rcik4h5JpQ4firk+1WLBW/LdMtrFx+\n"
    "lfmRJvoUY104zVsqIL16pjBRLMXyGeBIXxe24k7rhY/PIVQ0TtIuYxi/IhonnqFq\n"
    "PoAqbZs1GMzTfoBGJHBLg3JJX0MMuSoCEmBQfwIDAQABAoIBADytdNPJW/9iDIgS\n"
    "X0A6Iln106gzZvRa/dvG9mY0Z4VX77fV2tf7FZeKLywsfwxtXPtjdefvlOguMtFj\n"
    "8E5cCxEA//P8oWSflBwAYkUMn6B8+xYoD7U9DPbGsYAOgt8OThES9ntt0uDvUSTp\n"
    "0pCjauXDZ7EOhxMp/PLCY/L+nVKLu7/HKoxy1UmziCVQQZzMDN7NsWxJtnXmReZy\n"
    "nrjP+ddAqW3j2rzOBbhqZUNR7dmvDMKknj0XRXw+hMmA79a7ZKK9c1ocMeTddgWc\n"
    "nueoCFIAos1kFHZIC+qoiDaDu220YtQebbNyKMmOf51LEtEk8xKe6N9MBn6LShX3\n"
    "199G+9ECgYEA+7mKPT9pUzKR4FOLi2gcdQhL2nhocH06C22ZqO+MgU6gtMgjiWfh\n"
    "Qq3pa1PiSmJexpoeTt1ne8vkr9h4kmegofHY7mN4uXfe9Zc1Y+fmmJ4KTenxbj2B\n"
    "WOSX8fdORZ6u+YYRlnEXmnO7ftANqgmxfJVSf/c3S/qN9Qa8MX9clgMCgYEA+3iv\n"
    "z2E9Apr0CGB6IxkvuWqyabfQhvprDaX+khAh7igO1glfj2bZkwL8J3+MW54zQeQG\n"
    "ldOLUyinaXHv/o8QqSHWmhW1A4VpeLBX2o9XUqNBAVouD3o2eK191/WMvnL2REc2\n"
    "8RghuMN54ROBLIJXljaL7UJ7ZijLPbCt11ZygNUCgYEA8Jf6/+VO1v07nkxb0Oe2\n"
    "Y0mFro9tSy71vpyHxIcJJUIwqfmstZU7IU82DaZEYFI7QdlmZHyLfzB3KHdfbpdr\n"
    "Wb3dWKRsa+CdkuBuYEnzBiXvtV6HqpVQvtTmQZfdEP/FP6sbvk3jgHVjXKagmMfh\n"
    "AzF5g+OWz6Dv86T3VNvlc18CgYByvJgK2OULYUPi5pITnZRG10XcMoA0deGOcqR6\n"
    "ZF322dQbGF+/gD/Zcc03AF08GCxu7emLRuAU60GnPNMxpHkHkmbmGu1iU+bRqDQN\n"
    "hsVi8RXh1hGaAjsESLRYarLy2mU+tfd9fXM1aAseBNY1RqtL4Etrz5+Z9xb0aL6I\n"
    "t+q6mQKBgQCKb+/tF08Xi/vA+5W/BDSbz5NQMr+uoZAwLMtxElWRYgCjtHXeqBp4\n"
    "9otlgrNvJJ5yrhXsfPQEWtbcIomFpuXu/BRZeYxUdgeInq0/vPJOVVb13SUBm0rb\n"
    "q8ml9QoQ2IjMFUZox1Io3VxOyzgucI9H+SQogxa8bIE9GTTg51YTvw==\n"
    "-----END RSA PRIVATE KEY-----\n";
static const char pem_rsa_e3[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC9d59vQ0//x1FA\n"
    "MGbkUero5ayb0mGQSsl6fr8XmHDmIk3ooHvTZfGqn/gN78rCKY1FxHaGb9U6NtEo\n"
    "lu4TiVDs6a6SEKqSCyiiq4NckwcSXkT5wV/ByY1388hAZkgUvPSkBojBkr9yOdG+\n"
    "s5/e+NrxSPRfcoTGRENlSe4WdIZAadXlK+TzNrTzMDSyk65Vl4gmSu2sJGUzNhSJ\n"
    "wNZ0u6IvOdAszRDKqkRk6t7WwiHLaaymzFdZXeh+beDn4zmgOj4YJcNTn3+mxWPs\n"
    "KdAUfp168GT5640jclcRu4HTUWEv3l14A4351ACD6bl7qa8J64aXj4FLAa5+JTRs\n"
    "YJYsfoGPAgEDAoIBAH5Pv5+CNVUvi4AgRJg2nJtDyGfhlmAx26b/Kg+69e7BiUXA\n"
    "UozuoRxqpV6f3IFxCNktpFmf43wki3Bknrew4J3xHwwLHGFcxcHHrOhiBLbpg1Er\n"
    "lSvbs6VNMCru2rh9+G1ZsIEMf6F74SnNFT9QkfYwoupMWIQtgkOGnrmjBCrwEcHc\n"
    "bA/DiNQ72plrshlTf0/tWMYEZH8vHn1vhFdv9mSO96/Y9DlMcgvW1vyTRROKnp5H\n"
    "8y13Na7+Ehwd02WLnNJ2KVkPkAv+Ybq+O/bA7elibx62PzMLPQ90GmcTbCLaKmT9\n"
    "b3/D10C99vtO55x/96A4znpNBtJfKNf2rSmakUsCgYEA9nNYoXl/tTXOwcJWeHOq\n"
    "i8y2ZeFbo1G3WC5JHw1g6HLIrCqt+ymGQeg8rvr4KRPalzZc3P15oGan0dx2xX4B\n"
    "4yiKPFOXEDM2BgWa6WOtZFaAagU3qLCQn24gD1FQBPTCiAMiDJ753+whEPqN1ylt\n"
    "CFzO9CxxnAxiDEQ3M+FAmmkCgYEAxM8IoWIRsn8HqwobqrvvvWGwgqHCKyK4Dp9Q\n"
    "cOQyyCWasHpZp0sxV2rr7WDtERo/J4MDjZexd5FI8+E/twnm77PqSPpxF2GRy05x\n"
    "jL6v1EZcVEaihaZQ3AxtSudkOgbUld1lWhs0XbartgglfHW+isprV2cciDY0auQ3\n"
    "XozWDTcCgYEApEzlwPuqeM6J1oGO+vfHB93O7pY9F4vPkB7bagjrRaHbHXHJUhuu\n"
    "1prTH1H6xg08ZM7ok1Omau8ai+hPLlQBQhsG0uJktXd5WVkR8O0eQuRVnAN6cHW1\n"
    "v57ACjY1WKMsWqzBXb9RP/LAtfxej3DzWuiJ+B2hErLsCC16IpYrEZsCgYEAgzSw\n"
    "a5a2dv9acga9HH1KfkEgVxaBchclXxTgS0LMhW5nIFGRGjIg5PHynkCeC2bUxQIC\n"
    "XmUg+mDbTUDVJLFEn81G21GgukEL3N72XdR1OC7oOC8XA8Q16AhI3JpC0VnjDpOY\n"
    "5rzNk88dJAVuUvkpsdxHj5oTBXl4R0LPlF3kCM8CgYBXx8W2IBcbY0gVcEzt5EbR\n"
    "7GUAZmtS3YudCeDAzsk9hus08ImGIIYzsZO2W5YMOEu5MWKkDILuK1/Ku5t25g59\n"
    "+MKwiuPSuuVGKYb7CyXkEVta+QVuSzNgnb8Ym0SkZQkpiE3V4fQCzEl9bwiXeiR/\n"
    "L7WiwqoDO+ZFa1lVxm7Fgg==\n"
    "-----END PRIVATE KEY-----\n";

static void
test_pem_refused(void **state)
{
	(void)state;
	assert_pem_refused(JW_ALG_ES256, "", "PEM");
	assert_pem_refused(
	    JW_ALG_ES256, "-----BEGIN PRIVATE KEY-----\n", "PEM");
	assert_pem_refused(JW_ALG_ES256, pem_encrypted, "encrypted");
	assert_pem_refused(JW_ALG_ES384, pem_ec_traditional, "P-384");
	assert_pem_refused(JW_ALG_ES512, pem_ec_traditional, "P-521");
	assert_pem_refused(JW_ALG_ES256K, pem_ec_traditional, "secp256k1");
	assert_pem_refused(JW_ALG_ED448, pem_ec_traditional, "ED448");
	assert_pem_refused(JW_ALG_RS256, pem_ec_traditional, "RSA");
	assert_pem_refused(JW_ALG_EDDSA, pem_ec_traditional, "ED25519");
	assert_pem_refused(JW_ALG_ES256, pem_ec_explicit, "named curve");
	assert_pem_refused(JW_ALG_RS256, pem_rsa_1024, "1024");
	assert_pem_refused(JW_ALG_RS256, pem_rsa_e3, "exponent");
}

static void
test_pem_traditional(void **state)
{
	struct keys_pair *pair;

	(void)state;
	pair = pair_of_pem(JW_ALG_ES256, pem_ec_traditional);
	check_round_trip(pair, 64);
	crypto_free(pair);
	pair = pair_of_pem(JW_ALG_RS512, pem_rsa_traditional);
	check_round_trip(pair, 256);
	crypto_free(pair);
}

/* The same key, and so the same name, however its point was written. */
static void
test_pem_compressed_point(void **state)
{
	struct keys_pair *plain, *compressed;

	(void)state;
	plain = pair_of_pem(JW_ALG_ES256, pem_ec_traditional);
	compressed = pair_of_pem(JW_ALG_ES256, pem_ec_compressed);
	assert_string_equal(crypto_kid(compressed), crypto_kid(plain));
	assert_memory_equal(crypto_spki_hash(compressed),
	    crypto_spki_hash(plain), KEYS_HASH_SIZE);
	check_round_trip(compressed, 64);
	crypto_free(plain);
	crypto_free(compressed);
}

/* Key pairs and signatures of a library that is not OpenSSL. */
/* Of every length that the numbers in its DER have, and zeroes in front. */
static void
test_many_ecdsa_signatures(void **state)
{
	struct keys_pair *pair = NULL;
	uint8_t signature[KEYS_SIGNATURE_MAX];
	size_t len;
	int zeroes = 0;

	(void)state;
	assert_int_equal(crypto_generate(JW_ALG_ES256, 0, NULL, &pair), JW_OK);
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(
		    crypto_sign(pair, &i, sizeof(i), signature, &len), JW_OK);
		assert_int_equal(len, 64);
		zeroes += signature[0] == 0 || signature[32] == 0;
		if (i < 500 || signature[0] == 0 || signature[32] == 0)
			assert_int_equal(
			    crypto_verify(pair, &i, sizeof(i), signature, len),
			    JW_OK);
	}
	/* Some 31; none at all in one run of 10 ^ 13. */
	assert_true(zeroes > 0);
	crypto_free(pair);
}

static void
test_exotic_ecdsa(void **state)
{
	json_t *json = vector("own_exotic.json"), *row;
	struct keys_pair *private, *public;
	enum jw_alg alg;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "ecdsa")), 2);
	json_array_foreach (json_object_get(json, "ecdsa"), i, row) {
		alg = (enum jw_alg)jw_alg_parse(text_of(row, "alg"));
		private = pair_of(alg, json_object_get(row, "private_jwk"));
		public = pair_of(alg, json_object_get(row, "public_jwk"));
		assert_string_equal(
		    crypto_kid(private), text_of(row, "thumbprint_sha256"));
		assert_string_equal(
		    crypto_public_jwk(private), crypto_public_jwk(public));
		assert_jwk_has(private, json_object_get(row, "public_jwk"));
		assert_verifies(public, text_of(row, "jws"));
		check_round_trip(private, signature_sizes[alg]);
		crypto_free(private);
		crypto_free(public);
	}
	json_decref(json);
}

static void
test_rfc8032_ed448(void **state)
{
	json_t *json = vector("own_exotic.json");
	json_t *row = json_object_get(json, "ed448");
	struct keys_pair *private =
	    pair_of(JW_ALG_ED448, json_object_get(row, "private_jwk"));
	struct keys_pair *public =
	    pair_of(JW_ALG_ED448, json_object_get(row, "public_jwk"));
	const char *wanted = text_of(row, "signature");
	uint8_t made[KEYS_SIGNATURE_MAX];
	size_t len;
	char *text;

	(void)state;
	assert_string_equal(
	    crypto_kid(private), text_of(row, "thumbprint_sha256"));
	assert_string_equal(
	    crypto_public_jwk(private), crypto_public_jwk(public));
	assert_non_null(strstr(crypto_public_jwk(public), "\"alg\":\"Ed448\""));
	assert_jwk_has(private, json_object_get(row, "public_jwk"));
	assert_int_equal(crypto_sign(private, "\3", 1, made, &len), JW_OK);
	text = jw_base64url(made, len);
	assert_string_equal(text, wanted);
	assert_int_equal(crypto_verify(public, "\3", 1, made, len), JW_OK);
	made[len - 1] ^= 1;
	assert_int_equal(crypto_verify(public, "\3", 1, made, len), JW_BAD_KEY);
	free(text);
	crypto_free(private);
	crypto_free(public);
	json_decref(json);
}

#define ML "rfc9964_ML-DSA-44.json"

/* Every way to such a key says which OpenSSL it takes. */
static void
test_mldsa_without_openssl(void **state)
{
	static const enum jw_alg algs[] = {
	    JW_ALG_MLDSA44, JW_ALG_MLDSA65, JW_ALG_MLDSA87};
	static const uint8_t seed[34] = {0x80, 32};
	struct keys_pair *pair = NULL;
	char wanted[128];

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		struct jw_why why = {"", ""};

		if (openssl_has(algs[i]))
			skip();
		snprintf(wanted, sizeof(wanted),
		    "%s needs OpenSSL 3.5 or newer; this is OpenSSL 3.",
		    jw_alg_name((int)algs[i]));
		assert_int_equal(
		    crypto_supported(algs[i], &why), JW_BAD_POLICY);
		assert_memory_equal(why.text, wanted, strlen(wanted));
		assert_refused(algs[i], "{}", wanted);
		assert_pem_refused(algs[i], pem_ec_traditional, wanted);
		assert_int_equal(
		    crypto_generate(algs[i], 0, NULL, &pair), JW_BAD_KEY);
		assert_int_equal(
		    crypto_private_import(algs[i], seed, sizeof(seed), &pair),
		    JW_BAD_KEY);
		assert_null(pair);
	}
	(void)state;
}

static void
test_rfc9964_mldsa(void **state)
{
	json_t *json, *example, *key;
	struct keys_pair *private, *public;
	char *wanted;

	(void)state;
	if (!openssl_has(JW_ALG_MLDSA44))
		skip();
	json = vector(ML);
	example = vector("example_jwks_pq.json");
	private = pair_of(JW_ALG_MLDSA44, json_object_get(json, "private_jwk"));
	public = pair_of(JW_ALG_MLDSA44, json_object_get(json, "public_jwk"));
	assert_string_equal(
	    crypto_kid(private), text_of(json, "thumbprint_sha256"));
	key = json_array_get(json_object_get(example, "keys"), 0);
	wanted = json_dumps(key, JSON_COMPACT);
	assert_string_equal(crypto_public_jwk(private), wanted);
	assert_string_equal(crypto_public_jwk(public), wanted);
	assert_verifies(public, text_of(json, "jws_compact"));
	check_round_trip(private, 2420);
	free(wanted);
	crypto_free(private);
	crypto_free(public);
	json_decref(json);
	json_decref(example);
}

static void
test_mldsa_seals_its_seed(void **state)
{
	json_t *json;
	struct keys_pair *pair, *again = NULL;
	uint8_t *der, zeros[34] = {0x80, 32};
	size_t len;

	(void)state;
	if (!openssl_has(JW_ALG_MLDSA44))
		skip();
	json = vector(ML);
	pair = pair_of(JW_ALG_MLDSA44, json_object_get(json, "private_jwk"));
	assert_int_equal(crypto_private_export(pair, &der, &len), JW_OK);
	/* The vector's seed is all zero. */
	assert_int_equal(len, sizeof(zeros));
	assert_memory_equal(der, zeros, len);
	/* Another size of parameters makes another key of it. */
	assert_int_equal(
	    crypto_private_import(JW_ALG_MLDSA87, der, len, &again), JW_OK);
	assert_string_not_equal(crypto_kid(again), crypto_kid(pair));
	crypto_free(again);
	again = NULL;
	der[0] = 0x04;
	assert_int_equal(
	    crypto_private_import(JW_ALG_MLDSA44, der, len, &again),
	    JW_BAD_KEY);
	assert_null(again);
	crypto_private_free(der, len);
	crypto_free(pair);
	json_decref(json);
}

static void
test_mldsa_values(void **state)
{
	static const struct {
		enum jw_alg alg;
		const char *set, *name, *value, *reason;
	} rows[] = {
	    {JW_ALG_MLDSA44, "private_jwk", "alg", "ML-DSA-65", "\"alg\""},
	    {JW_ALG_MLDSA44, "public_jwk", "alg", NULL, "\"alg\""},
	    {JW_ALG_MLDSA44, "public_jwk", "kty", "OKP", "AKP"},
	    {JW_ALG_MLDSA44, "public_jwk", "pub", NULL, "\"pub\""},
	    {JW_ALG_MLDSA44, "public_jwk", "pub", "AAAA", "1312"},
	    {JW_ALG_MLDSA44, "private_jwk", "pub", NULL, "\"pub\""},
	    {JW_ALG_MLDSA44, "private_jwk", "priv", "AAAA", "32"},
	    {JW_ALG_MLDSA44, "private_jwk", "priv",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "ML-DSA-44"},
	    {JW_ALG_MLDSA65, "public_jwk", "alg", "ML-DSA-65", "1952"},
	};

	(void)state;
	if (!openssl_has(JW_ALG_MLDSA44))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_change_refused(rows[i].alg, ML, rows[i].set,
		    rows[i].name, rows[i].value, rows[i].reason);
}

/* A PEM file with the expanded key alone has nothing that could be sealed. */
static void
test_mldsa_pem(void **state)
{
	static const char *const whole[] = {"seed_pem", "both_pem"};
	struct keys_pair *pair;
	json_t *json;
	char *member;

	(void)state;
	if (!openssl_has(JW_ALG_MLDSA44))
		skip();
	json = vector("own_ML-DSA-44_pem.json");
	assert_true(
	    asprintf(&member, "\"pub\":\"%s\"", text_of(json, "pub")) > 0);
	for (size_t i = 0; i < 2; i++) {
		pair = pair_of_pem(JW_ALG_MLDSA44, text_of(json, whole[i]));
		assert_non_null(strstr(crypto_public_jwk(pair), member));
		check_round_trip(pair, 2420);
		crypto_free(pair);
	}
	assert_pem_refused(
	    JW_ALG_MLDSA44, text_of(json, "expanded_pem"), "no seed");
	assert_pem_refused(
	    JW_ALG_MLDSA65, text_of(json, "seed_pem"), "ML-DSA-65");
	assert_pem_refused(JW_ALG_ED448, text_of(json, "seed_pem"), "ED448");
	free(member);
	json_decref(json);
}

enum { THREADS = 4, SIGNATURES = 300 };

static void *
sign_many(void *arg)
{
	const struct keys_pair *pair = arg;
	uint8_t signature[KEYS_SIGNATURE_MAX];
	intptr_t good = 0;
	size_t len;
	char text[32];

	for (int i = 0; i < SIGNATURES; i++) {
		int n = snprintf(text, sizeof(text), "token %d", i);

		if (crypto_sign(pair, text, (size_t)n, signature, &len) ==
			JW_OK &&
		    crypto_verify(pair, text, (size_t)n, signature, len) ==
			JW_OK)
			good++;
	}
	return (void *)good;
}

static void
check_threads(enum jw_alg alg)
{
	struct keys_pair *pair;
	pthread_t threads[THREADS];
	void *good;

	assert_int_equal(crypto_generate(alg, 2048, NULL, &pair), JW_OK);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_many, pair), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_int_equal((intptr_t)good, SIGNATURES);
	}
	crypto_free(pair);
}

static void
test_one_key_many_threads(void **state)
{
	(void)state;
	check_threads(JW_ALG_ES256);
	check_threads(JW_ALG_PS256);
	check_threads(JW_ALG_EDDSA);
	check_threads(JW_ALG_ES256K);
	if (openssl_has(JW_ALG_MLDSA44))
		check_threads(JW_ALG_MLDSA44);
}

static void
test_free_accepts_null(void **state)
{
	(void)state;
	crypto_free(NULL);
	crypto_private_free(NULL, 0);
}

static void
test_init_only_once(void **state)
{
	int locked = 77;

	(void)state;
	assert_int_equal(crypto_init(1 << 20, &locked), JW_BUG);
	assert_int_equal(locked, 77);
}

static int
setup(void **state)
{
	int locked;

	(void)state;
	return crypto_init(1 << 20, &locked) == JW_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	crypto_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base64url_round_trip),
	    cmocka_unit_test(test_base64url_known),
	    cmocka_unit_test(test_base64url_strict),
	    cmocka_unit_test(test_etag),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_rfc7638_thumbprint),
	    cmocka_unit_test(test_rfc7515_rs256),
	    cmocka_unit_test(test_rfc7515_es256),
	    cmocka_unit_test(test_spki_hash),
	    cmocka_unit_test(test_rfc8037_ed25519),
	    cmocka_unit_test(test_rfc9864_ed25519),
	    cmocka_unit_test(test_signatures_of_others),
	    cmocka_unit_test(test_ec_leading_zero),
	    cmocka_unit_test(test_rsa_minimal_n),
	    cmocka_unit_test(test_published_shape),
	    cmocka_unit_test(test_every_algorithm),
	    cmocka_unit_test(test_rsa_3072_4096),
	    cmocka_unit_test(test_generate_refuses),
	    cmocka_unit_test(generation_is_cancelled),
	    cmocka_unit_test(test_generated_keys_differ),
	    cmocka_unit_test(test_import_wants_its_own_kind),
	    cmocka_unit_test(test_public_pair_signs_nothing),
	    cmocka_unit_test(test_jwk_members_missing),
	    cmocka_unit_test(test_jwk_values),
	    cmocka_unit_test(test_jwk_is_no_jwk),
	    cmocka_unit_test(test_reason_quotes_no_secret),
	    cmocka_unit_test(test_pem_refused),
	    cmocka_unit_test(test_pem_traditional),
	    cmocka_unit_test(test_pem_compressed_point),
	    cmocka_unit_test(test_many_ecdsa_signatures),
	    cmocka_unit_test(test_exotic_ecdsa),
	    cmocka_unit_test(test_rfc8032_ed448),
	    cmocka_unit_test(test_mldsa_without_openssl),
	    cmocka_unit_test(test_rfc9964_mldsa),
	    cmocka_unit_test(test_mldsa_seals_its_seed),
	    cmocka_unit_test(test_mldsa_values),
	    cmocka_unit_test(test_mldsa_pem),
	    cmocka_unit_test(test_one_key_many_threads),
	    cmocka_unit_test(test_free_accepts_null),
	    cmocka_unit_test(test_init_only_once),
	};

	return cmocka_run_group_tests_name("keys", tests, setup, teardown);
}
