/*
 * The one timer.  At each wake: read the clocks once, recover the store if it
 * is in doubt, perform what is due, one step of one key set at a time, and set
 * the timer to the next deadline.  Must never act on a step that the lifecycle
 * has not decided, nor keep the event loop for longer than a few milliseconds.
 */
#include <assert.h>
#include <event2/event.h>
#include <stddef.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/timeval.h"
#include "daemon/keeper/fronts.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/place.h"
#include "daemon/keeper/room.h"
#include "daemon/keeper/sign.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/lifecycle/reading.h"
#include "daemon/lifecycle/time_correction.h"
#include "daemon/store/ballast.h"

enum {
	WAKE_MAX = 30, /* seconds; deadlines are not monotonic */
	PASS_MS = 5,   /* then the event loop has its turn */
	HOLD_MAX = 60, /* seconds after a failure */
	PRUNE_EVERY = 86400,
	REQUESTS_KEPT_FOR = 7 * 86400,
	REQUESTS_KEPT = 10000, /* however old they seem to be */
};

static void
arm_timer(struct keeper *keeper, int64_t now)
{
	struct jw_deadline *item = jw_deadlines_first(&keeper->deadlines);
	int64_t seconds = WAKE_MAX;
	struct timeval wait;

	if (item != NULL && item->due <= now)
		seconds = 0;
	else if (item != NULL && item->due - now < WAKE_MAX)
		seconds = item->due - now;
	if (store_in_doubt(keeper->store) && keeper->hold_until - now < seconds)
		seconds =
		    keeper->hold_until > now ? keeper->hold_until - now : 0;
	if (keeper->unnoted && keeper->note_hold_until > now &&
	    keeper->note_hold_until - now < seconds)
		seconds = keeper->note_hold_until - now;
	/* Look every second whether files that were moved are back. */
	if (keeper->misplaced)
		seconds = 1;
	assert(seconds >= 0 && seconds <= WAKE_MAX);
	wait = jw_timeval_ms(seconds * 1000);
	evtimer_add(keeper->timer, &wait);
}

/* Has the key set something to record before its next step? */
static bool
has_news(const struct keeper *keeper, const struct keeper_set *set)
{
	return set->resumed_at != 0 || set->late_since != 0 ||
	       set->read_at != 0 || set->to_restate ||
	       (set->to_retime && keeper->clock.trusted);
}

static void
note_for_all(
    struct keeper *keeper, struct keeper_set *set, const struct lc_set *view)
{
	const struct generation *active = lc_active(view);
	struct jw_why why;

	assert(keeper->unread >= set->unread && set->pairs_coming >= 0);
	keeper->unread -= set->unread;
	set->unread = set->read_at == 0 && lc_is_unread(view);
	keeper->unread += set->unread;

	set->rotate_due = active == NULL ? 0 : active->rotate_due;
	set->is_unwise = jw_policy_warning(&view->facts.policy, &why);
}

void
keeper_reconsider(struct keeper *keeper, struct keeper_set *set)
{
	struct lc_env env = keeper_env(keeper, set);
	struct lc_set view;
	int64_t due;

	keeper_view(set, &view);
	note_for_all(keeper, set, &view);
	due = has_news(keeper, set) ? env.now : lc_next(&view, &env).due;
	if (due != LC_NEVER && due < set->hold_until)
		due = set->hold_until;
	if (due != LC_NEVER && due < keeper->hold_until)
		due = keeper->hold_until;
	if (due == LC_NEVER)
		jw_deadlines_remove(&keeper->deadlines, &set->item);
	else
		jw_deadlines_set(&keeper->deadlines, &set->item, due);
	arm_timer(keeper, env.now);
}

void
keeper_reconsider_all(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper_reconsider(keeper, keeper->sets[i]);
}

struct keeper_set *
keeper_first_due(const struct keeper *keeper)
{
	struct jw_deadline *item = jw_deadlines_first(&keeper->deadlines);

	if (item == NULL)
		return NULL;
	return (struct keeper_set *)(void *)((char *)item -
					     offsetof(struct keeper_set, item));
}

/* After a failure: wait longer each time, but never give up. */
int64_t
keeper_hold_time(int32_t *failures)
{
	int64_t wait = HOLD_MAX;

	if (*failures < 6)
		wait = (int64_t)1 << (*failures)++;
	return wait < HOLD_MAX ? wait : HOLD_MAX;
}

void
keeper_hold(struct keeper *keeper, struct keeper_set *set, int64_t now)
{
	set->hold_until = now + keeper_hold_time(&set->failures);
	keeper_reconsider(keeper, set);
}

static enum jw_err
keeper_perform(
    struct keeper *keeper, struct keeper_edit *edit, const struct lc_step *step)
{
	struct keeper_commit how = {
	    .cause = step->cause,
	    .actor = {-1, -1, -1},
	};

	lc_apply(&edit->after, step, &edit->env);
	return keeper_commit(keeper, edit, &how);
}

/* Record what happened to a key set; waits begin anew by that, so it comes
 * before any step. */
