/*
 * Monitor: a snapshot, then one reply for each change.  A client that does
 * not read is told so once and let go; it never holds the keeper up.
 */
#include <jansson.h>
#include <stdlib.h>

#include "daemon/control.h"
#include "daemon/keeper.h"
#include "daemon/keeper_news.h"
#include "daemon/verbs.h"
#include "daemon/wire.h"

struct monitor {
	struct keeper *keeper;
	struct control_call *call;
	struct keeper_observer observer;
	int64_t set_id; /* 0: all */
	json_int_t sequence;
};

static json_t *
reply(struct monitor *monitor, const char *event, json_t *take_keys)
{
	return json_pack("{s:s, s:o, s:I}", "event", event, "keys", take_keys,
	    "sequence", monitor->sequence++);
}

static void
monitor_free(struct monitor *monitor)
{
	keeper_unobserve(monitor->keeper, &monitor->observer);
	free(monitor);
}

static bool
send(struct monitor *monitor, const char *event, json_t *take_keys)
{
	struct control_call *call = monitor->call;
	json_t *last;

	if (control_continue(call, reply(monitor, event, take_keys)))
		return true;
	last = reply(monitor, "lagged", json_array());
	monitor_free(monitor);
	control_hang_up(call);
	control_reply(call, last);
	return false;
}

static void
on_news(const struct keeper_news *news, void *arg)
{
	struct monitor *monitor = arg;
	const char *name = news->set->row.name;
	struct lc_set view;

	if (monitor->set_id != 0 && monitor->set_id != news->set->row.id)
		return;
	keeper_view(news->set, &view);
	for (size_t i = 0; i < news->count; i++) {
		const struct key *key = news->keys[i];

		if (!send(monitor, wire_event(news->changes[i].to),
			json_pack("[o]", wire_key(name, key, &view, false))))
			return;
	}
	if (news->count == 0 && news->order != NULL)
		send(monitor, news->order, json_array());
}

static void
on_closed(struct control_call *call, void *arg)
{
	(void)call;
	monitor_free(arg);
}

static void
append_set(json_t *keys, const struct keeper_set *set)
{
	struct lc_set view;

	keeper_view(set, &view);
	for (size_t i = 0; i < set->row.nkeys; i++)
		json_array_append_new(keys,
		    wire_key(set->row.name, &set->row.keys[i], &view, false));
}

static json_t *
snapshot(const struct monitor *monitor)
{
	json_t *keys = json_array();
	struct keeper_set *set;

	for (size_t i = 0; (set = keeper_at(monitor->keeper, i)) != NULL; i++)
		if (monitor->set_id == 0 || monitor->set_id == set->row.id)
			append_set(keys, set);
	return keys;
}

void
verbs_monitor(struct control_call *call, void *context)
{
	struct verbs *verbs = context;
	struct keeper_set *set = NULL;
	struct monitor *monitor;

	if (verbs_string(control_parameters(call), "keySet", NULL) != NULL) {
		set = verbs_key_set(call, verbs);
		if (set == NULL)
			return;
	}
	monitor = calloc(1, sizeof(*monitor));
	if (monitor == NULL) {
		control_fail(call, JW_NO_MEMORY, NULL);
		return;
	}
	monitor->keeper = verbs->keeper;
	monitor->call = call;
	monitor->set_id = set == NULL ? 0 : set->row.id;
	monitor->observer.fn = on_news;
	monitor->observer.arg = monitor;
	keeper_observe(monitor->keeper, &monitor->observer);
	control_follow(call, on_closed, NULL, monitor);
	send(monitor, "snapshot", snapshot(monitor));
}
