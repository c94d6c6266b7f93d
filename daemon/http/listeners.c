/*
 * Owns evhttp, its listeners and the table of connections.
 *
 * Must never close or shut down a listening socket (it is shared with other
 * processes), and never let evhttp make a connection without conn.c before
 * it.
 */
#include "daemon/http/listeners.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"
#include "daemon/http/conn.h"
#include "daemon/http/linger.h"

enum {
	LOOK_MS = 3600 * 1000, /* on_look() is always due some time */
	COMPLAIN_MS = 10 * 1000,
};

struct http_listeners {
	struct http_listeners_options options;
	struct http_conn_env env;
	struct evhttp *evhttp;
	struct evconnlistener **listeners;
	struct lingerers *linger;
	struct http_conn **by_fd;
	size_t nby_fd;
	size_t cap;
	size_t count;
	struct event *look; /* at the cap, or after a failed accept */
	int64_t complained;
	bool open; /* http_listeners_open() and not yet http_listeners_end() */
	bool full; /* the listeners rest */
};

static void
on_libevent_log(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		jw_log(JW_LOG_ERROR, "libevent: %s", text);
	else
		jw_log(JW_LOG_DEBUG, "libevent: %s", text);
}

void
http_listeners_init(void)
{
	event_set_mem_functions(jw_alloc, jw_realloc, free);
	event_set_log_callback(on_libevent_log);
}

static void
accept_more(struct http_listeners *guard, bool more)
{
	size_t i;

	for (i = 0; i < guard->options.nfds; i++) {
		if (more)
			evconnlistener_enable(guard->listeners[i]);
		else
			evconnlistener_disable(guard->listeners[i]);
	}
}

static void
look_after(struct http_listeners *guard, int64_t ms)
{
	struct timeval wait = jw_timeval_ms(ms);

	evtimer_add(guard->look, &wait);
}

static size_t
used(const struct http_listeners *guard)
{
	return guard->count + http_linger_count(guard->linger);
}

static void
rest(struct http_listeners *guard, int64_t ms)
{
	guard->full = true;
	accept_more(guard, false);
	look_after(guard, ms);
}

static bool
somebody_waits(const struct http_listeners *guard)
{
	struct pollfd pfd = {.events = POLLIN};
	size_t i;

	for (i = 0; i < guard->options.nfds; i++) {
		pfd.fd = guard->options.fds[i];
		if (poll(&pfd, 1, 0) == 1)
			return true;
	}
	return false;
}

/* Make room for one: the longest idle, unless it came only just now. */
static void
evict(struct http_listeners *guard)
{
	struct http_conn *conn = TAILQ_FIRST(&guard->env.idle);

	if (conn != NULL && conn->evhttp != NULL &&
	    jw_clock_monotonic_ms() - conn->pace.since >=
		guard->env.limits->evict_ms)
		http_conn_end(conn);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct http_listeners *guard = arg;

	(void)fd;
	(void)what;
	look_after(guard, LOOK_MS);
	if (!guard->open || !guard->full)
		return;
	if (used(guard) >= guard->cap && somebody_waits(guard))
		evict(guard);
	if (used(guard) >= guard->cap) {
		look_after(guard, guard->env.limits->pause_ms);
		return;
	}
	guard->full = false;
	accept_more(guard, true);
}

static int
find_guard(const struct event_base *base, const struct event *event, void *arg)
{
	struct http_listeners **ret_guard = arg;

	(void)base;
	if (event_get_callback(event) != on_look)
		return 0;
	*ret_guard = event_get_callback_arg(event);
	return 1;
}

/* A place became free. */
static void
on_gone(void *arg)
{
	struct http_listeners *guard = arg;

	if (!guard->open) {
		if (used(guard) == 0)
			guard->options.empty(guard->options.arg);
	} else if (guard->full) {
		look_after(guard, 0);
	}
}

/*
 * EMFILE and the like: the socket stays readable, so that a listener that
 * went on would spin.  The argument is not ours: evhttp_bind_listener() put
 * evhttp in its place.
 */
static void
on_accept_failed(struct evconnlistener *listener, void *not_ours)
{
	struct http_listeners *guard = NULL;
	int64_t now = jw_clock_monotonic_ms();
	int error = errno;

	(void)not_ours;
	event_base_foreach_event(
	    evconnlistener_get_base(listener), find_guard, &guard);
	if (guard == NULL)
		abort();
	if (guard->complained == 0 || now - guard->complained > COMPLAIN_MS) {
		jw_log(JW_LOG_WARNING,
		    "cannot accept a connection: %s; new clients wait",
		    strerror(error));
		guard->complained = now;
	}
	evict(guard);
	rest(guard, guard->env.limits->pause_ms);
}

static void
on_opened(struct http_conn *conn, void *arg)
{
	struct http_listeners *guard = arg;

	if (conn->fd < 0 || (size_t)conn->fd >= guard->nby_fd)
		abort();
	guard->by_fd[conn->fd] = conn;
}

static void
listeners_on_closed(struct http_conn *conn, void *arg)
{
	struct http_listeners *guard = arg;

	if (conn->fd >= 0)
		guard->by_fd[conn->fd] = NULL;
	if (conn->linger)
		http_linger_add(guard->linger, conn->fd);
	guard->count--;
	on_gone(guard);
}

