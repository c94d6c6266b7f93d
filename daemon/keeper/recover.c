/*
 * After a COMMIT whose outcome is unknown: ask the store again, and take over
 * what it has.  Must never serve or sign with what the disk has not confirmed.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "daemon/keeper/catch_up.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/clock_guard.h"

const char keeper_late_cause[] =
    "a commit that had been reported as failed is there";

/* What holds for all key sets, where a commit may be there after all. */
static enum jw_err
catch_up_world(struct keeper *keeper)
{
	char *frozen = NULL, *clock = NULL, text[CLOCK_TEXT_SIZE];
	const struct store_actor nobody = {-1, -1, -1};
	enum jw_err err = store_meta_get(keeper->store, "frozen", &frozen);
	bool is_frozen = frozen != NULL && strcmp(frozen, "1") == 0;

	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "clock", &clock);
	if (err == JW_OK || err == JW_NO_SUCH_KEY) {
		err = JW_OK;
		if (is_frozen != keeper->frozen)
			keeper_adopt_frozen(keeper, is_frozen, &nobody);
		if (keeper->accepting && clock != NULL &&
		    lc_clock_format(&keeper->accepted, keeper->boot_id, text) &&
		    strcmp(clock, text) == 0)
			keeper_adopt_accepted(keeper);
		keeper->accepting = false;
	}
	free(frozen);
	free(clock);
	return err;
}

/* Another try may end otherwise: the disk may work again. */
static bool
is_worth_a_try(enum jw_err err)
{
	return err == JW_STORE_FAILED || err == JW_NO_SPACE ||
	       err == JW_NO_MEMORY || err == JW_LOCKED || err == JW_IO;
}

static void
give_up(struct keeper *keeper)
{
	jw_log(JW_LOG_ERROR, "the store cannot be opened again: ending; the "
			     "front serves on");
	store_close(keeper->store);
	keeper->store = NULL;
	keeper_forget_sets(keeper);
	event_base_loopbreak(keeper->base);
}

/* What could not be written meanwhile. */
static void
remember_world(struct keeper *keeper)
{
	if (keeper->unresumed == 0)
		keeper_remember_servable(keeper);
	keeper_remember_clock(keeper);
}

/*
 * A failed COMMIT may be there after all: only the store knows, and only once
 * the disk has confirmed what can be read from it.  Until then memory is what
 * was last confirmed: that is served, and signed with.
 */
void
keeper_recover(struct keeper *keeper)
{
	struct jw_why why = {"", ""};
	int64_t now = keeper_now(keeper);
	enum jw_err err;

	/* Again and again is no use: each time longer. */
	keeper->hold_until = now + keeper_hold_time(&keeper->failures);
	err = store_recover(keeper->store, now, &why);
	if (err == JW_OK)
		err = catch_up_world(keeper);
	if (err == JW_OK)
		err = keeper_catch_up(keeper, keeper_late_cause);
	if (err == JW_OK) {
		jw_log(JW_LOG_NOTICE,
		    "%s: the disk has confirmed what is in "
		    "the database",
		    keeper->store_path);
		remember_world(keeper);
	} else {
		if (!store_in_doubt(keeper->store))
			store_doubt(keeper->store);
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_STORE_FAILED},
		    "%s", why.text[0] != '\0' ? why.text : jw_err_text(err));
	}
	if (err == JW_OK || is_worth_a_try(err))
		keeper_reconsider_all(keeper);
	else
		give_up(keeper);
}
