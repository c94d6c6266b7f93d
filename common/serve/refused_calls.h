/*
 * What a server says of calls that it, or a verb, answers with an error.
 */
#ifndef JWKSD_COMMON_SERVE_REFUSED_CALLS_H
#define JWKSD_COMMON_SERVE_REFUSED_CALLS_H

#include <stdbool.h>

struct serve_call;
struct serve_server;

/* `error` is the qualified name that is answered; static text.  Runs before
 * the answer, on the event loop, and must not answer the call itself. */
typedef void serve_refused_fn(
    const struct serve_call *call, const char *error, void *arg);
void serve_watch_refused(
    struct serve_server *server, serve_refused_fn *fn, void *arg);

/* Does its method change something?  False for one that is not known. */
bool serve_changes(const struct serve_call *call);

#endif
