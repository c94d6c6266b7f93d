/*
 * The steps that all changing methods share.  The audit row and the reply that
 * a request id stands for are committed in one transaction with the change.
 * Repeating a request id returns that reply and changes nothing.
 */
#include "daemon/verbs/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/server.h"
#include "common/wire/varlink_service.h"
#include "daemon/keeper/look_up.h"
#include "daemon/verbs/verbs.h"

enum { REQUEST_ID_MAX = 128, REASON_MAX = 512 };

void
verbs_change_done(struct verbs_change *change)
{
	free(change->canonical);
	free(change->outcome_text);
	change->canonical = NULL;
	change->outcome_text = NULL;
}

/* ---- refuse ---- */

void
verbs_change_fail(struct verbs_change *change, enum jw_err err,
    const struct verbs_fault *fault)
{
	verbs_fail(change->call, err, fault);
	verbs_change_done(change);
}

void
verbs_change_refuse(struct verbs_change *change, enum jw_err err)
{
	const struct lc_outcome *outcome = &change->outcome;
	const struct keeper_set *set = change->edit.set;
	const struct generation *actual =
	    lc_find(&change->edit.before, outcome->actual);

	verbs_change_fail(change, err,
	    &(struct verbs_fault){
		.key_set = set == NULL ? "" : set->row.name,
		.kid = verbs_kid(set, outcome->actual),
		.state = actual == NULL ? "" : lc_state_name(lc_state(actual)),
		.parameter = "at", /* of Rotate, the only order with a time */
		.cause = outcome->frozen_by,
		.expected = change->asked->expected.value,
		.actual = outcome->actual,
		.ready_at = outcome->ready_at,
		.of_key_set = change->of_key_set,
	    });
}

void
verbs_change_refuse_policy(struct verbs_change *change, const char *parameter,
    const char *message, const struct jw_policy_fault *fault)
{
	struct verbs_fault answer = {
	    .parameter = parameter,
	    .message = message,
	    .of_key_set = change->of_key_set,
	};

	if (fault != NULL) {
		answer.minimum = (struct varlink_maybe_int){
		    fault->has_minimum, fault->minimum};
		answer.maximum = (struct varlink_maybe_int){
		    fault->has_maximum, fault->maximum};
	}
	verbs_change_fail(change, JW_BAD_POLICY, &answer);
}

/* ---- begin ---- */

bool
verbs_change_answered_before(struct verbs_change *change)
{
	const char *id = change->asked->request_id;
	char *canonical = NULL, *outcome = NULL;
	enum jw_err err;

	if (id == NULL)
		return false;
	err = keeper_find_request(
	    change->verbs->keeper, id, &canonical, &outcome);
	if (err == JW_NO_SUCH_KEY)
		return false;
	if (err != JW_OK)
		verbs_store_failed(change->call, change->verbs, err, id);
	else if (strcmp(canonical, change->canonical) != 0)
		verbs_invalid(change->call, "requestId");
	else
		serve_reply_text(change->call, outcome);
	free(canonical);
	free(outcome);
	verbs_change_done(change);
	return true;
}

/* NULL, or the parameter that is too long or empty. */
static const char *
wrong_parameter(const struct verbs_change_request *asked)
{
	const char *id = asked->request_id;

	if (id != NULL && (id[0] == '\0' || strlen(id) > REQUEST_ID_MAX))
		return "requestId";
	if (asked->reason != NULL && strlen(asked->reason) > REASON_MAX)
		return "reason";
	return NULL;
}

bool
verbs_change_prepare(struct verbs_change *change, struct serve_call *call,
    struct verbs *verbs, const struct verbs_change_request *asked)
{
	const char *wrong = wrong_parameter(asked);

	if (wrong != NULL) {
		verbs_invalid(call, wrong);
		return false;
	}
	memset(change, 0, sizeof(*change));
	change->call = call;
	change->verbs = verbs;
	change->asked = asked;
	change->is_change = true;
	if (asked->request_id != NULL)
		change->canonical = serve_canonical(call, "requestId");
	return !verbs_change_answered_before(change);
}

bool
verbs_change_begin(struct verbs_change *change, struct serve_call *call,
    struct verbs *verbs, const struct verbs_change_request *asked)
{
	const char *name = asked->key_set == NULL ? "default" : asked->key_set;
	struct keeper_set *set;

	if (!verbs_change_prepare(change, call, verbs, asked))
		return false;
	set = keeper_find(verbs->keeper, name);
	if (set == NULL)
		verbs_change_fail(change, JW_NO_SUCH_KEY_SET,
		    &(struct verbs_fault){.key_set = name});
	else
		keeper_edit_begin(verbs->keeper, set, &change->edit);
	return set != NULL;
}

enum jw_err
verbs_change_check_expected(struct verbs_change *change)
{
	const struct varlink_maybe_int *expected = &change->asked->expected;
	const struct generation *active = lc_active(&change->edit.before);
	int64_t number = active == NULL ? 0 : active->number;

	if (!expected->given || (number != 0 && number == expected->value))
		return JW_OK;
	change->outcome.actual = number;
	return JW_CONFLICT;
}

/* ---- commit and answer ---- */

void
verbs_change_fill(
    struct verbs_change *change, const char *event, const void *reply)
{
	const struct serve_peer *peer = serve_peer(change->call);
	const struct verbs_change_request *asked = change->asked;

	assert(change->outcome_text == NULL);
	change->outcome_text =
	    varlink_encode_text(serve_verb(change->call)->reply, reply);
	change->request = (struct store_request){
	    .id = asked->request_id,
	    .method = serve_method(change->call),
	    .asked = change->canonical,
	    .outcome = change->outcome_text,
	};
	change->how = (struct keeper_commit){
	    .cause = change->outcome.cause,
	    .event = event,
	    .reason = asked->reason,
	    .actor = {peer->uid, peer->gid, peer->pid},
	    .request = asked->request_id == NULL ? NULL : &change->request,
	    .urgent = change->urgent,
	};
}

void
verbs_change_answer(struct verbs_change *change, enum jw_err err)
{
	if (err == JW_OK)
		serve_reply_text(change->call, change->outcome_text);
	else
		verbs_store_failed(change->call, change->verbs, err,
		    change->asked->request_id);
	verbs_change_done(change);
}

void
verbs_change_finish(struct verbs_change *change, enum jw_err err,
    const char *event, const void *reply)
{
	const struct verbs_change_request *asked = change->asked;

	if (err != JW_OK) {
		verbs_change_refuse(change, err);
		return;
	}
	verbs_change_fill(change, event, reply);
	if (!asked->dry_run && (change->is_change || asked->request_id != NULL))
		err = keeper_commit(
		    change->verbs->keeper, &change->edit, &change->how);
	verbs_change_answer(change, err);
}
