/*
 * Rotate, Rollback and Revoke: which key signs is the lifecycle's decision.
 */
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/change.h"
#include "daemon/verbs/verbs.h"

/* ---- Rotate ---- */

/* NULL, or the parameter that contradicts another or makes no sense. */
static const char *
contradiction(const struct verbs_change_request *asked)
{
	const struct varlink_maybe_int *at = &asked->at;

	if (asked->cancel && (asked->now || at->given))
		return "cancel";
	if (asked->now && at->given)
		return "now";
	if (at->given && (at->value < 1 || at->value > VERBS_TIME_MAX))
		return "at";
	return NULL;
}

static enum jw_err
decide_rotate(struct verbs_change *change)
{
	const struct verbs_change_request *asked = change->asked;
	const struct lc_rotate order = {
	    .now = asked->now,
	    .cancel = asked->cancel,
	    .at = asked->at.value,
	    .expects = asked->expected.given,
	    .expected = asked->expected.value,
	};
	enum jw_err err = lc_rotate(
	    &change->edit.after, &change->edit.env, &order, &change->outcome);

	change->is_change =
	    !asked->cancel || change->edit.before.facts.wanted_at != 0;
	change->event = asked->cancel                        ? "cancelled"
			: change->outcome.scheduled_for != 0 ? "scheduled"
							     : "rotate";
	return err;
}

void
verbs_rotate(struct serve_call *call, const void *request, void *context)
{
	const char *wrong = contradiction(request);

	if (wrong != NULL)
		verbs_invalid(call, wrong);
	else
		verbs_change_run(call, context, request, decide_rotate);
}

/* ---- Rollback ---- */

static enum jw_err
decide_rollback(struct verbs_change *change)
{
	const struct lc_rollback order = {
	    .now = change->asked->now,
	    .expects = change->asked->expected.given,
	    .expected = change->asked->expected.value,
	};

	change->event = "rollback";
	return lc_rollback(
	    &change->edit.after, &change->edit.env, &order, &change->outcome);
}

void
verbs_rollback(struct serve_call *call, const void *request, void *context)
{
	verbs_change_run(call, context, request, decide_rollback);
}

/* ---- Revoke ---- */

static enum jw_err
decide_revoke(struct verbs_change *change, int64_t number)
{
	enum jw_err err = verbs_change_check_expected(change);

	if (err == JW_OK)
		err = lc_revoke(&change->edit.after, &change->edit.env, number,
		    change->asked->force, &change->outcome);
	change->event = "revoke";
	change->urgent = true;
	change->reply.revoked = verbs_change_key(change, number);
	change->reply.revoked.reason = change->asked->reason;
	change->reply.exposure = &change->outcome.exposure;
	return err;
}

void
verbs_revoke(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct verbs_change change;
	struct verbs_found found;

	if (asked->reason[0] == '\0') {
		verbs_invalid(call, "reason");
		return;
	}
	if (!verbs_change_prepare(&change, call, context, asked))
		return;
	if (!verbs_find_key(call, context, asked->key, &found)) {
		verbs_change_done(&change);
		return;
	}
	/* A tombstone, or a key of a key set that is gone, has no place. */
	if (verbs_kid(found.set, found.key.facts.number) == NULL) {
		change.fault.kid = found.key.kid;
		change.fault.state = lc_state_name(lc_state(&found.key.facts));
		verbs_change_refuse(&change, JW_BAD_STATE);
	} else {
		keeper_edit_begin(
		    change.verbs->keeper, found.set, &change.edit);
		verbs_change_finish(
		    &change, decide_revoke(&change, found.key.facts.number));
	}
	verbs_found_done(&found);
}
