/*
 * daemon/verbs/rows_json.c: what is shown is what the rows say, and fits the
 * declared types of org.jwksd.keys.
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
#include "common/wire/varlink_interface.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/verbs/fault.h"
#include "daemon/verbs/rows_json.h"

#define KID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
expect_json(json_t *take, const char *text)
{
	json_t *want = json_loads(text, 0, NULL);

	assert_non_null(take);
	assert_non_null(want);
	if (!json_equal(take, want)) {
		char *is = json_dumps(take, JSON_COMPACT | JSON_SORT_KEYS);

		print_message("%s\n", is);
		free(is);
		fail_msg("is not %s", text);
	}
	json_decref(take);
	json_decref(want);
}

static json_t *
key_json(const char *key_set, const struct key *key, const struct lc_set *set,
    bool with_jwk)
{
	return verbs_key_codec.encode(
	    &(struct verbs_key_row){key_set, key, set, NULL, with_jwk});
}

static json_t *
key_set_json(const struct key_set *set, const char *domain)
{
	return verbs_key_set_codec.encode(
	    &(struct verbs_key_set_row){set, NULL, domain});
}

static json_t *
change_json(const struct lc_change *change, const char *kid)
{
	return verbs_change_codec.encode(
	    &(struct verbs_change_row){"default", change, kid});
}

static json_t *
exposure_json(const struct lc_exposure *exposure)
{
	return verbs_exposure_codec.encode(&exposure);
}

static char jwk_text[] = "{\"kty\":\"OKP\"}";

static struct key
pending(void)
{
	return (struct key){
	    .facts = {.number = 7, .created_at = 100, .alg = JW_ALG_ES256},
	    .kid = KID,
	    .jwk = jwk_text,
	};
}

static void
pending_key_has_no_times_but_its_creation(void **state)
{
	struct key key = pending();

	(void)state;
	expect_json(key_json("default", &key, NULL, false),
	    "{\"kid\":\"" KID "\",\"keySet\":\"default\",\"generation\":7,"
	    "\"alg\":\"ES256\",\"state\":\"pending\",\"createdAt\":100}");
}

static void
every_time_has_its_name(void **state)
{
	struct key key = pending();
	struct lc_set set;

	(void)state;
	key.facts.published_at = 101;
	key.facts.ready_due = 102;
	expect_json(key_json("default", &key, NULL, false),
	    "{\"kid\":\"" KID "\",\"keySet\":\"default\",\"generation\":7,"
	    "\"alg\":\"ES256\",\"state\":\"published\",\"createdAt\":100,"
	    "\"publishedAt\":101,\"readyAt\":102}");
	key.facts.ready_at = 103;
	key.facts.activated_at = 104;
	key.facts.activations = 1;
	key.facts.rotate_due = 105;
	set = (struct lc_set){.count = 1, .gens = {key.facts}};
	expect_json(key_json("default", &key, &set, true),
	    "{\"kid\":\"" KID "\",\"keySet\":\"default\",\"generation\":7,"
	    "\"alg\":\"ES256\",\"state\":\"active\",\"createdAt\":100,"
	    "\"publishedAt\":101,\"readyAt\":103,\"activatedAt\":104,"
	    "\"rotateAt\":105,\"jwk\":{\"kty\":\"OKP\"}}");
	key.facts.retirements = 1;
	key.facts.retired_at = 106;
	key.facts.remove_due = 107;
	expect_json(key_json("default", &key, NULL, false),
	    "{\"kid\":\"" KID "\",\"keySet\":\"default\",\"generation\":7,"
	    "\"alg\":\"ES256\",\"state\":\"retired\",\"createdAt\":100,"
	    "\"publishedAt\":101,\"readyAt\":103,\"activatedAt\":104,"
	    "\"retiredAt\":106,\"removeAt\":107}");
	key.facts.removed_at = 108;
	key.facts.revoked_at = 109;
	key.reason = strdup("leaked");
	expect_json(key_json("a/b", &key, NULL, false),
	    "{\"kid\":\"" KID "\",\"keySet\":\"a/b\",\"generation\":7,"
	    "\"alg\":\"ES256\",\"state\":\"revoked\",\"createdAt\":100,"
	    "\"publishedAt\":101,\"readyAt\":103,\"activatedAt\":104,"
	    "\"retiredAt\":106,\"removeAt\":108,\"removedAt\":108,"
	    "\"revokedAt\":109,\"reason\":\"leaked\"}");
	free(key.reason);
}

static void
facts_of_a_dry_run_are_shown(void **state)
{
	struct key key = pending();
	struct generation other = key.facts;
	json_t *json;

	(void)state;
	other.published_at = 5;
	json = key_json("default", &key,
	    &(struct lc_set){.count = 1, .gens = {other}}, false);
	assert_string_equal(
	    json_string_value(json_object_get(json, "state")), "published");
	json_decref(json);
}

static void
policy_has_every_parameter(void **state)
{
	struct key_set set = {.name = "default"};
	struct jw_policy *policy = &set.facts.policy;
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);
	json_t *shown, *json;

	(void)state;
	jw_policy_init(policy);
	policy->algorithm = JW_ALG_PS512;
	policy->mode = JW_MODE_MANUAL;
	for (size_t i = 0; i < n; i++)
		if (params[i].kind == JW_PARAM_DURATION)
			jw_policy_set(policy, &params[i], 500 + (int32_t)i);
	shown = key_set_json(&set, NULL);
	json = json_object_get(shown, "policy");
	assert_int_equal(json_object_size(json), n);
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(json, params[i].camel);

		if (params[i].kind == JW_PARAM_ALGORITHM)
			assert_string_equal(json_string_value(value), "PS512");
		else if (params[i].kind == JW_PARAM_MODE)
			assert_string_equal(json_string_value(value), "manual");
		else
			assert_int_equal(json_integer_value(value),
			    jw_policy_get(policy, &params[i]));
	}
	json_decref(shown);
}

static void
key_set_is_shown_with_what_it_has(void **state)
{
	struct key keys[2] = {pending(), pending()};
	struct key_set set = {.name = "shop/step-up", .keys = keys, .nkeys = 2};
	json_t *json, *policy;

	(void)state;
	jw_policy_init(&set.facts.policy);
	set.facts.version = 3;
	json = key_set_json(&set, "s.test");
	policy = json_object_get(json, "policy");
	assert_true(json_is_object(policy));
	json_object_del(json, "policy");
	expect_json(json,
	    "{\"name\":\"shop/step-up\",\"alg\":\"ES256\","
	    "\"path\":\"/.well-known/step-up-jwks.json\",\"version\":3,"
	    "\"urls\":[\"https://shop.s.test/.well-known/step-up-jwks.json\","
	    "\"/shop/.well-known/step-up-jwks.json\"]}");
	keys[1].facts.number = 8;
	keys[1].facts.published_at = 1;
	keys[1].facts.activations = 1;
	keys[0].facts.published_at = 1;
	keys[0].facts.ready_due = 500;
	set.facts.wanted_at = 400;
	set.facts.frozen = true;
	json = key_set_json(&set, NULL);
	json_object_del(json, "policy");
	expect_json(json,
	    "{\"name\":\"shop/step-up\",\"alg\":\"ES256\","
	    "\"path\":\"/.well-known/step-up-jwks.json\",\"version\":3,"
	    "\"urls\":[\"/shop/.well-known/step-up-jwks.json\"],"
	    "\"activeGeneration\":8,\"scheduledFor\":500,\"frozen\":true}");
}

static void
change_is_shown_with_what_is_known(void **state)
{
	struct lc_change change = {
	    .time = 9, .number = 3, .to = GEN_PENDING, .cause = "why"};

	(void)state;
	expect_json(change_json(&change, NULL),
	    "{\"time\":9,\"keySet\":\"default\",\"generation\":3,"
	    "\"to\":\"pending\",\"cause\":\"why\"}");
	change.has_from = true;
	change.from = GEN_READY;
	change.to = GEN_ACTIVE;
	expect_json(change_json(&change, KID),
	    "{\"time\":9,\"keySet\":\"default\",\"generation\":3,"
	    "\"kid\":\"" KID "\",\"from\":\"ready\",\"to\":\"active\","
	    "\"cause\":\"why\"}");
}

static void
exposure_leaves_out_what_does_not_happen(void **state)
{
	struct lc_exposure exposure = {
	    .until = 50,
	    .reject_new_tokens = {.honours_cache_control = 20,
		.polls_within_max_age = 50},
	    .accept_old_tokens = {.never_expires = LC_NEVER},
	};

	(void)state;
	expect_json(exposure_json(&exposure),
	    "{\"until\":50,\"rejectNewTokens\":{\"honoursCacheControl\":20,"
	    "\"pollsWithinMaxAge\":50},"
	    "\"acceptOldTokens\":{\"neverExpires\":0}}");
}

static void
events_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(verbs_json_event(GEN_PENDING), "created");
	assert_string_equal(verbs_json_event(GEN_PUBLISHED), "published");
	assert_string_equal(verbs_json_event(GEN_READY), "ready");
	assert_string_equal(verbs_json_event(GEN_ACTIVE), "activated");
	assert_string_equal(verbs_json_event(GEN_RETIRED), "retired");
	assert_string_equal(verbs_json_event(GEN_REMOVED), "removed");
	assert_string_equal(verbs_json_event(GEN_REVOKED), "revoked");
}

/* The replies that are made of these fit the interface description. */
static void
values_fit_the_declared_types(void **state)
{
	struct key key = pending();
	struct key_set set = {.name = "default", .keys = &key, .nkeys = 1};
	struct lc_change change = {
	    .time = 9, .number = 3, .to = GEN_PENDING, .cause = "why"};
	struct lc_exposure exposure = {.until = 1};
	char name[VARLINK_NAME_SIZE];
	json_t *json;

	(void)state;
	jw_policy_init(&set.facts.policy);
	key.facts.published_at = 1;
	key.facts.activations = 1;
	set.facts.wanted_at = 5;
	const struct {
		const char *method;
		json_t *reply;
	} rows[] = {
	    {"ShowKey", json_pack("{s:o}", "key",
			    key_json("default", &key, NULL, true))},
	    {"ListKeySets",
		json_pack("{s:[o]}", "keySets", key_set_json(&set, NULL))},
	    {"Plan",
		json_pack("{s:[o]}", "changes", change_json(&change, KID))},
	    {"Rotate", json_pack("{s:s, s:o}", "keySet", "default", "exposure",
			   exposure_json(&exposure))},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json = rows[i].reply;
		assert_non_null(json);
		if (varlink_fields_check(
			varlink_method_find(
			    &varlink_org_jwksd_keys, rows[i].method)
			    ->output,
			json, name) != JW_OK)
			fail_msg("%s: %s", rows[i].method, name);
		json_decref(json);
	}
}