static struct bufferevent *
http_on_accept(struct event_base *base, void *arg)
{
	struct http_listeners *guard = arg;

	(void)base;
	guard->count++;
	if (used(guard) >= guard->cap && !guard->full)
		rest(guard, 0);
	return http_conn_new(&guard->env);
}

static void
on_request(struct evhttp_request *request, void *arg)
{
	struct http_listeners *guard = arg;
	struct evhttp_connection *evhttp =
	    evhttp_request_get_connection(request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp));
	struct http_conn *conn = guard->by_fd[fd];

	if (conn == NULL || conn->evhttp != evhttp)
		abort();
	http_conn_answer(conn, request);
}

static const struct http_documents *
on_documents(void *arg)
{
	struct http_listeners *guard = arg;

	return guard->options.documents(guard->options.arg);
}

static size_t
descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	if (limit.rlim_max < LIMIT_CONNECTIONS)
		limit.rlim_cur = limit.rlim_max;
	else if (limit.rlim_cur < LIMIT_CONNECTIONS)
		limit.rlim_cur = LIMIT_CONNECTIONS;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > LIMIT_CONNECTIONS)
		return LIMIT_CONNECTIONS;
	return (size_t)limit.rlim_cur;
}

static void
set_cap(struct http_listeners *guard)
{
	size_t wanted = guard->options.max_connections;

	guard->nby_fd = descriptors();
	guard->cap = guard->nby_fd > 2 * LIMIT_SPARE_FDS
			 ? guard->nby_fd - LIMIT_SPARE_FDS
			 : LIMIT_SPARE_FDS;
	if (wanted != 0 && wanted < guard->cap)
		guard->cap = wanted;
}

static enum jw_err
add_listener(struct http_listeners *guard, size_t i)
{
	struct evconnlistener *listener;
	int fd = guard->options.fds[i], on = 1;

	/* Inherited by what is accepted; no matter for a Unix socket. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener = evconnlistener_new(guard->env.base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
	if (listener == NULL)
		return JW_NO_MEMORY;
	evconnlistener_set_error_cb(listener, on_accept_failed);
	guard->listeners[i] = listener;
	evhttp_bind_listener(guard->evhttp, listener);
	evconnlistener_disable(listener);
	return JW_OK;
}

static void
set_up_env(struct http_listeners *guard, struct event_base *base)
{
	guard->env = (struct http_conn_env){
	    .base = base,
	    .limits = guard->options.limits,
	    .domain = guard->options.domain,
	    .documents = on_documents,
	    .opened = on_opened,
	    .closed = listeners_on_closed,
	    .arg = guard,
	};
	TAILQ_INIT(&guard->env.idle);
}

static enum jw_err
set_up_evhttp(struct http_listeners *guard)
{
	struct evhttp *evhttp = evhttp_new(guard->env.base);
	enum jw_err err = JW_OK;
	size_t i;

	if (evhttp == NULL)
		return JW_NO_MEMORY;
	guard->evhttp = evhttp;
	evhttp_set_bevcb(evhttp, http_on_accept, guard);
	evhttp_set_gencb(evhttp, on_request, guard);
	evhttp_set_allowed_methods(evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_default_content_type(evhttp, NULL);
	for (i = 0; i < guard->options.nfds && err == JW_OK; i++)
		err = add_listener(guard, i);
	return err;
}

enum jw_err
http_listeners_new(struct event_base *base,
    const struct http_listeners_options *options,
    struct http_listeners **ret_guard)
{
	struct http_listeners *guard = calloc(1, sizeof(*guard));
	enum jw_err err = JW_NO_MEMORY;

	if (guard == NULL)
		return JW_NO_MEMORY;
	guard->options = *options;
	set_up_env(guard, base);
	set_cap(guard);
	guard->by_fd = calloc(guard->nby_fd, sizeof(struct http_conn *));
	guard->listeners =
	    calloc(options->nfds + 1, sizeof(struct evconnlistener *));
	guard->look = evtimer_new(base, on_look, guard);
	look_after(guard, LOOK_MS);
	guard->linger = http_linger_new(base, options->limits, on_gone, guard);
	if (guard->by_fd == NULL || guard->listeners == NULL ||
	    guard->linger == NULL)
		goto out;
	err = set_up_evhttp(guard);
	if (err != JW_OK)
		goto out;
	*ret_guard = guard;
	guard = NULL;
out:
	http_listeners_free(guard);
	return err;
}

void
http_listeners_free(struct http_listeners *guard)
{
	if (guard == NULL)
		return;
	guard->open = true;
	guard->full = false;
	if (guard->evhttp != NULL)
		evhttp_free(guard->evhttp);
	http_linger_free(guard->linger);
	event_free(guard->look);
	free(guard->listeners);
	free(guard->by_fd);
	free(guard);
}

void
http_listeners_open(struct http_listeners *guard)
{
	if (guard->open || guard->env.ending)
		return;
	guard->open = true;
	accept_more(guard, true);
}

void
http_listeners_end(struct http_listeners *guard)
{
	guard->open = false;
	guard->env.ending = true;
	accept_more(guard, false);
}

void
http_listeners_close_idle(struct http_listeners *guard, bool silent)
{
	struct http_conn *conn, *next;

	for (conn = TAILQ_FIRST(&guard->env.idle); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->evhttp != NULL && (silent || conn->pace.requests > 0))
			http_conn_end(conn);
	}
}

size_t
http_listeners_count(const struct http_listeners *guard)
{
	return used(guard);
}
