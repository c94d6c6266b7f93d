/*
 * An observer of the keeper that waits for the last key set without a signer.
 */
#include "daemon/ready.h"

#include "common/base/log.h"
#include "common/system/notify.h"
#include "daemon/keeper/keeper.h"

static void
on_news(const struct keeper_news *news, void *arg)
{
	struct daemon_ready *ready = arg;

	(void)news;
	if (ready->is_said || !keeper_is_ready(ready->keeper))
		return;
	ready->is_said = true;
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){.event = JW_EVENT_READY},
	    "ready: %zu key set%s", keeper_count(ready->keeper),
	    keeper_count(ready->keeper) == 1 ? "" : "s");
	sys_notify_ready("every key set has an active key");
}

void
daemon_ready_watch(struct daemon_ready *ready, struct keeper *keeper)
{
	ready->keeper = keeper;
	ready->observer.fn = on_news;
	ready->observer.arg = ready;
	keeper_observe(keeper, &ready->observer);
	on_news(NULL, ready);
}
