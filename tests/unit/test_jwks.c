/*
 * daemon/document/jwks.c: the bytes of a document, and everything that must
 * never be in one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/document/jwks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define EC(kid)                                                            \
	"{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"" kid \
	"\",\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"eQ\"}"
#define OKP(kid)                                                            \
	"{\"kty\":\"OKP\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"" kid \
	"\",\"crv\":\"Ed25519\",\"x\":\"eA\"}"
#define RSA(kid)                                                            \
	"{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"" kid \
	"\",\"n\":\"eA\",\"e\":\"AQAB\"}"

static struct key
make(const char *kid, const char *jwk)
{
	struct key key = {.jwk = strdup(jwk)};

	assert_non_null(key.jwk);
	snprintf(key.kid, sizeof(key.kid), "%s", kid);
	return key;
}

static void
expect_refused(const char *kid, const char *jwk, const char *says)
{
	struct key key = make(kid, jwk);
	const struct key *keys[] = {&key};
	struct jw_why why = {"", ""};
	char *body = NULL;

	if (document_render(keys, 1, &body, &why) != JW_BUG)
		fail_msg("published: %s", jwk);
	assert_null(body);
	assert_non_null(strstr(why.text, says));
	assert_int_equal(document_render(keys, 1, &body, NULL), JW_BUG);
	free(key.jwk);
}

static void
document_is_the_keys_in_their_order(void **state)
{
	struct key a = make("a", EC("a")), b = make("b", OKP("b")),
		   c = make("c", RSA("c"));
	const struct key *keys[] = {&b, &a, &c};
	char *body = NULL;

	(void)state;
	assert_int_equal(document_render(keys, 3, &body, NULL), JW_OK);
	assert_string_equal(
	    body, "{\"keys\":[" OKP("b") "," EC("a") "," RSA("c") "]}");
	free(body);
	assert_int_equal(document_render(keys, 1, &body, NULL), JW_OK);
	assert_string_equal(body, "{\"keys\":[" OKP("b") "]}");
	free(body);
	free(a.jwk);
	free(b.jwk);
	free(c.jwk);
}

static void
empty_set_is_refused(void **state)
{
	const struct key *keys[1] = {NULL};
	struct jw_why why = {"", ""};
	char *body = NULL;

	(void)state;
	assert_int_equal(document_render(keys, 0, &body, &why), JW_BUG);
	assert_null(body);
	assert_non_null(strstr(why.text, "0 keys"));
}

static void
private_and_foreign_members_are_refused(void **state)
{
	static const char *const rows[] = {
	    /* private */
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"eQ\",\"d\":\"ZA\"}",
	    "{\"kty\":\"OKP\",\"use\":\"sig\",\"alg\":\"EdDSA\","
	    "\"kid\":\"a\",\"crv\":\"Ed25519\",\"x\":\"eA\",\"d\":\"ZA\"}",
	    "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\","
	    "\"kid\":\"a\",\"n\":\"eA\",\"e\":\"AQAB\",\"p\":\"cA\"}",
	    /* in the place of a public one */
	    "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\","
	    "\"kid\":\"a\",\"n\":\"eA\",\"d\":\"AQAB\"}",
	    "{\"kty\":\"OKP\",\"use\":\"sig\",\"alg\":\"EdDSA\","
	    "\"kid\":\"a\",\"d\":\"eA\",\"x\":\"eA\"}",
	    /* missing, empty, of a wrong type */
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\"}",
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"\"}",
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":7}",
	    /* foreign */
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"eQ\",\"x5c\":[]}",
	    "{\"kty\":\"EC\",\"use\":\"enc\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"eQ\"}",
	    "{\"kty\":\"oct\",\"use\":\"sig\",\"alg\":\"HS256\","
	    "\"kid\":\"a\",\"k\":\"eA\"}",
	    /* no object, or a doubtful one */
	    "",
	    "[]",
	    "null",
	    "\"a\"",
	    "{\"kty\":\"EC\"",
	    "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"a\","
	    "\"crv\":\"P-256\",\"x\":\"eA\",\"y\":\"eQ\",\"y\":\"eQ\"}",
	    EC("a") "," EC("b"),
	    EC("another"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect_refused("a", rows[i], "key a: not a public JWK");
}

static void
same_kid_twice_is_refused(void **state)
{
	struct key a = make("a", EC("a")), b = make("b", EC("b")),
		   c = make("a", OKP("a"));
	const struct key *keys[] = {&a, &b, &c};
	struct jw_why why = {"", ""};
	char *body = NULL;

	(void)state;
	assert_int_equal(document_render(keys, 3, &body, &why), JW_BUG);
	assert_null(body);
	assert_string_equal(why.text, "key a: twice");
	free(a.jwk);
	free(b.jwk);
	free(c.jwk);
}

