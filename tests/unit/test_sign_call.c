/*
 * daemon/verbs/sign_call.c: what is plain, where its parts are, and that
 * whatever it takes the parser of all of JSON takes as well, and understands
 * the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"
#include "daemon/verbs/sign_call.h"

#define SIGN "{\"method\":\"org.jwksd.sign.Sign\",\"parameters\":"
#define SIGN_PAYLOAD \
	"{\"method\":\"org.jwksd.sign.SignPayload\",\"parameters\":"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { ROUNDS = 200000 };

static void
assert_slice(const struct jw_slice *slice, const char *text)
{
	if (text == NULL) {
		assert_null(slice->at);
		return;
	}
	assert_non_null(slice->at);
	assert_int_equal(slice->len, strlen(text));
	assert_memory_equal(slice->at, text, slice->len);
}

static void
plain_calls_are_read(void **state)
{
	static const struct {
		const char *text;
		bool is_payload;
		const char *key_set, *type, *claims, *payload;
		int64_t exp;
		bool has_iat;
	} rows[] = {
	    {SIGN "{\"claims\":{\"exp\":5}}}", false, NULL, NULL, "{\"exp\":5}",
		NULL, 5, false},
	    {SIGN "{\"claims\":{}}}", false, NULL, NULL, "{}", NULL, 0, false},
	    {" {\n\"parameters\" : {\"type\":\"at+jwt\" ,\t\"keySet\":\"a/b\","
	     "\"claims\" : {\"iat\":-1, \"exp\" : 7 } } ,\r\"method\":"
	     "\"org.jwksd.sign.Sign\"} ",
		false, "a/b", "at+jwt", "{\"iat\":-1, \"exp\" : 7 }", NULL, 7,
		true},
	    {SIGN "{\"claims\":{\"a\":[],\"b\":[1,[2],{\"exp\":1}],\"c\":{},"
		  "\"d\":true,\"e\":false,\"f\":null,\"g\":\"\",\"h\":-0,"
		  "\"exp\":999999999999999999}}}",
		false, NULL, NULL,
		"{\"a\":[],\"b\":[1,[2],{\"exp\":1}],\"c\":{},\"d\":true,"
		"\"e\":false,\"f\":null,\"g\":\"\",\"h\":-0,"
		"\"exp\":999999999999999999}",
		NULL, INT64_C(999999999999999999), false},
	    {SIGN_PAYLOAD "{\"payload\":\"e30\",\"type\":\"JWT\"}}", true, NULL,
		"JWT", NULL, "e30", 0, false},
	};
	struct verbs_sign_call call;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(verbs_sign_call_read(
		    rows[i].text, strlen(rows[i].text), &call));
		assert_int_equal(call.is_payload, rows[i].is_payload);
		assert_slice(&call.key_set, rows[i].key_set);
		assert_slice(&call.type, rows[i].type);
		assert_slice(&call.claims, rows[i].claims);
		assert_slice(&call.payload, rows[i].payload);
		assert_int_equal(call.times.exp.there, rows[i].exp != 0);
		assert_int_equal(call.times.exp.value, rows[i].exp);
		assert_int_equal(call.times.iat.there, rows[i].has_iat);
	}
}

/* Some are good calls, others none: all are the parser's to judge. */
static void
others_are_left_to_the_parser(void **state)
{
	static const char *const rows[] = {"", " ", "{}", "[]", "x",
	    "{\"method\":\"org.jwksd.sign.Sign\"}",
	    "{\"parameters\":{\"claims\":{}}}",
	    "{\"method\":\"org.jwksd.keys.Sign\",\"parameters\":{\"claims\":"
	    "{}}}",
	    "{\"method\":\"org.jwksd.sign.SignX\",\"parameters\":{\"claims\":"
	    "{}}}",
	    "{\"method\":7,\"parameters\":{\"claims\":{}}}",
	    SIGN "{\"claims\":{}},\"more\":true}",
	    SIGN "{\"claims\":{}},\"oneway\":true}", SIGN "{\"claims\":{}}} x",
	    SIGN "{\"claims\":{}}", SIGN "{\"claims\":{}},}",
	    SIGN "{\"claims\":{},}}", SIGN "{}}", SIGN "null}",
	    SIGN "{\"claims\":null}}", SIGN "{\"claims\":[]}}",
	    SIGN "{\"claims\":{},\"x\":1}}",
	    SIGN "{\"claims\":{},\"payload\":\"e30\"}}",
	    SIGN "{\"claims\":{},\"keySet\":null}}",
	    SIGN "{\"claims\":{},\"keySet\":1}}",
	    SIGN "{\"claims\":{},\"claims\":{}}}",
	    SIGN "{\"claims\":{\"a\":1,\"a\":2}}}",
	    SIGN "{\"claims\":{\"a\":{\"b\":1,\"b\":2}}}}",
	    SIGN "{\"claims\":{\"a\\u0062\":1}}}",
	    SIGN "{\"claims\":{\"a\":\"\\n\"}}}",
	    SIGN "{\"claims\":{\"a\":\"\n\"}}}",
	    SIGN "{\"claims\":{\"a\":\"\x7f\"}}}",
	    SIGN "{\"claims\":{\"a\":\"\xc3\xa4\"}}}",
	    SIGN "{\"claims\":{\"a\":\"\xff\"}}}",
	    SIGN "{\"claims\":{\"exp\":1.0}}}",
	    SIGN "{\"claims\":{\"a\":1e3}}}", SIGN "{\"claims\":{\"a\":01}}}",
	    SIGN "{\"claims\":{\"a\":-}}}", SIGN "{\"claims\":{\"a\":+1}}}",
	    SIGN "{\"claims\":{\"a\":}}}",
	    SIGN "{\"claims\":{\"a\":1000000000000000000}}}",
	    SIGN "{\"claims\":{\"a\":tru}}}",
	    SIGN "{\"claims\":{\"a\":nulll}}}",
	    SIGN "{\"claims\":{\"a\":[1,]}}}",
	    SIGN "{\"claims\":{\"a\":[,1]}}}",
	    SIGN "{\"claims\":{\"a\":[1 2]}}}", SIGN "{\"claims\":{\"a\" 1}}}",
	    SIGN "{\"claims\":{a:1}}}", SIGN "{\"claims\":{\"a\":- 1}}}",
	    SIGN "{\"claims\":{\"a\":\v1}}}",
	    SIGN "{\"claims\":{\"a\":[[[[[[[[1]]]]]]]]}}}", SIGN_PAYLOAD "{}}",
	    SIGN_PAYLOAD "{\"claims\":{}}}",
	    SIGN_PAYLOAD "{\"payload\":\"e30\",\"claims\":{}}}"};
	struct verbs_sign_call call;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (verbs_sign_call_read(rows[i], strlen(rows[i]), &call))
			fail_msg("taken: %s", rows[i]);
}

