/*
 * Replies and errors are checked as they are read, whatever they hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ctl/call/error_texts.h"
#include "ctl/out/text.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

static json_t *
load(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	return value;
}

static enum jw_err
read_object(const json_t *o, const char *name, const json_t **ret_value,
    struct jw_why *why)
{
	const struct reply_member members[] = {
	    {name, REPLY_OBJECT, false, 0},
	    {NULL, REPLY_OBJECT, false, 0},
	};

	return reply_read(o, members, ret_value, why);
}

static void
test_members(void **state)
{
	json_t *o = load("{\"s\":\"x\",\"n\":7,\"t\":true,\"a\":[],\"o\":{},"
			 "\"z\":null}");
	struct jw_why why = {0};
	const json_t *value;
	const char *s;
	int64_t n;
	bool b;

	(void)state;
	assert_int_equal(reply_string(o, "s", &s, &why), JW_OK);
	assert_string_equal(s, "x");
	assert_int_equal(reply_string(o, "z", &s, &why), JW_OK);
	assert_null(s);
	assert_int_equal(reply_number(o, "n", &n, &why), JW_OK);
	assert_int_equal(n, 7);
	assert_int_equal(reply_number(o, "absent", &n, &why), JW_OK);
	assert_int_equal(n, REPLY_NONE);
	assert_int_equal(reply_bool(o, "t", &b, &why), JW_OK);
	assert_true(b);
	assert_int_equal(reply_array(o, "a", &value, &why), JW_OK);
	assert_int_equal(read_object(o, "o", &value, &why), JW_OK);
	assert_non_null(value);
	assert_int_equal(read_object(o, "z", &value, &why), JW_OK);
	assert_null(value);
	assert_string_equal(why.text, "");
	json_decref(o);
}

static void
test_wrong_types(void **state)
{
	json_t *o = load("{\"s\":\"x\",\"n\":7,\"f\":1.5,\"m\":-1,"
			 "\"big\":253402300800}");
	struct jw_why why = {0};
	const json_t *value = o;
	const char *s = "untouched";
	int64_t n = 5;
	bool b = true;

	(void)state;
	assert_int_equal(reply_string(o, "n", &s, &why), JW_PROTOCOL);
	assert_non_null(strstr(why.text, "\"n\""));
	assert_int_equal(reply_name(o, "absent", &s, &why), JW_PROTOCOL);
	assert_int_equal(reply_number(o, "s", &n, &why), JW_PROTOCOL);
	assert_int_equal(reply_number(o, "f", &n, &why), JW_PROTOCOL);
	assert_int_equal(reply_number(o, "m", &n, &why), JW_PROTOCOL);
	assert_int_equal(reply_number(o, "big", &n, &why), JW_PROTOCOL);
	assert_int_equal(reply_bool(o, "n", &b, &why), JW_PROTOCOL);
	assert_int_equal(reply_array(o, "s", &value, &why), JW_PROTOCOL);
	assert_int_equal(reply_array(o, "absent", &value, &why), JW_PROTOCOL);
	assert_int_equal(read_object(o, "s", &value, &why), JW_PROTOCOL);
	assert_string_equal(s, "untouched");
	assert_int_equal(n, 5);
	assert_true(b);
	assert_ptr_equal(value, o);
	json_decref(o);
}

static void
test_key(void **state)
{
	json_t *o = load("{\"kid\":\"k\",\"keySet\":\"d\",\"generation\":2,"
			 "\"alg\":\"ES256\",\"state\":\"ready\","
			 "\"createdAt\":10,\"readyAt\":30,\"new\":1}");
	struct reply_key key = {0};
	struct jw_why why = {0};

	(void)state;
	assert_int_equal(reply_key(o, &key, &why), JW_OK);
	assert_string_equal(key.kid, "k");
	assert_int_equal(key.generation, 2);
	assert_int_equal(key.at[REPLY_CREATED], 10);
	assert_int_equal(key.at[REPLY_READY], 30);
	assert_int_equal(key.at[REPLY_REMOVE], REPLY_NONE);
	assert_null(key.jwk);
	for (size_t i = 0; i < 5; i++) {
		static const char *const needed[] = {
		    "kid", "keySet", "generation", "alg", "state"};
		json_t *copy = json_copy(o);

		json_object_del(copy, needed[i]);
		assert_int_equal(reply_key(copy, &key, &why), JW_PROTOCOL);
		assert_non_null(strstr(why.text, needed[i]));
		json_decref(copy);
	}
	json_decref(o);
}

static void
test_visible(void **state)
{
	json_t *o = load("{\"a\":[\"\\u001b[2J\",{\"b\":\"\\u009b\"}],"
			 "\"n\":1,\"t\":true,\"z\":null,\"f\":0.5}");
	json_t *expected = load("{\"a\":[\"\\\\x1b[2J\",{\"b\":"
				"\"\\\\u009b\"}],\"n\":1,\"t\":true,"
				"\"z\":null,\"f\":0.5}");
	struct out_text text = {.utf8 = true};
	json_t *shown = out_visible(&text, o);

	(void)state;
	assert_non_null(shown);
	assert_true(json_equal(shown, expected));
	json_decref(shown);
	json_decref(expected);
	json_decref(o);
}

static enum jw_err
explain_of(const char *method, const char *error, const char *parameters,
    struct jw_why *why)
{
	struct out_text text = {.times = TEXT_UNIX, .now = 1700000000};
	json_t *value = load(parameters);
	enum jw_err err;

	memset(why, 0, sizeof(*why));
	err = call_explain_error(&text, method, error, value, why);
	json_decref(value);
	return err;
}

static enum jw_err
explain(const char *error, const char *parameters, struct jw_why *why)
{
	return explain_of("org.jwksd.keys.Status", error, parameters, why);
}

/* Some errors mean something else of one verb. */
static void
test_faults_of_a_method(void **state)
{
	static const struct {
		const char *method, *error, *parameters, *text;
	} rows[] = {
	    {"Revoke", "NotReady", "{\"readyAt\":1795468589}",
		"no standby is ready before 1795468589"},
	    {"Revoke", "NotReady", "{\"readyAt\":1700000000}",
		"no other key could take over"},
	    {"Revoke", "NotReady", "{\"readyAt\":0}",
		"no other key could take over"},
	    {"Revoke", "BadState", "{\"kid\":\"k\",\"state\":\"removed\"}",
		"k is removed: it is not trusted any more"},
	    {"Rollback", "BadState", "{}", "no generation to go back to"},
	    {"Rotate", "NotReady", "{\"readyAt\":0}", "promoted before 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char method[64], error[64];
		struct jw_why why;

		snprintf(method, sizeof(method), "org.jwksd.keys.%s",
		    rows[i].method);
		snprintf(
		    error, sizeof(error), "org.jwksd.keys.%s", rows[i].error);
		explain_of(method, error, rows[i].parameters, &why);
		assert_non_null(strstr(why.text, rows[i].text));
	}
}

static void
check_bound(const char *parameters, const char *hint)
{
	struct jw_why why;

	assert_int_equal(explain("org.jwksd.keys.BadPolicy", parameters, &why),
	    JW_BAD_POLICY);
	assert_string_equal(why.hint, hint);
}

static void
test_the_number_that_would_be_right(void **state)
{
	(void)state;
	check_bound("{\"parameter\":\"rotationPeriod\",\"minimum\":90061}",
	    "rotation_period would be right with at least 1d 1h 1min 1s");
	check_bound("{\"parameter\":\"rollback_window\",\"maximum\":7560}",
	    "rollback_window would be right with at most 2h 6min");
	check_bound("{\"parameter\":\"cacheMaxAge\",\"minimum\":1,"
		    "\"maximum\":3600}",
	    "cache_max_age would be right with at least 1s and at most 1h");
	check_bound("{\"parameter\":\"maxPublishedKeys\",\"minimum\":5}",
	    "max_published_keys would be right with at least 5");
	check_bound("{\"parameter\":\"mode\",\"minimum\":5}", "");
	check_bound("{\"parameter\":\"cacheMaxAge\",\"minimum\":-5}", "");
	check_bound("{\"parameter\":\"cacheMaxAge\",\"minimum\":\"5\"}", "");
	check_bound("{\"parameter\":\"other\",\"minimum\":5}", "");
	check_bound("{\"parameter\":5,\"minimum\":5}", "");
}

static void
test_key_set(void **state)
{
	json_t *o = load("{\"name\":\"d\",\"alg\":\"ES256\",\"path\":\"/p\","
			 "\"version\":0,\"frozen\":true,\"new\":[],"
			 "\"policy\":{\"mode\":\"manual\"}}");
	struct reply_key_set set = {0};
	struct jw_why why = {0};

	(void)state;
	assert_int_equal(reply_key_set(o, &set, &why), JW_OK);
	assert_string_equal(set.name, "d");
	assert_string_equal(set.mode, "manual");
	assert_true(set.frozen);
	assert_int_equal(set.active_generation, REPLY_NONE);
	assert_int_equal(set.scheduled_for, REPLY_NONE);
	for (size_t i = 0; i < 4; i++) {
		static const char *const needed[] = {
		    "name", "alg", "path", "version"};
		json_t *copy = json_copy(o);

		json_object_del(copy, needed[i]);
		assert_int_equal(reply_key_set(copy, &set, &why), JW_PROTOCOL);
		assert_non_null(strstr(why.text, needed[i]));
		json_decref(copy);
	}
	json_object_del(o, "policy");
	assert_int_equal(reply_key_set(o, &set, &why), JW_OK);
	assert_null(set.mode);
	json_decref(o);
}

static void
test_faults(void **state)
{
	struct jw_why why;

	(void)state;
	assert_int_equal(explain("org.jwksd.keys.NotReady",
			     "{\"readyAt\":1795468589}", &why),
	    JW_NOT_READY);
	assert_string_equal(
	    why.text, "no key may be promoted before 1795468589");
	assert_int_equal(explain("org.jwksd.keys.Conflict",
			     "{\"expected\":1,\"actual\":2}", &why),
	    JW_CONFLICT);
	assert_non_null(strstr(why.text, "generation 2 is active, not 1"));
	assert_int_equal(
	    explain("org.jwksd.keys.AmbiguousKey",
		"{\"key\":\"A\",\"matches\":[\"A1\",2,\"A3\"]}", &why),
	    JW_AMBIGUOUS_KEY);
	assert_string_equal(
	    why.text, "several kids begin with \"A\": A1, ?, A3");
	assert_int_equal(explain("org.example.X", "{}", &why), JW_PROTOCOL);
	assert_non_null(strstr(why.text, "org.example.X {}"));
}

/* Every error of ours has a sentence, and needs none of its parameters. */
static void
test_every_fault(void **state)
{
	int sentences = 0;

	(void)state;
	for (int err = 1; err < JW_ERR_COUNT; err++) {
		const char *wire = jw_err_wire((enum jw_err)err);
		struct jw_why why;

		if (wire == NULL)
			continue;
		assert_int_equal(explain(wire, "{}", &why), err);
		assert_true(why.text[0] != '\0');
		assert_null(strchr(why.text, '{'));
		assert_null(strchr(why.hint, '{'));
		sentences++;
	}
	assert_int_equal(sentences, JW_EXPECTED_MORE);
}

static void
test_long_parameters_are_cut(void **state)
{
	char parameters[4096];
	struct jw_why why;

	(void)state;
	strcpy(parameters, "{\"requestId\":\"");
	memset(parameters + strlen(parameters), 'x', 3000);
	strcpy(parameters + 14 + 3000, "\"}");
	assert_int_equal(
	    explain("org.jwksd.keys.OutcomeUnknown", parameters, &why),
	    JW_OUTCOME_UNKNOWN);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_int_equal(strlen(why.hint), sizeof(why.hint) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_wrong_types),
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_visible),
	    cmocka_unit_test(test_key_set),
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_faults_of_a_method),
	    cmocka_unit_test(test_the_number_that_would_be_right),
	    cmocka_unit_test(test_every_fault),
	    cmocka_unit_test(test_long_parameters_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
