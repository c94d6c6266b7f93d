/*
 * The table of parameters and the arithmetic, at the edge of each rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/config/policy.h"
#include "daemon/document/jwks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Sets name=value pairs, ended by NULL, in a policy of defaults. */
static struct jw_policy
policy_with(const char *name, ...)
{
	struct jw_policy policy;
	va_list args;

	jw_policy_init(&policy);
	va_start(args, name);
	for (; name != NULL; name = va_arg(args, const char *)) {
		const struct jw_param *param = jw_policy_param_snake(name);

		assert_non_null(param);
		jw_policy_set(&policy, param, va_arg(args, int));
	}
	va_end(args);
	return policy;
}

static void
expect_fault(struct jw_policy policy, const char *name, int64_t minimum,
    int64_t maximum, const char *says)
{
	struct jw_policy_fault fault = {0};
	struct jw_why why = {"", ""};

	assert_int_equal(jw_policy_check(&policy, &fault, &why), JW_BAD_POLICY);
	assert_string_equal(fault.param->snake, name);
	assert_int_equal(fault.has_minimum, minimum >= 0);
	assert_int_equal(fault.has_maximum, maximum >= 0);
	if (minimum >= 0)
		assert_int_equal(fault.minimum, minimum);
	if (maximum >= 0)
		assert_int_equal(fault.maximum, maximum);
	if (strstr(why.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	assert_int_equal(jw_policy_check(&policy, NULL, NULL), JW_BAD_POLICY);
}

static void
expect_sound(struct jw_policy policy)
{
	struct jw_why why = {"", ""};

	if (jw_policy_check(&policy, NULL, &why) != JW_OK)
		fail_msg("%s", why.text);
}

static void
defaults_are_those_of_the_documentation(void **state)
{
	static const struct {
		const char *name;
		int32_t value;
	} rows[] = {
	    {"algorithm", JW_ALG_ES256},
	    {"rsa_bits", 2048},
	    {"mode", JW_MODE_AUTO},
	    {"rotation_period", 2592000},
	    {"cache_max_age", 300},
	    {"cache_stale_while_revalidate", 60},
	    {"cache_stale_if_error", 3600},
	    {"verifier_max_age", 86400},
	    {"propagation_delay", 60},
	    {"publish_safety", 3600},
	    {"token_max_ttl", 3600},
	    {"clock_skew", 300},
	    {"signer_drain", 60},
	    {"retire_safety", 3600},
	    {"rollback_window", 3600},
	    {"standby_count", 1},
	    {"max_published_keys", 8},
	};
	struct jw_policy policy;
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);

	(void)state;
	jw_policy_init(&policy);
	assert_int_equal(count, COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_string_equal(params[i].snake, rows[i].name);
		assert_int_equal(
		    jw_policy_get(&policy, &params[i]), rows[i].value);
	}
	expect_sound(policy);
	assert_int_equal(jw_policy_publish_interval(&policy), 90060);
	assert_int_equal(jw_policy_retire_interval(&policy), 7560);
}

/* "rotationPeriod" from "rotation_period". */
static void
to_camel(const char *snake, char *buf)
{
	for (; *snake != '\0'; snake++) {
		if (*snake == '_') {
			snake++;
			*buf++ = (char)toupper((unsigned char)*snake);
		} else {
			*buf++ = *snake;
		}
	}
	*buf = '\0';
}

static void
rows_are_sound(void **state)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	char camel[64];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct jw_param *param = &params[i];

		to_camel(param->snake, camel);
		assert_string_equal(param->camel, camel);
		assert_ptr_equal(jw_policy_param_snake(param->snake), param);
		assert_ptr_equal(jw_policy_param_camel(param->camel), param);
		assert_int_equal(param->offset, i * sizeof(int32_t));
		assert_true(param->minimum <= param->fallback);
		assert_true(param->fallback <= param->maximum);
		assert_true(strlen(param->help) > 0);
		assert_null(strchr(param->help, '\n'));
	}
	assert_null(jw_policy_param_snake("rotationPeriod"));
	assert_null(jw_policy_param_camel("rotation_period"));
	assert_null(jw_policy_param_snake(""));
}