static void
many_members_are_left_to_the_parser(void **state)
{
	struct verbs_claims_times times;
	char text[1024];

	(void)state;
	for (int count = 31; count <= 33; count++) {
		size_t len = 0;

		for (int i = 0; i < count; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s\"c%d\":%d", i == 0 ? "{" : ",", i, i);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "}");
		assert_int_equal(
		    verbs_sign_call_times(text, len, &times), count <= 32);
	}
}

static void
claims_of_a_payload(void **state)
{
	struct verbs_claims_times times;
	static const char text[] = " {\"nbf\":\"x\",\"exp\":3,\"iat\":null} ";

	(void)state;
	assert_true(verbs_sign_call_times(text, sizeof(text) - 1, &times));
	assert_true(times.nbf.there && !times.nbf.is_integer);
	assert_true(times.iat.there && !times.iat.is_integer);
	assert_true(times.exp.is_integer);
	assert_int_equal(times.exp.value, 3);
	assert_false(verbs_sign_call_times(text, sizeof(text) - 3, &times));
	assert_false(verbs_sign_call_times("{} {}", 5, &times));
	assert_false(verbs_sign_call_times("[]", 2, &times));
}

/* ---- the same as the parser's ---- */

static void
assert_same_text(
    const struct jw_slice *slice, const json_t *parameters, const char *name)
{
	const json_t *value = json_object_get(parameters, name);

	if (slice->at == NULL) {
		assert_null(value);
		return;
	}
	assert_true(json_is_string(value));
	assert_int_equal(slice->len, json_string_length(value));
	assert_memory_equal(slice->at, json_string_value(value), slice->len);
}

