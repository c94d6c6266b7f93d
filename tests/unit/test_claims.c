/*
 * daemon/verbs/claims.c: what may be signed, for how long it is remembered, and
 * what the signed octets are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "daemon/verbs/claims.h"

#define NOW INT64_C(1800000000)

enum { TTL = 3600 };

static enum jw_err
check(const char *text, struct verbs_claims_times *times,
    struct verbs_claims_fault *fault)
{
	json_t *claims = varlink_object_parse(text, strlen(text));
	enum jw_err err;

	assert_non_null(claims);
	err = verbs_claims_read(claims, times, fault);
	if (err == JW_OK)
		err = verbs_claims_check(times, NOW, TTL, fault);
	json_decref(claims);
	return err;
}

static void
good_claims_pass(void **state)
{
	static const struct {
		const char *text;
		int64_t exp;
		bool has_iat;
	} rows[] = {
	    {"{\"exp\":1800000001}", NOW + 1, false},
	    {"{\"exp\":1800003600}", NOW + TTL, false},
	    {"{\"iat\":1,\"exp\":1800000600,\"nbf\":5}", NOW + 600, true},
	    {"{\"\\u0065xp\":1800000600}", NOW + 600, false},
	    {"{\"a\":{\"exp\":1},\"exp\":1800000600,\"b\":[{\"iat\":\"x\"}]}",
		NOW + 600, false},
	};
	struct verbs_claims_times times;
	struct verbs_claims_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(check(rows[i].text, &times, &fault), JW_OK);
		assert_int_equal(times.exp.value, rows[i].exp);
		assert_int_equal(times.iat.there, rows[i].has_iat);
	}
}

static void
bad_claims_are_named(void **state)
{
	static const struct {
		const char *text, *claim, *message;
	} rows[] = {
	    {"{}", "exp",
		"is required: seconds since the epoch, at most 1h from now"},
	    {"{\"a\":{\"exp\":1800000600}}", "exp",
		"is required: seconds since the epoch, at most 1h from now"},
	    {"{\"exp\":1800000000}", "exp", "is in the past"},
	    {"{\"exp\":-1}", "exp", "is in the past"},
	    {"{\"exp\":1800003601}", "exp",
		"is too far away: 1h 1s from now, and token_max_ttl is 1h"},
	    {"{\"exp\":9223372036854775807}", "exp",
		"is too far away: 106751991146467d 7h 30min 7s from now, and "
		"token_max_ttl is 1h"},
	    {"{\"exp\":99999999999999999999}", "exp",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":1800000600.0}", "exp",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":18e8}", "exp",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":\"1800000600\"}", "exp",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":null}", "exp",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":1800000600,\"iat\":1.5}", "iat",
		"must be an integer: seconds since the epoch"},
	    {"{\"exp\":1800000600,\"nbf\":true}", "nbf",
		"must be an integer: seconds since the epoch"},
	};
	struct verbs_claims_times times;
	struct verbs_claims_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    check(rows[i].text, &times, &fault), JW_BAD_CLAIMS);
		assert_string_equal(fault.claim, rows[i].claim);
		assert_string_equal(fault.message, rows[i].message);
	}
	assert_int_equal(
	    verbs_claims_read(NULL, &times, &fault), JW_BAD_CLAIMS);
	assert_string_equal(fault.claim, "claims");
}

static void
exp_is_rounded_up_by_an_eighth_at_most(void **state)
{
	static const int32_t ttls[] = {1, 2, 7, 8, 9, 60, 3600, 86400};

	(void)state;
	for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
		int64_t step = ttls[i] / 8 > 1 ? ttls[i] / 8 : 1, last = 0;
		int commits = 0;

		for (int64_t exp = NOW; exp < NOW + 2 * ttls[i]; exp++) {
			int64_t kept = verbs_claims_round_exp(exp, ttls[i]);

			assert_true(kept >= exp && kept < exp + step);
			assert_true(kept >= last);
			commits += kept > last;
			last = kept;
		}
		assert_true(commits <= 2 * 9 + 1);
	}
}

static void
types_are_media_types(void **state)
{
	static const char *const good[] = {"JWT", "at+jwt", "logout+jwt",
	    "application/at+jwt", "dpop+jwt", "x"};
	static const char *const bad[] = {
	    "", "a b", "a\"b", "a\\b", "a\nb", "a,b", "\xc3\xa9", "{", "a;b=c"};
	char text[CLAIMS_TYPE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(verbs_claims_type_is_fine(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(verbs_claims_type_is_fine(bad[i]));
	memset(text, 'a', sizeof(text));
	text[CLAIMS_TYPE_MAX + 1] = '\0';
	assert_false(verbs_claims_type_is_fine(text));
	text[CLAIMS_TYPE_MAX] = '\0';
	assert_true(verbs_claims_type_is_fine(text));
}

static void
expect_text(const char *object, int64_t iat, const char *expected)
{
	size_t len;
	char *copy = strdup(object);
	char *text = verbs_claims_text(copy, strlen(copy), iat, &len);

	assert_non_null(text);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(text, expected, len);
	free(text);
	free(copy);
}

static void
octets_stay_as_they_are(void **state)
{
	static const char odd[] = "{ \"b\" : 1.50, \"a\":\"\\u0041\", "
				  "\"exp\":1800000600\t}";

	(void)state;
	expect_text(odd, 0, odd);
	expect_text("{\"exp\":1}", 5, "{\"exp\":1,\"iat\":5}");
	expect_text(
	    "{\"exp\":1 }", 1800000000, "{\"exp\":1 ,\"iat\":1800000000}");
	expect_text(
	    "{\"a\":{}}", INT64_MAX, "{\"a\":{},\"iat\":9223372036854775807}");
}

static void
header_says_alg_kid_and_typ(void **state)
{
	char *text = verbs_claims_header("ES256", "a-b_c", "at+jwt");

	(void)state;
	assert_string_equal(
	    text, "{\"alg\":\"ES256\",\"kid\":\"a-b_c\",\"typ\":\"at+jwt\"}");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_claims_pass),
	    cmocka_unit_test(bad_claims_are_named),
	    cmocka_unit_test(exp_is_rounded_up_by_an_eighth_at_most),
	    cmocka_unit_test(types_are_media_types),
	    cmocka_unit_test(octets_stay_as_they_are),
	    cmocka_unit_test(header_says_alg_kid_and_typ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
