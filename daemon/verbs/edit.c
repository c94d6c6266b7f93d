/*
 * What every changing method has in common: an edit of a key set, decided by
 * the pure orders, whose audit and answer are committed in one transaction
 * with it.  Repeating a request id returns that answer and changes nothing.
 */
#include "daemon/verbs/edit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

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

enum { REQUEST_ID_MAX = 128, REASON_MAX = 512 };

/* What was asked, without the id itself. */
static char *
canonical(struct serve_call *call)
{
	json_t *asked = json_object();
	json_t *parameters = json_deep_copy(serve_parameters(call));
	char *text;

	json_object_del(parameters, "requestId");
	json_object_set_new(asked, "method", json_string(serve_method(call)));
	json_object_set_new(asked, "parameters", parameters);
	text = json_dumps(asked, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(asked);
	return text;
}

bool
verbs_edit_answered_before(struct change *change)
{
	char *asked = NULL, *outcome = NULL;
	enum jw_err err;

	if (change->request_id == NULL)
		return false;
	err = keeper_find_request(
	    change->verbs->keeper, change->request_id, &asked, &outcome);
	if (err == JW_NO_SUCH_KEY)
		return false;
	if (err != JW_OK)
		verbs_store_failed(
		    change->call, change->verbs, err, change->request_id);
	else if (strcmp(asked, change->asked) != 0)
		verbs_invalid(change->call, "requestId");
	else
		serve_reply(change->call, json_loads(outcome, 0, NULL));
	free(asked);
	free(outcome);
	return true;
}

/*
 * Check what all changes share: false when the call has been answered.  Then,
 * and after verbs_edit_refuse() and verbs_edit_finish(), there is nothing to
 * release.
 */
bool
verbs_edit_prepare(
    struct change *change, struct serve_call *call, void *context)
{
	const json_t *parameters = serve_parameters(call);
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
		serve_fail(call, JW_NO_MEMORY, NULL);
		return false;
	}
	if (!verbs_edit_answered_before(change))
		return true;
	free(change->asked);
	return false;
}

/* Prepare, and begin an edit of the key set that `parameter` names. */
bool
verbs_edit_begin(struct change *change, struct serve_call *call, void *context,
    const char *parameter)
{
	const char *name =
	    verbs_string(serve_parameters(call), parameter, "default");
	struct verbs *verbs = context;
	struct keeper_set *set;

	if (!verbs_edit_prepare(change, call, context))
		return false;
	set = keeper_find(verbs->keeper, name);
	if (set == NULL) {
		serve_fail(call, JW_NO_SUCH_KEY_SET,
		    json_pack("{s:s}", "keySet", name));
		free(change->asked);
		return false;
	}
	keeper_edit_begin(verbs->keeper, set, &change->edit);
	return true;
}

/* The generation that the caller expects to be active; 0: any. */
int64_t
verbs_edit_expected(const struct change *change)
{
	return verbs_integer(
	    serve_parameters(change->call), "expectGeneration", 0);
}

bool
verbs_edit_expects(const struct change *change)
{
	return json_is_integer(json_object_get(
	    serve_parameters(change->call), "expectGeneration"));
}

/* For orders that do not look at the active generation themselves. */
enum jw_err
verbs_edit_check_expected(struct change *change)
{
	const struct generation *active = lc_active(&change->edit.before);

	if (!verbs_edit_expects(change) ||
	    (active != NULL && active->number == verbs_edit_expected(change)))
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
void
verbs_edit_refuse(struct change *change, enum jw_err err, const char *parameter)
{
	const struct lc_outcome *o = &change->outcome;

	json_t *p = NULL;

	if (err == JW_CONFLICT)
		p = json_pack("{s:I, s:I}", "expected",
		    (json_int_t)verbs_edit_expected(change), "actual",
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
	serve_fail(change->call, err, p);
	free(change->asked);
}

void
verbs_edit_fail(struct change *change, enum jw_err err, json_t *take_parameters)
{
	serve_fail(change->call, err, take_parameters);
	free(change->asked);
}

bool
verbs_edit_is_dry(const struct change *change)
{
	return verbs_bool(serve_parameters(change->call), "dryRun");
}

struct keeper_commit
verbs_edit_how(const struct change *change, const char *event,
    struct store_request *ret_request, const char *outcome)
{
	const json_t *parameters = serve_parameters(change->call);
	const struct serve_peer *peer = serve_peer(change->call);

	*ret_request = (struct store_request){
	    .id = change->request_id,
	    .method = serve_method(change->call),
	    .asked = change->asked,
	    .outcome = outcome,
	};
	return (struct keeper_commit){
	    .cause = change->outcome.cause,
	    .event = event,
	    .reason = verbs_string(parameters, "reason", NULL),
	    .actor = {peer->uid, peer->gid, peer->pid},
	    .request = change->request_id == NULL ? NULL : ret_request,
	    .urgent = change->urgent,
	};
}

void
verbs_edit_answer(struct change *change, enum jw_err err, json_t *take_reply)
{
	if (err == JW_OK) {
		serve_reply(change->call, take_reply);
	} else {
		json_decref(take_reply);
		verbs_store_failed(
		    change->call, change->verbs, err, change->request_id);
	}
	free(change->asked);
}

void
verbs_edit_finish(struct change *change, const char *event, json_t *take_reply)
{
	char *outcome = json_dumps(take_reply, JSON_COMPACT);
	struct store_request request;
	struct keeper_commit how =
	    verbs_edit_how(change, event, &request, outcome);
	enum jw_err err = outcome == NULL ? JW_NO_MEMORY : JW_OK;

	if (err == JW_OK && !verbs_edit_is_dry(change))
		err = keeper_commit(change->verbs->keeper, &change->edit, &how);
	verbs_edit_answer(change, err, take_reply);
	free(outcome);
}

/* A key of the edit, as it will be. */
static json_t *
key_after(const struct change *change, int64_t number)
{
	const struct keeper_set *set = change->edit.set;

	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return verbs_json_key(set->row.name, &set->row.keys[i],
			    &change->edit.after, false);
	return NULL;
}

void
verbs_edit_set_key(json_t *reply, const char *name, const struct change *change,
    int64_t number)
{
	json_t *key = number == 0 ? NULL : key_after(change, number);

	if (key != NULL)
		json_object_set_new(reply, name, key);
}

void
verbs_edit_refuse_policy(struct change *change, const char *parameter,
    const char *message, const struct jw_policy_fault *fault)
{
	json_t *p =
	    json_pack("{s:s, s:s}", "parameter", parameter, "message", message);

	if (fault != NULL && fault->has_minimum)
		json_object_set_new(p, "minimum", json_integer(fault->minimum));
	if (fault != NULL && fault->has_maximum)
		json_object_set_new(p, "maximum", json_integer(fault->maximum));
	serve_fail(change->call, JW_BAD_POLICY, p);
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
bool
verbs_edit_read_policy(struct change *change, struct jw_policy *policy)
{
	json_t *given =
	    json_object_get(serve_parameters(change->call), "policy");
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
		verbs_edit_refuse_policy(change, name,
		    "is outside of its range",
		    json_is_integer(value) && param != NULL ? &fault : NULL);
		return false;
	}
	return true;
}
