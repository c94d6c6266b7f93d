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

struct master_options {
	size_t processes;
	const struct limits *limits;
	struct serving *serving;
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
enum jw_err master_run(const struct master_options *options, bool *ret_handed);

/*
 * How long to wait before a worker that lived lived_ms is started again,
 * after the wait before it: not at all, unless it died young.
 */
int64_t master_delay(int64_t last_delay_ms, int64_t lived_ms);

#endif
