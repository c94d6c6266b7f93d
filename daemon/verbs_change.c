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
 * Begin: false when the call has been answered already.  Then, and after
 * finish(), there is nothing to release.
 */
static bool
begin(struct change *change, struct control_call *call, void *context)
{
	const json_t *parameters = control_parameters(call);
	const char *id = verbs_string(parameters, "requestId", NULL);
	const char *reason = verbs_string(parameters, "reason", "");
	struct keeper_set *set;
	bool done;

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
	done = answered_before(change);
	set = done ? NULL : verbs_key_set(call, change->verbs);
	if (set == NULL) {
		free(change->asked);
		return false;
	}
	keeper_edit_begin(change->verbs->keeper, set, &change->edit);
	return true;
}

/* Answer with a refusal of the orders. */
static void
refuse(struct change *change, enum jw_err err, const char *parameter)
{
	const struct lc_outcome *o = &change->outcome;
	json_int_t expected = verbs_integer(
	    control_parameters(change->call), "expectGeneration", 0);
	json_t *p = NULL;

	if (err == JW_CONFLICT)
		p = json_pack("{s:I, s:I}", "expected", expected, "actual",
		    (json_int_t)o->actual);
	else if (err == JW_NOT_READY)
		p = json_pack("{s:I}", "readyAt", (json_int_t)o->ready_at);
	else if (err == JW_FROZEN)
		p = json_pack("{s:s}", "cause", o->frozen_by);
	else if (err == JW_NO_ACTIVE_KEY)
		p = json_pack("{s:s}", "keySet", change->edit.set->row.name);
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
	if (!begin(&change, call, context))
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
