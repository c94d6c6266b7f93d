/*
 * A Varlink server on a Unix socket: accepts connections, and owns them until
 * it is freed.
 */
#include "common/serve/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/group.h"
#include "common/base/log.h"
#include "common/serve/internal.h"

enum { PAUSE_MS = 100, ACCEPTS_A_TURN = 32 };

const struct serve_limits serve_default_limits = {
    .connections = 64,
    .per_uid = 16,
    .calls = 1,
    .queued = 1024 * 1024,
    .held = 64 * 1024 * 1024,
    .half_message_ms = 10000,
    .park_ms = 1000,
};

/* ---- accepting ---- */

void
serve_place_is_free(struct serve_server *server)
{
	static const struct timeval at_once = {0, 0};

	if (server->out_of_places &&
	    server->nconns < server->limits.connections) {
		server->out_of_places = false;
		evtimer_add(server->resume, &at_once);
	}
}

static void
note_files(struct serve_server *server, bool out_of_files)
{
	if (server->out_of_files == out_of_files)
		return;
	server->out_of_files = out_of_files;
	if (out_of_files)
		jw_log(JW_LOG_WARNING,
		    "connections cannot be accepted: %s; clients wait",
		    strerror(errno));
	else
		jw_log(JW_LOG_NOTICE, "connections are accepted again");
}

static void
serve_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	const struct timeval now = {0, 0};
	struct serve_server *server = arg;
	struct serve_conn *conn = serve_conn_new(server, fd);

	(void)sa;
	(void)len;
	note_files(server, false);
	if (conn != NULL)
		serve_admit(conn);
	/* Clients beyond the limit wait in the kernel's queue. */
	if (server->nconns >= server->limits.connections) {
		server->out_of_places = true;
		evconnlistener_disable(listener);
	} else if (++server->accepted == ACCEPTS_A_TURN) {
		/* The listener accepts as long as clients come, while the
		 * connections that are there wait. */
		evconnlistener_disable(listener);
		evtimer_add(server->resume, &now);
	}
}

/* Out of descriptors: look away for a moment instead of spinning. */
static void
serve_on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct serve_server *server = arg;
	struct timeval wait = {0, PAUSE_MS * 1000};

	note_files(server, true);
	evconnlistener_disable(listener);
	evtimer_add(server->resume, &wait);
}

static void
serve_on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct serve_server *server = arg;

	(void)fd;
	(void)what;
	server->accepted = 0;
	if (!server->out_of_places && !server->draining)
		evconnlistener_enable(server->listener);
}

/* ---- start and end ---- */

void
serve_tell_empty(struct serve_server *server)
{
	void (*drained)(void *arg) = server->drained;

	if (drained == NULL || !TAILQ_EMPTY(&server->conns) ||
	    !TAILQ_EMPTY(&server->waiting))
		return;
	server->drained = NULL;
	drained(server->drained_arg);
}

enum jw_err
serve_server_new(
    const struct serve_options *options, struct serve_server **ret_server)
{
	struct serve_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		close(options->take_fd);
		return JW_NO_MEMORY;
	}
	TAILQ_INIT(&server->conns);
	TAILQ_INIT(&server->waiting);
	server->base = options->base;
	server->service = options->service;
	server->context = options->context;
	server->limits = *options->limits;
	server->quick = options->quick;
	server->has_group = jw_group_find(options->group, &server->group);
	server->turns = options->turns;
	if (server->turns == NULL &&
	    serve_turns_new(server->base, &server->own_turns) == JW_OK)
		server->turns = server->own_turns;
	server->resume = evtimer_new(server->base, serve_on_resume, server);
	server->listener = evconnlistener_new(server->base, serve_on_accept,
	    server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
	    options->take_fd);
	if (server->listener == NULL || server->resume == NULL ||
	    server->turns == NULL) {
		if (server->listener == NULL)
			close(options->take_fd);
		serve_server_free(server);
		return JW_NO_MEMORY;
	}
	evconnlistener_set_error_cb(server->listener, serve_on_accept_error);
	*ret_server = server;
	return JW_OK;
}

/* The octets that the client has sent are still read, then the end. */
static void
end_input(struct serve_conn *conn)
{
	shutdown(conn->fd, SHUT_RD);
	conn->has_input = true;
	conn->has_end = true;
	if (conn->place != PLACE_PARKED)
		serve_conn_soon(conn);
}

void
serve_server_drain(
    struct serve_server *server, void (*done)(void *arg), void *arg)
{
	struct serve_conn *conn;

	server->draining = true;
	server->drained = done;
	server->drained_arg = arg;
	evconnlistener_disable(server->listener);
	TAILQ_FOREACH (conn, &server->waiting, link)
		end_input(conn);
	TAILQ_FOREACH (conn, &server->conns, link)
		end_input(conn);
	serve_tell_empty(server);
}

void
serve_watch_refused(
    struct serve_server *server, serve_refused_fn *fn, void *arg)
{
	server->refused = fn;
	server->refused_arg = arg;
}

void
serve_server_free(struct serve_server *server)
{
	struct serve_conn *conn;

	if (server == NULL)
		return;
	server->drained = NULL;
	while ((conn = TAILQ_FIRST(&server->waiting)) != NULL)
		serve_conn_free(conn); /* NOLINT(clang-analyzer-unix.Malloc) */
	/* serve_conn_free() takes it off the list, which the analyzer cannot
	 * see. */
	while ((conn = TAILQ_FIRST(&server->conns)) != NULL)
		serve_conn_free(conn); /* NOLINT(clang-analyzer-unix.Malloc) */
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->resume != NULL)
		event_free(server->resume);
	serve_turns_free(server->own_turns);
	jw_buffer_free(&server->spare_in);
	jw_buffer_free(&server->spare_out);
	free(server);
}
