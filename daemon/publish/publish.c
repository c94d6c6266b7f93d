/*
 * The documents, streamed to the fronts.  A document is rendered when it is
 * sent and kept nowhere: the body is a function of the version.  Must never
 * send an empty or unchecked set, nor hold the keeper up for a slow front.
 */
#include "daemon/publish/publish.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"
#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"
#include "daemon/crypto/keys.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/fronts.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/publish/strays.h"

/* Of bodies in one reply: escaped and wrapped they stay under 256 KiB. */
enum { REPLY_BODIES = 96 * 1024 };
/* A front that has not read what was sent so long ago hangs. */
enum { TICK_S = 10 };
enum {
	/* Between looks at what fronts have read. */
	LOOK_MIN_MS = 5,
	LOOK_MAX_MS = 200,
	/* It has left the kernel at the first look, and is in force with the
	 * front at the second. */
	LOOKS = 2,
	/* Fronts of a keeper before this one are back by then. */
	RETURN_MS = 1500,
};

struct follower {
	TAILQ_ENTRY(follower) link;
	struct publish *publish;
	struct serve_call *call;
	int64_t sent_id; /* key sets up to this id have been sent */
	bool caught_up;  /* there is nothing left of the first pass */
	bool complete;   /* and it has been told so */
	bool has_read;   /* and has read all that: it serves it */
	int quiet;       /* looks in a row that found everything read */
	size_t unread;   /* octets, when last looked at */
	bool silent;     /* has read nothing since the last tick */
	bool has_any;    /* an empty whole would be a lie: it is yet to come */
	bool is_front;   /* what it is sent is served */
	int64_t pid;
	int64_t reported; /* to the keeper (servable.h) */
};

TAILQ_HEAD(follower_list, follower);

struct publish {
	struct keeper *keeper;
	struct keeper_observer observer;
	struct follower_list followers;
	size_t complete_count;
	bool listener_stays; /* open, while no front runs */
	struct event *tick;
	struct event *look; /* while something may be unread */
	int64_t look_ms;
	int64_t settled_ms; /* fronts that are not back are not there */
	struct publish_strays strays;
	bool stalled; /* a front hung, and none has begun to serve since */
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
	document_location(set->row.name, app, path);
	document_cache_control(&set->row.facts.policy, cache);
	if (crypto_etag(body, *ret_size, etag) == JW_OK)
		object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I}",
		    "keySet", set->row.name, "app", app, "path", path, "body",
		    body, "etag", etag, "lastModified",
		    (json_int_t)set->row.facts.version_at, "cacheControl",
		    cache, "version", (json_int_t)set->row.facts.version);
	free(body);
	return object;
}

/* What one reply says, beside `complete`; NULL: nothing. */
struct content {
	json_t *documents;
	json_t *withdrawn;
	json_t *kept;
};

static json_t *
or_empty(json_t *take_array)
{
	return take_array != NULL ? take_array : json_array();
}

static json_t *
publish_reply(const struct content *take_content, bool complete)
{
	return json_pack("{s:o, s:o, s:b, s:o*}", "documents",
	    or_empty(take_content->documents), "withdrawn",
	    or_empty(take_content->withdrawn), "complete", (int)complete,
	    "kept", take_content->kept);
}

static bool
is_serving(const struct follower *follower)
{
	return follower->has_read && follower->is_front;
}

/* Look soon, and then less and less often, whether it has been read. */
static void
look_later(struct publish *publish, int64_t wait_ms)
{
	struct timeval wait = jw_timeval_ms(wait_ms);

	publish->look_ms = wait_ms;
	evtimer_add(publish->look, &wait);
}

static void
drop_follower(struct follower *follower)
{
	struct publish *publish = follower->publish;

	TAILQ_REMOVE(&publish->followers, follower, link);
	/* Its process may serve on what it has. */
	if (follower->is_front)
		publish_strays_add(
		    &publish->strays, follower->pid, jw_clock_monotonic_ms());
	if (is_serving(follower)) {
		publish->complete_count--;
		if (publish->complete_count == 0)
			keeper_not_serving(
			    publish->keeper, publish->listener_stays);
	}
	free(follower);
}

static void
end_follower(struct follower *follower)
{
	const struct content none = {NULL, NULL, NULL};
	struct serve_call *call = follower->call;

	jw_log(JW_LOG_WARNING, "a front does not read its documents: closed");
	if (is_serving(follower))
		follower->publish->stalled = true;
	drop_follower(follower);
	serve_hang_up(call);
	serve_reply(call, publish_reply(&none, false));
}

static void
begin_serving(struct follower *follower)
{
	struct publish *publish = follower->publish;

	follower->has_read = true;
	if (!follower->is_front)
		return;
	publish_strays_remove(&publish->strays, follower->pid);
	publish->complete_count++;
	/* What hung does not know it: its clients were not answered. */
	if (publish->stalled && publish->complete_count == 1)
		follower->reported = SERVABLE_REFUSED;
	publish->stalled = false;
	keeper_serving(publish->keeper, follower->reported);
}

