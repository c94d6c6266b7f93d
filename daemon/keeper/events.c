/*
 * Changes that are committed: into the log, and to the observers.
 */
#include "common/base/log.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"

void
keeper_observe(struct keeper *keeper, struct keeper_observer *observer)
{
	observer->next = keeper->observers;
	keeper->observers = observer;
}

void
keeper_unobserve(struct keeper *keeper, struct keeper_observer *observer)
{
	struct keeper_observer **at = &keeper->observers;

	while (*at != NULL && *at != observer)
		at = &(*at)->next;
	if (*at != NULL)
		*at = observer->next;
}

void
keeper_tell(struct keeper *keeper, const struct keeper_news *news)
{
	struct keeper_observer *observer = keeper->observers, *next;

	for (; observer != NULL; observer = next) {
		next = observer->next;
		observer->fn(news, observer->arg);
	}
}

static const enum jw_event events[GEN_STATE_COUNT] = {
    [GEN_PENDING] = JW_EVENT_CREATED,
    [GEN_PUBLISHED] = JW_EVENT_PUBLISHED,
    [GEN_READY] = JW_EVENT_STANDBY_READY,
    [GEN_ACTIVE] = JW_EVENT_ACTIVATED,
    [GEN_RETIRED] = JW_EVENT_RETIRED,
    [GEN_REMOVED] = JW_EVENT_REMOVED,
    [GEN_REVOKED] = JW_EVENT_REVOKED,
};

void
keeper_log_change(const struct keeper_set *set, const struct lc_change *change,
    const char *kid, const struct store_actor *actor)
{
	const struct jw_log_about about = {
	    .event = events[change->to],
	    .key_set = set->row.name,
	    .kid = kid,
	    .generation = change->number,
	    .state = lc_state_name(change->to),
	    .by_user = actor != NULL && actor->uid >= 0,
	    .uid = actor == NULL ? -1 : actor->uid,
	};

	jw_log_event(JW_LOG_NOTICE, &about,
	    "%s: generation %lld (%s) is %s: %s", about.key_set,
	    (long long)change->number, kid, about.state, change->cause);
}
