/*
 * The supervisor of the workers: starts them, starts them again, hands the
 * listening sockets to a later front, and ends them.  It reads no octet from
 * the network.
 */
#ifndef JWKSD_HTTP_MASTER_H
#define JWKSD_HTTP_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/http/limits.h"
#include "daemon/http/uptime.h"

struct http_supervisor_options {
	size_t processes;
	const struct http_limits *limits;
	struct http_uptime *serving;
	const int *fds; /* listening; what is handed over */
	size_t nfds;
	int front_fd; /* where a later keeper asks for them; -1: nowhere */
	/* What a worker does; the result is its exit status. */
	int (*work)(size_t slot, void *arg);
	void *arg;
};

/*
 * Blocks until SIGTERM, SIGINT or a hand-over has ended everything.  JW_IO
 * when it could not begin.  ret_handed: another front listens on.
 */
enum jw_err http_supervisor_run(
    const struct http_supervisor_options *options, bool *ret_handed);

/*
 * How long to wait before a worker that lived lived_ms is started again,
 * after the wait before it: not at all, unless it died young.
 */
int64_t http_supervisor_delay(int64_t last_delay_ms, int64_t lived_ms);

#endif
