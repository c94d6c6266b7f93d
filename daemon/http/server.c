/*
 * The event loop of a worker: documents on one side, clients on the other.
 *
 * Must never keep the first clients waiting for the keeper longer than
 * warm_ms, answer one without documents where there had been some just
 * before, or outlive stop_ms after SIGTERM.
 */
#include "daemon/http/server.h"

#include <event2/event.h>
#include <signal.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/timeval.h"
#include "daemon/http/listeners.h"
#include "daemon/http/publish_client.h"

enum { ON_WARM, ON_STOP, ON_SILENT, ON_END, MOMENTS };

struct server {
	const struct http_server_options *options;
	struct event_base *base;
	struct http_publish_client *publish_client;
	struct http_listeners *listeners;
	struct event *moments[MOMENTS];
};

static void
after(struct server *server, int moment, int64_t ms)
{
	struct timeval wait = jw_timeval_ms(ms);

	evtimer_add(server->moments[moment], &wait);
}

static void
end_loop(void *arg)
{
	struct server *server = arg;

	event_base_loopexit(server->base, NULL);
}

static void
on_warm(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct http_uptime *uptime = server->options->uptime;
	int64_t wait = http_uptime_patience(uptime, jw_clock_monotonic_ms());

	(void)fd;
	(void)what;
	if (http_publish_client_documents(server->publish_client) != NULL)
		return;
	if (wait > 0) {
		after(server, ON_WARM, wait);
		return;
	}
	http_uptime_refuse(uptime);
	http_publish_client_again(server->publish_client);
	http_listeners_open(server->listeners);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	after(server, ON_END, server->options->limits->stop_ms);
	after(server, ON_SILENT, server->options->limits->stop_silent_ms);
	http_listeners_end(server->listeners);
	/* Not those that have yet to send their first request: to a client
	 * that gets no answer to it, the connection has been refused. */
	http_listeners_close_idle(server->listeners, false);
	if (http_listeners_count(server->listeners) == 0)
		end_loop(server);
}

static void
on_silent(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)what;
	http_listeners_close_idle(server->listeners, true);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_loop(arg);
}

static const struct {
	int signal; /* or -1: a timer */
	event_callback_fn callback;
} moments[MOMENTS] = {
    [ON_WARM] = {-1, on_warm},
    [ON_STOP] = {SIGTERM, on_stop},
    [ON_SILENT] = {-1, on_silent},
    [ON_END] = {-1, on_end},
};

static void
add_moments(struct server *server)
{
	for (int i = 0; i < MOMENTS; i++) {
		short what = moments[i].signal < 0 ? 0 : EV_SIGNAL | EV_PERSIST;
		server->moments[i] = event_new(server->base, moments[i].signal,
		    what, moments[i].callback, server);
		if (what != 0)
			event_add(server->moments[i], NULL);
	}
	after(server, ON_WARM, server->options->limits->warm_ms);
}

static void
on_first(void *arg)
{
	struct server *server = arg;

	http_listeners_open(server->listeners);
}

static const struct http_documents *
documents_of(void *arg)
{
	struct server *server = arg;

	return http_publish_client_documents(server->publish_client);
}

static struct http_listeners *
new_listeners(struct server *server)
{
	const struct http_server_options *options = server->options;
	const struct http_listeners_options listeners = {
	    .limits = options->limits,
	    .domain = options->domain,
	    .max_connections = options->max_connections,
	    .fds = options->fds,
	    .nfds = options->nfds,
	    .documents = documents_of,
	    .empty = end_loop,
	    .arg = server,
	};

	return http_listeners_new(server->base, &listeners);
}

static struct http_publish_client *
new_publish_client(struct server *server, size_t slot)
{
	const struct http_publish_client_options options = {
	    .socket_path = server->options->publish_path,
	    .uptime = server->options->uptime,
	    .slot = slot,
	    .limits = server->options->limits,
	    .first = on_first,
	    .arg = server,
	};

	return options.socket_path == NULL
		   ? NULL
		   : http_publish_client_new(server->base, &options);
}

static void
server_done(struct server *server)
{
	http_listeners_free(server->listeners);
	http_publish_client_free(server->publish_client);
	for (int i = 0; i < MOMENTS; i++) {
		if (server->moments[i] != NULL)
			event_free(server->moments[i]);
	}
	event_base_free(server->base);
	libevent_global_shutdown();
}

void
http_server_run(const struct http_server_options *options, size_t slot)
{
	struct server server = {.options = options};

	/* evhttp reads the time zone at its first answer: a sandbox may have
	 * closed the file system by then. */
	tzset();
	http_listeners_init();
	server.base = event_base_new();
	server.listeners = new_listeners(&server);
	server.publish_client = new_publish_client(&server, slot);
	add_moments(&server);
	event_base_dispatch(server.base);
	server_done(&server);
}
