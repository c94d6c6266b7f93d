/*
 * The methods of org.jwksd.keys: how each request is decoded, which function
 * takes it, and how its reply is encoded.  A unit test compares each row with
 * the interface description.
 */
#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

#define M VARLINK_MEMBER

/* ---- requests ---- */

const struct varlink_layout verbs_look_layout =
    VARLINK_LAYOUT(verbs_look_request,
	M(verbs_look_request, "keySet", key_set, varlink_string),
	M(verbs_look_request, "key", key, varlink_string),
	M(verbs_look_request, "token", token, varlink_string),
	M(verbs_look_request, "at", at, varlink_maybe_int),
	M(verbs_look_request, "until", until, varlink_maybe_int),
	M(verbs_look_request, "all", all, varlink_bool));

const struct varlink_layout verbs_new_key_set_layout =
    VARLINK_LAYOUT(verbs_change_request,
	M(verbs_change_request, "name", key_set, varlink_string),
	M(verbs_change_request, "policy", policy, verbs_policy_codec));

static const struct varlink_codec new_key_sets_codec = {"[]NewKeySet",
    sizeof(struct varlink_objects), true, varlink_objects_decode, NULL};

static const struct varlink_layout change_layout = VARLINK_LAYOUT(
    verbs_change_request,
    M(verbs_change_request, "keySet", key_set, varlink_string),
    M(verbs_change_request, "name", key_set, varlink_string),
    M(verbs_change_request, "key", key, varlink_string),
    M(verbs_change_request, "at", at, varlink_maybe_int),
    M(verbs_change_request, "now", now, varlink_bool),
    M(verbs_change_request, "cancel", cancel, varlink_bool),
    M(verbs_change_request, "force", force, varlink_bool),
    M(verbs_change_request, "frozen", frozen, varlink_bool),
    M(verbs_change_request, "policy", policy, verbs_policy_codec),
    M(verbs_change_request, "keySets", key_sets, new_key_sets_codec),
    M(verbs_change_request, "requestId", request_id, varlink_string),
    M(verbs_change_request, "reason", reason, varlink_string),
    M(verbs_change_request, "expectGeneration", expected, varlink_maybe_int),
    M(verbs_change_request, "dryRun", dry_run, varlink_bool));

/* ---- replies ---- */

static const struct varlink_layout rotate_reply = VARLINK_LAYOUT(
    verbs_change_reply,
    M(verbs_change_reply, "keySet", key_set, varlink_string),
    M(verbs_change_reply, "activated", activated, verbs_key_codec),
    M(verbs_change_reply, "retired", retired, verbs_key_codec),
    M(verbs_change_reply, "scheduledFor", scheduled_for, varlink_int_if_set),
    M(verbs_change_reply, "cause", cause, varlink_string),
    M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout rollback_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "activated", activated, verbs_key_codec),
	M(verbs_change_reply, "retired", retired, verbs_key_codec),
	M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout revoke_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec),
	M(verbs_change_reply, "revoked", revoked, verbs_key_codec),
	M(verbs_change_reply, "activated", activated, verbs_key_codec),
	M(verbs_change_reply, "flushAt", flush_at, varlink_int_if_set));

static const struct varlink_layout add_key_set_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "keySet", row, verbs_key_set_codec),
	M(verbs_change_reply, "signsAt", signs_at, varlink_int_if_set),
	M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout add_key_sets_reply = VARLINK_LAYOUT(
    verbs_change_reply, M(verbs_change_reply, "done", done, varlink_int),
    M(verbs_change_reply, "total", total, varlink_int),
    M(verbs_change_reply, "signsAt", signs_at, varlink_int_if_set),
    M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout remove_key_set_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "keySet", row, verbs_key_set_codec),
	M(verbs_change_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout set_policy_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "keySet", row, verbs_key_set_codec));

static const struct varlink_layout freeze_reply = VARLINK_LAYOUT(
    verbs_change_reply, M(verbs_change_reply, "mode", mode, varlink_string),
    M(verbs_change_reply, "changed", changed, varlink_bool));

static const struct varlink_layout accept_clock_reply =
    VARLINK_LAYOUT(verbs_change_reply,
	M(verbs_change_reply, "clockTrusted", clock_trusted, varlink_bool));