static void
names_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < JW_ALG_COUNT; i++)
		assert_int_equal(jw_alg_parse(jw_alg_name(i)), i);
	for (int i = 0; i < JW_MODE_COUNT; i++)
		assert_int_equal(jw_mode_parse(jw_mode_name(i)), i);
	assert_null(jw_alg_name(-1));
	assert_null(jw_alg_name(JW_ALG_COUNT));
	assert_null(jw_mode_name(-1));
	assert_null(jw_mode_name(JW_MODE_COUNT));
	assert_int_equal(jw_alg_parse("es256"), -1);
	assert_int_equal(jw_alg_parse("none"), -1);
	assert_int_equal(jw_alg_parse("HS256"), -1);
	assert_int_equal(jw_mode_parse("AUTO"), -1);
	assert_string_equal(jw_alg_name(JW_ALG_EDDSA), "EdDSA");
	assert_string_equal(jw_alg_name(JW_ALG_ED25519), "Ed25519");
	assert_string_equal(jw_alg_name(JW_ALG_MLDSA65), "ML-DSA-65");
}

static void
values_are_read(void **state)
{
	static const struct {
		const char *name, *text;
		int32_t value;
	} rows[] = {
	    {"algorithm", "RS512", JW_ALG_RS512},
	    {"rsa_bits", "4096", 4096},
	    {"mode", "manual", JW_MODE_MANUAL},
	    {"rotation_period", "1w", 604800},
	    {"rotation_period", "1s", 1},
	    {"rotation_period", "3650d", 315360000},
	    {"propagation_delay", "0", 0},
	    {"publish_safety", "0s", 0},
	    {"retire_safety", "0", 0},
	    {"clock_skew", "0", 0},
	    {"signer_drain", "0", 0},
	    {"cache_stale_if_error", "0", 0},
	    {"cache_stale_while_revalidate", "0", 0},
	    {"cache_max_age", "1h", 3600},
	    {"standby_count", "4", 4},
	    {"max_published_keys", "10", 10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int32_t value = -1;

		assert_int_equal(
		    jw_policy_parse_value(jw_policy_param_snake(rows[i].name),
			rows[i].text, &value, NULL),
		    JW_OK);
		assert_int_equal(value, rows[i].value);
	}
}

static void
bad_values_are_explained(void **state)
{
	static const struct {
		const char *name, *text, *says;
	} rows[] = {
	    {"algorithm", "HS256", "RS256, RS384"},
	    {"algorithm", "es256", "Ed25519"},
	    {"algorithm", "ES256k", "ML-DSA-65, ML-DSA-87"},
	    {"rsa_bits", "1024", "2048, 3072 or 4096"},
	    {"rsa_bits", "2049", "2048, 3072 or 4096"},
	    {"mode", "off", "auto, manual, frozen"},
	    {"rotation_period", "0", "between 1s and 3650d"},
	    {"rotation_period", "3651d", "between 1s and 3650d"},
	    {"rotation_period", "100y", "between 1s and 3650d"},
	    {"rotation_period", "5x", "rotation_period: "},
	    {"cache_max_age", "0", "between 1s and 1h"},
	    {"cache_max_age", "61min", "between 1s and 1h"},
	    {"standby_count", "0", "between 1 and 4"},
	    {"standby_count", "5", "between 1 and 4"},
	    {"standby_count", "-1", "1 to 4"},
	    {"standby_count", "1h", "1 to 4"},
	    {"standby_count", "", "1 to 4"},
	    {"standby_count", "4294967297", "1 to 4"},
	    {"max_published_keys", "11", "between 3 and 10"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_why why = {"", ""};
		int32_t value = -77;

		assert_int_equal(
		    jw_policy_parse_value(jw_policy_param_snake(rows[i].name),
			rows[i].text, &value, &why),
		    JW_BAD_POLICY);
		assert_int_equal(value, -77);
		assert_non_null(strstr(why.text, rows[i].name));
		if (strstr(why.text, rows[i].says) == NULL)
			fail_msg("%s", why.text);
	}
}

static void
wrong_case_gets_a_hint(void **state)
{
	struct jw_why why = {"", ""};
	int32_t value;

	(void)state;
	assert_int_equal(
	    jw_policy_parse_value(
		jw_policy_param_snake("algorithm"), "eddsa", &value, &why),
	    JW_BAD_POLICY);
	assert_string_equal(why.hint, "did you mean EdDSA?");
}

static void
bounds_hold_in_a_check(void **state)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct jw_param *param = &params[i];

		expect_fault(
		    policy_with(param->snake, (int)(param->minimum - 1), NULL),
		    param->snake, param->minimum, param->maximum, "must be");
		expect_fault(
		    policy_with(param->snake, (int)(param->maximum + 1), NULL),
		    param->snake, param->minimum, param->maximum, "must be");
		expect_fault(policy_with(param->snake, INT32_MIN, NULL),
		    param->snake, param->minimum, param->maximum, "must be");
		expect_fault(policy_with(param->snake, INT32_MAX, NULL),
		    param->snake, param->minimum, param->maximum, "must be");
	}
	expect_fault(policy_with("rsa_bits", 2500, NULL), "rsa_bits", 2048,
	    4096, "2048, 3072 or 4096");
}

