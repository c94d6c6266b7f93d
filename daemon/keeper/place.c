/*
 * The keeper's look at its database's files.  Must never log the same twice:
 * a file may be gone for days.
 */
#include "daemon/keeper/place.h"

#include <event2/event.h>

#include "common/base/log.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/store/place.h"

static void
keeper_try_again(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->nsets; i++) {
		keeper->sets[i]->hold_until = 0;
		keeper->sets[i]->failures = 0;
		keeper_reconsider(keeper, keeper->sets[i]);
	}
}

const char *
keeper_misplaced(struct keeper *keeper)
{
	if (keeper->store == NULL || store_in_doubt(keeper->store) ||
	    store_in_place(keeper->store))
		return NULL;
	return store_message(keeper->store);
}

void
keeper_check_place(struct keeper *keeper)
{
	const char *misplaced = keeper_misplaced(keeper);
	const struct timeval soon = {1, 0};

	if ((misplaced != NULL) == keeper->misplaced)
		return;
	keeper->misplaced = misplaced != NULL;
	if (misplaced != NULL) {
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_STORE_FAILED},
		    "%s; serving and signing go on", misplaced);
		evtimer_add(keeper->timer, &soon);
		return;
	}
	jw_log(JW_LOG_NOTICE,
	    "%s: the files of the database are in their place again",
	    keeper->store_path);
	keeper_try_again(keeper);
}
