/*
 * Follows the keeper's documents: a client of publish.sock that reconnects
 * for ever and keeps the last good documents meanwhile.  Runs in the event
 * loop; never blocks.
 */
#ifndef JWKSD_HTTP_FOLLOW_H
#define JWKSD_HTTP_FOLLOW_H

#include <stddef.h>

#include "common/base/err.h"
#include "daemon/http/limits.h"
#include "daemon/http/uptime.h"

struct documents;
struct event_base;
struct follow;

struct follow_options {
	const char *socket_path; /* RUNTIME/publish.sock; kept, not copied */
	struct serving *serving;
	size_t slot;    /* this worker's in serving */
	int64_t number; /* of this front, as its keeper knows it; or 0 */
	const struct limits *limits;
	void (*first)(void *arg); /* the first full set is there */
	void *arg;
};

/* JW_NO_MEMORY, or JW_INVALID_PARAMETER: the path is too long (why). */
enum jw_err follow_new(struct event_base *base,
    const struct follow_options *options, struct follow **ret_follow,
    struct jw_why *why);
void follow_free(struct follow *follow);

/* Ask anew, if an answer is awaited: what was said of us is true no more. */
void follow_again(struct follow *follow);

/*
 * What is to be served; NULL before the first full set.  Good until the
 * event loop runs again.
 */
const struct documents *follow_documents(const struct follow *follow);

#endif