static void
a_verifier_outlives_the_caches(void **state)
{
	(void)state;
	expect_sound(policy_with("verifier_max_age", 4200, NULL));
	expect_fault(policy_with("verifier_max_age", 4199, NULL),
	    "verifier_max_age", 4200, -1,
	    "verifier_max_age is 1h 9min 59s but must be at least 1h 10min "
	    "(2 * cache_max_age + 1 * cache_stale_if_error: 1 shared cache "
	    "before that of the verifier)");
	expect_sound(policy_with("verifier_max_age", 7800,
	    "cache_stale_while_revalidate", 7200, NULL));
	expect_fault(policy_with("verifier_max_age", 7799,
			 "cache_stale_while_revalidate", 7200, NULL),
	    "verifier_max_age", 7800, -1,
	    "(2 * cache_max_age + 1 * cache_stale_while_revalidate: ");
	expect_sound(
	    policy_with("verifier_max_age", 600, "cache_stale_while_revalidate",
		0, "cache_stale_if_error", 0, NULL));
	expect_fault(
	    policy_with("verifier_max_age", 599, "cache_stale_while_revalidate",
		0, "cache_stale_if_error", 0, NULL),
	    "verifier_max_age", 600, -1, "at least 10min");
}

static void
a_period_outlasts_publication(void **state)
{
	(void)state;
	expect_sound(policy_with("rotation_period", 90061, NULL));
	expect_fault(policy_with("rotation_period", 90060, NULL),
	    "rotation_period", 90061, -1, "longer than 1d 1h 1min");
	expect_fault(policy_with("rotation_period", 3600, NULL),
	    "rotation_period", 90061, -1,
	    "rotation_period is 1h but must be longer than 1d 1h 1min "
	    "(propagation_delay + verifier_max_age + publish_safety)");
}

static void
a_rollback_ends_before_removal(void **state)
{
	(void)state;
	expect_sound(policy_with("rollback_window", 7560, NULL));
	expect_fault(policy_with("rollback_window", 7561, NULL),
	    "rollback_window", -1, 7560,
	    "rollback_window is 2h 6min 1s but must be at most 2h 6min");
}

static void
the_set_has_room(void **state)
{
	(void)state;
	/* ceil(7560 / 2592000) = 1: 1 + 1 + 1 + 1. */
	expect_sound(policy_with("max_published_keys", 4, NULL));
	expect_fault(policy_with("max_published_keys", 3, NULL),
	    "max_published_keys", 4, -1, "at least 4");
	expect_sound(
	    policy_with("max_published_keys", 7, "standby_count", 4, NULL));
	expect_fault(
	    policy_with("max_published_keys", 6, "standby_count", 4, NULL),
	    "max_published_keys", 7, -1, "at least 7");
	/* Iret = 200000: three periods of 90061 have begun in it. */
	expect_sound(policy_with("token_max_ttl", 196040, "rotation_period",
	    90061, "max_published_keys", 6, NULL));
	expect_fault(policy_with("token_max_ttl", 196040, "rotation_period",
			 90061, "max_published_keys", 5, NULL),
	    "max_published_keys", 6, -1, "at least 6");
}

static void
no_set_is_large_enough(void **state)
{
	/* Iret = 1003960 s = 7 * 143422.9 s: a period of 143423 s will do. */
	struct jw_policy policy = policy_with("token_max_ttl", 1000000,
	    "rotation_period", 100000, "max_published_keys", 10, NULL);

	(void)state;
	expect_fault(policy, "rotation_period", 143423, -1, "1d 15h 50min 23s");
	policy.rotation_period = 143423;
	expect_sound(policy);
}

