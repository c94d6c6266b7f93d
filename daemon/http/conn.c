/*
 * The octets and the patience of one connection.
 *
 * Must never let an octet of a client pass to evhttp's parser, never have two
 * requests in evhttp at a time, and never read on while an answer waits to be
 * taken.
 */
#include "daemon/http/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"

static void
arm(struct http_conn *conn, int64_t now)
{
	int64_t deadline = http_pace_deadline(&conn->pace, conn->env->limits);
	int64_t wait = deadline > now ? deadline - now : 0;
	struct timeval tv = jw_timeval_ms(wait);

	/* A timer that fires too early looks again; that is cheaper. */
	if (conn->armed != 0 && conn->armed <= deadline)
		return;
	conn->armed = deadline;
	evtimer_add(conn->timer, &tv);
}

static void
enter(struct http_conn *conn, enum http_pace_phase phase, int64_t now)
{
	if (conn->pace.phase == phase)
		return;
	if (conn->pace.phase == PACE_IDLE)
		TAILQ_REMOVE(&conn->env->idle, conn, link);
	if (phase == PACE_IDLE)
		TAILQ_INSERT_TAIL(&conn->env->idle, conn, link);
	http_pace_enter(&conn->pace, phase, now);
}

static void
decide(struct http_conn *conn, enum http_request_status status,
    const char *data, size_t len)
{
	struct http_conn_env *env = conn->env;
	struct http_request head;

	if (status == HEAD_BAD || http_request_parse(data, len, &head) != JW_OK)
		http_answer_refuse(
		    http_request_is_head(data, len), &conn->answer);
	else
		http_answer_decide(&head, env->documents(env->arg), env->domain,
		    &conn->answer);
}

/* What evhttp is to see of a request. */
static void
feed(struct http_conn *conn)
{
	static const char get[] = "GET / HTTP/1.1\r\n\r\n";
	static const char head[] = "HEAD / HTTP/1.1\r\n\r\n";
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	conn->busy = true;
	conn->feeding = true;
	/* Outside of a read only the front of an input may be changed. */
	if (conn->answer.head)
		evbuffer_prepend(input, head, sizeof(head) - 1);
	else
		evbuffer_prepend(input, get, sizeof(get) - 1);
	conn->feeding = false;
}

static void
begin_answer(
    struct http_conn *conn, enum http_request_status status, const char *data)
{
	const struct http_conn_env *env = conn->env;
	size_t skipped = conn->scan.skipped;
	int64_t now = jw_clock_monotonic_ms();

	decide(conn, status, data + skipped, conn->scan.seen - skipped);
	evbuffer_drain(conn->raw, conn->scan.seen);
	memset(&conn->scan, 0, sizeof(conn->scan));
	enter(conn, PACE_REPLY, now);
	if (env->ending || http_pace_last(&conn->pace, env->limits, now))
		conn->answer.close = true;
	if (conn->answer.close) {
		conn->closing = true;
		conn->linger = conn->answer.kind == ANSWER_BAD_REQUEST ||
			       conn->answer.kind == ANSWER_NOT_ALLOWED ||
			       evbuffer_get_length(conn->raw) > 0;
		evbuffer_drain(conn->raw, evbuffer_get_length(conn->raw));
	}
	feed(conn);
	arm(conn, now);
}

static void
advance(struct http_conn *conn)
{
	size_t len = evbuffer_get_length(conn->raw);
	enum http_request_status status;
	const char *data;

	if (conn->busy || conn->closing || len == 0)
		return;
	data = (const char *)evbuffer_pullup(conn->raw, -1);
	status = http_request_scan(
	    &conn->scan, data, len, conn->env->limits->head_bytes);
	if (status != HEAD_MORE) {
		begin_answer(conn, status, data);
		return;
	}
	enter(conn, PACE_HEAD, jw_clock_monotonic_ms());
	arm(conn, jw_clock_monotonic_ms());
}

