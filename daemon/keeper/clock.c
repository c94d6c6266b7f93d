/*
 * Whether the wall clock is trusted, over restarts as well.  Must never let a
 * clock that jumped make a key ready, promote or remove one.
 */
#include <event2/event.h>
#include <stdio.h>

#include "common/base/log.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/lifecycle/time_correction.h"

bool
keeper_clock_trusted(const struct keeper *keeper)
{
	return keeper->clock.trusted;
}

int64_t
keeper_now(struct keeper *keeper)
{
	int64_t now = keeper->wall();

	lc_clock_check(&keeper->clock, now, keeper->boot());
	if (keeper->clock.trusted != keeper->trusted)
		event_active(keeper->timer, 0, 0);
	return now;
}

/* Keep the clock's offset in this boot: a jump while the daemon does not run is
 * a jump. */
void
keeper_remember_clock(struct keeper *keeper)
{
	char text[CLOCK_TEXT_SIZE];

	if (lc_clock_format(&keeper->clock, keeper->boot_id, text))
		keeper_remember(keeper, "clock", text);
}

/* Log that the clock is trusted, or no longer, and compute all deadlines
 * again. */
void
keeper_note_trust(struct keeper *keeper)
{
	const struct lc_clock_guard *clock = &keeper->clock;

	if (keeper->trusted && !clock->trusted)
		jw_log_event(JW_LOG_WARNING,
		    &(const struct jw_log_about){
			.event = JW_EVENT_CLOCK_JUMPED},
		    "the wall clock jumped: nothing becomes ready, rotates by "
		    "schedule or is removed until it has been stable for %d "
		    "min",
		    CLOCK_STABLE_FOR / 60);
	if (!keeper->trusted && clock->trusted)
		jw_log_event(JW_LOG_NOTICE,
		    &(const struct jw_log_about){
			.event = JW_EVENT_CLOCK_TRUSTED},
		    "the wall clock is trusted again: waits in progress start "
		    "anew");
	keeper->trusted = clock->trusted;
	keeper->unretimed = clock->doubted ? keeper->nsets : 0;
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper->sets[i]->to_retime = clock->doubted;
	keeper_remember_clock(keeper);
	keeper_reconsider_all(keeper);
}

static const char accepted_cause[] = "an operator accepted the clock";

/* Distrust a clock that says less than the time of what has happened
 * already. */
void
keeper_doubt_clock(struct keeper *keeper, int64_t now)
{
	struct lc_set view;
	int64_t latest = 0, last;

	for (size_t i = 0; i < keeper->nsets; i++) {
		keeper_view(keeper->sets[i], &view);
		last = lc_latest_fact(&view);
		latest = last > latest ? last : latest;
	}
	if (latest > now + CLOCK_JUMP)
		lc_clock_doubt(&keeper->clock, now, keeper->boot());
}

void
keeper_retimed(struct keeper *keeper, struct keeper_set *set)
{
	char text[24];

	set->to_retime = false;
	if (keeper->unretimed == 0 || --keeper->unretimed > 0)
		return;
	keeper->clock.doubted = false;
	keeper->retimed_at = keeper_now(keeper) + 1;
	snprintf(text, sizeof(text), "%lld", (long long)keeper->retimed_at);
	keeper_remember(keeper, "retimed", text);
	keeper_remember_clock(keeper);
}

void
keeper_adopt_accepted(struct keeper *keeper)
{
	keeper->accepting = false;
	keeper->clock = keeper->accepted;
	jw_log(JW_LOG_NOTICE, "%s", accepted_cause);
	keeper_note_trust(keeper);
}

enum jw_err
keeper_accept_clock(struct keeper *keeper, const struct keeper_commit *how)
{
	struct store_audit audit = {
	    .event = "clock",
	    .cause = accepted_cause,
	};
	char text[CLOCK_TEXT_SIZE] = "";
	struct lc_clock_guard guard;
	enum jw_err err;

	if (store_in_doubt(keeper->store))
		return JW_STORE_FAILED;
	/* A jump since the last wake has not been noticed yet. */
	lc_clock_check(&keeper->clock, keeper->wall(), keeper->boot());
	guard.doubted = keeper->clock.doubted;
	lc_clock_accept(&guard, keeper->wall(), keeper->boot());
	if (!lc_clock_format(&guard, keeper->boot_id, text))
		text[0] = '\0';
	/* Set before the commit: recovery may compare it with the store. */
	keeper->accepted = guard;
	keeper->accepting = true;
	err = keeper_commit_for_all(keeper, "clock", text, &audit, how);
	if (err == JW_OK)
		keeper_adopt_accepted(keeper);
	else if (err != JW_OUTCOME_UNKNOWN)
		keeper->accepting = false;
	return err;
}