static void
a_life_fits_into_seconds(void **state)
{
	(void)state;
	expect_sound(policy_with("rotation_period", 3, "cache_max_age", 1,
	    "cache_stale_while_revalidate", 0, "cache_stale_if_error", 0,
	    "verifier_max_age", 2, "propagation_delay", 0, "publish_safety", 0,
	    "token_max_ttl", 1, "clock_skew", 0, "signer_drain", 0,
	    "retire_safety", 0, "rollback_window", 1, NULL));
}

static void
the_largest_policy_does_not_overflow(void **state)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	struct jw_policy policy;

	(void)state;
	for (size_t i = 0; i < count; i++)
		jw_policy_set(&policy, &params[i], params[i].maximum);
	assert_int_equal(
	    jw_policy_publish_interval(&policy), INT64_C(4) * 365 * 86400);
	assert_int_equal(
	    jw_policy_retire_interval(&policy), INT64_C(13) * 365 * 86400);
	policy.algorithm = JW_ALG_ES512;
	expect_sound(policy);
}

static void
exotic_algorithms_stand_alone(void **state)
{
	struct jw_why why = {"", ""};

	(void)state;
	for (int from = 0; from < JW_ALG_COUNT; from++) {
		bool exotic = from >= JW_ALG_ES512;

		assert_int_equal(jw_alg_is_exotic(from), exotic);
		for (int to = 0; to < JW_ALG_COUNT; to++) {
			assert_int_equal(jw_alg_may_follow(from, to),
			    from == to || (!exotic && to < JW_ALG_ES512));
		}
	}
	assert_false(jw_alg_is_exotic(-1));
	assert_false(jw_alg_is_exotic(JW_ALG_COUNT));
	jw_alg_why_not_follow(JW_ALG_ES256, JW_ALG_ED448, &why);
	assert_non_null(strstr(why.text, "from ES256 to Ed448"));
	assert_non_null(strstr(why.text, "one key of Ed448"));
	assert_string_equal(
	    why.hint, "add another key set with algorithm Ed448");
	jw_alg_why_not_follow(JW_ALG_MLDSA44, JW_ALG_ES256, &why);
	assert_non_null(strstr(why.text, "one key of ML-DSA-44"));
	assert_string_equal(
	    why.hint, "add another key set with algorithm ES256");
}

/* As many keys of an AKP algorithm as it says, and not one more. */
static enum jw_err
render_akp(int alg, size_t pub_octets, size_t count)
{
	char pub[4096] = "", jwk[JW_SET_KEYS_MAX][8192];
	const struct key *row[JW_SET_KEYS_MAX];
	struct key keys[JW_SET_KEYS_MAX] = {0};
	char *body = NULL;
	enum jw_err err;

	memset(pub, 'A', (pub_octets * 8 + 5) / 6);
	for (size_t i = 0; i < count; i++) {
		snprintf(keys[i].kid, sizeof(keys[i].kid), "%043zu", i);
		snprintf(jwk[i], sizeof(jwk[i]),
		    "{\"kty\":\"AKP\",\"use\":\"sig\",\"alg\":\"%s\","
		    "\"kid\":\"%s\",\"pub\":\"%s\"}",
		    jw_alg_name(alg), keys[i].kid, pub);
		keys[i].jwk = jwk[i];
		row[i] = &keys[i];
	}
	err = document_render(row, count, &body, NULL);
	free(body);
	return err;
}

static void
large_keys_fill_a_set_early(void **state)
{
	static const struct {
		int alg;
		int32_t most;
		size_t pub_octets;
	} rows[] = {{JW_ALG_MLDSA44, 8, 1312}, {JW_ALG_MLDSA65, 6, 1952},
	    {JW_ALG_MLDSA87, 4, 2592}};

	(void)state;
	for (int alg = 0; alg < JW_ALG_MLDSA44; alg++)
		assert_int_equal(jw_alg_max_published(alg), JW_SET_KEYS_MAX);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t most = (size_t)rows[i].most;

		assert_int_equal(jw_alg_max_published(rows[i].alg), most);
		assert_int_equal(
		    render_akp(rows[i].alg, rows[i].pub_octets, most), JW_OK);
		assert_int_equal(
		    render_akp(rows[i].alg, rows[i].pub_octets, most + 1),
		    JW_BUG);
	}
}

