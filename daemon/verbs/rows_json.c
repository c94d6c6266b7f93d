/*
 * The types of org.jwksd.keys from rows, and a policy from a request.  Pure.
 * Must never show a private byte, nor a time that the rows do not have.
 */
#include "daemon/verbs/rows_json.h"

#include <jansson.h>
#include <string.h>

#include "daemon/document/jwks.h"
#include "daemon/lifecycle/operator_order.h"

static void
set_time(json_t *object, const char *name, int64_t when)
{
	if (when != 0)
		json_object_set_new(object, name, json_integer(when));
}

static int64_t
fact_or_deadline(int64_t fact, int64_t deadline)
{
	return fact != 0 ? fact : deadline;
}

/* Deadlines that follow from the key set as a whole. */
static void
set_coming(json_t *object, const struct lc_set *set, const struct generation *g)
{
	if (set == NULL)
		return;
	if (lc_state(g) == GEN_ACTIVE)
		set_time(object, "rotateAt", lc_rotates_at(set));
	else
		set_time(object, "signsAt", lc_takes_over_at(set, g));
}

static void
set_times(json_t *object, const struct generation *g)
{
	set_time(object, "publishedAt", g->published_at);
	set_time(
	    object, "readyAt", fact_or_deadline(g->ready_at, g->ready_due));
	set_time(object, "activatedAt", g->activated_at);
	set_time(object, "retiredAt", g->retired_at);
	set_time(
	    object, "removeAt", fact_or_deadline(g->removed_at, g->remove_due));
	set_time(object, "removedAt", g->removed_at);
	set_time(object, "revokedAt", g->revoked_at);
}

static json_t *
encode_key(const void *member)
{
	const struct verbs_key_row *row = member;
	const struct key *key = row->key;
	const struct generation *found = NULL, *facts;
	const char *reason, *alg;
	json_t *object;

	if (key == NULL)
		return NULL;
	if (row->set != NULL)
		found = lc_find(row->set, key->facts.number);
	facts = found == NULL ? &key->facts : found;
	alg = jw_alg_name(facts->alg);
	object = json_pack("{s:s, s:s, s:I, s:s, s:s, s:I}", "kid", key->kid,
	    "keySet", row->key_set, "generation", (json_int_t)facts->number,
	    "alg", alg == NULL ? "unknown" : alg, "state",
	    lc_state_name(lc_state(facts)), "createdAt",
	    (json_int_t)facts->created_at);
	set_times(object, facts);
	set_coming(object, found == NULL ? NULL : row->set, facts);
	reason = row->reason != NULL ? row->reason : key->reason;
	if (reason != NULL)
		json_object_set_new(object, "reason", json_string(reason));
	if (row->with_jwk)
		json_object_set_new(
		    object, "jwk", json_loads(key->jwk, 0, NULL));
	return object;
}

static json_t *
policy_value(const struct jw_param *param, int32_t value)
{
	if (param->kind == JW_PARAM_ALGORITHM)
		return json_string(jw_alg_name(value));
	if (param->kind == JW_PARAM_MODE)
		return json_string(jw_mode_name(value));
	return json_integer(value);
}

static json_t *
policy_object(const struct jw_policy *policy)
{
	json_t *object = json_object();
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	for (size_t i = 0; i < n; i++)
		json_object_set_new(object, params[i].camel,
		    policy_value(
			&params[i], jw_policy_get(policy, &params[i])));
	return object;
}

static json_t *
url_list(const char *name, const char *domain)
{
	char urls[JWKS_URLS_MAX][JWKS_URL_SIZE];
	size_t n = document_urls(name, domain, urls);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(urls[i]));
	return list;
}

static json_t *
encode_key_set(const void *member)
{
	const struct verbs_key_set_row *row = member;
	const struct key_set *set = row->set;
	struct lc_set view = {
	    .facts = row->facts == NULL ? set->facts : *row->facts,
	    .count = set->nkeys,
	};
	char app[MODEL_NAME_SIZE], path[MODEL_NAME_SIZE];
	const struct generation *active;
	json_t *object;

	document_location(set->name, app, path);
	for (size_t i = 0; i < set->nkeys; i++)
		view.gens[i] = set->keys[i].facts;
	object = json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", set->name,
	    "alg", jw_alg_name(view.facts.policy.algorithm), "path", path,
	    "version", (json_int_t)view.facts.version, "policy",
	    policy_object(&view.facts.policy));
	json_object_set_new(object, "urls", url_list(set->name, row->domain));
	active = lc_active(&view);
	if (active != NULL)
		set_time(object, "activeGeneration", active->number);
	set_time(object, "scheduledFor", lc_scheduled_for(&view));
	set_time(object, "signsAt", lc_signs_at(&view));
	if (view.facts.frozen)
		json_object_set_new(object, "frozen", json_true());
	return object;
}