/* A front must not take the lack of a document for the end of a key set. */
static void
publish_add_set(struct content *content, struct keeper_set *set, size_t *bodies)
{
	size_t size = 0;
	json_t *object = document(set, &size);

	set->unsent = object == NULL;
	if (object != NULL) {
		json_array_append_new(content->documents, object);
		*bodies += size;
		return;
	}
	if (content->kept == NULL)
		content->kept = json_array();
	json_array_append_new(content->kept, json_string(set->row.name));
	*bodies += sizeof(set->row.name);
}

/* The next documents of the first pass. */
static struct content
next_documents(struct follower *follower)
{
	struct keeper *keeper = follower->publish->keeper;
	size_t place = keeper_place_after(keeper, follower->sent_id);
	struct content content = {.documents = json_array()};
	struct keeper_set *set = NULL;
	size_t bodies = 0;

	while (
	    bodies < REPLY_BODIES && (set = keeper_at(keeper, place)) != NULL) {
		publish_add_set(&content, set, &bodies);
		follower->sent_id = set->row.id;
		place++;
	}
	if (json_array_size(content.documents) > 0)
		follower->has_any = true;
	follower->caught_up = keeper_at(keeper, place) == NULL;
	return content;
}

static void
note_sent(struct follower *follower, bool all)
{
	follower->complete |= all;
	follower->quiet = 0;
	look_later(follower->publish, LOOK_MIN_MS);
}

/* Nothing but reading makes it less. */
static void
note_unread(struct follower *follower)
{
	size_t unread = serve_unread(follower->call);

	if (unread == 0 || unread < follower->unread)
		follower->silent = false;
	follower->unread = unread;
}

/* Send, and say so when that was all that exists.  False: the follower reads
 * too little, and is gone. */
static bool
send_content(struct follower *follower, struct content take_content)
{
	bool all =
	    follower->caught_up &&
	    (follower->has_any || keeper_count(follower->publish->keeper) == 0);

	note_unread(follower);
	if (!serve_continue(
		follower->call, publish_reply(&take_content, all))) {
		end_follower(follower);
		return false;
	}
	follower->unread = serve_unread(follower->call);
	note_sent(follower, all);
	return true;
}

static void
publish_on_drained(struct serve_call *call, void *arg)
{
	struct follower *follower = arg;

	(void)call;
	if (!follower->caught_up)
		(void)send_content(follower, next_documents(follower));
}

static void
publish_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	drop_follower(arg);
}

/* Its clock is ours, but it may have been set between two looks at it. */
static bool
may_be_since(int64_t since, struct keeper *keeper)
{
	return since >= 0 && since <= keeper_now(keeper) + 1;
}

struct documents_request {
	struct varlink_maybe_int serving_since, front;
	bool refused;
};

static const struct varlink_layout documents_request =
    VARLINK_LAYOUT(documents_request,
	VARLINK_MEMBER(documents_request, "servingSince", serving_since,
	    varlink_maybe_int),
	VARLINK_MEMBER(documents_request, "refused", refused, varlink_bool),
	VARLINK_MEMBER(documents_request, "front", front, varlink_maybe_int));

static void
run_documents(struct serve_call *call, const void *request, void *context)
{
	const struct documents_request *asked = request;
	struct publish *publish = context;
	struct follower *follower;

	if (!may_be_since(asked->serving_since.value, publish->keeper)) {
		serve_fail(call, JW_INVALID_PARAMETER,
		    json_pack("{s:s}", "parameter", "servingSince"));
		return;
	}
	follower = jw_alloc(sizeof(*follower));
	*follower = (struct follower){
	    .publish = publish,
	    .call = call,
	    .is_front = asked->front.value >= 0,
	    /* A client that does not say that it is a front need not return. */
	    .pid = asked->front.given ? serve_peer(call)->pid : 0,
	    .reported =
		asked->refused ? SERVABLE_REFUSED : asked->serving_since.value,
	};
	TAILQ_INSERT_TAIL(&publish->followers, follower, link);
	serve_follow(call, publish_on_closed, publish_on_drained, follower);
	(void)send_content(follower, next_documents(follower));
}

/*
 * A key set that a follower has not been sent yet comes with those that began
 * at the same time, as many in a reply as there is room for.  A follower that
 * still waits for earlier replies gets them after those.
 */
static void
send_new(struct follower *follower, const struct keeper_set *set)
{
	if (follower->caught_up && set->row.facts.removed_at == 0)
		(void)send_content(follower, next_documents(follower));
}

/* Another version of a key set that the follower has; object NULL: it is
 * gone. */
static void
send_change(
    struct follower *follower, const struct keeper_set *set, json_t *object)
{
	struct content content = {NULL, NULL, NULL};

	if (object == NULL) {
		content.withdrawn = json_pack("[s]", set->row.name);
	} else {
		content.documents = json_pack("[O]", object);
		follower->has_any = true;
	}
	(void)send_content(follower, content);
}

