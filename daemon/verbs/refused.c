/*
 * Refused calls are collected in a list, which a timer writes to the audit.
 * Must never delay an answer, nor write while the disk is full.
 */
#include "daemon/verbs/refused.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/server.h"
#include "common/wire/varlink_struct.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/refusals.h"

struct verbs_refused {
	struct keeper *keeper;
	struct event *timer;
	struct keeper_refusals list;
};

static const struct timeval period = {1, 0};

/* ---- the call ---- */

/* What a call names; a method has some of these parameters. */
struct named {
	const char *key_set, *name, *key, *request_id, *reason;
};

static const struct varlink_layout named_layout = VARLINK_LAYOUT(named,
    VARLINK_MEMBER(named, "keySet", key_set, varlink_string),
    VARLINK_MEMBER(named, "name", name, varlink_string),
    VARLINK_MEMBER(named, "key", key, varlink_string),
    VARLINK_MEMBER(named, "requestId", request_id, varlink_string),
    VARLINK_MEMBER(named, "reason", reason, varlink_string));

/* Empty when it is absent or too long. */
static void
copy_text(const char *text, char *ret, size_t size)
{
	size_t len = text == NULL ? 0 : strlen(text);

	if (len > 0 && len < size)
		memcpy(ret, text, len + 1);
}

static void
copy_named(const struct serve_call *call, struct keeper_refusals_entry *entry)
{
	struct named named;
	const char *key_set;

	varlink_decode(&named_layout, serve_parameters(call), &named);
	key_set = named.key_set != NULL ? named.key_set : named.name;
	if (key_set != NULL)
		keeper_refusals_name_key_set(entry, key_set, strlen(key_set));
	if (named.key != NULL)
		keeper_refusals_name_key(entry, named.key);
	copy_text(
	    named.request_id, entry->request_id, sizeof(entry->request_id));
	copy_text(named.reason, entry->reason, sizeof(entry->reason));
}

void
verbs_refused_note(const struct serve_call *call, const char *error, void *arg)
{
	const struct serve_peer *peer = serve_peer(call);
	const struct store_actor actor = {peer->uid, peer->gid, peer->pid};
	struct verbs_refused *refused = arg;
	struct keeper_refusals_entry *entry;

	if (!serve_changes(call) && !keeper_refusals_is_denied(error))
		return;
	entry = keeper_refusals_add(&refused->list, keeper_now(refused->keeper),
	    &actor, serve_method(call), error);
	if (entry != NULL)
		copy_named(call, entry);
	if (!evtimer_pending(refused->timer, NULL))
		evtimer_add(refused->timer, &period);
}

/* ---- writing ---- */

/* JW_STORE_FAILED: the list is still to be written. */
static enum jw_err
write_all(struct verbs_refused *refused)
{
	struct store_refusal rows[REFUSALS_MAX + 1];
	size_t count = keeper_refusals_rows(&refused->list, rows);
	enum jw_err err;

	if (count == 0)
		return JW_OK;
	err = keeper_audit_refusals(refused->keeper, rows, count);
	/* Otherwise the disk is full, or the rows are or may be written. */
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
	if (write_all(refused) == JW_STORE_FAILED)
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
	write_all(refused);
	event_free(refused->timer);
	free(refused);
}
