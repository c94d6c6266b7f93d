/*
 * The documents, streamed to the fronts.  A document is rendered when it is
 * sent and kept nowhere: the body is a function of the version.  Must never
 * send an empty or unchecked set, nor let the keeper wait for a slow front.
 */
#include "daemon/publish/publish.h"

#include <assert.h>
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
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"
#include "daemon/crypto/keys.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/fronts.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/publish/strays.h"

enum {
	/* Octets of bodies in one reply: escaped, and with their other members,
	 * they stay below 256 KiB. */
	REPLY_BODIES = 96 * 1024,
	/* Between two empty replies, which show whether a front still reads. */
	PING_S = 10,
	/* Between two polls of what fronts have read. */
	POLL_MIN_MS = 5,
	POLL_MAX_MS = 200,
	/* Polls in a row that find everything read: at the first one the front
	 * has read it from the kernel, at the second one it serves it. */
	POLLS = 2,
	/* After a start, for fronts of the keeper before to connect again. */
	RETURN_MS = 1500,
};

struct follower {
	TAILQ_ENTRY(follower) link;
	struct publish *publish;
	struct serve_call *call;
	int64_t sent_id; /* key sets up to this id have been sent */
	bool caught_up;  /* key sets that existed at the call have been sent */
	bool complete;   /* a reply with `complete` has been sent */
	bool has_read;   /* and has been read: the follower serves all that */
	int quiet;       /* polls in a row that found everything read */
	size_t unread;   /* octets, at the last poll */
	bool silent;     /* has read nothing since the last ping */
	bool has_any;    /* a document has been sent */
	bool is_front;   /* serves what it is sent */
	int64_t pid;
	int64_t reported; /* what keeper_serving() takes */
};

TAILQ_HEAD(follower_list, follower);

struct publish {
	struct keeper *keeper;
	struct keeper_observer observer;
	struct follower_list followers;
	size_t complete_count;
	bool listener_stays; /* open, while no front runs */
	struct event *ping;
	struct event *poll; /* while something may be unread */
	int64_t poll_ms;
	int64_t settled_ms; /* fronts that connect later are new ones */
	struct publish_strays strays;
	bool stalled; /* a front hung, and no other has begun to serve since */
};

static json_t *
make_document(const struct keeper_set *set, size_t *ret_size)
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

/* The members of one reply, but for `complete`; NULL: an empty one. */
struct publish_content {
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
publish_reply(const struct publish_content *take_content, bool complete)
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

static void
poll_later(struct publish *publish, int64_t wait_ms)
{
	struct timeval wait = jw_timeval_ms(wait_ms);

	publish->poll_ms = wait_ms;
	evtimer_add(publish->poll, &wait);
}

static void
drop_follower(struct follower *follower)
{
	struct publish *publish = follower->publish;

	TAILQ_REMOVE(&publish->followers, follower, link);
	/* Its process may live, and serve what it has been sent. */
	if (follower->is_front)
		publish_strays_add(
		    &publish->strays, follower->pid, jw_clock_monotonic_ms());
	if (is_serving(follower)) {
		assert(publish->complete_count > 0);
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
	const struct publish_content none = {NULL, NULL, NULL};
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

	assert(follower->complete && !follower->has_read);
	follower->has_read = true;
	if (!follower->is_front)
		return;
	publish_strays_remove(&publish->strays, follower->pid);
	publish->complete_count++;
	/* A front that hung does not know that its clients got no answer. */
	if (publish->stalled && publish->complete_count == 1)
		follower->reported = SERVABLE_REFUSED;
	publish->stalled = false;
	keeper_serving(publish->keeper, follower->reported);
}

/* Without a document a key set is named in `kept`: otherwise a front would
 * withdraw it. */
static void
publish_add_set(
    struct publish_content *content, struct keeper_set *set, size_t *bodies)
{
	size_t size = 0;
	json_t *object = make_document(set, &size);

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
static struct publish_content
next_documents(struct follower *follower)
{
	struct keeper *keeper = follower->publish->keeper;
	size_t place = keeper_place_after(keeper, follower->sent_id);
	struct publish_content content = {.documents = json_array()};
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
	poll_later(follower->publish, POLL_MIN_MS);
}

static void
note_unread(struct follower *follower)
{
	size_t unread = serve_unread(follower->call);

	if (unread == 0 || unread < follower->unread)
		follower->silent = false;
	follower->unread = unread;
}

/* `complete` is true once every key set has been sent.  False: the follower has
 * left too much unread, and has been closed. */
static bool
send_content(struct follower *follower, struct publish_content take_content)
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
		send_content(follower, next_documents(follower));
}

static void
publish_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	drop_follower(arg);
}

/* The front reads the same clock, which may have been set since. */
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
	send_content(follower, next_documents(follower));
}

