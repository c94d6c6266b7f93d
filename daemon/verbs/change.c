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

/* ---- decisions ---- */

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

enum jw_err
verbs_change_bad_policy(struct verbs_change *change, const char *parameter,
    const char *message, const struct jw_policy_fault *fault)
{
	change->fault.parameter = parameter;
	change->fault.message = message;
	if (fault != NULL) {
		change->fault.minimum = (struct varlink_maybe_int){
		    fault->has_minimum, fault->minimum};
		change->fault.maximum = (struct varlink_maybe_int){
		    fault->has_maximum, fault->maximum};
	}
	return JW_BAD_POLICY;
}

/* ---- refuse, or commit and answer ---- */

void
verbs_change_refuse(struct verbs_change *change, enum jw_err err)
{
	const struct lc_outcome *outcome = &change->outcome;
	const struct keeper_set *set = change->edit.set;
	const struct generation *actual =
	    lc_find(&change->edit.before, outcome->actual);
	struct verbs_fault *fault = &change->fault;

	fault->expected = change->asked->expected.value;
	fault->actual = outcome->actual;
	fault->ready_at = outcome->ready_at;
	fault->cause = outcome->frozen_by;
	if (set != NULL)
		fault->key_set = set->row.name;
	if (actual != NULL) {
		fault->kid = verbs_kid(set, actual->number);
		fault->state = lc_state_name(lc_state(actual));
	}
	if (fault->parameter == NULL)
		fault->parameter = "at"; /* the only time in an order */
	verbs_fail(change->call, err, fault);
	verbs_change_done(change);
}

void
verbs_change_fill(struct verbs_change *change)
{
	const struct serve_peer *peer = serve_peer(change->call);
	const struct verbs_change_request *asked = change->asked;

	assert(change->outcome_text == NULL);
	change->outcome_text = varlink_encode_text(
	    serve_verb(change->call)->reply, &change->reply);
	change->request = (struct store_request){
	    .id = asked->request_id,
	    .method = serve_method(change->call),
	    .asked = change->canonical,
	    .outcome = change->outcome_text,
	};
	change->how = (struct keeper_commit){
	    .cause = change->outcome.cause,
	    .event = change->event,
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

struct verbs_key_row
verbs_change_key(const struct verbs_change *change, int64_t number)
{
	const struct key_set *set = &change->edit.set->row;
	struct verbs_key_row row = {
	    .key_set = set->name,
	    .set = &change->edit.after,
	};

	for (size_t i = 0; i < set->nkeys; i++)
		if (set->keys[i].facts.number == number)
			row.key = &set->keys[i];
	return row;
}

static void
reply_with_outcome(struct verbs_change *change)
{
	const struct lc_outcome *outcome = &change->outcome;
	struct verbs_change_reply *reply = &change->reply;

	reply->key_set = change->edit.set->row.name;
	reply->row.set = &change->edit.set->row;
	reply->row.domain = verbs_domain(change->verbs);
	reply->activated = verbs_change_key(change, outcome->activated);
	reply->retired = verbs_change_key(change, outcome->retired);
	reply->scheduled_for = outcome->scheduled_for;
	reply->flush_at = outcome->flush_at;
	reply->cause = outcome->cause;
	if (outcome->exposed)
		reply->exposure = &outcome->exposure;
}

void
verbs_change_finish(struct verbs_change *change, enum jw_err err)
{
	if (err != JW_OK) {
		verbs_change_refuse(change, err);
		return;
	}
	reply_with_outcome(change);
	verbs_change_fill(change);
	if (!change->asked->dry_run &&
	    (change->is_change || change->asked->request_id != NULL))
		err = keeper_commit(
		    change->verbs->keeper, &change->edit, &change->how);
	verbs_change_answer(change, err);
}

void
verbs_change_run(struct serve_call *call, struct verbs *verbs,
    const struct verbs_change_request *asked, verbs_change_decide *decide)
{
	const char *name = asked->key_set == NULL ? "default" : asked->key_set;
	struct verbs_change change;
	struct keeper_set *set;

	if (!verbs_change_prepare(&change, call, verbs, asked))
		return;
	set = keeper_find(verbs->keeper, name);
	if (set == NULL) {
		change.fault.key_set = name;
		verbs_change_refuse(&change, JW_NO_SUCH_KEY_SET);
		return;
	}
	keeper_edit_begin(verbs->keeper, set, &change.edit);
	verbs_change_finish(&change, decide(&change));
}