static const struct varlink_layout reload_reply =
    VARLINK_LAYOUT(verbs_reload_reply,
	M(verbs_reload_reply, "changed", changed, varlink_strings),
	M(verbs_reload_reply, "restart", restart, varlink_strings),
	M(verbs_reload_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout status_reply =
    VARLINK_LAYOUT(verbs_status_reply,
	M(verbs_status_reply, "version", version, varlink_string),
	M(verbs_status_reply, "started", started, varlink_int),
	M(verbs_status_reply, "ready", is_ready, varlink_bool),
	M(verbs_status_reply, "mode", mode, varlink_string),
	M(verbs_status_reply, "clockTrusted", clock_trusted, varlink_bool),
	M(verbs_status_reply, "keySets", key_sets, varlink_int),
	M(verbs_status_reply, "generations", generations, varlink_int),
	M(verbs_status_reply, "fronts", fronts, varlink_int),
	M(verbs_status_reply, "warnings", warnings, varlink_strings),
	M(verbs_status_reply, "nextChange", next_change, verbs_change_codec),
	M(verbs_status_reply, "exposure", exposure, verbs_exposure_codec));

static const struct varlink_layout key_sets_reply =
    VARLINK_LAYOUT(verbs_rows_reply,
	M(verbs_rows_reply, "keySets", rows, verbs_key_sets_codec));

static const struct varlink_layout keys_reply = VARLINK_LAYOUT(
    verbs_rows_reply, M(verbs_rows_reply, "keys", rows, verbs_keys_codec));

static const struct varlink_layout plan_reply = VARLINK_LAYOUT(verbs_rows_reply,
    M(verbs_rows_reply, "changes", rows, verbs_changes_codec));

static const struct varlink_layout show_key_reply = VARLINK_LAYOUT(
    verbs_show_key_reply, M(verbs_show_key_reply, "key", key, verbs_key_codec));

const struct varlink_layout verbs_get_jwks_layout =
    VARLINK_LAYOUT(verbs_get_jwks_reply,
	M(verbs_get_jwks_reply, "jwks", jwks, varlink_object_text),
	M(verbs_get_jwks_reply, "etag", etag, varlink_string),
	M(verbs_get_jwks_reply, "maxAge", max_age, varlink_int),
	M(verbs_get_jwks_reply, "version", version, varlink_int));

static const struct varlink_layout verify_reply =
    VARLINK_LAYOUT(verbs_verify_reply,
	M(verbs_verify_reply, "keySet", key_set, varlink_string),
	M(verbs_verify_reply, "generation", generation, varlink_maybe_int),
	M(verbs_verify_reply, "kid", kid, varlink_string),
	M(verbs_verify_reply, "state", state, varlink_string),
	M(verbs_verify_reply, "published", published, varlink_maybe_bool),
	M(verbs_verify_reply, "expiresAt", expires_at, varlink_maybe_int),
	M(verbs_verify_reply, "valid", valid, varlink_bool),
	M(verbs_verify_reply, "reason", reason, varlink_string));

static const struct varlink_layout monitor_reply = VARLINK_LAYOUT(
    verbs_monitor_reply, M(verbs_monitor_reply, "event", event, varlink_string),
    M(verbs_monitor_reply, "keySet", key_set, varlink_string),
    M(verbs_monitor_reply, "keys", keys, verbs_keys_codec),
    M(verbs_monitor_reply, "complete", complete, varlink_true),
    M(verbs_monitor_reply, "sequence", sequence, varlink_int));

/* ---- the methods ---- */

#define LOOK(method, flags, fn, reply)                          \
	{                                                       \
		method, flags, fn, &verbs_look_layout, &(reply) \
	}
#define CHANGE(method, fn, reply)                                     \
	{                                                             \
		method, VARLINK_CHANGES, fn, &change_layout, &(reply) \
	}

static const struct varlink_verb table[] = {
    LOOK("Status", 0, verbs_status, status_reply),
    LOOK("ListKeySets", VARLINK_MORE, verbs_list_key_sets, key_sets_reply),
    LOOK("ListKeys", VARLINK_MORE, verbs_list_keys, keys_reply),
    LOOK("ShowKey", 0, verbs_show_key, show_key_reply),
    CHANGE("Rotate", verbs_rotate, rotate_reply),
    CHANGE("Rollback", verbs_rollback, rollback_reply),
    CHANGE("Revoke", verbs_revoke, revoke_reply),
    CHANGE("AddKeySet", verbs_add_key_set, add_key_set_reply),
    {"AddKeySets", VARLINK_CHANGES | VARLINK_MORE, verbs_add_key_sets,
	&change_layout, &add_key_sets_reply},
    CHANGE("RemoveKeySet", verbs_remove_key_set, remove_key_set_reply),
    CHANGE("SetPolicy", verbs_set_policy, set_policy_reply),
    CHANGE("Freeze", verbs_freeze, freeze_reply),
    CHANGE("AcceptClock", verbs_accept_clock, accept_clock_reply),
    CHANGE("Reload", verbs_reload, reload_reply),
    LOOK("Plan", VARLINK_MORE, verbs_plan, plan_reply),
    LOOK("GetJwks", 0, verbs_get_jwks, verbs_get_jwks_layout),
    LOOK("Verify", 0, verbs_verify, verify_reply),
    LOOK("Monitor", VARLINK_MORE | VARLINK_NEEDS_MORE, verbs_monitor,
	monitor_reply),
    {.method = NULL},
};

const struct varlink_service verbs_service = {&varlink_org_jwksd_keys, table};