static void
large_keys_bound_the_policy(void **state)
{
	struct jw_policy policy;

	(void)state;
	expect_fault(policy_with("algorithm", JW_ALG_MLDSA65, NULL),
	    "max_published_keys", -1, 6,
	    "max_published_keys is 8 but must be at most 6 (with algorithm "
	    "ML-DSA-65 more do not fit into 16384 octets)");
	expect_fault(policy_with("algorithm", JW_ALG_MLDSA44,
			 "max_published_keys", 9, NULL),
	    "max_published_keys", -1, 8, "at most 8");
	expect_fault(policy_with("algorithm", JW_ALG_MLDSA87,
			 "max_published_keys", 4, "standby_count", 2, NULL),
	    "standby_count", -1, 1, "standby_count is 2 but must be at most 1");
	/* Room for one retired key: Iret = 15 d, and so must the period be. */
	expect_fault(
	    policy_with("algorithm", JW_ALG_MLDSA87, "max_published_keys", 4,
		"token_max_ttl", 1292040, "rotation_period", 1295999, NULL),
	    "rotation_period", 1296000, -1, "at least 15d");
	expect_fault(
	    policy_with("algorithm", JW_ALG_MLDSA87, "max_published_keys", 4,
		"token_max_ttl", 315360000, "rotation_period", 315360000, NULL),
	    "token_max_ttl", -1, 315360000 - 3960, "whatever the rotation");
	for (int alg = 0; alg < JW_ALG_COUNT; alg++) {
		policy = policy_with("algorithm", alg, NULL);
		jw_policy_fit(&policy);
		assert_int_equal(
		    policy.max_published_keys, alg == JW_ALG_MLDSA87   ? 4
					       : alg == JW_ALG_MLDSA65 ? 6
								       : 8);
		expect_sound(policy);
	}
	policy = policy_with("max_published_keys", 4, NULL);
	jw_policy_fit(&policy);
	assert_int_equal(policy.max_published_keys, 4);
}

/* Mending what is at fault, as it says, ends in a sound policy. */
static void
the_number_that_would_be_right_is_right(void **state)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct jw_policy policy;
		struct jw_policy_fault fault;
		int mended = 0;

		for (size_t i = 0; i < count; i++) {
			int64_t span =
			    (int64_t)params[i].maximum - params[i].minimum;
			int shift;

			random = random * 1664525 + 1013904223;
			shift = (int)(random >> 27);
			random = random * 1664525 + 1013904223;
			jw_policy_set(&policy, &params[i],
			    (int32_t)(params[i].minimum +
				      (int64_t)(random >> shift) % (span + 1)));
		}
		policy.rsa_bits = 3072;
		while (jw_policy_check(&policy, &fault, NULL) != JW_OK) {
			int64_t right =
			    fault.has_minimum ? fault.minimum : fault.maximum;

			assert_in_range(
			    right, fault.param->minimum, fault.param->maximum);
			jw_policy_set(&policy, fault.param, (int32_t)right);
			assert_true(++mended <= 9);
		}
	}
}

static void
unwise_cache_times_are_named(void **state)
{
	static const struct {
		int age;
		bool unwise;
	} rows[] = {{59, true}, {60, false}, {300, false}, {900, false},
	    {901, true}, {3600, true}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct jw_policy policy =
		    policy_with("cache_max_age", rows[i].age, NULL);
		struct jw_why why = {"untouched", ""};

		assert_int_equal(
		    jw_policy_warning(&policy, &why), rows[i].unwise);
		assert_int_equal(
		    strcmp(why.text, "untouched") != 0, rows[i].unwise);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_the_documentation),
	    cmocka_unit_test(rows_are_sound),
	    cmocka_unit_test(names_go_both_ways),
	    cmocka_unit_test(values_are_read),
	    cmocka_unit_test(bad_values_are_explained),
	    cmocka_unit_test(wrong_case_gets_a_hint),
	    cmocka_unit_test(bounds_hold_in_a_check),
	    cmocka_unit_test(a_verifier_outlives_the_caches),
	    cmocka_unit_test(a_period_outlasts_publication),
	    cmocka_unit_test(a_rollback_ends_before_removal),
	    cmocka_unit_test(the_set_has_room),
	    cmocka_unit_test(no_set_is_large_enough),
	    cmocka_unit_test(a_life_fits_into_seconds),
	    cmocka_unit_test(the_largest_policy_does_not_overflow),
	    cmocka_unit_test(exotic_algorithms_stand_alone),
	    cmocka_unit_test(large_keys_fill_a_set_early),
	    cmocka_unit_test(large_keys_bound_the_policy),
	    cmocka_unit_test(the_number_that_would_be_right_is_right),
	    cmocka_unit_test(unwise_cache_times_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
