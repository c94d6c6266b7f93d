/*
 * The documents, streamed to the fronts.  A document is rendered when it is
 * sent and kept nowhere: the body is a function of the version.  Must never
 * send an empty or unchecked set, nor hold the keeper up for a slow front.
 */
#include "daemon/publish.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"
#include "common/varlink.h"
#include "daemon/control.h"
#include "daemon/jwks.h"
#include "daemon/keeper.h"
#include "daemon/keeper_news.h"
#include "daemon/keys.h"

/* Of bodies in one reply: escaped and wrapped they stay under 256 KiB. */
enum { REPLY_BODIES = 96 * 1024 };

struct follower {
	TAILQ_ENTRY(follower) link;
	struct publish *publish;
	struct control_call *call;
	int64_t sent_id;  /* key sets up to this id have been sent */
	bool caught_up;   /* there is nothing left of the first pass */
	bool complete;    /* and it has been told so */
	bool has_any;     /* an empty whole would be a lie: it is yet to come */
	bool is_new;      /* it served nothing before */
	int64_t reported; /* since when it has been serving; 0: not yet */
};

TAILQ_HEAD(follower_list, follower);

struct publish {
	struct keeper *keeper;
	struct keeper_observer observer;
	struct follower_list followers;
	size_t complete_count;
	int64_t inherited; /* since when a replaced front had served */
	bool listening;    /* the listener stays open without a front */
	void (*complete)(void *arg, int64_t pid);
	void *arg;
};

static json_t *
document(const struct keeper_set *set, size_t *ret_size)
{
	char app[MODEL_NAME_SIZE], path[MODEL_NAME_SIZE];
	char etag[KEYS_ETAG_SIZE], cache[JWKS_HEADER_SIZE];
	char *body = NULL;
	json_t *object = NULL;

	if (keeper_render(set, NULL, &body) != JW_OK)
		return NULL;
	*ret_size = strlen(body);
	jwks_location(set->row.name, app, path);
	jwks_cache_control(&set->row.facts.policy, cache);
	if (keys_etag(body, *ret_size, etag) == JW_OK)
		object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I}",
		    "keySet", set->row.name, "app", app, "path", path, "body",
		    body, "etag", etag, "lastModified",
		    (json_int_t)set->row.facts.version_at, "cacheControl",
		    cache, "version", (json_int_t)set->row.facts.version);
	free(body);
	return object;
}

static json_t *
reply(json_t *take_documents, json_t *take_withdrawn, bool complete)
{
	return json_pack("{s:o, s:o, s:b}", "documents", take_documents,
	    "withdrawn", take_withdrawn, "complete", (int)complete);
}