/* Take what a client sent; the first `ours` octets are feed()'s. */
static void
take(struct http_conn *conn, struct evbuffer *input, size_t ours)
{
	struct evbuffer *own = NULL;

	conn->feeding = true;
	if (ours > 0) {
		own = evbuffer_new();
		evbuffer_remove_buffer(input, own, ours);
	}
	if (conn->closing)
		evbuffer_drain(input, evbuffer_get_length(input));
	else
		evbuffer_add_buffer(conn->raw, input);
	if (own != NULL) {
		evbuffer_prepend_buffer(input, own);
		evbuffer_free(own);
	}
	conn->feeding = false;
}

static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;

	/* Also called for what feed() adds and evhttp takes. */
	if (info->n_added == 0 || conn->feeding)
		return;
	take(conn, input, info->orig_size);
	advance(conn);
}

static void
conn_on_closed(struct evhttp_connection *evhttp, void *arg)
{
	struct http_conn *conn = arg;

	(void)evhttp;
	conn->env->closed(conn, conn->env->arg);
	if (conn->pace.phase == PACE_IDLE)
		TAILQ_REMOVE(&conn->env->idle, conn, link);
	evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev), conn->entry);
	http_answer_done(&conn->answer);
	event_free(conn->timer);
	evbuffer_free(conn->raw);
	free(conn);
}

/*
 * evhttp makes its connection after it asked for our bufferevent, and tells
 * nobody; but it leaves itself as the argument of the callbacks.
 */
static void
open_conn(struct http_conn *conn)
{
	void *evhttp = NULL;

	bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evhttp);
	if (evhttp == NULL ||
	    evhttp_connection_get_bufferevent(evhttp) != conn->bev)
		abort();
	conn->evhttp = evhttp;
	conn->fd = bufferevent_getfd(conn->bev);
	evhttp_connection_set_closecb(conn->evhttp, conn_on_closed, conn);
	conn->env->opened(conn, conn->env->arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;
	int64_t now = jw_clock_monotonic_ms();

	(void)fd;
	(void)what;
	conn->armed = 0;
	if (conn->evhttp == NULL)
		open_conn(conn);
	else if (http_pace_deadline(&conn->pace, conn->env->limits) <= now) {
		http_conn_end(conn);
		return;
	}
	arm(conn, now);
}

struct bufferevent *
http_conn_new(struct http_conn_env *env)
{
	struct http_conn *conn = jw_zalloc(sizeof(*conn));

	conn->env = env;
	conn->fd = -1;
	conn->bev =
	    bufferevent_socket_new(env->base, -1, BEV_OPT_CLOSE_ON_FREE);
	conn->raw = evbuffer_new();
	conn->timer = evtimer_new(env->base, on_timer, conn);
	conn->entry =
	    evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
	http_pace_init(&conn->pace, jw_clock_monotonic_ms());
	TAILQ_INSERT_TAIL(&env->idle, conn, link);
	/* Runs before the loop looks at the new socket. */
	event_active(conn->timer, EV_TIMEOUT, 0);
	return conn->bev;
}

/* The answer has gone out whole, and the connection stays. */
static void
on_complete(struct evhttp_request *request, void *arg)
{
	struct http_conn *conn = arg;
	int64_t now = jw_clock_monotonic_ms();

	(void)request;
	http_answer_done(&conn->answer);
	conn->busy = false;
	if (conn->closing)
		return;
	enter(conn, PACE_IDLE, now);
	arm(conn, now);
	advance(conn);
}

void
http_conn_answer(struct http_conn *conn, struct evhttp_request *request)
{
	evhttp_request_set_on_complete_cb(request, on_complete, conn);
	http_answer_send(&conn->answer, request);
	/*
	 * evhttp reads on while it writes, to notice an end; a client that
	 * only shut down its sending half would lose its answer that way.
	 */
	bufferevent_disable(conn->bev, EV_READ);
}

void
http_conn_end(struct http_conn *conn)
{
	evhttp_connection_free(conn->evhttp);
}
