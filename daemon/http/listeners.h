/*
 * evhttp and what stands before it: listening sockets, the number of
 * connections, and room for new ones.
 */
#ifndef JWKSD_HTTP_GUARD_H
#define JWKSD_HTTP_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
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
	/* While ending: the last connection is gone. */
	void (*empty)(void *arg);
	void *arg;
};

/*
 * Make libevent end the process where memory is short, instead of answering
 * 200 with nothing, and log as we do.  Once, before the first event_base.
 */
void http_listeners_init(void);

/* Nothing is accepted before http_listeners_open().  JW_NO_MEMORY. */
enum jw_err http_listeners_new(struct event_base *base,
    const struct http_listeners_options *options,
    struct http_listeners **ret_guard);
void http_listeners_free(struct http_listeners *guard);

void http_listeners_open(struct http_listeners *guard);
/* Accept no more; what is answered from now on ends its connection. */
void http_listeners_end(struct http_listeners *guard);
/* Close the connections that wait for another request; with `silent` also
 * those that have not sent their first. */
void http_listeners_close_idle(struct http_listeners *guard, bool silent);
size_t http_listeners_count(const struct http_listeners *guard);

#endif
