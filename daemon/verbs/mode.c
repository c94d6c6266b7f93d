/*
 * Freeze and AcceptClock: what holds for every key set at once.
 */
#include <jansson.h>
#include <stdlib.h>

#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/edit.h"
#include "daemon/verbs/verbs.h"

static enum jw_err
freeze_all(struct keeper *keeper, const struct keeper_commit *how, bool frozen)
{
	return keeper_freeze_all(keeper, frozen, how);
}

static enum jw_err
accept_clock(
    struct keeper *keeper, const struct keeper_commit *how, bool accepted)
{
	(void)accepted;
	return keeper_accept_clock(keeper, how);
}

/* Do it with the answer that is kept for its request id. */
static void
mode_run(struct change *change, json_t *take_reply, bool value,
    enum jw_err (*fn)(
	struct keeper *keeper, const struct keeper_commit *how, bool value))
{
	char *outcome = json_dumps(take_reply, JSON_COMPACT);
	struct store_request request;
	struct keeper_commit how =
	    verbs_edit_how(change, NULL, &request, outcome);
	enum jw_err err = JW_NO_MEMORY;

	if (outcome != NULL)
		err = fn(change->verbs->keeper, &how, value);
	verbs_edit_answer(change, err, take_reply);
	free(outcome);
}

void
verbs_freeze(struct serve_call *call, void *context)
{
	const json_t *parameters = serve_parameters(call);
	bool frozen = verbs_bool(parameters, "frozen");
	struct change change = {.call = call};

	if (verbs_string(parameters, "keySet", NULL) != NULL)
		verbs_freeze_one(call, context);
	else if (verbs_edit_prepare(&change, call, context))
		mode_run(&change,
		    json_pack("{s:s, s:b}", "mode", frozen ? "frozen" : "auto",
			"changed",
			(int)(keeper_is_frozen(change.verbs->keeper) !=
			      frozen)),
		    frozen, freeze_all);
}

void
verbs_accept_clock(struct serve_call *call, void *context)
{
	struct change change = {.call = call};

	if (verbs_edit_prepare(&change, call, context))
		mode_run(&change, json_pack("{s:b}", "clockTrusted", 1), true,
		    accept_clock);
}
