/*
 * One connection of a client: its requests, its answers, its deadlines.
 *
 * evhttp sends answers and keeps the sockets, but reads no octet of a client:
 * conn.c takes each octet out of evhttp's input buffer before evhttp looks
 * there, reads whole requests with request.c, decides on the answer, and then
 * gives evhttp a request line of its own, one at a time.
 */
#ifndef JWKSD_HTTP_CONN_H
#define JWKSD_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/http/answer.h"
#include "daemon/http/limits.h"
#include "daemon/http/request.h"

struct bufferevent;
struct http_documents;
struct evbuffer;
struct evbuffer_cb_entry;
struct event;
struct event_base;
struct evhttp_connection;
struct evhttp_request;

struct http_conn;
TAILQ_HEAD(conn_list, http_conn);

/* What all connections of a process share. */
struct http_conn_env {
	struct event_base *base;
	const struct http_limits *limits;
	const char *domain; /* or NULL */
	const struct http_documents *(*documents)(void *arg);
	/* conn->fd is known from here on. */
	void (*opened)(struct http_conn *conn, void *arg);
	/* The connection is about to be freed. */
	void (*closed)(struct http_conn *conn, void *arg);
	void *arg;
	struct conn_list idle; /* the one that is idle for longest first */
	bool ending;           /* each answer is a connection's last */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link; /* in env->idle while idle */
	struct http_conn_env *env;
	struct bufferevent *bev;          /* evhttp's */
	struct evhttp_connection *evhttp; /* NULL until opened */
	struct evbuffer_cb_entry *entry;
	struct evbuffer *unread; /* octets of requests yet to be answered */
	struct event *timer;
	int64_t armed; /* when timer fires; 0: it is not set */
	struct http_request_scan scan;
	struct http_pace pace;
	struct http_answer answer; /* of the present request */
	int fd;
	bool busy;    /* evhttp answers a request */
	bool feeding; /* this file changes evhttp's input buffer */
	bool closing; /* octets that come from here on are dropped */
	bool linger;  /* octets may be unread when it is closed */
};

/*
 * The bufferevent for a new connection of evhttp's.  Never NULL: the process
 * ends when memory is short.
 */
struct bufferevent *http_conn_new(struct http_conn_env *env);
/* evhttp has read the request line that conn.c gave it: send the answer. */
void http_conn_answer(struct http_conn *conn, struct evhttp_request *request);
/* Close it now; env->closed() is called. */
void http_conn_end(struct http_conn *conn);

#endif
