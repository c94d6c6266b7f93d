/*
 * Freeze, AcceptClock and Reload: what holds for the whole daemon.
 */
#ifndef JWKSD_DAEMON_VERBS_MODE_H
#define JWKSD_DAEMON_VERBS_MODE_H

#include <stdbool.h>

#include "common/wire/varlink_struct.h"
#include "daemon/verbs/change.h"

struct serve_call;

struct verbs_freeze_request {
	struct verbs_mutation mutation;
	const char *key_set; /* NULL: all */
	bool frozen;
};

struct verbs_freeze_reply {
	const char *mode;
	bool changed;
};

struct verbs_accept_clock_request {
	struct verbs_mutation mutation;
};

struct verbs_accept_clock_reply {
	bool is_trusted;
};

struct verbs_reload_reply {
	struct varlink_rows changed, restart;
	const struct lc_exposure *exposure;
};

void verbs_freeze(struct serve_call *call, const void *request, void *context);
void verbs_accept_clock(
    struct serve_call *call, const void *request, void *context);
void verbs_reload(struct serve_call *call, const void *request, void *context);

#endif
