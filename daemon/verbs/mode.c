/*
 * Freeze, of one key set or of all, and AcceptClock.
 */
#include "daemon/verbs/change.h"

#include "daemon/keeper/keeper.h"
#include "daemon/verbs/verbs.h"

static void
freeze_one(struct verbs_change *change, bool frozen)
{
	struct lc_set *after = &change->edit.after;
	struct verbs_mode_reply reply = {
	    .changed = after->facts.frozen != frozen,
	};

	after->facts.frozen = frozen;
	reply.mode = jw_mode_name(lc_mode(after));
	change->outcome.cause = frozen ? "an operator froze the key set"
				       : "an operator thawed the key set";
	verbs_change_finish(
	    change, JW_OK, frozen ? "frozen" : "thawed", &reply);
}

static void
freeze_all(struct verbs_change *change, bool frozen)
{
	struct keeper *keeper = change->verbs->keeper;
	const struct verbs_mode_reply reply = {
	    .mode = frozen ? "frozen" : "auto",
	    .changed = keeper_is_frozen(keeper) != frozen,
	};

	verbs_change_fill(change, NULL, &reply);
	verbs_change_answer(
	    change, keeper_freeze_all(keeper, frozen, &change->how));
}

void
verbs_freeze(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct verbs_change change;

	if (asked->key_set == NULL) {
		if (verbs_change_prepare(&change, call, context, asked))
			freeze_all(&change, asked->frozen);
	} else if (verbs_change_begin(&change, call, context, asked)) {
		freeze_one(&change, asked->frozen);
	}
}

void
verbs_accept_clock(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	const struct verbs_mode_reply reply = {.clock_trusted = true};
	struct verbs_change change;

	if (!verbs_change_prepare(&change, call, context, asked))
		return;
	verbs_change_fill(&change, NULL, &reply);
	verbs_change_answer(
	    &change, keeper_accept_clock(change.verbs->keeper, &change.how));
}
