/*
 * Freeze, of one key set or of all, and AcceptClock.
 */
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/change.h"
#include "daemon/verbs/verbs.h"

static enum jw_err
decide_freeze(struct verbs_change *change)
{
	struct lc_set *after = &change->edit.after;
	bool frozen = change->asked->frozen;

	change->reply.changed = after->facts.frozen != frozen;
	after->facts.frozen = frozen;
	change->reply.mode = jw_mode_name(lc_mode(after));
	change->event = frozen ? "frozen" : "thawed";
	change->outcome.cause = frozen ? "an operator froze the key set"
				       : "an operator thawed the key set";
	return JW_OK;
}

void
verbs_freeze(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct verbs *verbs = context;
	struct verbs_change change;

	if (asked->key_set != NULL) {
		verbs_change_run(call, verbs, asked, decide_freeze);
		return;
	}
	if (!verbs_change_prepare(&change, call, verbs, asked))
		return;
	change.reply.mode = asked->frozen ? "frozen" : "auto";
	change.reply.changed = keeper_is_frozen(verbs->keeper) != asked->frozen;
	verbs_change_fill(&change);
	verbs_change_answer(&change,
	    keeper_freeze_all(verbs->keeper, asked->frozen, &change.how));
}

void
verbs_accept_clock(struct serve_call *call, const void *request, void *context)
{
	struct verbs *verbs = context;
	struct verbs_change change;

	if (!verbs_change_prepare(&change, call, verbs, request))
		return;
	change.reply.clock_trusted = true;
	verbs_change_fill(&change);
	verbs_change_answer(
	    &change, keeper_accept_clock(verbs->keeper, &change.how));
}
