/*
 * The listening sockets and the connections of a worker: how many there may
 * be, and which are closed to make room for new ones.
 */
#ifndef JWKSD_HTTP_LISTENERS_H
#define JWKSD_HTTP_LISTENERS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/http/limits.h"

struct http_documents;
struct event_base;
struct http_listeners;

struct http_listeners_options {
	const struct http_limits *limits;
	const char *domain;     /* or NULL; kept, not copied */
	size_t max_connections; /* 0: as many as there are descriptors for */
	const int *fds;         /* listening; they stay the caller's */
	size_t nfds;
	const struct http_documents *(*documents)(void *arg);
	/* After http_listeners_end(): the last connection is closed. */
	void (*empty)(void *arg);
	void *arg;
};

/*
 * Let libevent end the process where memory is short, instead of answering 200
 * without a body, and write to our log.  Once, before the first event_base.
 */
void http_listeners_init(void);

/* Nothing is accepted before http_listeners_open(). */
struct http_listeners *http_listeners_new(
    struct event_base *base, const struct http_listeners_options *options);
void http_listeners_free(struct http_listeners *listeners);

void http_listeners_open(struct http_listeners *listeners);
/* Accept no more; what is answered from now on ends its connection. */
void http_listeners_end(struct http_listeners *listeners);
/* Close the connections that wait for another request; with `silent` also
 * those that have not sent their first. */
void http_listeners_close_idle(struct http_listeners *listeners, bool silent);
size_t http_listeners_count(const struct http_listeners *listeners);

#endif
