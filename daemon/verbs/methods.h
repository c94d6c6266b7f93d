/*
 * The methods of org.jwksd.keys, with the structs of their requests and
 * replies.  A parameter has the same name, type and place in every method that
 * has it; a member that a method does not have is zero.
 */
#ifndef JWKSD_DAEMON_VERBS_METHODS_H
#define JWKSD_DAEMON_VERBS_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/varlink_struct.h"
#include "daemon/verbs/rows_json.h"

struct serve_call;

/* ---- requests: strings that are absent are NULL ---- */

struct verbs_look_request {
	const char *key_set, *key, *token;
	struct varlink_maybe_int at, until;
	bool all;
};

struct verbs_change_request {
	const char *key_set, *key;
	struct varlink_maybe_int at;
	bool now, cancel, force, frozen;
	struct verbs_policy_members policy;
	struct varlink_objects key_sets; /* of verbs_new_key_set_layout */
	/* The mutation parameters. */
	const char *request_id, *reason;
	struct varlink_maybe_int expected; /* the active generation */
	bool dry_run;
};

/* ---- replies: pointers that are NULL, and keys without one, are absent ----
 */

/* Of all changing methods; each has some of the members. */
struct verbs_change_reply {
	const char *key_set, *cause, *mode;
	struct verbs_key_row activated, retired, revoked;
	struct verbs_key_set_row row;              /* of the key set */
	int64_t scheduled_for, flush_at, signs_at; /* 0: absent */
	int64_t done, total;                       /* key sets */
	const struct lc_exposure *exposure;
	bool changed, clock_trusted;
};

struct verbs_reload_reply {
	struct varlink_rows changed, restart;
	const struct lc_exposure *exposure;
};

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
	const char *jwks; /* JSON text */
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

/* ---- methods: request is one of the structs above, context a struct verbs
 * (verbs.h) ---- */

typedef void verbs_method(
    struct serve_call *call, const void *request, void *context);

verbs_method verbs_status, verbs_list_key_sets, verbs_list_keys, verbs_show_key,
    verbs_plan, verbs_get_jwks, verbs_verify, verbs_monitor;
verbs_method verbs_rotate, verbs_rollback, verbs_revoke, verbs_set_policy,
    verbs_add_key_set, verbs_add_key_sets, verbs_remove_key_set, verbs_freeze,
    verbs_accept_clock, verbs_reload;

/* A NewKeySet: key_set and policy of a struct verbs_change_request. */
extern const struct varlink_layout verbs_new_key_set_layout;

/* For GetJwks of org.jwksd.sign. */
extern const struct varlink_layout verbs_look_layout, verbs_get_jwks_layout;

#endif
