/*
 * Owns evhttp, its listeners and the table of connections.
 *
 * Must never close or shut down a listening socket, which other processes
 * share, and never let evhttp read from a client: each of its connections has a
 * bufferevent of conn.c.
 */
#include "daemon/http/listeners.h"

#include <assert.h>
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
	/* A timer that is pending can be found: see on_accept_failed(). */
	RESUME_MAX_MS = 3600 * 1000,
	COMPLAIN_MS = 10 * 1000, /* between two lines in the log */
};

struct http_listeners {
	struct http_listeners_options options;
	struct http_conn_env env;
	struct evhttp *evhttp;
	struct evconnlistener **listeners;
	struct http_lingering *lingering;
	struct http_conn **by_fd;
	size_t nby_fd;
	size_t cap;
	size_t count;
	struct event *resume; /* accepting, when it has been paused */
	int64_t complained;
	bool open; /* http_listeners_open() and not yet http_listeners_end() */
	bool paused;
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
enable_all(struct http_listeners *all, bool more)
{
	for (size_t i = 0; i < all->options.nfds; i++) {
		if (more)
			evconnlistener_enable(all->listeners[i]);
		else
			evconnlistener_disable(all->listeners[i]);
	}
}

static void
resume_after(struct http_listeners *all, int64_t ms)
{
	struct timeval wait = jw_timeval_ms(ms);

	evtimer_add(all->resume, &wait);
}

static size_t
used(const struct http_listeners *all)
{
	return all->count + http_linger_count(all->lingering);
}

static void
pause_accepting(struct http_listeners *all, int64_t ms)
{
	all->paused = true;
	enable_all(all, false);
	resume_after(all, ms);
}

static bool
a_client_waits(const struct http_listeners *all)
{
	struct pollfd pfd = {.events = POLLIN};

	for (size_t i = 0; i < all->options.nfds; i++) {
		pfd.fd = all->options.fds[i];
		if (poll(&pfd, 1, 0) == 1)
			return true;
	}
	return false;
}

/* Close the connection that is idle for the longest time, but none that has
 * been idle for a short time only. */
static void
close_longest_idle(struct http_listeners *all)
{
	struct http_conn *conn = TAILQ_FIRST(&all->env.idle);

	if (conn != NULL && conn->evhttp != NULL &&
	    jw_clock_monotonic_ms() - conn->pace.since >=
		all->env.limits->evict_ms)
		http_conn_end(conn);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct http_listeners *all = arg;

	(void)fd;
	(void)what;
	resume_after(all, RESUME_MAX_MS);
	if (!all->open || !all->paused)
		return;
	if (used(all) >= all->cap && a_client_waits(all))
		close_longest_idle(all);
	if (used(all) >= all->cap) {
		resume_after(all, all->env.limits->pause_ms);
		return;
	}
	all->paused = false;
	enable_all(all, true);
}

static int
find_listeners(
    const struct event_base *base, const struct event *event, void *arg)
{
	struct http_listeners **ret_all = arg;

	(void)base;
	if (event_get_callback(event) != on_resume)
		return 0;
	*ret_all = event_get_callback_arg(event);
	return 1;
}

/* A connection has been closed. */
static void
on_gone(void *arg)
{
	struct http_listeners *all = arg;

	if (!all->open) {
		if (used(all) == 0)
			all->options.empty(all->options.arg);
	} else if (all->paused) {
		resume_after(all, 0);
	}
}

/*
 * EMFILE and the like: the socket stays readable, so that a listener that is
 * not paused would call this again at once.  not_ours is the evhttp that
 * evhttp_bind_listener() has set as the callbacks' argument: the way to our
 * struct is the argument of one of our own events.
 */
static void
on_accept_failed(struct evconnlistener *listener, void *not_ours)
{
	struct http_listeners *all = NULL;
	int64_t now = jw_clock_monotonic_ms();
	int error = errno;

	(void)not_ours;
	event_base_foreach_event(
	    evconnlistener_get_base(listener), find_listeners, &all);
	assert(all != NULL);
	if (all->complained == 0 || now - all->complained > COMPLAIN_MS) {
		jw_log(JW_LOG_WARNING,
		    "cannot accept a connection: %s; new clients wait",
		    strerror(error));
		all->complained = now;
	}
	close_longest_idle(all);
	pause_accepting(all, all->env.limits->pause_ms);
}

static void
on_opened(struct http_conn *conn, void *arg)
{
	struct http_listeners *all = arg;

	assert(conn->fd >= 0 && (size_t)conn->fd < all->nby_fd);
	all->by_fd[conn->fd] = conn;
}

static void
listeners_on_closed(struct http_conn *conn, void *arg)
{
	struct http_listeners *all = arg;

	if (conn->fd >= 0)
		all->by_fd[conn->fd] = NULL;
	if (conn->linger)
		http_linger_add(all->lingering, conn->fd);
	assert(all->count > 0);
	all->count--;
	on_gone(all);
}

static struct bufferevent *
on_accept(struct event_base *base, void *arg)
{
	struct http_listeners *all = arg;

	(void)base;
	all->count++;
	if (used(all) >= all->cap && !all->paused)
		pause_accepting(all, 0);
	return http_conn_new(&all->env);
}

static void
on_request(struct evhttp_request *request, void *arg)
{
	struct http_listeners *all = arg;
	struct evhttp_connection *evhttp =
	    evhttp_request_get_connection(request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp));
	struct http_conn *conn = all->by_fd[fd];