static void
set_has_ten_keys_at_most(void **state)
{
	struct key list[JWKS_KEYS_MAX + 1];
	const struct key *keys[JWKS_KEYS_MAX + 1];
	struct jw_why why = {"", ""};
	char *body = NULL, jwk[200], kid[8];

	(void)state;
	assert_int_equal(JWKS_KEYS_MAX, 10);
	for (size_t i = 0; i < COUNT(list); i++) {
		snprintf(kid, sizeof(kid), "k%d", (int)i);
		snprintf(jwk, sizeof(jwk),
		    "{\"kty\":\"OKP\",\"use\":\"sig\",\"alg\":\"EdDSA\","
		    "\"kid\":\"%s\",\"crv\":\"Ed25519\",\"x\":\"eA\"}",
		    kid);
		list[i] = make(kid, jwk);
		keys[i] = &list[i];
	}
	assert_int_equal(
	    document_render(keys, JWKS_KEYS_MAX, &body, &why), JW_OK);
	free(body);
	body = NULL;
	assert_int_equal(
	    document_render(keys, JWKS_KEYS_MAX + 1, &body, &why), JW_BUG);
	assert_null(body);
	for (size_t i = 0; i < COUNT(list); i++)
		free(list[i].jwk);
}

static void
body_has_sixteen_kibibytes_at_most(void **state)
{
	static const char head[] =
	    "{\"kty\":\"RSA\",\"use\":\"sig\","
	    "\"alg\":\"RS256\",\"kid\":\"a\",\"e\":\"A\","
	    "\"n\":\"";
	size_t frame = strlen("{\"keys\":[]}") + sizeof(head) - 1 + 2;

	(void)state;
	for (int over = 0; over < 2; over++) {
		size_t n = JWKS_BODY_MAX - frame + (size_t)over;
		char *jwk = calloc(1, JWKS_BODY_MAX + 100), *body = NULL;
		struct jw_why why = {"", ""};
		const struct key *keys[1];
		struct key key;

		assert_non_null(jwk);
		memcpy(jwk, head, sizeof(head) - 1);
		memset(jwk + sizeof(head) - 1, 'n', n);
		memcpy(jwk + sizeof(head) - 1 + n, "\"}", 3);
		key = make("a", jwk);
		keys[0] = &key;
		assert_int_equal(document_render(keys, 1, &body, &why),
		    over ? JW_BUG : JW_OK);
		if (!over)
			assert_int_equal(strlen(body), JWKS_BODY_MAX);
		else
			assert_null(body);
		free(body);
		free(key.jwk);
		free(jwk);
	}
}

static void
cache_control_follows_the_policy(void **state)
{
	char value[JWKS_HEADER_SIZE];
	struct jw_policy policy;

	(void)state;
	jw_policy_init(&policy);
	document_cache_control(&policy, value);
	assert_string_equal(value, "public, max-age=300, "
				   "stale-while-revalidate=60, "
				   "stale-if-error=3600");
	policy.cache_stale_while_revalidate = 0;
	document_cache_control(&policy, value);
	assert_string_equal(value, "public, max-age=300, stale-if-error=3600");
	policy.cache_stale_if_error = 0;
	policy.cache_max_age = 1;
	document_cache_control(&policy, value);
	assert_string_equal(value, "public, max-age=1");
	policy.cache_max_age = policy.cache_stale_while_revalidate =
	    policy.cache_stale_if_error = INT32_MAX;
	document_cache_control(&policy, value);
	assert_non_null(strstr(value, "stale-if-error=2147483647"));
}

static void
location_follows_the_name(void **state)
{
	char app[MODEL_NAME_SIZE], path[MODEL_NAME_SIZE], name[MODEL_NAME_SIZE];

	(void)state;
	document_location("default", app, path);
	assert_string_equal(app, "default");
	assert_string_equal(path, "/.well-known/jwks.json");
	document_location("shop/step-up", app, path);
	assert_string_equal(app, "shop");
	assert_string_equal(path, "/.well-known/step-up-jwks.json");
	/* The longest name: two labels of 63. */
	memset(name, 'a', 127);
	name[63] = '/';
	name[127] = '\0';
	document_location(name, app, path);
	assert_int_equal(strlen(app), 63);
	assert_int_equal(strlen(path), strlen("/.well-known/-jwks.json") + 63);
}

static void
urls_are_named_the_best_first(void **state)
{
	static const struct {
		const char *name, *domain;
		const char *urls[JWKS_URLS_MAX + 1];
	} rows[] = {
	    {"default", NULL,
		{"/.well-known/jwks.json", "/default/.well-known/jwks.json"}},
	    {"default", "s.test",
		{"https://default.s.test/.well-known/jwks.json",
		    "https://s.test/.well-known/jwks.json",
		    "/default/.well-known/jwks.json"}},
	    {"a", NULL, {"/a/.well-known/jwks.json"}},
	    {"a/b", "s.test",
		{"https://a.s.test/.well-known/b-jwks.json",
		    "/a/.well-known/b-jwks.json"}},
	};
	char urls[JWKS_URLS_MAX][JWKS_URL_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = document_urls(rows[i].name, rows[i].domain, urls);

		for (size_t u = 0; u < n; u++)
			assert_string_equal(urls[u], rows[i].urls[u]);
		assert_null(rows[i].urls[n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(document_is_the_keys_in_their_order),
	    cmocka_unit_test(empty_set_is_refused),
	    cmocka_unit_test(private_and_foreign_members_are_refused),
	    cmocka_unit_test(same_kid_twice_is_refused),
	    cmocka_unit_test(set_has_ten_keys_at_most),
	    cmocka_unit_test(body_has_sixteen_kibibytes_at_most),
	    cmocka_unit_test(cache_control_follows_the_policy),
	    cmocka_unit_test(location_follows_the_name),
	    cmocka_unit_test(urls_are_named_the_best_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