static void
assert_same_times(const struct verbs_claims_times *times, const json_t *claims)
{
	struct verbs_claims_fault fault;
	struct verbs_claims_times parsed;

	assert_int_equal(verbs_claims_read(claims, &parsed, &fault), JW_OK);
	assert_memory_equal(times, &parsed, sizeof(parsed));
}

static bool
compare(const char *text, size_t len)
{
	struct varlink_call parsed;
	struct jw_slice parameters, claims;
	struct verbs_sign_call call;

	if (!verbs_sign_call_read(text, len, &call))
		return false;
	if (varlink_call_parse(text, len, &parsed, NULL) != JW_OK)
		fail_msg("no call: %.*s", (int)len, text);
	assert_null(parsed.fault.what);
	assert_string_equal(parsed.method, call.is_payload
					       ? "org.jwksd.sign.SignPayload"
					       : "org.jwksd.sign.Sign");
	assert_false(parsed.more || parsed.oneway);
	assert_same_text(&call.key_set, parsed.parameters, "keySet");
	assert_same_text(&call.type, parsed.parameters, "type");
	assert_same_text(&call.payload, parsed.parameters, "payload");
	if (!call.is_payload) {
		assert_same_times(
		    &call.times, json_object_get(parsed.parameters, "claims"));
		assert_true(
		    varlink_json_find(text, len, "parameters", &parameters));
		assert_true(varlink_json_find(
		    parameters.at, parameters.len, "claims", &claims));
		assert_ptr_equal(claims.at, call.claims.at);
		assert_int_equal(claims.len, call.claims.len);
	}
	varlink_call_done(&parsed);
	return true;
}

/* Good calls, with a few octets replaced, removed or doubled. */
static void
never_more_than_the_parser(void **state)
{
	static const char *const seeds[] = {SIGN
	    "{\"claims\":{\"sub\":\"alice\",\"exp\":1800000600,\"iat\":"
	    "1800000000,\"x\":[1,{\"y\":null}],\"b\":true}}}",
	    SIGN "{\"keySet\":\"acme/step-up\",\"type\":\"at+jwt\",\"claims\":"
		 "{\"exp\":1,\"a\":\"b\",\"nbf\":-0,\"c\":{}}}}",
	    SIGN_PAYLOAD "{\"payload\":\"eyJleHAiOjF9\",\"keySet\":\"d\"}}"};
	static const char octets[] =
	    "{}[]\",: \t\n0123456789-+.eE\\utrfnaslxpb\x01\x7f\xc3\xff";
	unsigned int seed = 1;
	int taken = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		const char *from = seeds[(size_t)i % COUNT(seeds)];
		size_t len = strlen(from);
		char text[512];

		memcpy(text, from, len);
		for (int n = rand_r(&seed) % 4; n > 0; n--) {
			size_t at = (size_t)rand_r(&seed) % len;
			size_t other = (size_t)rand_r(&seed) % len;

			switch (rand_r(&seed) % 3) {
			case 0:
				text[at] = octets[(size_t)rand_r(&seed) %
						  (sizeof(octets) - 1)];
				break;
			case 1:
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
				break;
			default:
				text[at] = text[other];
				break;
			}
		}
		taken += compare(text, len);
	}
	assert_true(taken > ROUNDS / 4 && taken < ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_calls_are_read),
	    cmocka_unit_test(others_are_left_to_the_parser),
	    cmocka_unit_test(many_members_are_left_to_the_parser),
	    cmocka_unit_test(claims_of_a_payload),
	    cmocka_unit_test(never_more_than_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
