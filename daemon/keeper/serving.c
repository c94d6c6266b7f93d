/*
 * Whether verifiers can read the key sets, and since when: outages restart the
 * waits of keys that are not ready yet.  Must never count a key as read that a
 * front may not have read.
 */
#include "daemon/keeper/fronts.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"

void
keeper_remember_servable(struct keeper *keeper)
{
	char text[SERVABLE_TEXT_SIZE];

	lc_outage_format(&keeper->servable, text);
	keeper_remember(keeper, "servable", text);
}

static void
note_outage(struct keeper *keeper, int64_t resumed)
{
	jw_log_event(JW_LOG_WARNING,
	    &(const struct jw_log_about){.event = JW_EVENT_OUTAGE},
	    "the key sets were not servable: keys that are not ready yet wait "
	    "anew");
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper->sets[i]->resumed_at = resumed;
	keeper->unresumed = keeper->nsets;
}

/* While the machine is suspended, verifiers cannot read the sets. */
void
keeper_check_suspend(struct keeper *keeper, int64_t now)
{
	int64_t suspended = jw_clock_suspended_s();
	/* 2: both values are rounded differences of two clocks. */
	bool slept = suspended - keeper->suspended + 2 > SERVABLE_GRACE;

	keeper->suspended = suspended;
	if (!slept || !keeper->servable.serving)
		return;
	note_outage(keeper, now + 1);
	keeper_reconsider_all(keeper);
}

void
keeper_serving(struct keeper *keeper, int64_t reported)
{
	int64_t resumed;

	if (keeper->servable.serving)
		return;
	resumed =
	    lc_outage_begin(&keeper->servable, keeper_now(keeper), reported);
	/* The outage is remembered until every key set has recorded it. */
	if (resumed != 0)
		note_outage(keeper, resumed);
	else if (keeper->unresumed == 0)
		keeper_remember_servable(keeper);
	keeper_reconsider_all(keeper);
}

void
keeper_not_serving(struct keeper *keeper, bool listening)
{
	if (!keeper->servable.serving || keeper->store == NULL)
		return;
	lc_outage_end(&keeper->servable, keeper_now(keeper), listening);
	if (keeper->unresumed == 0)
		keeper_remember_servable(keeper);
	keeper_reconsider_all(keeper);
}

bool
keeper_is_unread(const struct keeper *keeper)
{
	return keeper->unread > 0 || keeper->withdrawing;
}

/* Removed key sets were served until now. */
static void
note_withdrawal(struct keeper *keeper, int64_t at)
{
	if (!keeper->withdrawing || store_in_doubt(keeper->store))
		return;
	keeper->withdrawing = store_withdrawn(keeper->store, at) != JW_OK;
	if (keeper->withdrawing)
		jw_log(JW_LOG_ERROR,
		    "when removed key sets were served last is not kept: %s",
		    store_message(keeper->store));
}

void
keeper_read(struct keeper *keeper)
{
	int64_t at = keeper_now(keeper) + 1;

	if (keeper->store == NULL)
		return;
	note_withdrawal(keeper, at);
	for (size_t i = 0; i < keeper->nsets && keeper->unread > 0; i++) {
		struct keeper_set *set = keeper->sets[i];

		if (!set->unread || set->unsent)
			continue;
		set->read_at = at;
		keeper_reconsider(keeper, set);
	}
}

void
keeper_resumed(struct keeper *keeper, struct keeper_set *set)
{
	if (set->resumed_at != 0 && keeper->unresumed > 0 &&
	    --keeper->unresumed == 0)
		keeper_remember_servable(keeper);
	set->resumed_at = 0;
}
