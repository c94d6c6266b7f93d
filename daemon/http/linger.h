/*
 * Connections that are closed while octets of the client are still unread.
 * close(2) would reset them then, and the client might lose the answer.  Some
 * are read from for another second; the others are closed at once.
 */
#ifndef JWKSD_HTTP_LINGER_H
#define JWKSD_HTTP_LINGER_H

#include <stddef.h>

#include "daemon/http/limits.h"

struct event_base;
struct http_lingering;

/* gone is called when one has been closed. */
struct http_lingering *http_linger_new(struct event_base *base,
    const struct http_limits *limits, void (*gone)(void *arg), void *arg);
void http_linger_free(struct http_lingering *lingering);

/* Read on from a connection that is about to be closed; fd stays the
 * caller's. */
void http_linger_add(struct http_lingering *lingering, int fd);
size_t http_linger_count(const struct http_lingering *lingering);

#endif
