/*
 * Follows the keeper's documents: a client of publish.sock that reconnects
 * for ever and keeps the last good documents meanwhile.  Runs in the event
 * loop; never blocks.
 */
#ifndef JWKSD_HTTP_PUBLISH_CLIENT_H
#define JWKSD_HTTP_PUBLISH_CLIENT_H

#include <stddef.h>

#include "common/base/err.h"
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
	void (*first)(void *arg); /* the first full set is there */
	void *arg;
};

/* JW_NO_MEMORY, or JW_INVALID_PARAMETER: the path is too long (why). */
enum jw_err http_publish_client_new(struct event_base *base,
    const struct http_publish_client_options *options,
    struct http_publish_client **ret_client, struct jw_why *why);
void http_publish_client_free(struct http_publish_client *client);

/* Ask anew, if an answer is awaited: what was said of us is true no more. */
void http_publish_client_again(struct http_publish_client *client);

/*
 * What is to be served; NULL before the first full set.  Good until the
 * event loop runs again.
 */
const struct http_documents *http_publish_client_documents(
    const struct http_publish_client *client);

#endif
