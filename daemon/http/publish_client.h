/*
 * A client of publish.sock: holds the keeper's documents up to date, and while
 * it has no connection the last ones.  Runs in the event loop; never blocks.
 */
#ifndef JWKSD_HTTP_PUBLISH_CLIENT_H
#define JWKSD_HTTP_PUBLISH_CLIENT_H

#include <stddef.h>

#include "daemon/http/limits.h"
#include "daemon/http/uptime.h"

struct http_documents;
struct event_base;
struct http_publish_client;

struct http_publish_client_options {
	const char *socket_path; /* RUNTIME/publish.sock; kept, not copied */
	struct http_uptime *uptime;
	size_t slot; /* this worker's in uptime */
	const struct http_limits *limits;
	void (*first)(void *arg); /* the first full set has been received */
	void *arg;
};

struct http_publish_client *http_publish_client_new(
    struct event_base *base, const struct http_publish_client_options *options);
void http_publish_client_free(struct http_publish_client *client);

/* Call Documents again, if its first answer is still awaited: what the call
 * said of this front is no longer true. */
void http_publish_client_again(struct http_publish_client *client);

/*
 * What is to be served, until the event loop runs again; NULL before the first
 * full set.
 */
const struct http_documents *http_publish_client_documents(
    const struct http_publish_client *client);

#endif