static const struct varlink_error *
declared_error(const char *name)
{
	const struct varlink_error *error = varlink_org_jwksd_keys.errors;

	while (error->name != NULL && strcmp(error->name, name) != 0)
		error++;
	assert_non_null(error->name);
	return error;
}

/* Every error that has parameters has exactly the declared ones. */
static void
errors_fit_the_declared_types(void **state)
{
	const struct verbs_fault fault = {
	    .key_set = "default",
	    .key = "k",
	    .kid = KID,
	    .state = "active",
	    .parameter = "p",
	    .message = "m",
	    .cause = "c",
	    .request_id = "r",
	    .minimum = {true, 1},
	};
	char name[VARLINK_NAME_SIZE];
	int found = 0;

	(void)state;
	for (enum jw_err err = JW_NO_SUCH_KEY_SET; err <= JW_OVERLOADED;
	     err++) {
		const struct varlink_error *error =
		    declared_error(strrchr(jw_err_wire(err), '.') + 1);
		json_t *json;

		/* Those two have tables of their own. */
		if (err == JW_BAD_CLAIMS || err == JW_BAD_CONFIG)
			continue;
		json = verbs_fault_encode(err, &fault);
		if (varlink_fields_check(error->fields, json, name) != JW_OK)
			fail_msg("%s: %s", error->name, name);
		found += json != NULL;
		json_decref(json);
	}
	assert_int_equal(found, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pending_key_has_no_times_but_its_creation),
	    cmocka_unit_test(every_time_has_its_name),
	    cmocka_unit_test(facts_of_a_dry_run_are_shown),
	    cmocka_unit_test(policy_has_every_parameter),
	    cmocka_unit_test(key_set_is_shown_with_what_it_has),
	    cmocka_unit_test(change_is_shown_with_what_is_known),
	    cmocka_unit_test(exposure_leaves_out_what_does_not_happen),
	    cmocka_unit_test(events_have_their_words),
	    cmocka_unit_test(values_fit_the_declared_types),
	    cmocka_unit_test(errors_fit_the_declared_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
