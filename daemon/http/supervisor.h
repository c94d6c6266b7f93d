/*
 * The supervisor of the workers: starts them, starts them again, and ends
 * them.  It reads no octet from the network.
 */
#ifndef JWKSD_HTTP_SUPERVISOR_H
#define JWKSD_HTTP_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/http/limits.h"
#include "daemon/http/uptime.h"

struct http_supervisor_options {
	size_t processes; /* at most UPTIME_SLOTS */
	const struct http_limits *limits;
	struct http_uptime *uptime;
	/* What a worker does; it exits with 0 afterwards. */
	void (*work)(size_t slot, void *arg);
	void *arg;
};

/* Blocks until SIGTERM or SIGINT, and until every worker has ended.  JW_IO
 * when it could not begin. */
enum jw_err http_supervisor_run(const struct http_supervisor_options *options);

/*
 * How many milliseconds to wait before a worker that lived lived_ms is started
 * again, where the wait before it was last_delay_ms: none for one that lived
 * for a second.
 */
int64_t http_supervisor_delay(int64_t last_delay_ms, int64_t lived_ms);

#endif
