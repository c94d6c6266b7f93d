/*
 * The front's side of org.jwksd.publish: one call of Documents with `more`,
 * then replies for as long as the keeper lives.
 *
 * Must never give up documents that it has: the replies of a new connection
 * are gathered aside, and take the place of the old set once they are complete.
 */
#include "daemon/http/publish_client.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"
#include "common/wire/varlink.h"
#include "daemon/http/documents.h"

struct http_publish_client {
	struct http_publish_client_options options;
	struct event_base *base;
	struct sockaddr_un address;
	struct event *retry;
	struct bufferevent *bev;
	int64_t backoff_ms;
	bool said_refused; /* to the keeper, of http_uptime_refused() */
	struct http_documents *live;    /* served; NULL before the first set */
	struct http_documents *pending; /* of this connection, until complete */
};

static void
publish_client_disconnect(struct http_publish_client *client)
{
	if (client->bev != NULL)
		bufferevent_free(client->bev);
	client->bev = NULL;
	http_documents_free(client->pending);
	client->pending = NULL;
}

static void
retry_later(struct http_publish_client *client)
{
	const struct http_limits *limits = client->options.limits;
	struct timeval wait;

	publish_client_disconnect(client);
	client->backoff_ms = http_limits_backoff(client->backoff_ms,
	    limits->reconnect_min_ms, limits->reconnect_max_ms);
	wait = jw_timeval_ms(client->backoff_ms);
	evtimer_add(client->retry, &wait);
}

static bool
put_document(struct http_documents *documents, json_t *value)
{
	struct http_document_parts parts = {0};
	json_int_t modified, version;

	if (json_unpack(value, "{s:s, s:s, s:s, s:s%, s:s, s:I, s:s, s:I}",
		"keySet", &parts.key_set, "app", &parts.app, "path",
		&parts.path, "body", &parts.body, &parts.body_len, "etag",
		&parts.etag, "lastModified", &modified, "cacheControl",
		&parts.cache_control, "version", &version) != 0)
		return false;
	parts.last_modified = modified;
	parts.version = version;
	http_documents_put(documents, http_document_new(&parts));
	return true;
}

/* The keeper has no document of that key set just now: the last one, if there
 * is one, goes over into the new set. */
static void
keep(struct http_publish_client *client, const char *key_set)
{
	const struct http_document *last = NULL;

	if (client->pending != NULL && client->live != NULL &&
	    http_documents_of(client->pending, key_set) == NULL)
		last = http_documents_of(client->live, key_set);
	if (last != NULL)
		http_documents_put(client->pending, http_document_copy(last));
}

static bool
apply(struct http_publish_client *client, json_t *changed, json_t *withdrawn,
    const json_t *kept)
{
	struct http_documents *documents =
	    client->pending != NULL ? client->pending : client->live;
	json_t *value;
	size_t i;

	json_array_foreach (withdrawn, i, value)
		http_documents_remove(documents, json_string_value(value));
	json_array_foreach (kept, i, value)
		keep(client, json_string_value(value));
	json_array_foreach (changed, i, value)
		if (!put_document(documents, value))
			return false;
	return true;
}

/* The set is whole: from here on changes go straight to what is served. */
static void
complete(struct http_publish_client *client)
{
	const struct http_publish_client_options *options = &client->options;
	bool first = client->live == NULL;

	http_documents_free(client->live);
	client->live = client->pending;
	client->pending = NULL;
	client->backoff_ms = 0;
	/* Give the memory that the JSON of a large set took back to the
	 * kernel. */
	malloc_trim(0);
	if (!first)
		return;
	http_uptime_begin(options->uptime, options->slot, jw_clock_wall_s(),
	    jw_clock_monotonic_ms());
	jw_log(JW_LOG_INFO, "serving %zu key set%s",
	    http_documents_count(client->live),
	    http_documents_count(client->live) == 1 ? "" : "s");
	options->first(options->arg);
}

static enum jw_err
take_reply(struct http_publish_client *client,
    const struct varlink_reply *reply, struct jw_why *why)
{
	json_t *changed, *withdrawn, *kept = NULL;
	int whole;

	if (reply->error != NULL)
		return jw_fail(
		    JW_PROTOCOL, why, "the keeper answered %s", reply->error);
	if (json_unpack(reply->parameters, "{s:o, s:o, s:b, s?o}", "documents",
		&changed, "withdrawn", &withdrawn, "complete", &whole, "kept",
		&kept) != 0 ||
	    !apply(client, changed, withdrawn, kept))
		return jw_fail(
		    JW_PROTOCOL, why, "a reply of the keeper lacks a member");
	if (!whole || client->pending == NULL)
		return JW_OK;
	if (client->live == NULL && !client->said_refused &&
	    http_uptime_refused(client->options.uptime))
		return jw_fail(JW_PROTOCOL, why,
		    "the keeper has to know that clients were refused");
	complete(client);
	return JW_OK;
}

