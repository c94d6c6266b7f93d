/*
 * AddKeySet and RemoveKeySet.  A new key set needs key pairs, which are made
 * off the event loop: its call is answered when they are there and committed.
 * A client that leaves before that gets no key set.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/label.h"
#include "common/serve/server.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/keeper/new_sets.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/edit.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

/* ---- AddKeySet ---- */

struct addition {
	struct change change;
	struct keeper_making *making;
	struct jw_policy policy;
	char name[MODEL_NAME_SIZE];
};

static json_t *
reply_of(const struct verbs *verbs, const struct key_set *set,
    const struct lc_outcome *outcome)
{
	json_t *reply = json_pack(
	    "{s:o}", "keySet", verbs_json_key_set(set, verbs_domain(verbs)));

	if (outcome->ready_at != 0)
		json_object_set_new(
		    reply, "signsAt", json_integer(outcome->ready_at));
	if (outcome->exposed)
		json_object_set_new(
		    reply, "exposure", verbs_json_exposure(&outcome->exposure));
	return reply;
}

static void
refuse_existing(struct change *change, const struct keeper_set *set)
{
	struct lc_set view = {.count = 0};
	const struct generation *active = NULL;

	if (set != NULL)
		keeper_view(set, &view);
	active = lc_active(&view);
	change->outcome.actual = active == NULL ? 0 : active->number;
	verbs_edit_refuse(change, JW_CONFLICT, "");
}

/* The policy of the new key set; false: refused. */
static bool
choose_policy(struct addition *addition)
{
	struct change *change = &addition->change;
	struct jw_policy *policy = &addition->policy;
	json_t *given =
	    json_object_get(serve_parameters(change->call), "policy");
	struct jw_policy_fault fault;
	struct jw_why why = {"", ""};

	*policy = change->verbs->policy;
	if (!verbs_edit_read_policy(change, policy))
		return false;
	if (!json_is_integer(json_object_get(given, "maxPublishedKeys")))
		jw_policy_fit(policy);
	if (crypto_supported((enum jw_alg)policy->algorithm, &why) != JW_OK) {
		verbs_edit_refuse_policy(change, "algorithm", why.text, NULL);
		return false;
	}
	if (jw_policy_check(policy, &fault, &why) == JW_OK)
		return true;
	verbs_edit_refuse_policy(change, fault.param->camel, why.text, &fault);
	return false;
}

static void
sets_on_closed(struct serve_call *call, void *arg)
{
	struct addition *addition = arg;

	(void)call;
	keeper_cancel(addition->change.verbs->keeper, addition->making);
	free(addition->change.asked);
	free(addition);
}

/* Its URL may have answered with another key set before. */
static void
expose_url(struct addition *addition)
{
	struct change *change = &addition->change;
	struct keeper *keeper = change->verbs->keeper;
	struct lc_outcome *outcome = &change->outcome;
	struct lc_exposure exposure;

	if (outcome->ready_at != 0 || !keeper_expose_url(keeper, addition->name,
					  keeper_now(keeper), &exposure))
		return;
	if (!outcome->exposed || exposure.until > outcome->exposure.until)
		outcome->exposure = exposure;
	outcome->exposed = true;
}

static void
finish_addition(struct addition *addition, struct key_set *take_draft,
    struct keys_pair *const *pairs)
{
	struct change *change = &addition->change;
	bool hurried = change->outcome.exposed;
	char *outcome;
	struct store_request request;
	struct keeper_commit how;
	enum jw_err err;
	json_t *reply;

	expose_url(addition);
	reply = reply_of(change->verbs, take_draft, &change->outcome);
	outcome = json_dumps(reply, JSON_COMPACT);
	err = outcome == NULL ? JW_NO_MEMORY : JW_OK;

