/*
 * The methods that change which key signs: Rotate, Rollback and Revoke.
 */
#ifndef JWKSD_DAEMON_VERBS_ROTATE_H
#define JWKSD_DAEMON_VERBS_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/varlink_struct.h"
#include "daemon/verbs/change.h"
#include "daemon/verbs/rows_json.h"

struct serve_call;

struct verbs_rotate_request {
	struct verbs_mutation mutation;
	const char *key_set; /* NULL: "default" */
	struct varlink_maybe_int at;
	bool now, cancel;
};

struct verbs_rollback_request {
	struct verbs_mutation mutation;
	const char *key_set; /* NULL: "default" */
	bool now;
};

struct verbs_revoke_request {
	struct verbs_mutation mutation;
	const char *key;
	bool force;
};

/* Of all three; each has some of the members. */
struct verbs_rotate_reply {
	const char *key_set;
	struct verbs_key_row activated, retired, revoked;
	int64_t scheduled_for; /* 0: absent */
	int64_t flush_at;      /* 0: absent */
	const char *cause;
	const struct lc_exposure *exposure;
};

void verbs_rotate(struct serve_call *call, const void *request, void *context);
void verbs_rollback(
    struct serve_call *call, const void *request, void *context);
void verbs_revoke(struct serve_call *call, const void *request, void *context);

#endif