static json_t *
encode_change(const void *member)
{
	const struct verbs_change_row *row = member;
	const struct lc_change *change = row->change;
	json_t *object;

	if (change == NULL)
		return NULL;
	object = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s*}", "time",
	    (json_int_t)change->time, "keySet", row->key_set, "generation",
	    (json_int_t)change->number, "to", lc_state_name(change->to),
	    "cause", change->cause, "kid", row->kid);
	if (change->has_from)
		json_object_set_new(
		    object, "from", json_string(lc_state_name(change->from)));
	return object;
}

/* LC_NEVER is 0 on the wire; a time of 0, "it does not happen", is absent. */
static json_t *
exposure_times(const struct lc_times *times)
{
	json_t *object = json_object();
	const struct {
		const char *name;
		int64_t until;
	} rows[] = {
	    {"honoursCacheControl", times->honours_cache_control},
	    {"pollsWithinMaxAge", times->polls_within_max_age},
	    {"neverExpires", times->never_expires},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].until != 0)
			json_object_set_new(object, rows[i].name,
			    json_integer(
				rows[i].until == LC_NEVER ? 0 : rows[i].until));
	return object;
}

static json_t *
encode_exposure(const void *member)
{
	const struct lc_exposure *exposure =
	    *(const struct lc_exposure *const *)member;

	if (exposure == NULL)
		return NULL;
	return json_pack("{s:I, s:o, s:o}", "until",
	    (json_int_t)exposure->until, "rejectNewTokens",
	    exposure_times(&exposure->reject_new_tokens), "acceptOldTokens",
	    exposure_times(&exposure->accept_old_tokens));
}

/* ---- a policy in a request ---- */

/* JSON to the number that a policy holds; false: not one of its values. */
static bool
policy_number(
    const struct jw_param *param, const json_t *value, int32_t *ret_number)
{
	const char *text = json_string_value(value);
	json_int_t number = json_integer_value(value);

	if (param->kind == JW_PARAM_ALGORITHM)
		number = text == NULL ? -1 : jw_alg_parse(text);
	else if (param->kind == JW_PARAM_MODE)
		number = text == NULL ? -1 : jw_mode_parse(text);
	if (number < param->minimum || number > param->maximum || number < 0)
		return false;
	*ret_number = (int32_t)number;
	return true;
}

static void
decode_policy(const json_t *value, void *ret_member)
{
	struct verbs_policy_members *members = ret_member;
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	for (size_t i = 0; i < n; i++) {
		const json_t *member = json_object_get(value, params[i].camel);
		int32_t number;

		if (member == NULL || json_is_null(member))
			continue;
		if (policy_number(&params[i], member, &number)) {
			jw_policy_set(&members->values, &params[i], number);
			members->set |= UINT32_C(1) << i;
		} else if (members->wrong == NULL) {
			members->wrong = &params[i];
			members->wrong_is_number = json_is_integer(member);
		}
	}
}

const struct varlink_codec verbs_key_codec = {
    "Key", sizeof(struct verbs_key_row), true, NULL, encode_key};
const struct varlink_codec verbs_key_set_codec = {
    "KeySet", sizeof(struct verbs_key_set_row), false, NULL, encode_key_set};
const struct varlink_codec verbs_change_codec = {
    "Change", sizeof(struct verbs_change_row), true, NULL, encode_change};
const struct varlink_codec verbs_exposure_codec = {
    "Exposure", sizeof(struct lc_exposure *), true, NULL, encode_exposure};
const struct varlink_codec verbs_policy_codec = {
    "Policy", sizeof(struct verbs_policy_members), true, decode_policy, NULL};
const struct varlink_codec verbs_keys_codec = {
    "[]Key", sizeof(struct varlink_rows), false, NULL, varlink_rows_encode};
const struct varlink_codec verbs_key_sets_codec = {
    "[]KeySet", sizeof(struct varlink_rows), false, NULL, varlink_rows_encode};
const struct varlink_codec verbs_changes_codec = {
    "[]Change", sizeof(struct varlink_rows), false, NULL, varlink_rows_encode};

const char *
verbs_json_event(enum gen_state to)
{
	if (to == GEN_PENDING)
		return "created";
	return to == GEN_ACTIVE ? "activated" : lc_state_name(to);
}

void
verbs_add_key(struct varlink_rows *rows, const char *key_set,
    const struct key *key, const struct lc_set *set)
{
	varlink_rows_add(rows, &verbs_key_codec,
	    &(struct verbs_key_row){key_set, key, set, NULL, false});
}
