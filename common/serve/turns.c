/*
 * Fair queueing by measured time (start-time fair queueing): the time that a
 * share or a turn has used is its place in a queue.  Must never let one user
 * delay another one by more than a turn, however many connections that user
 * has and however often it opens new ones.
 */
#include "common/serve/turns.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/base/clock.h"

enum {
	TURN_NS = 400000, /* of one connection */
	SLICE_NS =
	    1000000,     /* of all turns, before the loop runs other events */
	LEAST_NS = 1000, /* that a turn counts as */
	/* How much less time than the others a share is taken to have used
	 * after it was idle: about the longest turn, so that short turns need
	 * not wait for a round. */
	CREDIT_NS = 5000000,
};

struct turns_share {
	LIST_ENTRY(turns_share) link;
	struct jw_deadline item; /* due: the time used, ns */
	struct serve_turns *turns;
	const void *socket;
	uid_t uid;
	size_t members;
	struct jw_deadlines asking; /* turns of this share */
	int64_t floor;              /* the time used of the last one that ran */
	/* What each would have used if all had the same: where new connections
	 * begin.  With less, one that is opened for each call would always be
	 * ahead of those that stay. */
	int64_t even;
};

LIST_HEAD(share_list, turns_share);

struct serve_turns {
	struct event_base *base;
	struct event *run;
	bool armed;                 /* `run` is going to be called */
	struct jw_deadlines asking; /* shares */
	struct share_list list;     /* all of them */
	int64_t floor;
	/* The turn that is under way; NULL: none, or its owner has left. */
	struct serve_turn *current;
	struct turns_share *serving;
	int64_t began;
};

static void
queue(struct jw_deadlines *asking, struct jw_deadline *item, int64_t floor)
{
	int64_t least = floor - CREDIT_NS;
	int64_t used = item->due < least ? least : item->due;

	jw_deadlines_set(asking, item, used);
}

/* ---- running ---- */

static struct turns_share *
share_of(struct jw_deadline *item)
{
	return (
	    struct turns_share *)(void *)((char *)item -
					  offsetof(struct turns_share, item));
}

static struct serve_turn *
turn_of(struct jw_deadline *item)
{
	return (struct serve_turn *)(void *)((char *)item -
					     offsetof(struct serve_turn, item));
}

/* The one that has used least, with the mark for those that come back. */
static struct jw_deadline *
take_first(struct jw_deadlines *asking, int64_t *floor)
{
	struct jw_deadline *first = jw_deadlines_first(asking);

	jw_deadlines_remove(asking, first);
	if (first->due > *floor)
		*floor = first->due;
	return first;
}

/* Charge the time of the turn, and queue it again if it asked. */
static void
settle(struct serve_turns *turns, int64_t now)
{
	struct turns_share *share = turns->serving;
	struct serve_turn *turn = turns->current;
	int64_t used = now - turns->began;

	if (used < LEAST_NS)
		used = LEAST_NS;
	turns->current = NULL;
	turns->serving = NULL;
	share->item.due += used;
	share->even += used / (int64_t)(share->asking.count + 1);
	if (share->even < share->floor)
		share->even = share->floor;
	if (turn != NULL) {
		turn->item.due += used;
		if (turn->again)
			queue(&share->asking, &turn->item, share->floor);
		turn->again = false;
	}
	if (jw_deadlines_first(&share->asking) != NULL)
		queue(&turns->asking, &share->item, turns->floor);
}

/* Returns when it ended. */
static int64_t
run_next(struct serve_turns *turns, int64_t now)
{
	struct turns_share *share =
	    share_of(take_first(&turns->asking, &turns->floor));
	struct serve_turn *turn =
	    turn_of(take_first(&share->asking, &share->floor));

	turns->serving = share;
	turns->current = turn;
	turns->began = now;
	turn->run(turn->arg);
	now = jw_clock_monotonic_ns();
	settle(turns, now);
	return now;
}

