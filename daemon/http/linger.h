/*
 * The last moments of connections that were refused with octets of theirs
 * still unread: closing at once would reset them, and the client might never
 * see why.  A few are read on for a second, the rest is closed.
 */
#ifndef JWKSD_HTTP_LINGER_H
#define JWKSD_HTTP_LINGER_H

#include <stddef.h>

#include "daemon/http/limits.h"

struct event_base;
struct lingerers;

/* NULL when memory is short.  gone is called when one has been closed. */
struct lingerers *http_linger_new(struct event_base *base,
    const struct http_limits *limits, void (*gone)(void *arg), void *arg);
void http_linger_free(struct lingerers *linger);

/* Hold on to a socket that others are about to close; fd stays theirs. */
void http_linger_add(struct lingerers *linger, int fd);
size_t http_linger_count(const struct lingerers *linger);

#endif
