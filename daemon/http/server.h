/*
 * A worker: one process with an event loop that answers clients.  SIGTERM:
 * accept no more, answer requests that have begun, then end.
 */
#ifndef JWKSD_HTTP_SERVER_H
#define JWKSD_HTTP_SERVER_H

#include <stddef.h>

#include "daemon/http/limits.h"
#include "daemon/http/uptime.h"

struct http_server_options {
	const struct http_limits *limits;
	const char *domain;
	size_t max_connections;
	const char *publish_path; /* NULL: no keeper, and no documents */
	const int *fds;           /* listening */
	size_t nfds;
	struct http_uptime *uptime;
};

/* Runs until SIGTERM. */
void http_server_run(const struct http_server_options *options, size_t slot);

#endif