static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct serve_turns *turns = arg;
	int64_t now = jw_clock_monotonic_ns(), end = now + SLICE_NS;

	(void)fd;
	(void)what;
	while (jw_deadlines_first(&turns->asking) != NULL && now < end &&
	       !event_base_got_break(turns->base))
		now = run_next(turns, now);
	turns->armed = jw_deadlines_first(&turns->asking) != NULL;
	/* A timer: the loop looks at its descriptors before it is called. */
	if (turns->armed)
		evtimer_add(turns->run, &at_once);
}

bool
serve_turns_over(const struct serve_turns *turns)
{
	return jw_clock_monotonic_ns() - turns->began >= TURN_NS;
}

/* ---- taking part ---- */

void
serve_turn_ask(struct serve_turn *turn)
{
	struct turns_share *share = turn->share;
	struct serve_turns *turns = share->turns;

	if (turn == turns->current) {
		turn->again = true;
		return;
	}
	if (turn->item.place != 0)
		return;
	queue(&share->asking, &turn->item, share->floor);
	/* The share that is being served comes back when its turn ends. */
	if (share == turns->serving)
		return;
	if (share->item.place == 0)
		queue(&turns->asking, &share->item, turns->floor);
	if (!turns->armed && turns->serving == NULL)
		event_active(turns->run, EV_TIMEOUT, 0);
	turns->armed = true;
}

/* A share without members is kept as long as it has used more than others:
 * its user may come back at once. */
static void
forget_idle(struct serve_turns *turns)
{
	struct turns_share *share = LIST_FIRST(&turns->list), *next;

	for (; share != NULL; share = next) {
		next = LIST_NEXT(share, link);
		if (share->members > 0 || share->item.due > turns->floor ||
		    share == turns->serving)
			continue;
		LIST_REMOVE(share, link);
		jw_deadlines_done(&share->asking);
		free(share);
	}
}

static struct turns_share *
serve_find_share(struct serve_turns *turns, const void *socket, uid_t uid)
{
	struct turns_share *share;

	LIST_FOREACH (share, &turns->list, link)
		if (share->socket == socket && share->uid == uid)
			return share;
	forget_idle(turns);
	share = calloc(1, sizeof(*share));
	if (share == NULL)
		return NULL;
	share->turns = turns;
	share->socket = socket;
	share->uid = uid;
	LIST_INSERT_HEAD(&turns->list, share, link);
	return share;
}

enum jw_err
serve_turn_join(struct serve_turn *turn, struct serve_turns *turns,
    const void *socket, uid_t uid, void (*run)(void *arg), void *arg)
{
	struct turns_share *share = serve_find_share(turns, socket, uid);

	if (share == NULL)
		return JW_NO_MEMORY;
	share->members++;
	*turn = (struct serve_turn){
	    .item.due = share->even,
	    .share = share,
	    .run = run,
	    .arg = arg,
	};
	return JW_OK;
}

void
serve_turn_leave(struct serve_turn *turn)
{
	struct turns_share *share = turn->share;

	if (share == NULL)
		return;
	jw_deadlines_remove(&share->asking, &turn->item);
	if (turn == share->turns->current)
		share->turns->current = NULL;
	if (jw_deadlines_first(&share->asking) == NULL)
		jw_deadlines_remove(&share->turns->asking, &share->item);
	share->members--;
	turn->share = NULL;
}

/* ---- start and end ---- */

enum jw_err
serve_turns_new(struct event_base *base, struct serve_turns **ret_turns)
{
	struct serve_turns *turns = calloc(1, sizeof(*turns));

	if (turns == NULL)
		return JW_NO_MEMORY;
	turns->base = base;
	LIST_INIT(&turns->list);
	turns->run = evtimer_new(base, on_run, turns);
	if (turns->run == NULL) {
		free(turns);
		return JW_NO_MEMORY;
	}
	*ret_turns = turns;
	return JW_OK;
}

void
serve_turns_free(struct serve_turns *turns)
{
	struct turns_share *share;

	if (turns == NULL)
		return;
	while ((share = LIST_FIRST(&turns->list)) != NULL) {
		LIST_REMOVE(share, link);
		jw_deadlines_done(&share->asking);
		free(share);
	}
	jw_deadlines_done(&turns->asking);
	event_free(turns->run);
	free(turns);
}
