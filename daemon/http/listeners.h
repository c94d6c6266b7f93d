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

struct documents;
struct event_base;
struct guard;

struct guard_options {
	const struct limits *limits;
	const char *domain;     /* or NULL; kept, not copied */
	size_t max_connections; /* 0: as many as there are descriptors for */
	const int *fds;         /* listening; they stay the caller's */
	size_t nfds;
	const struct documents *(*documents)(void *arg);
	/* While ending: the last connection is gone. */
	void (*empty)(void *arg);
	void *arg;
};

/*
 * Make libevent end the process where memory is short, instead of answering
 * 200 with nothing, and log as we do.  Once, before the first event_base.
 */
void guard_init(void);

/* Nothing is accepted before guard_open().  JW_NO_MEMORY. */
enum jw_err guard_new(struct event_base *base,
    const struct guard_options *options, struct guard **ret_guard);
void guard_free(struct guard *guard);

void guard_open(struct guard *guard);
/* Accept no more; what is answered from now on ends its connection. */
void guard_end(struct guard *guard);
/* Close the connections that wait for another request; with `silent` also
 * those that have not sent their first. */
void guard_close_idle(struct guard *guard, bool silent);
size_t guard_count(const struct guard *guard);

#endif
