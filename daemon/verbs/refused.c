/*
 * From the servers to the audit, by way of a list and a timer.  Must never
 * delay an answer, nor write while there is no room.
 */
#include "daemon/verbs/refused.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/refused_calls.h"
#include "common/serve/server.h"
#include "daemon/keeper/audit.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/refusals.h"

struct verbs_refused {
	struct keeper *keeper;
	struct event *timer;
	struct keeper_refusals list;
};

static const struct timeval period = {1, 0};

/* ---- what was asked ---- */

/* Empty when it is absent or too long. */
static void
copy_text(const json_t *parameters, const char *name, char *ret, size_t size)
{
	const json_t *value = json_object_get(parameters, name);
	size_t len = json_string_length(value);

	if (json_is_string(value) && len < size)
		memcpy(ret, json_string_value(value), len + 1);
}

/* Which key set, or which key of it, the call names. */
static void
copy_object(const json_t *parameters, struct keeper_refusals_entry *entry)
{
	static const char *const names[] = {"keySet", "name"};
	const char *key = json_string_value(json_object_get(parameters, "key"));
	const json_t *value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = json_object_get(parameters, names[i]);
		if (json_is_string(value) && entry->key_set[0] == '\0')
			keeper_refusals_name_key_set(entry,
			    json_string_value(value),
			    json_string_length(value));
	}
	if (key != NULL)
		keeper_refusals_name_key(entry, key);
}

void
verbs_refused_note(const struct serve_call *call, const char *error, void *arg)
{
	const struct serve_peer *peer = serve_peer(call);
	const struct store_actor actor = {peer->uid, peer->gid, peer->pid};
	const json_t *parameters = serve_parameters(call);
	struct verbs_refused *refused = arg;
	struct keeper_refusals_entry *entry;

	if (!serve_changes(call) && !keeper_refusals_is_denied(error))
		return;
	entry = keeper_refusals_add(&refused->list, keeper_now(refused->keeper),
	    &actor, serve_method(call), error);
	if (entry != NULL) {
		copy_object(parameters, entry);
		copy_text(parameters, "requestId", entry->request_id,
		    sizeof(entry->request_id));
		copy_text(
		    parameters, "reason", entry->reason, sizeof(entry->reason));
	}
	if (!evtimer_pending(refused->timer, NULL))
		evtimer_add(refused->timer, &period);
}

/* ---- writing ---- */

/* JW_STORE_FAILED: they are still to be written. */
static enum jw_err
verbs_write_all(struct verbs_refused *refused)
{
	struct store_refusal rows[REFUSALS_MAX + 1];
	size_t count = keeper_refusals_rows(&refused->list, rows);
	enum jw_err err;

	if (count == 0)
		return JW_OK;
	err = keeper_audit_refusals(refused->keeper, rows, count);
	/* Else there is no room for them, or they are there, or may be. */
	if (err != JW_STORE_FAILED)
		keeper_refusals_clear(&refused->list);
	return err;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct verbs_refused *refused = arg;

	(void)fd;
	(void)what;
	if (verbs_write_all(refused) == JW_STORE_FAILED)
		evtimer_add(refused->timer, &period);
}

/* ---- start and end ---- */

enum jw_err
verbs_refused_new(struct event_base *base, struct keeper *keeper,
    struct verbs_refused **ret_refused)
{
	struct verbs_refused *refused = calloc(1, sizeof(*refused));

	if (refused == NULL)
		return JW_NO_MEMORY;
	refused->keeper = keeper;
	refused->timer = evtimer_new(base, on_timer, refused);
	if (refused->timer == NULL) {
		free(refused);
		return JW_NO_MEMORY;
	}
	*ret_refused = refused;
	return JW_OK;
}

void
verbs_refused_free(struct verbs_refused *refused)
{
	if (refused == NULL)
		return;
	verbs_write_all(refused);
	event_free(refused->timer);
	free(refused);
}
