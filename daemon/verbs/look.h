/*
 * The methods that show something and change nothing.
 */
#ifndef JWKSD_DAEMON_VERBS_LOOK_H
#define JWKSD_DAEMON_VERBS_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/varlink_struct.h"
#include "daemon/verbs/rows_json.h"

struct serve_call;

/* ---- requests: keySet is NULL where it is absent ---- */

struct verbs_list_request {
	const char *key_set;
	bool all;
};

struct verbs_show_key_request {
	const char *key;
};

struct verbs_plan_request {
	const char *key_set;
	struct varlink_maybe_int until;
};

struct verbs_get_jwks_request {
	const char *key_set;
	struct varlink_maybe_int at;
};

struct verbs_verify_request {
	const char *token;
};

struct verbs_monitor_request {
	const char *key_set;
};

/* ---- replies ---- */

struct verbs_status_reply {
	const char *version, *mode;
	int64_t started, key_sets, generations, fronts;
	bool is_ready, clock_trusted;
	struct varlink_rows warnings;
	struct verbs_change_row next_change;
	const struct lc_exposure *exposure;
};

/* Of ListKeySets, ListKeys and Plan. */
struct verbs_rows_reply {
	struct varlink_rows rows;
};

struct verbs_show_key_reply {
	struct verbs_key_row key;
};

struct verbs_get_jwks_reply {
	const char *jwks; /* as text */
	const char *etag;
	int64_t max_age, version;
};

struct verbs_verify_reply {
	bool valid;
	struct varlink_maybe_bool published;
	const char *reason, *key_set, *kid, *state;
	struct varlink_maybe_int generation, expires_at;
};

struct verbs_monitor_reply {
	const char *event, *key_set;
	struct varlink_rows keys;
	int64_t sequence;
	bool complete;
};

void verbs_status(struct serve_call *call, const void *request, void *context);
void verbs_list_key_sets(
    struct serve_call *call, const void *request, void *context);
void verbs_list_keys(
    struct serve_call *call, const void *request, void *context);
void verbs_show_key(
    struct serve_call *call, const void *request, void *context);
void verbs_plan(struct serve_call *call, const void *request, void *context);
/* Of org.jwksd.sign too, with that layout of the reply. */
extern const struct varlink_layout verbs_get_jwks_layout;
void verbs_get_jwks(
    struct serve_call *call, const void *request, void *context);
void verbs_verify(struct serve_call *call, const void *request, void *context);
void verbs_monitor(struct serve_call *call, const void *request, void *context);

#endif
