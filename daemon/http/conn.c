/*
 * The octets and the deadlines of one connection.
 *
 * Must never let an octet of a client pass to evhttp's parser, never have two
 * requests in evhttp at a time, and never read on while the client has yet to
 * take an answer.
 */
#include "daemon/http/conn.h"

#include <assert.h>
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
set_timer(struct http_conn *conn, int64_t now)
{
	int64_t deadline = http_pace_deadline(&conn->pace, conn->env->limits);
	int64_t wait = deadline > now ? deadline - now : 0;
	struct timeval tv = jw_timeval_ms(wait);

	/* A timer that fires too early is set again then: that is cheaper than
	 * moving it at each change of phase. */
	if (conn->armed != 0 && conn->armed <= deadline)
		return;
	conn->armed = deadline;
	evtimer_add(conn->timer, &tv);
}

static void
enter_phase(struct http_conn *conn, enum http_pace_phase phase, int64_t now)
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
decide_answer(struct http_conn *conn, enum http_request_status status,
    const char *data, size_t len)
{
	struct http_conn_env *env = conn->env;
	struct http_request request;

	if (status == REQUEST_BAD ||
	    http_request_parse(data, len, &request) != JW_OK)
		http_answer_refuse(
		    http_request_is_head(data, len), &conn->answer);
	else
		http_answer_decide(&request, env->documents(env->arg),
		    env->domain, &conn->answer);
}

/* The request line that stands for the client's in evhttp. */
static void
feed_evhttp(struct http_conn *conn)
{
	static const char get[] = "GET / HTTP/1.1\r\n\r\n";
	static const char head[] = "HEAD / HTTP/1.1\r\n\r\n";
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	assert(!conn->busy);
	conn->busy = true;
	conn->feeding = true;
	/* libevent lets only the front of an input buffer be changed outside of
	 * a read. */
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

	decide_answer(conn, status, data + skipped, conn->scan.seen - skipped);
	evbuffer_drain(conn->unread, conn->scan.seen);
	memset(&conn->scan, 0, sizeof(conn->scan));
	enter_phase(conn, PACE_REPLY, now);
	if (env->ending || http_pace_last(&conn->pace, env->limits, now))
		conn->answer.close = true;
	if (conn->answer.close) {
		conn->closing = true;
		conn->linger = conn->answer.kind == ANSWER_BAD_REQUEST ||
			       conn->answer.kind == ANSWER_NOT_ALLOWED ||
			       evbuffer_get_length(conn->unread) > 0;
		evbuffer_drain(conn->unread, evbuffer_get_length(conn->unread));
	}
	feed_evhttp(conn);
	set_timer(conn, now);
}

static void
read_request(struct http_conn *conn)
{
	size_t len = evbuffer_get_length(conn->unread);
	enum http_request_status status;
	const char *data;

	if (conn->busy || conn->closing || len == 0)
		return;
	data = (const char *)evbuffer_pullup(conn->unread, -1);
	status = http_request_scan(
	    &conn->scan, data, len, conn->env->limits->header_bytes);
	if (status != REQUEST_INCOMPLETE) {
		begin_answer(conn, status, data);
		return;
	}
	enter_phase(conn, PACE_REQUEST, jw_clock_monotonic_ms());
	set_timer(conn, jw_clock_monotonic_ms());
}

/* Take what a client sent; the first `ours` octets are from feed_evhttp(). */
static void
take_input(struct http_conn *conn, struct evbuffer *input, size_t ours)
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
		evbuffer_add_buffer(conn->unread, input);
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

	/* Also called for what feed_evhttp() adds and evhttp takes. */
	if (info->n_added == 0 || conn->feeding)
		return;
	take_input(conn, input, info->orig_size);
	read_request(conn);
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
	evbuffer_free(conn->unread);
	free(conn);
}

/*
 * evhttp makes its struct evhttp_connection after it has asked for our
 * bufferevent, without any callback; but it sets the argument of the
 * bufferevent's callbacks to it.
 */
static void
open_conn(struct http_conn *conn)
{
	void *evhttp = NULL;

	bufferevent_getcb(conn->bev, NULL, NULL, NULL, &evhttp);
	assert(evhttp != NULL &&
	       evhttp_connection_get_bufferevent(evhttp) == conn->bev);
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
	set_timer(conn, now);
}

struct bufferevent *
http_conn_new(struct http_conn_env *env)
{
	struct http_conn *conn = jw_zalloc(sizeof(*conn));

	conn->env = env;
	conn->fd = -1;
	conn->bev =
	    bufferevent_socket_new(env->base, -1, BEV_OPT_CLOSE_ON_FREE);
	conn->unread = evbuffer_new();
	conn->timer = evtimer_new(env->base, on_timer, conn);
	conn->entry =
	    evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
	http_pace_init(&conn->pace, jw_clock_monotonic_ms());
	TAILQ_INSERT_TAIL(&env->idle, conn, link);
	/* on_timer() runs before the loop polls the new socket. */
	event_active(conn->timer, EV_TIMEOUT, 0);
	return conn->bev;
}

/* The client has taken the whole answer. */
static void
on_complete(struct evhttp_request *request, void *arg)
{
	struct http_conn *conn = arg;
	int64_t now = jw_clock_monotonic_ms();

	(void)request;
	assert(conn->busy);
	http_answer_done(&conn->answer);
	conn->busy = false;
	if (conn->closing)
		return;
	enter_phase(conn, PACE_IDLE, now);
	set_timer(conn, now);
	read_request(conn);
}

void
http_conn_answer(struct http_conn *conn, struct evhttp_request *request)
{
	evhttp_request_set_on_complete_cb(request, on_complete, conn);
	http_answer_send(&conn->answer, request);
	/* evhttp reads on while it writes, and closes the connection at the end
	 * of the stream: a client that has only shut down its sending half
	 * would lose its answer. */
	bufferevent_disable(conn->bev, EV_READ);
}

void
http_conn_end(struct http_conn *conn)
{
	evhttp_connection_free(conn->evhttp);
}
