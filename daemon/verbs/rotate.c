/*
 * Rotate, Rollback and Revoke: each makes an edit of a key set, lets the
 * lifecycle decide, and fills the reply from what was decided.
 */
#include "daemon/verbs/change.h"

#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/verbs.h"

/* A key as the edit leaves it; number 0: none. */
static struct verbs_key_row
key_after(const struct verbs_change *change, int64_t number)
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

static struct verbs_rotate_reply
reply_of(const struct verbs_change *change)
{
	const struct lc_outcome *outcome = &change->outcome;

	return (struct verbs_rotate_reply){
	    .key_set = change->edit.set->row.name,
	    .activated = key_after(change, outcome->activated),
	    .retired = key_after(change, outcome->retired),
	    .scheduled_for = outcome->scheduled_for,
	    .flush_at = outcome->flush_at,
	    .cause = outcome->cause,
	    .exposure = outcome->exposed ? &outcome->exposure : NULL,
	};
}

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

static const char *
rotate_event(const struct lc_outcome *outcome, bool cancel)
{
	if (cancel)
		return "cancelled";
	return outcome->scheduled_for != 0 ? "scheduled" : "rotate";
}

void
verbs_rotate(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	const struct lc_rotate order = {
	    .now = asked->now,
	    .cancel = asked->cancel,
	    .at = asked->at.value,
	    .expects = asked->expected.given,
	    .expected = asked->expected.value,
	};
	const char *wrong = contradiction(asked);
	struct verbs_rotate_reply reply;
	struct verbs_change change;
	enum jw_err err;

	if (wrong != NULL) {
		verbs_invalid(call, wrong);
		return;
	}
	if (!verbs_change_begin(&change, call, context, asked))
		return;
	err = lc_rotate(
	    &change.edit.after, &change.edit.env, &order, &change.outcome);
	change.is_change =
	    !asked->cancel || change.edit.before.facts.wanted_at != 0;
	reply = reply_of(&change);
	verbs_change_finish(
	    &change, err, rotate_event(&change.outcome, asked->cancel), &reply);
}

/* ---- Rollback ---- */

void
verbs_rollback(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	const struct lc_rollback order = {
	    .now = asked->now,
	    .expects = asked->expected.given,
	    .expected = asked->expected.value,
	};
	struct verbs_rotate_reply reply;
	struct verbs_change change;
	enum jw_err err;

	if (!verbs_change_begin(&change, call, context, asked))
		return;
	err = lc_rollback(
	    &change.edit.after, &change.edit.env, &order, &change.outcome);
	reply = reply_of(&change);
	verbs_change_finish(&change, err, "rollback", &reply);
}

/* ---- Revoke ---- */

static void
revoke_found(struct verbs_change *change, const struct verbs_found *found,
    const struct verbs_change_request *asked)
{
	struct verbs_rotate_reply reply;
	enum jw_err err;

	change->urgent = true;
	keeper_edit_begin(change->verbs->keeper, found->set, &change->edit);
	err = verbs_change_check_expected(change);
	if (err == JW_OK)
		err = lc_revoke(&change->edit.after, &change->edit.env,
		    found->key.facts.number, asked->force, &change->outcome);
	reply = reply_of(change);
	reply.revoked = key_after(change, found->key.facts.number);
	reply.revoked.reason = asked->reason;
	reply.exposure = &change->outcome.exposure;
	verbs_change_finish(change, err, "revoke", &reply);
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
	if (verbs_kid(found.set, found.key.facts.number) == NULL)
		verbs_change_fail(&change, JW_BAD_STATE,
		    &(struct verbs_fault){
			.kid = found.key.kid,
			.state = lc_state_name(lc_state(&found.key.facts)),
		    });
	else
		revoke_found(&change, &found, asked);
	verbs_found_done(&found);
}