/* Where the first key set behind an id is. */
static size_t
place_after(const struct keeper *keeper, int64_t id)
{
	size_t low = 0, high = keeper_count(keeper);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (keeper_at(keeper, mid)->row.id <= id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
drop_follower(struct follower *follower)
{
	struct publish *publish = follower->publish;

	TAILQ_REMOVE(&publish->followers, follower, link);
	if (follower->complete) {
		publish->complete_count--;
		if (publish->complete_count == 0) {
			/* Whoever comes next takes over from nobody. */
			publish->inherited = 0;
			keeper_not_serving(publish->keeper, publish->listening);
		}
	}
	free(follower);
}

static void
end_follower(struct follower *follower)
{
	struct control_call *call = follower->call;

	jw_log(JW_LOG_WARNING, "a front does not read its documents: closed");
	drop_follower(follower);
	control_hang_up(call);
	control_reply(call, reply(json_array(), json_array(), false));
}

static void
become_complete(struct follower *follower)
{
	struct publish *publish = follower->publish;

	follower->complete = true;
	publish->complete_count++;
	keeper_serving(publish->keeper, follower->reported);
	if (follower->is_new && publish->complete != NULL)
		publish->complete(
		    publish->arg, control_peer(follower->call)->pid);
}

/* The next documents of the first pass. */
static json_t *
next_documents(struct follower *follower)
{
	struct keeper *keeper = follower->publish->keeper;
	size_t place = place_after(keeper, follower->sent_id), bodies = 0;
	json_t *documents = json_array();
	struct keeper_set *set = NULL;

	while (
	    bodies < REPLY_BODIES && (set = keeper_at(keeper, place)) != NULL) {
		size_t size = 0;
		json_t *object = document(set, &size);

		if (object != NULL) {
			json_array_append_new(documents, object);
			follower->has_any = true;
		}
		bodies += size;
		follower->sent_id = set->row.id;
		place++;
	}
	follower->caught_up = keeper_at(keeper, place) == NULL;
	return documents;
}

/* Send, and say so when that was all that exists. */
static void
send_documents(
    struct follower *follower, json_t *take_documents, json_t *take_withdrawn)
{
	bool all =
	    follower->caught_up &&
	    (follower->has_any || keeper_count(follower->publish->keeper) == 0);

	if (!control_continue(
		follower->call, reply(take_documents, take_withdrawn, all)))
		end_follower(follower);
	else if (all && !follower->complete)
		become_complete(follower);
}

static void
on_drained(struct control_call *call, void *arg)
{
	struct follower *follower = arg;

	(void)call;
	if (!follower->caught_up)
		send_documents(
		    follower, next_documents(follower), json_array());
}

static void
on_closed(struct control_call *call, void *arg)
{
	(void)call;
	drop_follower(arg);
}

static void
run_documents(struct control_call *call, void *context)
{
	struct publish *publish = context;
	struct follower *follower = calloc(1, sizeof(*follower));

	if (follower == NULL) {
		control_fail(call, JW_NO_MEMORY, NULL);
		return;
	}
	follower->publish = publish;
	follower->call = call;
	follower->reported = json_integer_value(
	    json_object_get(control_parameters(call), "servingSince"));
	follower->is_new = follower->reported == 0;
	if (follower->is_new)
		follower->reported = publish->inherited;
	TAILQ_INSERT_TAIL(&publish->followers, follower, link);
	control_follow(call, on_closed, on_drained, follower);
	send_documents(follower, next_documents(follower), json_array());
}

/* Whoever has been sent a key set is told of its new version; the others get
 * it in their turn. */
static void
send_change(
    struct follower *follower, const struct keeper_set *set, json_t *object)
{
	json_t *gone;

	if (set->row.id > follower->sent_id && !follower->complete)
		return;
	if (follower->sent_id < set->row.id)
		follower->sent_id = set->row.id;
	if (object == NULL) {
		gone = json_pack("[s]", set->row.name);
		send_documents(follower, json_array(), gone);
		return;
	}
	follower->has_any = true;
	send_documents(follower, json_pack("[O]", object), json_array());
}

static void
on_news(const struct keeper_news *news, void *arg)
{
	struct publish *publish = arg;
	struct follower *follower, *next;
	json_t *object = NULL;
	size_t size;

	if (!news->document_changed || TAILQ_EMPTY(&publish->followers))
		return;
	if (news->set->row.facts.removed_at == 0) {
		object = document(news->set, &size);
		if (object == NULL)
			return; /* the last good one stays */
	}
	for (follower = TAILQ_FIRST(&publish->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		send_change(follower, news->set, object);
	}
	json_decref(object);
}

static const struct control_verb documents_verb = {run_documents};

static const struct varlink_verb publish_verbs[] = {
    {"Documents", VARLINK_MORE | VARLINK_NEEDS_MORE, &documents_verb},
};

enum jw_err
publish_offer(struct varlink_service *service, struct jw_why *why)
{
	return varlink_service_add(service, varlink_text("org.jwksd.publish"),
	    publish_verbs, sizeof(publish_verbs) / sizeof(publish_verbs[0]),
	    why);
}

enum jw_err
publish_new(struct keeper *keeper, int64_t inherited,
    void (*complete)(void *arg, int64_t pid), void *arg,
    struct publish **ret_publish)
{
	struct publish *publish = calloc(1, sizeof(*publish));

	if (publish == NULL)
		return JW_NO_MEMORY;
	TAILQ_INIT(&publish->followers);
	publish->keeper = keeper;
	publish->complete = complete;
	publish->arg = arg;
	publish->inherited = inherited;
	publish->listening = true;
	publish->observer.fn = on_news;
	publish->observer.arg = publish;
	keeper_observe(keeper, &publish->observer);
	*ret_publish = publish;
	return JW_OK;
}

void
publish_free(struct publish *publish)
{
	if (publish == NULL)
		return;
	keeper_unobserve(publish->keeper, &publish->observer);
	free(publish);
}

void
publish_stop(struct publish *publish, bool listening)
{
	publish->listening = listening;
}

size_t
publish_fronts(const struct publish *publish)
{
	return publish->complete_count;
}
