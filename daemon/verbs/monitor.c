/*
 * Monitor: a snapshot in pages, each made when the one before has been read,
 * then one reply for each change.  A client that does not read gets one last
 * reply that says so and is closed; it never delays the keeper.
 *
 * A change to a key set that a page has shown is sent after the snapshot; one
 * to a key set that is yet to be shown is in its page.  So no change is sent
 * twice, and none is left out.
 */
#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

/* A page ends with the key set that fills it; a key takes less than 1 KiB. */
enum { PAGE_ROWS = 128 };
/* Changes that wait for the end of the snapshot: when there are more, they are
 * sent between two pages, or together they would exceed what is queued. */
enum { HELD_MANY = 500, HELD_MAX = 1000 };

/* A change that waits; its key is encoded as it was then. */
struct held {
	struct verbs_monitor_reply reply;
	char *key_set; /* the reply's */
};

struct monitor {
	struct keeper *keeper;
	struct serve_call *call;
	struct keeper_observer observer;
	int64_t set_id;   /* 0: all */
	int64_t shown_id; /* key sets up to this id have been in a page */
	bool complete;    /* all pages have been sent */
	struct held *held;
	size_t nheld;
	int64_t sequence;
};

static void
monitor_free(struct monitor *monitor)
{
	keeper_unobserve(monitor->keeper, &monitor->observer);
	for (size_t i = 0; i < monitor->nheld; i++) {
		varlink_rows_done(&monitor->held[i].reply.keys);
		free(monitor->held[i].key_set);
	}
	free(monitor->held);
	free(monitor);
}

/* False: the client does not read, and the monitor is gone. */
static bool
monitor_send(struct monitor *monitor, struct verbs_monitor_reply *reply)
{
	struct serve_call *call = monitor->call;
	struct verbs_monitor_reply last = {
	    .event = "lagged",
	    .sequence = monitor->sequence,
	};

	reply->sequence = monitor->sequence;
	if (verbs_continue(call, reply)) {
		monitor->sequence++;
		return true;
	}
	monitor_free(monitor);
	serve_hang_up(call);
	verbs_reply(call, &last);
	return false;
}

/* ---- changes ---- */

/* False: the monitor is gone. */
static bool
send_held(struct monitor *monitor)
{
	struct held *held = monitor->held;
	size_t n = monitor->nheld;
	bool alive = true;

	monitor->held = NULL;
	monitor->nheld = 0;
	for (size_t i = 0; i < n; i++) {
		if (alive)
			alive = monitor_send(monitor, &held[i].reply);
		else
			varlink_rows_done(&held[i].reply.keys);
		free(held[i].key_set);
	}
	free(held);
	return alive;
}

/* False: the monitor is gone. */
static bool
send_or_hold(struct monitor *monitor, struct verbs_monitor_reply *change)
{
	struct held *held;

	if (monitor->complete)
		return monitor_send(monitor, change);
	if (monitor->held == NULL)
		monitor->held = jw_alloc(HELD_MAX * sizeof(*monitor->held));
	assert(monitor->nheld < HELD_MAX);
	held = &monitor->held[monitor->nheld++];
	held->reply = *change;
	held->key_set = jw_strdup(change->key_set);
	held->reply.key_set = held->key_set;
	return monitor->nheld < HELD_MAX || send_held(monitor);
}

static bool
concerns(const struct monitor *monitor, const struct keeper_set *set)
{
	if (set == NULL)
		return true;
	if (monitor->set_id != 0 && monitor->set_id != set->row.id)
		return false;
	return monitor->complete || set->row.id <= monitor->shown_id;
}

static void
monitor_on_news(const struct keeper_news *news, void *arg)
{
	struct monitor *monitor = arg;
	struct verbs_monitor_reply reply = {
	    .key_set = news->set == NULL ? NULL : news->set->row.name,
	};
	struct lc_set view;
	bool alive = true;

	if (!concerns(monitor, news->set))
		return;
	if (news->set != NULL)
		keeper_view(news->set, &view);
	for (size_t i = 0; alive && i < news->count; i++) {
		reply.event = verbs_json_event(news->changes[i].to);
		reply.keys = (struct varlink_rows){NULL, 0};
		verbs_add_key(&reply.keys, reply.key_set, news->keys[i], &view);
		alive = send_or_hold(monitor, &reply);
	}
	if (news->count == 0 && news->order != NULL) {
		reply.event = news->order;
		send_or_hold(monitor, &reply);
	}
}

static void
monitor_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	monitor_free(arg);
}

/* ---- the snapshot ---- */

static void
append_set(struct varlink_rows *keys, const struct keeper_set *set)
{
	struct lc_set view;

	keeper_view(set, &view);
	for (size_t i = 0; i < set->row.nkeys; i++)
		verbs_add_key(keys, set->row.name, &set->row.keys[i], &view);
}

/* The key sets that come next, as far as they fill a page. */
static void
next_keys(struct monitor *monitor, struct varlink_rows *keys)
{
	struct keeper *keeper = monitor->keeper;
	struct keeper_set *set = NULL;
	size_t place = keeper_place_after(keeper, monitor->shown_id);

	if (monitor->set_id != 0) {
		set = keeper_by_id(keeper, monitor->set_id);
		if (set != NULL)
			append_set(keys, set);
		monitor->complete = true;
		return;
	}
	while (keys->count < PAGE_ROWS &&
	       (set = keeper_at(keeper, place)) != NULL) {
		append_set(keys, set);
		monitor->shown_id = set->row.id;
		place++;
	}
	monitor->complete = keeper_at(keeper, place) == NULL;
}

static void
monitor_send_page(struct monitor *monitor)
{
	struct verbs_monitor_reply page = {.event = "snapshot"};

	next_keys(monitor, &page.keys);
	page.complete = monitor->complete;
	if (monitor_send(monitor, &page) && page.complete)
		send_held(monitor);
}

static void
monitor_on_drained(struct serve_call *call, void *arg)
{
	struct monitor *monitor = arg;

	(void)call;
	if (monitor->complete)
		return;
	if (monitor->nheld >= HELD_MANY)
		send_held(monitor);
	else
		monitor_send_page(monitor);
}

void
verbs_monitor(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct verbs *verbs = context;
	struct keeper_set *set;
	struct monitor *monitor;

	if (!verbs_maybe_key_set(call, verbs, asked->key_set, &set))
		return;
	monitor = jw_alloc(sizeof(*monitor));
	*monitor = (struct monitor){
	    .keeper = verbs->keeper,
	    .call = call,
	    .set_id = set == NULL ? 0 : set->row.id,
	    .observer = {.fn = monitor_on_news, .arg = monitor},
	};
	keeper_observe(monitor->keeper, &monitor->observer);
	serve_follow(call, monitor_on_closed, monitor_on_drained, monitor);
	monitor_send_page(monitor);
}