/*
 * A key set that the follower has not been sent yet goes with the next ones, as
 * many in a reply as there is room for.  To a follower that has not caught up
 * they are sent when it has read the earlier replies.
 */
static void
send_new(struct follower *follower, const struct keeper_set *set)
{
	if (follower->caught_up && set->row.facts.removed_at == 0)
		send_content(follower, next_documents(follower));
}

/* Another version of a key set that the follower has been sent; object NULL:
 * the key set is gone. */
static void
send_change(
    struct follower *follower, const struct keeper_set *set, json_t *object)
{
	struct publish_content content = {NULL, NULL, NULL};

	if (object == NULL) {
		content.withdrawn = json_pack("[s]", set->row.name);
	} else {
		content.documents = json_pack("[O]", object);
		follower->has_any = true;
	}
	send_content(follower, content);
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
		object = make_document(news->set, &size);
		news->set->unsent = object == NULL;
		if (object == NULL)
			return; /* fronts keep the one before */
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

/* At least one front serves, every front has read all that was sent, and no
 * front is without a connection. */
static bool
is_all_read(struct publish *publish)
{
	int64_t now = jw_clock_monotonic_ms();
	const struct follower *follower;

	TAILQ_FOREACH (follower, &publish->followers, link)
		if (follower->is_front &&
		    (!follower->has_read || !follower->caught_up ||
			follower->quiet < POLLS))
			return false;
	return publish->complete_count > 0 && now >= publish->settled_ms &&
	       !publish_strays_any(&publish->strays, now);
}

static void
poll_follower(struct follower *follower)
{
	note_unread(follower);
	if (follower->unread > 0)
		follower->quiet = 0;
	else if (follower->quiet < POLLS)
		follower->quiet++;
	if (follower->complete && !follower->has_read &&
	    follower->quiet == POLLS)
		begin_serving(follower);
}

static bool
is_waited_for(const struct publish *publish)
{
	const struct follower *follower;

	if (publish->complete_count > 0 && keeper_is_unread(publish->keeper))
		return true;
	TAILQ_FOREACH (follower, &publish->followers, link)
		if (follower->complete && !follower->has_read)
			return true;
	return false;
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct publish *publish = arg;
	struct follower *follower, *next;
	int64_t wait = publish->poll_ms * 2;

	(void)fd;
	(void)what;
	for (follower = TAILQ_FIRST(&publish->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		poll_follower(follower);
	}
	if (keeper_is_unread(publish->keeper) && is_all_read(publish))
		keeper_read(publish->keeper);
	else if (is_waited_for(publish) &&
		 !evtimer_pending(publish->poll, NULL))
		poll_later(publish, wait < POLL_MAX_MS ? wait : POLL_MAX_MS);
}

/* A front that hangs answers no request, and must not count as one that
 * serves. */
static void
on_ping(evutil_socket_t fd, short what, void *arg)
{
	struct publish *publish = arg;
	const struct publish_content none = {NULL, NULL, NULL};
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
    {.method = NULL},
};

const struct varlink_service publish_service = {
    &varlink_org_jwksd_publish, publish_verbs};

struct publish *
publish_new(struct event_base *base, struct keeper *keeper, bool listener_stays)
{
	struct publish *publish = jw_zalloc(sizeof(*publish));
	const struct timeval wait = {PING_S, 0};

	TAILQ_INIT(&publish->followers);
	publish->keeper = keeper;
	publish->listener_stays = listener_stays;
	/* Before the first key there has been no front. */
	if (keeper_generations(keeper) > 0)
		publish->settled_ms = jw_clock_monotonic_ms() + RETURN_MS;
	publish->ping = event_new(base, -1, EV_PERSIST, on_ping, publish);
	publish->poll = evtimer_new(base, on_poll, publish);
	event_add(publish->ping, &wait);
	publish->observer.fn = publish_on_news;
	publish->observer.arg = publish;
	keeper_observe(keeper, &publish->observer);
	return publish;
}

void
publish_free(struct publish *publish)
{
	if (publish == NULL)
		return;
	assert(TAILQ_EMPTY(&publish->followers));
	keeper_unobserve(publish->keeper, &publish->observer);
	event_free(publish->ping);
	event_free(publish->poll);
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
