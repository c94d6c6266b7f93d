/*
 * One connection of a client: octets in, answers out, patience.
 *
 * evhttp does the sending and the bookkeeping of its sockets, but reads no
 * octet of a client: conn takes each octet out of evhttp's input before
 * evhttp looks there, reads whole heads with head.c, decides on the answer,
 * and gives evhttp a request line of our own, one at a time.
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
	/* It has its descriptor, and its place among the others. */
	void (*opened)(struct http_conn *conn, void *arg);
	/* evhttp is about to free it. */
	void (*closed)(struct http_conn *conn, void *arg);
	void *arg;
	struct conn_list idle; /* the longest idle first */
	bool ending;           /* each answer is a connection's last */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link; /* in env->idle while idle */
	struct http_conn_env *env;
	struct bufferevent *bev;          /* evhttp's */
	struct evhttp_connection *evhttp; /* NULL until opened */
	struct evbuffer_cb_entry *entry;
	struct evbuffer *raw; /* octets that are not answered yet */
	struct event *timer;
	int64_t armed; /* when timer fires */
	struct http_request_scan scan;
	struct http_pace pace;
	struct http_answer answer; /* of the present request */
	int fd;
	bool busy;    /* evhttp has a request of ours */
	bool feeding; /* we change evhttp's input ourselves */
	bool closing; /* no more requests; what comes is dropped */
	bool linger;  /* octets may be unread when it ends */
};

/*
 * The bufferevent for a new connection of evhttp's.  Never NULL: the process
 * ends when memory is short.
 */
struct bufferevent *http_conn_new(struct http_conn_env *env);
/* evhttp calls back for the request that conn gave it. */
void http_conn_answer(struct http_conn *conn, struct evhttp_request *request);
/* End it now; env->closed() is called. */
void http_conn_end(struct http_conn *conn);

#endif