static void
publish_on_news(const struct keeper_news *news, void *arg)
{
	struct publish *publish = arg;
	struct follower *follower, *next;
	json_t *object = NULL;
	size_t size;

	if (!news->document_changed || TAILQ_EMPTY(&publish->followers))
		return;
	if (news->set->row.facts.removed_at == 0 && !news->is_new) {
		object = document(news->set, &size);
		news->set->unsent = object == NULL;
		if (object == NULL)
			return; /* the last good one stays */
	}
	for (follower = TAILQ_FIRST(&publish->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		if (news->set->row.id > follower->sent_id)
			send_new(follower, news->set);
		else if (!news->is_new)
			send_change(follower, news->set, object);
	}
	json_decref(object);
}

/* ---- what has been read ---- */

/* Every front has all that was sent; none is away, and one is there. */
static bool
is_all_read(struct publish *publish)
{
	int64_t now = jw_clock_monotonic_ms();
	const struct follower *follower;

	TAILQ_FOREACH(follower, &publish->followers, link)
	if (follower->is_front &&
	    (!follower->has_read || !follower->caught_up ||
		follower->quiet < LOOKS))
		return false;
	return publish->complete_count > 0 && now >= publish->settled_ms &&
	       !publish_strays_any(&publish->strays, now);
}

static void
look_at(struct follower *follower)
{
	note_unread(follower);
	if (follower->unread > 0)
		follower->quiet = 0;
	else if (follower->quiet < LOOKS)
		follower->quiet++;
	if (follower->complete && !follower->has_read &&
	    follower->quiet == LOOKS)
		begin_serving(follower);
}

/* Something to wait for: that it is read, or that a front begins. */
static bool
is_worth_a_look(const struct publish *publish)
{
	const struct follower *follower;

	if (publish->complete_count > 0 && keeper_is_unread(publish->keeper))
		return true;
	TAILQ_FOREACH(follower, &publish->followers, link)
	if (follower->complete && !follower->has_read)
		return true;
	return false;
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct publish *publish = arg;
	struct follower *follower, *next;
	int64_t wait = publish->look_ms * 2;

	(void)fd;
	(void)what;
	for (follower = TAILQ_FIRST(&publish->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		look_at(follower);
	}
	if (keeper_is_unread(publish->keeper) && is_all_read(publish))
		keeper_read(publish->keeper);
	else if (is_worth_a_look(publish) &&
		 !evtimer_pending(publish->look, NULL))
		look_later(publish, wait < LOOK_MAX_MS ? wait : LOOK_MAX_MS);
}

/* A front that hangs answers no request, and would count for ever. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct publish *publish = arg;
	const struct content none = {NULL, NULL, NULL};
	struct follower *follower, *next;

	(void)fd;
	(void)what;
	for (follower = TAILQ_FIRST(&publish->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		if (!follower->complete || !follower->is_front)
			continue;
		note_unread(follower);
		if (follower->unread > 0 && follower->silent)
			end_follower(follower);
		else if (send_content(follower, none))
			follower->silent = true;
	}
}

static const struct varlink_verb publish_verbs[] = {
    {"Documents", VARLINK_MORE | VARLINK_NEEDS_MORE, run_documents,
	&documents_request, NULL},
};

enum jw_err
publish_offer(struct varlink_service *service, struct jw_why *why)
{
	return varlink_service_add(service, varlink_text("org.jwksd.publish"),
	    publish_verbs, sizeof(publish_verbs) / sizeof(publish_verbs[0]),
	    why);
}

static void
events_free(struct publish *publish)
{
	if (publish->tick != NULL)
		event_free(publish->tick);
	if (publish->look != NULL)
		event_free(publish->look);
}

enum jw_err
publish_new(struct event_base *base, struct keeper *keeper, bool listener_stays,
    struct publish **ret_publish)
{
	struct publish *publish = calloc(1, sizeof(*publish));
	const struct timeval wait = {TICK_S, 0};

	if (publish == NULL)
		return JW_NO_MEMORY;
	TAILQ_INIT(&publish->followers);
	/* There are none before the first key. */
	if (keeper_generations(keeper) > 0)
		publish->settled_ms = jw_clock_monotonic_ms() + RETURN_MS;
	publish->tick = event_new(base, -1, EV_PERSIST, on_tick, publish);
	publish->look = evtimer_new(base, on_look, publish);
	if (publish->tick == NULL || publish->look == NULL ||
	    event_add(publish->tick, &wait) != 0) {
		events_free(publish);
		free(publish);
		return JW_NO_MEMORY;
	}
	publish->keeper = keeper;
	publish->listener_stays = listener_stays;
	publish->observer.fn = publish_on_news;
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
	events_free(publish);
	publish_strays_done(&publish->strays);
	free(publish);
}

void
publish_stop(struct publish *publish, bool listener_stays)
{
	publish->listener_stays = listener_stays;
}

size_t
publish_fronts(const struct publish *publish)
{
	return publish->complete_count;
}
