/*
 * Monitor: a snapshot in pages, each made when the one before has been read,
 * then one reply for each change.  A client that does not read is told so once
 * and let go; it never holds the keeper up.
 *
 * A change to a key set that a page has shown is told after the snapshot; one
 * to a key set that is yet to be shown is in its page.  So nothing is told
 * twice, and nothing is left out.
 */
#include <jansson.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

/* A page ends with the key set that fills it; a key takes less than 1 KiB. */
enum { PAGE_ROWS = 128 };
/* Changes that wait for the end of the snapshot: when there are more, they go
 * out between two pages, or together they would be more than is queued. */
enum { HELD_MANY = 500, HELD_MAX = 1000 };

struct monitor {
	struct keeper *keeper;
	struct serve_call *call;
	struct keeper_observer observer;
	int64_t set_id;   /* 0: all */
	int64_t shown_id; /* key sets up to this id have been in a page */
	bool complete;    /* all pages have been sent */
	json_t *held;     /* replies, until then */
	json_int_t sequence;
};

static void
monitor_free(struct monitor *monitor)
{
	keeper_unobserve(monitor->keeper, &monitor->observer);
	json_decref(monitor->held);
	free(monitor);
}

/* False: the client does not read, and the monitor is gone. */
static bool
send(struct monitor *monitor, json_t *take_reply)
{
	struct serve_call *call = monitor->call;
	json_t *last;

	json_object_set_new(
	    take_reply, "sequence", json_integer(monitor->sequence));
	if (serve_continue(call, take_reply)) {
		monitor->sequence++;
		return true;
	}
	last = json_pack("{s:s, s:[], s:I}", "event", "lagged", "keys",
	    "sequence", monitor->sequence);
	monitor_free(monitor);
	serve_hang_up(call);
	serve_reply(call, last);
	return false;
}

/* ---- changes ---- */

static bool
send_held(struct monitor *monitor)
{
	json_t *held = monitor->held;
	bool alive = true;

	monitor->held = json_array();
	for (size_t i = 0; alive && i < json_array_size(held); i++)
		alive = send(monitor, json_incref(json_array_get(held, i)));
	json_decref(held);
	return alive;
}

/* False: the monitor is gone. */
static bool
verbs_tell(struct monitor *monitor, json_t *take_reply)
{
	if (monitor->complete)
		return send(monitor, take_reply);
	json_array_append_new(monitor->held, take_reply);
	return json_array_size(monitor->held) < HELD_MAX || send_held(monitor);
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
	const char *name = news->set == NULL ? NULL : news->set->row.name;
	struct lc_set view;

	if (!concerns(monitor, news->set))
		return;
	if (news->set != NULL)
		keeper_view(news->set, &view);
	for (size_t i = 0; i < news->count; i++) {
		const struct key *key = news->keys[i];

		if (!verbs_tell(
			monitor, json_pack("{s:s, s:s, s:[o]}", "event",
				     verbs_json_event(news->changes[i].to),
				     "keySet", name, "keys",
				     verbs_json_key(name, key, &view, false))))
			return;
	}
	if (news->count == 0 && news->order != NULL)
		verbs_tell(monitor, json_pack("{s:s, s:s*, s:[]}", "event",
					news->order, "keySet", name, "keys"));
}

static void
monitor_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	monitor_free(arg);
}

/* ---- the snapshot ---- */

static void
append_set(json_t *keys, const struct keeper_set *set)
{
	struct lc_set view;

	keeper_view(set, &view);
	for (size_t i = 0; i < set->row.nkeys; i++)
		json_array_append_new(
		    keys, verbs_json_key(
			      set->row.name, &set->row.keys[i], &view, false));
}

/* The key sets that come next, as far as they fill a page. */
static json_t *
next_keys(struct monitor *monitor)
{
	struct keeper *keeper = monitor->keeper;
	json_t *keys = json_array();
	struct keeper_set *set = NULL;
	size_t place = keeper_place_after(keeper, monitor->shown_id);

	if (monitor->set_id != 0) {
		set = keeper_by_id(keeper, monitor->set_id);
		if (set != NULL)
			append_set(keys, set);
		monitor->complete = true;
		return keys;
	}
	while (json_array_size(keys) < PAGE_ROWS &&
	       (set = keeper_at(keeper, place)) != NULL) {
		append_set(keys, set);
		monitor->shown_id = set->row.id;
		place++;
	}
	monitor->complete = keeper_at(keeper, place) == NULL;
	return keys;
}

static void
monitor_send_page(struct monitor *monitor)
{
	json_t *page = json_pack(
	    "{s:s, s:o}", "event", "snapshot", "keys", next_keys(monitor));

	if (monitor->complete)
		json_object_set_new(page, "complete", json_true());
	if (send(monitor, page) && monitor->complete)
		send_held(monitor);
}

static void
verbs_on_drained(struct serve_call *call, void *arg)
{
	struct monitor *monitor = arg;

	(void)call;
	if (monitor->complete)
		return;
	if (json_array_size(monitor->held) >= HELD_MANY)
		send_held(monitor);
	else
		monitor_send_page(monitor);
}

void
verbs_monitor(struct serve_call *call, void *context)
{
	struct verbs *verbs = context;
	struct keeper_set *set = NULL;
	struct monitor *monitor;

	if (verbs_string(serve_parameters(call), "keySet", NULL) != NULL) {
		set = verbs_key_set(call, verbs);
		if (set == NULL)
			return;
	}
	monitor = jw_alloc(sizeof(*monitor));
	*monitor = (struct monitor){
	    .keeper = verbs->keeper,
	    .call = call,
	    .set_id = set == NULL ? 0 : set->row.id,
	    .held = json_array(),
	    .observer = {.fn = monitor_on_news, .arg = monitor},
	};
	keeper_observe(monitor->keeper, &monitor->observer);
	serve_follow(call, monitor_on_closed, verbs_on_drained, monitor);
	monitor_send_page(monitor);
}
