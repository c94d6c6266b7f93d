/*
 * The methods that change something.  Each makes an edit of a key set, lets
 * the pure orders decide, builds the answer from the edit, and commits edit,
 * audit and answer in one transaction: repeating a request id returns that
 * answer and changes nothing.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/keeper.h"
#include "daemon/orders.h"
#include "daemon/verbs.h"
#include "daemon/wire.h"

#define TIME_MAX INT64_C(253402300799)

enum { REQUEST_ID_MAX = 128, REASON_MAX = 512 };

/* A change that has been asked for. */
struct change {
	struct control_call *call;
	struct verbs *verbs;
	struct keeper_edit edit;
	struct lc_outcome outcome;
	const char *request_id; /* NULL: none */
	char *asked;            /* method and parameters, canonical */
};

/* ---- what every change has in common ---- */

/* What was asked, without the id itself. */
static char *
canonical(struct control_call *call)
{
	json_t *asked = json_object();
	json_t *parameters = json_deep_copy(control_parameters(call));
	char *text;

	json_object_del(parameters, "requestId");
	json_object_set_new(asked, "method", json_string(control_method(call)));
	json_object_set_new(asked, "parameters", parameters);
	text = json_dumps(asked, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(asked);
	return text;
}

/* True when the call has been answered from an earlier outcome. */
static bool
answered_before(struct change *change)
{
	char *asked = NULL, *outcome = NULL;
	enum jw_err err;

	if (change->request_id == NULL)
		return false;
	err = store_request_find(keeper_store(change->verbs->keeper),
	    change->request_id, &asked, &outcome);
	if (err == JW_NO_SUCH_KEY)
		return false;
	if (err != JW_OK)
		verbs_store_failed(change->call, change->verbs, err);
	else if (strcmp(asked, change->asked) != 0)
		verbs_invalid(change->call, "requestId");
	else
		control_reply(change->call, json_loads(outcome, 0, NULL));
	free(asked);
	free(outcome);
	return true;
}

/*
 * Check what all changes share: false when the call has been answered.  Then,
 * and after refuse() and finish(), there is nothing to release.
 */
static bool
prepare(struct change *change, struct control_call *call, void *context)
{
	const json_t *parameters = control_parameters(call);
	const char *id = verbs_string(parameters, "requestId", NULL);
	const char *reason = verbs_string(parameters, "reason", "");

	change->call = call;
	change->verbs = context;
	change->request_id = id;
	if (id != NULL && (id[0] == '\0' || strlen(id) > REQUEST_ID_MAX)) {
		verbs_invalid(call, "requestId");
		return false;
	}
	if (strlen(reason) > REASON_MAX) {
		verbs_invalid(call, "reason");
		return false;
	}
	change->asked = canonical(call);
	if (change->asked == NULL) {
		control_fail(call, JW_NO_MEMORY, NULL);
		return false;
	}
	if (!answered_before(change))
		return true;
	free(change->asked);
	return false;
}

/* Prepare, and begin an edit of the key set that `parameter` names. */
static bool
begin(struct change *change, struct control_call *call, void *context,
    const char *parameter)
{
	const char *name =
	    verbs_string(control_parameters(call), parameter, "default");
	struct verbs *verbs = context;
	struct keeper_set *set;

	if (!prepare(change, call, context))
		return false;
	set = keeper_find(verbs->keeper, name);
	if (set == NULL) {
		control_fail(call, JW_NO_SUCH_KEY_SET,
		    json_pack("{s:s}", "keySet", name));
		free(change->asked);
		return false;
	}
	keeper_edit_begin(verbs->keeper, set, &change->edit);
	return true;
}

/* The generation that the caller expects to be active; 0: any. */
static int64_t
expected(const struct change *change)
{
	return verbs_integer(
	    control_parameters(change->call), "expectGeneration", 0);
}

static bool
expects(const struct change *change)
{
	return json_is_integer(json_object_get(
	    control_parameters(change->call), "expectGeneration"));
}

/* For orders that do not look at the active generation themselves. */
static enum jw_err
check_expected(struct change *change)
{
	const struct generation *active = lc_active(&change->edit.before);

	if (!expects(change) ||
	    (active != NULL && active->number == expected(change)))
		return JW_OK;
	change->outcome.actual = active == NULL ? 0 : active->number;
	return JW_CONFLICT;
}

static const char *
kid_of(const struct change *change, int64_t number)
{
	const struct keeper_set *set = change->edit.set;

	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return set->row.keys[i].kid;
	return "";
}

/* Answer with a refusal of the orders. */
static void
refuse(struct change *change, enum jw_err err, const char *parameter)
{
	const struct lc_outcome *o = &change->outcome;

	json_t *p = NULL;

	if (err == JW_CONFLICT)
		p = json_pack("{s:I, s:I}", "expected",
		    (json_int_t)expected(change), "actual",
		    (json_int_t)o->actual);
	else if (err == JW_NOT_READY)
		p = json_pack("{s:I}", "readyAt", (json_int_t)o->ready_at);
	else if (err == JW_FROZEN)
		p = json_pack("{s:s}", "cause", o->frozen_by);
	else if (err == JW_NO_ACTIVE_KEY)
		p = json_pack("{s:s}", "keySet", change->edit.set->row.name);
	else if (err == JW_BAD_STATE)
		p = json_pack("{s:s, s:s}", "kid", kid_of(change, o->actual),
		    "state",
		    lc_state_name(
			lc_state(lc_find(&change->edit.before, o->actual))));
	else if (err == JW_INVALID_PARAMETER)
		p = json_pack("{s:s}", "parameter", parameter);
	control_fail(change->call, err, p);
	free(change->asked);
}

/* Commit (but for a dry run) and answer. */
static void
finish(struct change *change, const char *event, json_t *take_reply)
{
	const json_t *parameters = control_parameters(change->call);
	const struct control_peer *peer = control_peer(change->call);
	struct store_request request = {
	    .id = change->request_id,
	    .method = control_method(change->call),
	    .asked = change->asked,
	};
	struct keeper_commit how = {
	    .cause = change->outcome.cause,
	    .event = event,
	    .reason = verbs_string(parameters, "reason", NULL),
	    .actor = {peer->uid, peer->gid, peer->pid},
	    .request = change->request_id == NULL ? NULL : &request,
	};
	char *outcome = json_dumps(take_reply, JSON_COMPACT);
	enum jw_err err = JW_OK;

	request.outcome = outcome;
	if (outcome == NULL)
		err = JW_NO_MEMORY;
	else if (!verbs_bool(parameters, "dryRun"))
		err = keeper_commit(change->verbs->keeper, &change->edit, &how);
	if (err == JW_OK) {
		control_reply(change->call, take_reply);
	} else {
		json_decref(take_reply);
		verbs_store_failed(change->call, change->verbs, err);
	}
	free(outcome);
	free(change->asked);
}

/* A key of the edit, as it will be. */
static json_t *
key_after(const struct change *change, int64_t number)
{
	const struct keeper_set *set = change->edit.set;

	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return wire_key(set->row.name, &set->row.keys[i],
			    lc_find(&change->edit.after, number), false);
	return NULL;
}

static void
set_key(json_t *reply, const char *name, const struct change *change,
    int64_t number)
{
	json_t *key = number == 0 ? NULL : key_after(change, number);

	if (key != NULL)
		json_object_set_new(reply, name, key);
}

/* ---- Rotate ---- */

static json_t *
rotate_reply(const struct change *change)
{
	const struct lc_outcome *o = &change->outcome;
	json_t *reply =
	    json_pack("{s:s}", "keySet", change->edit.set->row.name);

	set_key(reply, "activated", change, o->activated);
	set_key(reply, "retired", change, o->retired);
	if (o->scheduled_for != 0)
		json_object_set_new(
		    reply, "scheduledFor", json_integer(o->scheduled_for));
	if (o->cause != NULL)
		json_object_set_new(reply, "cause", json_string(o->cause));
	if (o->exposed)
		json_object_set_new(
		    reply, "exposure", wire_exposure(&o->exposure));
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
verbs_rotate(struct control_call *call, void *context)
{
	const json_t *parameters = control_parameters(call);
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
	if (!begin(&change, call, context, "keySet"))
		return;
	err = lc_rotate(
	    &change.edit.after, &change.edit.env, &order, &change.outcome);
	if (err != JW_OK) {
		refuse(&change, err, "at");
		return;
	}
	finish(&change, rotate_event(&change.outcome, order.cancel),
	    rotate_reply(&change));
}

/* ---- Rollback ---- */

void
verbs_rollback(struct control_call *call, void *context)
{
	struct change change = {.call = call};
	json_t *reply;
	enum jw_err err;

	if (!begin(&change, call, context, "keySet"))
		return;
	err = lc_rollback(&change.edit.after, &change.edit.env,
	    expects(&change), expected(&change), &change.outcome);
	if (err != JW_OK) {
		refuse(&change, err, "");
		return;
	}
	reply = json_object();
	set_key(reply, "activated", &change, change.outcome.activated);
	set_key(reply, "retired", &change, change.outcome.retired);
	finish(&change, "rollback", reply);
}

/* ---- Revoke ---- */

static json_t *
revoke_reply(const struct change *change, int64_t number)
{
	const struct lc_outcome *o = &change->outcome;
	json_t *reply =
	    json_pack("{s:o}", "exposure", wire_exposure(&o->exposure));
	json_t *revoked;

	set_key(reply, "revoked", change, number);
	revoked = json_object_get(reply, "revoked");
	json_object_set_new(revoked, "reason",
	    json_string(
		verbs_string(control_parameters(change->call), "reason", "")));
	set_key(reply, "activated", change, o->activated);
	if (o->flush_at != 0)
		json_object_set_new(
		    reply, "flushAt", json_integer(o->flush_at));
	return reply;
}

/* A tombstone, or a key of a key set that is gone. */
static void
refuse_dead(struct change *change, const struct verbs_found *found)
{
	control_fail(change->call, JW_BAD_STATE,
	    json_pack("{s:O, s:O}", "kid", json_object_get(found->key, "kid"),
		"state", json_object_get(found->key, "state")));
	free(change->asked);
}

static void
revoke_found(struct change *change, const struct verbs_found *found)
{
	bool force = verbs_bool(control_parameters(change->call), "force");
	enum jw_err err;

	keeper_edit_begin(change->verbs->keeper, found->set, &change->edit);
	err = check_expected(change);
	if (err == JW_OK)
		err = lc_revoke(&change->edit.after, &change->edit.env,
		    found->number, force, &change->outcome);
	if (err != JW_OK)
		refuse(change, err, "");
	else
		finish(change, "revoke", revoke_reply(change, found->number));
}

void
verbs_revoke(struct control_call *call, void *context)
{
	const char *reason =
	    verbs_string(control_parameters(call), "reason", "");
	struct change change = {.call = call};
	struct verbs_found found;
	struct lc_set view;

	if (reason[0] == '\0') {
		verbs_invalid(call, "reason");
		return;
	}
	if (!prepare(&change, call, context))
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

static void
refuse_policy(struct change *change, const char *parameter, const char *message,
    const struct jw_policy_fault *fault)
{
	json_t *p =
	    json_pack("{s:s, s:s}", "parameter", parameter, "message", message);

	if (fault != NULL && fault->has_minimum)
		json_object_set_new(p, "minimum", json_integer(fault->minimum));
	if (fault != NULL && fault->has_maximum)
		json_object_set_new(p, "maximum", json_integer(fault->maximum));
	control_fail(change->call, JW_BAD_POLICY, p);
	free(change->asked);
}

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

/* The members that are given, into policy; false: answered. */
static bool
read_policy(struct change *change, struct jw_policy *policy)
{
	json_t *given =
	    json_object_get(control_parameters(change->call), "policy");
	const char *name;
	json_t *value;

	json_object_foreach (given, name, value) {
		const struct jw_param *param = jw_policy_param_camel(name);
		struct jw_policy_fault fault = {param, true, true, 0, 0};
		int32_t number;

		if (json_is_null(value))
			continue;
		if (param != NULL && policy_number(param, value, &number)) {
			jw_policy_set(policy, param, number);
			continue;
		}
		if (param != NULL) {
			fault.minimum = param->minimum;
			fault.maximum = param->maximum;
		}
		refuse_policy(change, name, "is outside of its range",
		    json_is_integer(value) && param != NULL ? &fault : NULL);
		return false;
	}
	return true;
}

static json_t *
key_set_after(const struct change *change)
{
	struct key_set row = change->edit.set->row;

	row.facts = change->edit.after.facts;
	return json_pack("{s:o}", "keySet", wire_key_set(&row));
}

void
verbs_set_policy(struct control_call *call, void *context)
{
	struct change change = {.call = call};
	struct jw_policy_fault fault;
	struct jw_why why = {"", ""};
	struct jw_policy policy;
	enum jw_err err;

	if (!begin(&change, call, context, "name"))
		return;
	policy = change.edit.before.facts.policy;
	if (!read_policy(&change, &policy))
		return;
	if (jw_policy_check(&policy, &fault, &why) != JW_OK) {
		refuse_policy(&change, fault.param->camel, why.text, &fault);
		return;
	}
	err = check_expected(&change);
	if (err != JW_OK) {
		refuse(&change, err, "");
		return;
	}
	lc_set_policy(&change.edit.after, &change.edit.env, &policy);
	change.outcome.cause = "an operator changed the policy";
	finish(&change, "policy", key_set_after(&change));
}

/* ---- Freeze, of one key set ---- */

void
verbs_freeze_one(struct control_call *call, void *context)
{
	bool frozen = verbs_bool(control_parameters(call), "frozen");
	struct change change = {.call = call};

	if (!begin(&change, call, context, "keySet"))
		return;
	change.edit.after.facts.frozen = frozen;
	change.outcome.cause = frozen ? "an operator froze the key set"
				      : "an operator thawed the key set";
	finish(&change, frozen ? "frozen" : "thawed",
	    json_pack(
		"{s:s}", "mode", jw_mode_name(lc_mode(&change.edit.after))));
}