	change->outcome.cause =
	    hurried ? "an operator added the key set and would not wait"
		    : "an operator added the key set";
	how = verbs_edit_how(change, "keyset", &request, outcome);
	if (err != JW_OK || verbs_edit_is_dry(change))
		keeper_row_done(take_draft);
	else
		err = keeper_add_set(
		    change->verbs->keeper, take_draft, pairs, &how);
	verbs_edit_answer(change, err, reply);
	free(outcome);
}

static void
on_pairs(
    enum jw_err err, struct keys_pair *const *pairs, size_t count, void *arg)
{
	struct addition *addition = arg;
	struct change *change = &addition->change;
	struct keeper *keeper = change->verbs->keeper;
	struct key_set draft;

	if (err == JW_OK && verbs_edit_answered_before(change)) {
		free(change->asked);
		free(addition);
		return;
	}
	if (err == JW_OK)
		err = keeper_draft_set(keeper, addition->name,
		    &addition->policy, pairs, count,
		    verbs_bool(serve_parameters(change->call), "now"), &draft,
		    &change->outcome);
	if (err == JW_OK)
		finish_addition(addition, &draft, pairs);
	else if (err == JW_CONFLICT)
		refuse_existing(change, keeper_find(keeper, addition->name));
	else if (err == JW_BAD_KEY)
		verbs_edit_fail(change, err,
		    json_pack("{s:s}", "message", jw_err_text(err)));
	else
		verbs_edit_answer(change, err, NULL);
	free(addition);
}

static bool
is_wanted_new(struct addition *addition)
{
	struct change *change = &addition->change;
	struct keeper_set *set =
	    keeper_find(change->verbs->keeper, addition->name);
	struct jw_why why = {"", ""};

	if (jw_key_set_name_check(addition->name, &why) != JW_OK) {
		verbs_edit_refuse_policy(change, "name", why.text, NULL);
		return false;
	}
	if (set == NULL && verbs_edit_expected(change) == 0)
		return true;
	refuse_existing(change, set);
	return false;
}

void
verbs_add_key_set(struct serve_call *call, const void *request, void *context)
{
	const char *name = verbs_string(serve_parameters(call), "name", "");
	struct addition *addition = calloc(1, sizeof(*addition));
	struct change *change;

	(void)request;
	if (addition == NULL) {
		serve_fail(call, JW_NO_MEMORY, NULL);
		return;
	}
	change = &addition->change;
	if (strlen(name) >= sizeof(addition->name)) {
		serve_fail(call, JW_BAD_POLICY,
		    json_pack("{s:s, s:s}", "parameter", "name", "message",
			"a key set's name has at most 127 characters"));
		free(addition);
		return;
	}
	memcpy(addition->name, name, strlen(name) + 1);
	if (!verbs_edit_prepare(change, call, context) ||
	    !is_wanted_new(addition) || !choose_policy(addition)) {
		free(addition);
		return;
	}
	serve_wait(call, sets_on_closed, addition);
	if (keeper_generate(change->verbs->keeper, &addition->policy,
		1 + (size_t)addition->policy.standby_count, on_pairs, addition,
		&addition->making) == JW_OK)
		return;
	verbs_edit_fail(change, JW_NO_MEMORY, NULL);
	free(addition);
}

/* ---- RemoveKeySet ---- */

void
verbs_remove_key_set(
    struct serve_call *call, const void *request, void *context)
{
	bool force = verbs_bool(serve_parameters(call), "force");
	struct change change = {.call = call};
	json_t *reply;
	enum jw_err err;

	(void)request;
	if (!verbs_edit_begin(&change, call, context, "name"))
		return;
	err = verbs_edit_check_expected(&change);
	if (err == JW_OK)
		err = lc_remove_set(&change.edit.after, &change.edit.env, force,
		    &change.outcome);
	if (err != JW_OK) {
		verbs_edit_refuse(&change, err, "");
		return;
	}
	reply = reply_of(change.verbs, &change.edit.set->row, &change.outcome);
	verbs_edit_finish(&change, "removed", reply);
}