	assert(conn != NULL && conn->evhttp == evhttp);
	http_conn_answer(conn, request);
}

static const struct http_documents *
on_documents(void *arg)
{
	struct http_listeners *all = arg;

	return all->options.documents(all->options.arg);
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
set_cap(struct http_listeners *all)
{
	size_t wanted = all->options.max_connections;

	all->nby_fd = descriptors();
	all->cap = all->nby_fd > 2 * LIMIT_SPARE_FDS
		       ? all->nby_fd - LIMIT_SPARE_FDS
		       : LIMIT_SPARE_FDS;
	if (wanted != 0 && wanted < all->cap)
		all->cap = wanted;
}

static void
add_listener(struct http_listeners *all, size_t i)
{
	struct evconnlistener *listener;
	int fd = all->options.fds[i], on = 1;

	/* What is accepted inherits it; a Unix socket does not know it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener = evconnlistener_new(all->env.base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
	evconnlistener_set_error_cb(listener, on_accept_failed);
	all->listeners[i] = listener;
	evhttp_bind_listener(all->evhttp, listener);
	evconnlistener_disable(listener);
}

static void
set_up_env(struct http_listeners *all, struct event_base *base)
{
	all->env = (struct http_conn_env){
	    .base = base,
	    .limits = all->options.limits,
	    .domain = all->options.domain,
	    .documents = on_documents,
	    .opened = on_opened,
	    .closed = listeners_on_closed,
	    .arg = all,
	};
	TAILQ_INIT(&all->env.idle);
}

static void
set_up_evhttp(struct http_listeners *all)
{
	struct evhttp *evhttp = evhttp_new(all->env.base);

	all->evhttp = evhttp;
	evhttp_set_bevcb(evhttp, on_accept, all);
	evhttp_set_gencb(evhttp, on_request, all);
	evhttp_set_allowed_methods(evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_default_content_type(evhttp, NULL);
	for (size_t i = 0; i < all->options.nfds; i++)
		add_listener(all, i);
}

struct http_listeners *
http_listeners_new(
    struct event_base *base, const struct http_listeners_options *options)
{
	struct http_listeners *all = jw_zalloc(sizeof(*all));

	all->options = *options;
	set_up_env(all, base);
	set_cap(all);
	all->by_fd = jw_zalloc(all->nby_fd * sizeof(struct http_conn *));
	all->listeners =
	    jw_zalloc((options->nfds + 1) * sizeof(struct evconnlistener *));
	all->resume = evtimer_new(base, on_resume, all);
	resume_after(all, RESUME_MAX_MS);
	all->lingering = http_linger_new(base, options->limits, on_gone, all);
	set_up_evhttp(all);
	return all;
}

void
http_listeners_free(struct http_listeners *all)
{
	if (all == NULL)
		return;
	all->open = true;
	all->paused = false;
	evhttp_free(all->evhttp);
	http_linger_free(all->lingering);
	event_free(all->resume);
	free(all->listeners);
	free(all->by_fd);
	free(all);
}

void
http_listeners_open(struct http_listeners *all)
{
	if (all->open || all->env.ending)
		return;
	all->open = true;
	enable_all(all, true);
}

void
http_listeners_end(struct http_listeners *all)
{
	all->open = false;
	all->env.ending = true;
	enable_all(all, false);
}

void
http_listeners_close_idle(struct http_listeners *all, bool silent)
{
	struct http_conn *conn, *next;

	for (conn = TAILQ_FIRST(&all->env.idle); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->evhttp != NULL && (silent || conn->pace.requests > 0))
			http_conn_end(conn);
	}
}

size_t
http_listeners_count(const struct http_listeners *all)
{
	return used(all);
}
