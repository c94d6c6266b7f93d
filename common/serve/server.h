/*
 * Varlink servers on Unix sockets, with libevent: accept, peer identity,
 * framing, order of replies, limits.
 *
 * The server owns connections and calls.  Nothing that a client sends can
 * stop, block or end the daemon: a client that breaks the rules loses its
 * connection.
 */
#ifndef JWKSD_COMMON_SERVE_SERVER_H
#define JWKSD_COMMON_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "common/serve/call.h"

struct serve_server;
struct event_base;
struct serve_turns;
struct varlink_service;

struct serve_limits {
	int connections;     /* in all; further clients wait to be accepted */
	int per_uid;         /* of one uid */
	int calls;           /* of one connection under way */
	size_t queued;       /* octets of output, of one connection */
	size_t held;         /* octets of input and output, in all */
	int half_message_ms; /* for the rest of a message */
	/* How long a connection beyond its uid's share waits, unread, for one
	 * of that uid to end.  Then its first call is answered Overloaded. */
	int park_ms;
};

/* 64 connections, 16 a uid, one call at a time, 1 MiB, 64 MiB, 10 s,
 * 1 s. */
extern const struct serve_limits serve_default_limits;

struct serve_options {
	struct event_base *base;
	const struct varlink_service *service;
	void *context;     /* for the verbs */
	int take_fd;       /* a listening socket */
	const char *group; /* whose members may call; NULL: root and the
			    * user of the daemon alone */
	const struct serve_limits *limits;
	struct serve_turns
	    *turns; /* which all servers share; NULL: one of its own */
	/*
	 * Tried first with each call of a peer that may call, which has a text
	 * and no parameters yet.  True: the call is taken, like by a verb;
	 * false: nothing has been done.  NULL: there is none.
	 */
	bool (*quick)(struct serve_call *call, void *context);
};

/* Owns take_fd from here on. */
enum jw_err serve_server_new(
    const struct serve_options *options, struct serve_server **ret_server);
void serve_server_free(struct serve_server *server);

/*
 * Answer what clients have sent until now and nothing later; new clients wait
 * in the kernel's queue.  `done`, maybe before this returns, when no connection
 * is left; it must not free the server.
 */
void serve_server_drain(
    struct serve_server *server, void (*done)(void *arg), void *arg);

/*
 * fn is called with each call that is about to be answered with an error:
 * `error` is its qualified name, a static text.  Runs on the event loop, and
 * must not answer the call itself.
 */
typedef void serve_refused_fn(
    const struct serve_call *call, const char *error, void *arg);
void serve_watch_refused(
    struct serve_server *server, serve_refused_fn *fn, void *arg);

#endif