static enum jw_err
take_frame(struct http_publish_client *client, const char *data, size_t len,
    struct jw_why *why)
{
	struct varlink_reply reply;
	enum jw_err err = varlink_reply_parse(data, len, &reply);

	if (err != JW_OK)
		return jw_fail(err, why, "the keeper sent no varlink reply");
	err = take_reply(client, &reply, why);
	if (err == JW_OK && !reply.continues)
		err = jw_fail(JW_PROTOCOL, why, "the keeper ended its replies");
	varlink_reply_done(&reply);
	return err;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct http_publish_client *client = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	struct jw_why why = {0};
	enum jw_err err = JW_OK;
	size_t len;
	char *frame;

	while (err == JW_OK && (frame = evbuffer_readln(
				    input, &len, EVBUFFER_EOL_NUL)) != NULL) {
		err = take_frame(client, frame, len, &why);
		free(frame);
	}
	if (err == JW_OK)
		return;
	jw_log(JW_LOG_WARNING, "%s; asking again",
	    why.text[0] != '\0' ? why.text : jw_err_text(err));
	retry_later(client);
}

static void
ask_documents(struct http_publish_client *client)
{
	const struct http_publish_client_options *options = &client->options;
	json_t *parameters = json_pack("{s:i}", "front", 0);
	int64_t since =
	    http_uptime_since(options->uptime, jw_clock_monotonic_ms());
	char *call = NULL;
	size_t len;

	client->said_refused = http_uptime_refused(options->uptime);
	/* Not after the clock has been set back: it would be in the future. */
	if (since != 0 && since <= jw_clock_wall_s())
		json_object_set_new(
		    parameters, "servingSince", json_integer(since));
	if (client->said_refused)
		json_object_set_new(parameters, "refused", json_true());
	call = varlink_call_format(
	    "org.jwksd.publish.Documents", parameters, true, false, &len);
	json_decref(parameters);
	if (call == NULL || bufferevent_write(client->bev, call, len) != 0)
		retry_later(client);
	free(call);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_publish_client *client = arg;

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		ask_documents(client);
		return;
	}
	if (client->backoff_ms == 0)
		jw_log(JW_LOG_INFO, "the keeper is gone: serving on");
	retry_later(client);
}

static void
connect_keeper(evutil_socket_t fd, short what, void *arg)
{
	struct http_publish_client *client = arg;

	(void)fd;
	(void)what;
	publish_client_disconnect(client);
	client->pending = http_documents_new();
	client->bev =
	    bufferevent_socket_new(client->base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(client->bev, on_read, NULL, on_event, client);
	bufferevent_set_max_single_read(client->bev, 64 * 1024);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	/* A failure comes back through on_event() or here; never both. */
	if (bufferevent_socket_connect(client->bev,
		(struct sockaddr *)&client->address,
		sizeof(client->address)) != 0 &&
	    !evtimer_pending(client->retry, NULL))
		retry_later(client);
}

struct http_publish_client *
http_publish_client_new(
    struct event_base *base, const struct http_publish_client_options *options)
{
	struct http_publish_client *client = jw_zalloc(sizeof(*client));
	struct timeval now = {0, 0};
	size_t len = strlen(options->socket_path);

	/* A longer runtime_directory is a mistake in the configuration. */
	assert(len < sizeof(client->address.sun_path));
	client->options = *options;
	client->base = base;
	client->address.sun_family = AF_UNIX;
	memcpy(client->address.sun_path, options->socket_path, len + 1);
	client->retry = evtimer_new(base, connect_keeper, client);
	evtimer_add(client->retry, &now);
	return client;
}

void
http_publish_client_free(struct http_publish_client *client)
{
	if (client == NULL)
		return;
	publish_client_disconnect(client);
	http_documents_free(client->live);
	event_free(client->retry);
	free(client);
}

void
http_publish_client_again(struct http_publish_client *client)
{
	const struct timeval now = {0, 0};

	if (client == NULL || client->bev == NULL)
		return;
	publish_client_disconnect(client);
	evtimer_add(client->retry, &now);
}

const struct http_documents *
http_publish_client_documents(const struct http_publish_client *client)
{
	return client == NULL ? NULL : client->live;
}