static void
resume(struct keeper *keeper, struct keeper_set *set)
{
	bool late = set->late_since != 0;
	bool retime = !late && set->to_retime && keeper->clock.trusted;
	bool outage = !late && !retime && set->resumed_at != 0;
	struct keeper_commit how = {
	    .cause = late     ? keeper_late_cause
		     : retime ? "the clock is trusted again"
		     : outage ? "the set could not be read for a while"
			      : "every front has read the set",
	    .event = late     ? "recovered"
		     : retime ? "clock"
		     : outage ? "outage"
			      : NULL,
	    .actor = {-1, -1, -1},
	};
	struct keeper_edit edit;
	enum jw_err err = JW_OK;
	bool changed = set->read_at != 0;

	keeper_edit_begin(keeper, set, &edit);
	if (late)
		changed |= lc_make_late(&edit.after, set->late_since);
	else if (retime)
		changed |= lc_retime(&edit.after, edit.env.now);
	else if (outage)
		changed |= lc_resume(&edit.after, set->resumed_at);
	if (changed)
		err = keeper_commit(keeper, &edit, &how);
	if (err == JW_OUTCOME_UNKNOWN)
		return;
	if (err != JW_OK) {
		keeper_hold(keeper, set, edit.env.now);
		return;
	}
	if (late)
		set->late_since = 0;
	else if (retime)
		keeper_retimed(keeper, set);
	else if (outage)
		keeper_resumed(keeper, set);
	keeper_reconsider(keeper, set);
}

/* Publish a key set without its damaged keys. */
static void
restate(struct keeper *keeper, struct keeper_set *set)
{
	enum jw_err err = keeper_restate(keeper, set);

	if (err == JW_OUTCOME_UNKNOWN)
		return;
	if (err != JW_OK) {
		keeper_hold(keeper, set, keeper_now(keeper));
		return;
	}
	keeper_restated(keeper, set);
	keeper_reconsider(keeper, set);
}

/* Perform one step of one key set. */
static void
act(struct keeper *keeper, struct keeper_set *set)
{
	struct keeper_edit edit;
	struct lc_step step;
	enum jw_err err = JW_OK;

	if (set->to_restate && set->hold_until <= keeper_now(keeper)) {
		restate(keeper, set);
		return;
	}
	if (has_news(keeper, set) && set->hold_until <= keeper_now(keeper)) {
		resume(keeper, set);
		return;
	}
	keeper_edit_begin(keeper, set, &edit);
	step = lc_next(&edit.before, &edit.env);
	if (step.due > edit.env.now || set->hold_until > edit.env.now ||
	    keeper->hold_until > edit.env.now) {
		keeper_reconsider(keeper, set);
		return;
	}
	if (step.action == LC_CREATE) {
		err = keeper_generate_standby(keeper, set);
		keeper_reconsider(keeper, set);
	} else {
		err = keeper_perform(keeper, &edit, &step);
	}
	if (err != JW_OK && err != JW_OUTCOME_UNKNOWN)
		keeper_hold(keeper, set, edit.env.now);
}

static void
prune(struct keeper *keeper, int64_t now)
{
	int64_t boot = keeper->boot();

	/* A clock that jumped makes every request look old. */
	if (!keeper->clock.trusted || keeper->clock.doubted ||
	    (keeper->pruned && boot - keeper->pruned_at < PRUNE_EVERY))
		return;
	keeper->pruned = true;
	keeper->pruned_at = boot;
	if (store_request_prune(
		keeper->store, now - REQUESTS_KEPT_FOR, REQUESTS_KEPT) != JW_OK)
		jw_log(JW_LOG_WARNING, "old requests stay: %s",
		    store_message(keeper->store));
}

/* A wall clock that was set back must not prolong the pause after a failure. */
static void
limit_holds(struct keeper *keeper, int64_t now)
{
	bool set_back = now < keeper->woken_at;
	int64_t most = now + HOLD_MAX;

	keeper->woken_at = now;
	if (!set_back)
		return;
	if (keeper->hold_until > most)
		keeper->hold_until = most;
	if (keeper->note_hold_until > most)
		keeper->note_hold_until = most;
	for (size_t i = 0; i < keeper->nsets; i++)
		if (keeper->sets[i]->hold_until > most)
			keeper->sets[i]->hold_until = most;
	keeper_reconsider_all(keeper);
}

void
keeper_on_wake(int fd, short what, void *arg)
{
	struct keeper *keeper = arg;
	struct keeper_set *set;
	int64_t now = keeper_now(keeper),
		until = jw_clock_monotonic_ms() + PASS_MS;

	(void)fd;
	(void)what;
	if (keeper->trusted != keeper->clock.trusted)
		keeper_note_trust(keeper);
	limit_holds(keeper, now);
	keeper_check_suspend(keeper, now);
	if (store_in_doubt(keeper->store) && keeper->hold_until <= now)
		keeper_recover(keeper);
	if (keeper->store == NULL)
		return; /* the event loop is ending */
	if (store_in_doubt(keeper->store)) {
		arm_timer(keeper, now);
		return;
	}
	keeper_check_place(keeper);
	do {
		set = keeper_first_due(keeper);
		if (set == NULL || set->item.due > now)
			break;
		act(keeper, set);
	} while (jw_clock_monotonic_ms() < until);
	if (keeper->store == NULL || store_in_doubt(keeper->store))
		return;
	/* One scrub for all private keys that are destroyed at the same
	 * time. */
	set = keeper_first_due(keeper);
	if (set == NULL || set->item.due > now)
		keeper_scrub(keeper, BALLAST_SIZE);
	keeper_make_room(keeper);
	keeper_note_late(keeper, now);
	prune(keeper, now);
	arm_timer(keeper, now);
}
