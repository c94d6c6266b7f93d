/*
 * The methods that change a key set that exists: each makes an edit
 * (verbs_edit.h), lets the pure orders decide, and builds the answer from
 * what they decided.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/server.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/edit.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

#define TIME_MAX INT64_C(253402300799)

/* ---- Rotate ---- */

static json_t *
rotate_reply(const struct change *change)
{
	const struct lc_outcome *o = &change->outcome;
	json_t *reply =
	    json_pack("{s:s}", "keySet", change->edit.set->row.name);

	verbs_edit_set_key(reply, "activated", change, o->activated);
	verbs_edit_set_key(reply, "retired", change, o->retired);
	if (o->scheduled_for != 0)
		json_object_set_new(
		    reply, "scheduledFor", json_integer(o->scheduled_for));
	if (o->cause != NULL)
		json_object_set_new(reply, "cause", json_string(o->cause));
	if (o->exposed)
		json_object_set_new(
		    reply, "exposure", verbs_json_exposure(&o->exposure));
	return reply;
}

/* NULL, or the parameter that contradicts another or makes no sense. */
static const char *
contradiction(const json_t *parameters, const struct lc_rotate *order)
{
	bool has_at = json_is_integer(json_object_get(parameters, "at"));

	if (order->cancel && (order->now || has_at))
		return "cancel";
	if (order->now && has_at)
		return "now";
	if (has_at && (order->at < 1 || order->at > TIME_MAX))
		return "at";
	return NULL;
}

static const char *
rotate_event(const struct lc_outcome *outcome, bool cancel)
{
	if (cancel)
		return "cancelled";
	return outcome->scheduled_for != 0 ? "scheduled" : "rotate";
}

void
verbs_rotate(struct serve_call *call, void *context)
{
	const json_t *parameters = serve_parameters(call);
	const char *wrong;
	struct lc_rotate order = {
	    .now = verbs_bool(parameters, "now"),
	    .cancel = verbs_bool(parameters, "cancel"),
	    .at = verbs_integer(parameters, "at", 0),
	    .expected = verbs_integer(parameters, "expectGeneration", 0),
	    .expects = json_is_integer(
		json_object_get(parameters, "expectGeneration")),
	};
	struct change change = {.call = call};
	enum jw_err err;

	wrong = contradiction(parameters, &order);
	if (wrong != NULL) {
		verbs_invalid(call, wrong);
		return;
	}
	if (!verbs_edit_begin(&change, call, context, "keySet"))
		return;
	err = lc_rotate(
	    &change.edit.after, &change.edit.env, &order, &change.outcome);
	if (err != JW_OK) {
		verbs_edit_refuse(&change, err, "at");
		return;
	}
	/* There was nothing to take back, and nobody who might ask again. */
	if (order.cancel && change.edit.before.facts.wanted_at == 0 &&
	    change.request_id == NULL)
		verbs_edit_answer(&change, JW_OK, rotate_reply(&change));
	else
		verbs_edit_finish(&change,
		    rotate_event(&change.outcome, order.cancel),
		    rotate_reply(&change));
}

/* ---- Rollback ---- */

void
verbs_rollback(struct serve_call *call, void *context)
{
	struct change change = {.call = call};
	struct lc_rollback order;
	json_t *reply;
	enum jw_err err;

	if (!verbs_edit_begin(&change, call, context, "keySet"))
		return;
	order.now = verbs_bool(serve_parameters(call), "now");
	order.expects = verbs_edit_expects(&change);
	order.expected = verbs_edit_expected(&change);
	err = lc_rollback(
	    &change.edit.after, &change.edit.env, &order, &change.outcome);
	if (err != JW_OK) {
		verbs_edit_refuse(&change, err, "");
		return;
	}
	reply = json_object();
	verbs_edit_set_key(
	    reply, "activated", &change, change.outcome.activated);
	verbs_edit_set_key(reply, "retired", &change, change.outcome.retired);
	if (change.outcome.exposed)
		json_object_set_new(reply, "exposure",
		    verbs_json_exposure(&change.outcome.exposure));
	verbs_edit_finish(&change, "rollback", reply);
}

/* ---- Revoke ---- */

static json_t *
revoke_reply(const struct change *change, int64_t number)
{
	const struct lc_outcome *o = &change->outcome;
	json_t *reply =
	    json_pack("{s:o}", "exposure", verbs_json_exposure(&o->exposure));
	json_t *revoked;

	verbs_edit_set_key(reply, "revoked", change, number);
	revoked = json_object_get(reply, "revoked");
	json_object_set_new(revoked, "reason",
	    json_string(
		verbs_string(serve_parameters(change->call), "reason", "")));
	verbs_edit_set_key(reply, "activated", change, o->activated);
	if (o->flush_at != 0)
		json_object_set_new(
		    reply, "flushAt", json_integer(o->flush_at));
	return reply;
}

