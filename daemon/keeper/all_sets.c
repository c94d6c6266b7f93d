/*
 * Values that hold for all key sets, kept as single rows of the store: frozen
 * by an operator, or not.
 */
#include <string.h>

#include "common/base/log.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"

/* After a failed write the next start assumes an outage: longer waits. */
void
keeper_remember(struct keeper *keeper, const char *name, const char *value)
{
	if (store_meta_set(keeper->store, name, value) != JW_OK)
		jw_log(JW_LOG_ERROR, "%s is not kept: %s", name,
		    store_message(keeper->store));
}

/* A value for all key sets, with who asked for it. */
enum jw_err
keeper_commit_for_all(struct keeper *keeper, const char *name,
    const char *value, const struct store_audit *audit,
    const struct keeper_commit *how)
{
	struct store_change change = {
	    .now = keeper_now(keeper),
	    .audit = audit,
	    .naudit = 1,
	    .actor = how->actor,
	    .audit_reason = how->reason,
	    .request = how->request,
	};
	enum jw_err err =
	    store_meta_commit(keeper->store, name, value, &change);

	if (err != JW_OK)
		return keeper_commit_failed(keeper, name, err);
	return JW_OK;
}

bool
keeper_is_frozen(const struct keeper *keeper)
{
	return keeper->frozen;
}

static const char *
frozen_cause(bool frozen)
{
	return frozen ? "an operator froze every key set"
		      : "an operator thawed every key set";
}

void
keeper_adopt_frozen(
    struct keeper *keeper, bool frozen, const struct store_actor *actor)
{
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){
		.event = frozen ? JW_EVENT_FROZEN : JW_EVENT_THAWED,
		.by_user = actor->uid >= 0,
		.uid = actor->uid,
	    },
	    "%s", frozen_cause(frozen));
	keeper->frozen = frozen;
	keeper_reconsider_all(keeper);
	keeper_tell(keeper, &(const struct keeper_news){
				.order = frozen ? "frozen" : "thawed",
			    });
}

enum jw_err
keeper_freeze_all(
    struct keeper *keeper, bool frozen, const struct keeper_commit *how)
{
	struct store_audit audit = {
	    .event = frozen ? "frozen" : "thawed",
	    .cause = frozen_cause(frozen),
	};
	enum jw_err err = keeper_commit_for_all(
	    keeper, "frozen", frozen ? "1" : "0", &audit, how);

	if (err == JW_OK)
		keeper_adopt_frozen(keeper, frozen, &how->actor);
	return err;
}
