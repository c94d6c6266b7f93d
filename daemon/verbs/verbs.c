/*
 * The methods of org.jwksd.keys: the table, and those that only look.  They
 * show what the rows and the lifecycle say; nothing here changes anything.
 */
#include "daemon/verbs/verbs.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/place.h"
#include "daemon/keeper/room.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/publish/publish.h"
#include "daemon/settings/settings.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/sign.h"

enum { MATCHES_MAX = 8, WARNINGS_MAX = 32, WARNING_SIZE = 512 };

/* The last second of the year 9999: what RFC 3339 can write. */
#define TIME_MAX INT64_C(253402300799)

/* ---- parameters and errors ---- */

const char *
verbs_string(
    const struct json_t *parameters, const char *name, const char *fallback)
{
	const char *value =
	    json_string_value(json_object_get(parameters, name));

	return value == NULL ? fallback : value;
}

int64_t
verbs_integer(
    const struct json_t *parameters, const char *name, int64_t fallback)
{
	const json_t *value = json_object_get(parameters, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool
verbs_bool(const struct json_t *parameters, const char *name)
{
	return json_is_true(json_object_get(parameters, name));
}

const char *
verbs_domain(const struct verbs *verbs)
{
	return verbs->reload == NULL ? NULL : verbs->reload->config->domain;
}

void
verbs_invalid(struct serve_call *call, const char *parameter)
{
	serve_fail(call, JW_INVALID_PARAMETER,
	    json_pack("{s:s}", "parameter", parameter));
}

void
verbs_store_failed(
    struct serve_call *call, const struct verbs *verbs, enum jw_err err)
{
	const char *id = verbs_string(serve_parameters(call), "requestId", "");

	/* The store has no message for either. */
	if (err == JW_NO_SPACE || err == JW_NO_MEMORY)
		serve_fail(call, err, NULL);
	else if (err == JW_OUTCOME_UNKNOWN)
		serve_fail(call, err, json_pack("{s:s}", "requestId", id));
	else
		serve_fail(call, JW_STORE_FAILED,
		    json_pack("{s:s}", "message",
			store_message(keeper_store(verbs->keeper))));
}

struct keeper_set *
verbs_named_key_set(
    struct serve_call *call, const struct verbs *verbs, const char *name)
{
	struct keeper_set *set = keeper_find(verbs->keeper, name);

	if (set == NULL)
		serve_fail(call, JW_NO_SUCH_KEY_SET,
		    json_pack("{s:s}", "keySet", name));
	return set;
}

struct keeper_set *
verbs_key_set(struct serve_call *call, const struct verbs *verbs)
{
	return verbs_named_key_set(call, verbs,
	    verbs_string(serve_parameters(call), "keySet", "default"));
}

const char *
verbs_kid(const struct keeper_set *set, int64_t number)
{
	for (size_t i = 0; set != NULL && i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return set->row.keys[i].kid;
	return NULL;
}

bool
verbs_time_ahead(struct serve_call *call, const struct verbs *verbs,
    const char *name, int64_t *ret_time)
{
	const json_t *value = json_object_get(serve_parameters(call), name);
	json_int_t time = json_integer_value(value);

	if (!json_is_integer(value))
		return true;
	if (time < keeper_now(verbs->keeper) || time > TIME_MAX) {
		verbs_invalid(call, name);
		return false;
	}
	*ret_time = time;
	return true;
}

/* ---- Status ---- */

static void
verbs_warn(json_t *warnings, const char *key_set, const char *what)
{
	json_array_append_new(warnings, json_sprintf("%s: %s", key_set, what));
}

static void
warn_of_damage(json_t *warnings, const struct keeper_set *set)
{
	for (size_t i = 0; set->damaged > 0 && i < set->row.nkeys; i++) {
		const struct generation *gen = &set->row.keys[i].facts;

		if (!gen->damaged)
			continue;
		json_array_append_new(warnings,
		    json_sprintf("%s: generation %lld (%s) is not published: "
				 "its row in the database is damaged%s",
			set->row.name, (long long)gen->number,
			lc_state_name(lc_state(gen)),
			lc_state(gen) == GEN_ACTIVE
			    ? "; nothing signs until it is restored or the "
			      "key set is rotated"
			    : ""));
	}
}

static void
warn_of_set(
    json_t *warnings, struct keeper *keeper, const struct keeper_set *set)
{
	struct lc_env env = keeper_env(keeper, set);
	struct jw_why why = {"", ""};
	char when[JW_TIME_SIZE];
	struct lc_set view;
	const char *overdue;

	keeper_view(set, &view);
	if (lc_awaits(&view))
		json_array_append_new(warnings,
		    json_sprintf("%s: no key signs before %s: copies of an "
				 "earlier key set of its name may live until "
				 "then",
			set->row.name,
			jw_time_format(lc_signs_at(&view), when)));
	else if (lc_active(&view) == NULL)
		verbs_warn(warnings, set->row.name, "no key signs yet");
	if (set->failures > 0)
		verbs_warn(warnings, set->row.name,
		    "the last change failed and will be tried again: see the "
		    "log");
	warn_of_damage(warnings, set);
	overdue = lc_overdue(&view, &env);
	if (overdue != NULL)
		json_array_append_new(warnings,
		    json_sprintf("%s: a rotation is due and waits: %s",
			set->row.name, overdue));
	if (jw_policy_warning(&set->row.facts.policy, &why))
		verbs_warn(warnings, set->row.name, why.text);
}

static void
warn_of_url(json_t *warnings, const struct keeper *keeper, const char *name,
    int64_t now)
{
	struct lc_exposure exposure;
	char when[JW_TIME_SIZE];

	if (keeper_expose_url(keeper, name, now, &exposure))
		json_array_append_new(warnings,
		    json_sprintf("%s: its URL at the domain is new, and "
				 "verifiers that read it before may reject its "
				 "tokens until %s",
			name, jw_time_format(exposure.until, when)));
}

/* Cheap: this is asked of every key set. */
static bool
may_need_warning(const struct keeper_set *set, int64_t now)
{
	return set->rotate_due <= now || set->failures > 0 ||
	       set->damaged > 0 || set->is_unwise;
}

static json_t *
all_warnings(const struct verbs *verbs)
{
	struct keeper *keeper = verbs->keeper;
	int64_t now = keeper_now(keeper);
	json_t *warnings = json_array();
	char text[WARNING_SIZE];

	if (!keeper_clock_trusted(keeper))
		json_array_append_new(warnings,
		    json_string("the wall clock jumped and is not trusted: "
				"nothing rotates by schedule"));
	if (publish_fronts(verbs->publish) == 0)
		json_array_append_new(warnings,
		    json_string("no HTTP front is connected: the key sets "
				"may not be served"));
	if (store_in_doubt(keeper_store(keeper)))
		json_array_append_new(warnings,
		    json_string("the database cannot be written to the disk: "
				"nothing changes until it can, and it is tried "
				"again; see the log"));
	if (keeper_misplaced(keeper) != NULL)
		json_array_append_new(
		    warnings, json_string(keeper_misplaced(keeper)));
	if (keeper_room_warning(keeper, text, sizeof(text)))
		json_array_append_new(warnings, json_string(text));
	if (verbs->is_unanchored)
		json_array_append_new(warnings,
		    json_string("[store] anchor cannot be written: a database "
				"that is deleted would not be missed at the "
				"next start; see the log"));
	verbs_sign_warn(verbs->signing, warnings);
	for (size_t i = 0; i < keeper_count(keeper) &&
			   json_array_size(warnings) < WARNINGS_MAX;
	     i++) {
		const struct keeper_set *set = keeper_at(keeper, i);

		if (may_need_warning(set, now))
			warn_of_set(warnings, keeper, set);
		if (keeper_domain_is_new(keeper, now))
			warn_of_url(warnings, keeper, set->row.name, now);
	}
	return warnings;
}

static json_t *
next_change(struct keeper *keeper)
{
	struct keeper_set *set = keeper_first_due(keeper);
	struct lc_change change;
	struct lc_env env;
	struct lc_set view;

	if (set == NULL)
		return NULL;
	env = keeper_env(keeper, set);
	keeper_view(set, &view);
	if (lc_plan(&view, env, LC_NEVER - 1, &change, 1) == 0)
		return NULL;
	return verbs_json_change(
	    set->row.name, &change, verbs_kid(set, change.number));
}

static void
run_status(struct serve_call *call, void *context)
{
	struct verbs *verbs = context;
	struct keeper *keeper = verbs->keeper;
	json_t *reply, *change = next_change(keeper);
	struct lc_exposure exposure;

	reply = json_pack("{s:s, s:I, s:b, s:s, s:b, s:I, s:I, s:I, s:o}",
	    "version", JWKSD_VERSION, "started", (json_int_t)verbs->started,
	    "ready", (int)keeper_is_ready(keeper), "mode",
	    keeper_is_frozen(keeper) ? "frozen" : "auto", "clockTrusted",
	    (int)keeper_clock_trusted(keeper), "keySets",
	    (json_int_t)keeper_count(keeper), "generations",
	    (json_int_t)keeper_generations(keeper), "fronts",
	    (json_int_t)publish_fronts(verbs->publish), "warnings",
	    all_warnings(verbs));
	if (change != NULL)
		json_object_set_new(reply, "nextChange", change);
	if (keeper_expose_urls(keeper, keeper_now(keeper), &exposure))
		json_object_set_new(
		    reply, "exposure", verbs_json_exposure(&exposure));
	serve_reply(call, reply);
}

/* ---- ShowKey ---- */

/* Keys that a name might mean. */
struct matches {
	struct keeper *keeper;
	int64_t number; /* 0: any */
	struct verbs_found *found;
	json_t *kids;
};

static bool
match(int64_t set_id, const struct key *key, void *arg)
{
	struct matches *m = arg;
	struct keeper_set *set = keeper_by_id(m->keeper, set_id);
	struct lc_set view = {.count = 0};

	if (m->number != 0 && m->number != key->facts.number)
		return true;
	json_array_append_new(m->kids, json_string(key->kid));
	if (m->found->key == NULL) {
		if (set != NULL)
			keeper_view(set, &view);
		m->found->set = set;
		m->found->number = key->facts.number;
		m->found->key =
		    verbs_json_key(set == NULL ? "(removed)" : set->row.name,
			key, &view, true);
	}
	return json_array_size(m->kids) < MATCHES_MAX;
}

/* "KEYSET#GENERATION" */
static enum jw_err
find_by_number(struct verbs *verbs, const char *name, const char *hash,
    struct matches *matches)
{
	char key_set[MODEL_NAME_SIZE];
	struct keeper_set *set;
	char *end;

	if (hash - name >= MODEL_NAME_SIZE)
		return JW_OK;
	snprintf(key_set, sizeof(key_set), "%.*s", (int)(hash - name), name);
	set = keeper_find(verbs->keeper, key_set);
	matches->number = strtoll(hash + 1, &end, 10);
	if (set == NULL || *end != '\0' || matches->number <= 0)
		return JW_OK;
	return store_each_key(keeper_store(verbs->keeper), set->row.id,
	    INT64_MAX, match, matches);
}

bool
verbs_find_key(
    struct serve_call *call, struct verbs *verbs, struct verbs_found *ret_found)
{
	const char *name = verbs_string(serve_parameters(call), "key", "");
	const char *hash = strrchr(name, '#');
	struct matches m = {
	    .keeper = verbs->keeper,
	    .found = ret_found,
	    .kids = json_array(),
	};
	size_t n;
	enum jw_err err;

	memset(ret_found, 0, sizeof(*ret_found));
	if (hash != NULL)
		err = find_by_number(verbs, name, hash, &m);
	else
		err = store_find_kid(
		    keeper_store(verbs->keeper), name, match, &m);
	n = json_array_size(m.kids);
	if (err != JW_OK)
		verbs_store_failed(call, verbs, err);
	else if (n == 0)
		serve_fail(
		    call, JW_NO_SUCH_KEY, json_pack("{s:s}", "key", name));
	else if (n > 1)
		serve_fail(call, JW_AMBIGUOUS_KEY,
		    json_pack("{s:s, s:O}", "key", name, "matches", m.kids));
	json_decref(m.kids);
	if (err == JW_OK && n == 1)
		return true;
	json_decref(ret_found->key);
	return false;
}

static void
run_show_key(struct serve_call *call, void *context)
{
	struct verbs_found found;

	if (verbs_find_key(call, context, &found))
		serve_reply(call, json_pack("{s:o}", "key", found.key));
}

/* ---- GetJwks ---- */

static bool
has_any_of(const struct keeper_set *set, const struct lc_set *view)
{
	for (size_t i = 0; i < view->count; i++)
		if (verbs_kid(set, view->gens[i].number) != NULL)
			return true;
	return false;
}

/*
 * The set as it will be; keys that are yet to be made are left out, so that
 * there is nothing to find out behind the end of those that exist.
 */
static void
look_ahead(struct verbs *verbs, const struct keeper_set *set, int64_t at,
    struct lc_set *view)
{
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	struct lc_env env = keeper_env(verbs->keeper, set);
	int64_t due;
	size_t n;

	env.pairs_coming = 0;
	while (has_any_of(set, view) && lc_plan_due(view, &env, at, &due))
		lc_plan_step(view, &env, changes, &n);
}

static void
reply_jwks(struct serve_call *call, const struct keeper_set *set,
    const struct lc_set *view)
{
	char etag[KEYS_ETAG_SIZE], *body = NULL;
	enum jw_err err = keeper_render(set, view, &body);

	if (err == JW_OK)
		err = crypto_etag(body, strlen(body), etag);
	if (err == JW_OK)
		serve_reply(
		    call, json_pack("{s:o, s:s, s:i, s:I}", "jwks",
			      json_loads(body, 0, NULL), "etag", etag, "maxAge",
			      (int)view->facts.policy.cache_max_age, "version",
			      (json_int_t)view->facts.version));
	else if (err == JW_NO_ACTIVE_KEY)
		serve_fail(
		    call, err, json_pack("{s:s}", "keySet", set->row.name));
	else
		serve_fail(call, err, NULL);
	free(body);
}

void
verbs_get_jwks(struct serve_call *call, void *context)
{
	struct verbs *verbs = context;
	struct keeper_set *set = verbs_key_set(call, verbs);
	int64_t at = 0;
	struct lc_set view;

	if (set == NULL || !verbs_time_ahead(call, verbs, "at", &at))
		return;
	keeper_view(set, &view);
	if (at != 0)
		look_ahead(verbs, set, at, &view);
	reply_jwks(call, set, &view);
}

/* ---- the table ---- */

#define VERB(name, fn) static const struct serve_verb name = {fn}

VERB(verb_status, run_status);
VERB(verb_list_key_sets, verbs_list_key_sets);
VERB(verb_list_keys, verbs_list_keys);
VERB(verb_show_key, run_show_key);
VERB(verb_rotate, verbs_rotate);
VERB(verb_rollback, verbs_rollback);
VERB(verb_revoke, verbs_revoke);
VERB(verb_add_key_set, verbs_add_key_set);
VERB(verb_remove_key_set, verbs_remove_key_set);
VERB(verb_set_policy, verbs_set_policy);
VERB(verb_freeze, verbs_freeze);
VERB(verb_accept_clock, verbs_accept_clock);
VERB(verb_reload, verbs_reload);
VERB(verb_plan, verbs_plan);
VERB(verb_get_jwks, verbs_get_jwks);
VERB(verb_verify, verbs_verify);
VERB(verb_monitor, verbs_monitor);

static const struct varlink_verb table[] = {
    {"Status", 0, &verb_status},
    {"ListKeySets", VARLINK_MORE, &verb_list_key_sets},
    {"ListKeys", VARLINK_MORE, &verb_list_keys},
    {"ShowKey", 0, &verb_show_key},
    {"Rotate", VARLINK_CHANGES, &verb_rotate},
    {"Rollback", VARLINK_CHANGES, &verb_rollback},
    {"Revoke", VARLINK_CHANGES, &verb_revoke},
    {"AddKeySet", VARLINK_CHANGES, &verb_add_key_set},
    {"RemoveKeySet", VARLINK_CHANGES, &verb_remove_key_set},
    {"SetPolicy", VARLINK_CHANGES, &verb_set_policy},
    {"Freeze", VARLINK_CHANGES, &verb_freeze},
    {"AcceptClock", VARLINK_CHANGES, &verb_accept_clock},
    {"Reload", VARLINK_CHANGES, &verb_reload},
    {"Plan", VARLINK_MORE, &verb_plan},
    {"GetJwks", 0, &verb_get_jwks},
    {"Verify", 0, &verb_verify},
    {"Monitor", VARLINK_MORE | VARLINK_NEEDS_MORE, &verb_monitor},
};

enum jw_err
verbs_offer(struct varlink_service *service, struct jw_why *why)
{
	return varlink_service_add(service, varlink_text("org.jwksd.keys"),
	    table, sizeof(table) / sizeof(table[0]), why);
}