/* A tombstone, or a key of a key set that is gone. */
static void
refuse_dead(struct change *change, const struct verbs_found *found)
{
	serve_fail(change->call, JW_BAD_STATE,
	    json_pack("{s:O, s:O}", "kid", json_object_get(found->key, "kid"),
		"state", json_object_get(found->key, "state")));
	free(change->asked);
}

static void
revoke_found(struct change *change, const struct verbs_found *found)
{
	bool force = verbs_bool(serve_parameters(change->call), "force");
	enum jw_err err;

	change->urgent = true;
	keeper_edit_begin(change->verbs->keeper, found->set, &change->edit);
	err = verbs_edit_check_expected(change);
	if (err == JW_OK)
		err = lc_revoke(&change->edit.after, &change->edit.env,
		    found->number, force, &change->outcome);
	if (err != JW_OK)
		verbs_edit_refuse(change, err, "");
	else
		verbs_edit_finish(
		    change, "revoke", revoke_reply(change, found->number));
}

void
verbs_revoke(struct serve_call *call, void *context)
{
	const char *reason = verbs_string(serve_parameters(call), "reason", "");
	struct change change = {.call = call};
	struct verbs_found found;
	struct lc_set view;

	if (reason[0] == '\0') {
		verbs_invalid(call, "reason");
		return;
	}
	if (!verbs_edit_prepare(&change, call, context))
		return;
	if (!verbs_find_key(call, context, &found)) {
		free(change.asked);
		return;
	}
	if (found.set != NULL)
		keeper_view(found.set, &view);
	if (found.set == NULL || lc_find(&view, found.number) == NULL)
		refuse_dead(&change, &found);
	else
		revoke_found(&change, &found);
	json_decref(found.key);
}

/* ---- SetPolicy ---- */

static json_t *
key_set_after(const struct change *change)
{
	struct key_set row = change->edit.set->row;

	row.facts = change->edit.after.facts;
	return json_pack("{s:o}", "keySet",
	    verbs_json_key_set(&row, verbs_domain(change->verbs)));
}

/* Exotic keys stay among themselves; false: refused. */
static bool
may_change_algorithm(struct change *change, const struct jw_policy *policy)
{
	int from = change->edit.before.facts.policy.algorithm;
	int to = policy->algorithm;
	struct jw_why why = {"", ""};

	if (from == to)
		return true;
	if (!jw_alg_may_follow(from, to))
		jw_alg_why_not_follow(from, to, &why);
	else if (crypto_supported((enum jw_alg)to, &why) == JW_OK)
		return true;
	verbs_edit_refuse_policy(change, "algorithm", why.text, NULL);
	return false;
}

void
verbs_set_policy(struct serve_call *call, void *context)
{
	struct change change = {.call = call};
	struct jw_policy_fault fault;
	struct jw_why why = {"", ""};
	struct jw_policy policy;
	enum jw_err err;

	if (!verbs_edit_begin(&change, call, context, "name"))
		return;
	policy = change.edit.before.facts.policy;
	if (!verbs_edit_read_policy(&change, &policy))
		return;
	if (!may_change_algorithm(&change, &policy))
		return;
	if (jw_policy_check(&policy, &fault, &why) != JW_OK) {
		verbs_edit_refuse_policy(
		    &change, fault.param->camel, why.text, &fault);
		return;
	}
	err = verbs_edit_check_expected(&change);
	if (err != JW_OK) {
		verbs_edit_refuse(&change, err, "");
		return;
	}
	lc_set_policy(&change.edit.after, &change.edit.env, &policy);
	change.outcome.cause = "an operator changed the policy";
	verbs_edit_finish(&change, "policy", key_set_after(&change));
}

/* ---- Freeze, of one key set ---- */

void
verbs_freeze_one(struct serve_call *call, void *context)
{
	bool frozen = verbs_bool(serve_parameters(call), "frozen"), changed;
	struct change change = {.call = call};

	if (!verbs_edit_begin(&change, call, context, "keySet"))
		return;
	changed = change.edit.before.facts.frozen != frozen;
	change.edit.after.facts.frozen = frozen;
	change.outcome.cause = frozen ? "an operator froze the key set"
				      : "an operator thawed the key set";
	verbs_edit_finish(&change, frozen ? "frozen" : "thawed",
	    json_pack("{s:s, s:b}", "mode",
		jw_mode_name(lc_mode(&change.edit.after)), "changed",
		(int)changed));
}
