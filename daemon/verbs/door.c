/*
 * The methods of org.jwksd.keys: how each request is decoded, which function
 * takes it, and how its reply is encoded.  The start compares each row with
 * the interface description.
 */
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"
#include "daemon/verbs/look.h"
#include "daemon/verbs/mode.h"
#include "daemon/verbs/policy.h"
#include "daemon/verbs/rotate.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/sets.h"
#include "daemon/verbs/verbs.h"

#define M VARLINK_MEMBER
#define LAYOUT(type)                              \
	static const struct varlink_layout type = \
	    VARLINK_LAYOUT(verbs_##type, type##_members)

/* Of every changing method; the first two where there is no generation. */
#define REQUEST(type)                                              \
	M(type, "requestId", mutation.request_id, varlink_string), \
	    M(type, "reason", mutation.reason, varlink_string)
#define MUTATION(type)                                                         \
	REQUEST(type),                                                         \
	    M(type, "expectGeneration", mutation.expected, varlink_maybe_int), \
	    M(type, "dryRun", mutation.dry_run, varlink_bool)

/* ---- requests ---- */

static const struct varlink_member rotate_request_members[] = {
    MUTATION(verbs_rotate_request),
    M(verbs_rotate_request, "keySet", key_set, varlink_string),
    M(verbs_rotate_request, "now", now, varlink_bool),
    M(verbs_rotate_request, "at", at, varlink_maybe_int),
    M(verbs_rotate_request, "cancel", cancel, varlink_bool),
};
LAYOUT(rotate_request);

static const struct varlink_member rollback_request_members[] = {
    MUTATION(verbs_rollback_request),
    M(verbs_rollback_request, "keySet", key_set, varlink_string),
    M(verbs_rollback_request, "now", now, varlink_bool),
};
LAYOUT(rollback_request);

static const struct varlink_member revoke_request_members[] = {
    MUTATION(verbs_revoke_request),
    M(verbs_revoke_request, "key", key, varlink_string),
    M(verbs_revoke_request, "force", force, varlink_bool),
};
LAYOUT(revoke_request);

static const struct varlink_member set_policy_request_members[] = {
    MUTATION(verbs_set_policy_request),
    M(verbs_set_policy_request, "name", name, varlink_string),
    M(verbs_set_policy_request, "policy", policy, verbs_policy_codec),
};
LAYOUT(set_policy_request);

static const struct varlink_member freeze_request_members[] = {
    REQUEST(verbs_freeze_request),
    M(verbs_freeze_request, "keySet", key_set, varlink_string),
    M(verbs_freeze_request, "frozen", frozen, varlink_bool),
};
LAYOUT(freeze_request);

static const struct varlink_member accept_clock_request_members[] = {
    REQUEST(verbs_accept_clock_request),
};
LAYOUT(accept_clock_request);

static const struct varlink_member list_request_members[] = {
    M(verbs_list_request, "keySet", key_set, varlink_string),
    M(verbs_list_request, "all", all, varlink_bool),
};
LAYOUT(list_request);

static const struct varlink_member show_key_request_members[] = {
    M(verbs_show_key_request, "key", key, varlink_string),
};
LAYOUT(show_key_request);

static const struct varlink_member plan_request_members[] = {
    M(verbs_plan_request, "keySet", key_set, varlink_string),
    M(verbs_plan_request, "until", until, varlink_maybe_int),
};
LAYOUT(plan_request);

static const struct varlink_member get_jwks_request_members[] = {
    M(verbs_get_jwks_request, "keySet", key_set, varlink_string),
    M(verbs_get_jwks_request, "at", at, varlink_maybe_int),
};
LAYOUT(get_jwks_request);

static const struct varlink_member verify_request_members[] = {
    M(verbs_verify_request, "token", token, varlink_string),
};
LAYOUT(verify_request);

static const struct varlink_member monitor_request_members[] = {
    M(verbs_monitor_request, "keySet", key_set, varlink_string),
};
LAYOUT(monitor_request);

/* ---- replies ---- */

static const struct varlink_member rotate_reply_members[] = {
    M(verbs_rotate_reply, "keySet", key_set, varlink_string),
    M(verbs_rotate_reply, "activated", activated, verbs_key_codec),
    M(verbs_rotate_reply, "retired", retired, verbs_key_codec),
    M(verbs_rotate_reply, "scheduledFor", scheduled_for, varlink_int_if_set),
    M(verbs_rotate_reply, "cause", cause, varlink_string),
    M(verbs_rotate_reply, "exposure", exposure, verbs_exposure_codec),
};
LAYOUT(rotate_reply);

static const struct varlink_member rollback_reply_members[] = {
    M(verbs_rotate_reply, "activated", activated, verbs_key_codec),
    M(verbs_rotate_reply, "retired", retired, verbs_key_codec),
    M(verbs_rotate_reply, "exposure", exposure, verbs_exposure_codec),
};
static const struct varlink_layout rollback_reply =
    VARLINK_LAYOUT(verbs_rotate_reply, rollback_reply_members);

static const struct varlink_member revoke_reply_members[] = {
    M(verbs_rotate_reply, "exposure", exposure, verbs_exposure_codec),
    M(verbs_rotate_reply, "revoked", revoked, verbs_key_codec),
    M(verbs_rotate_reply, "activated", activated, verbs_key_codec),
    M(verbs_rotate_reply, "flushAt", flush_at, varlink_int_if_set),
};
static const struct varlink_layout revoke_reply =
    VARLINK_LAYOUT(verbs_rotate_reply, revoke_reply_members);

static const struct varlink_member set_policy_reply_members[] = {
    M(verbs_set_policy_reply, "keySet", key_set, verbs_key_set_codec),
};
LAYOUT(set_policy_reply);

static const struct varlink_member freeze_reply_members[] = {
    M(verbs_freeze_reply, "mode", mode, varlink_string),
    M(verbs_freeze_reply, "changed", changed, varlink_bool),
};
LAYOUT(freeze_reply);

static const struct varlink_member accept_clock_reply_members[] = {
    M(verbs_accept_clock_reply, "clockTrusted", is_trusted, varlink_bool),
};
LAYOUT(accept_clock_reply);

static const struct varlink_member reload_reply_members[] = {
    M(verbs_reload_reply, "changed", changed, varlink_strings),
    M(verbs_reload_reply, "restart", restart, varlink_strings),
    M(verbs_reload_reply, "exposure", exposure, verbs_exposure_codec),
};
LAYOUT(reload_reply);

static const struct varlink_member status_reply_members[] = {
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
    M(verbs_status_reply, "exposure", exposure, verbs_exposure_codec),
};
LAYOUT(status_reply);

#define ROWS(name, member, codec)                               \
	static const struct varlink_member name##_members[] = { \
	    M(verbs_rows_reply, member, rows, codec),           \
	};                                                      \
	static const struct varlink_layout name =               \
	    VARLINK_LAYOUT(verbs_rows_reply, name##_members)

ROWS(key_sets_reply, "keySets", verbs_key_sets_codec);
ROWS(keys_reply, "keys", verbs_keys_codec);
ROWS(plan_reply, "changes", verbs_changes_codec);

static const struct varlink_member show_key_reply_members[] = {
    M(verbs_show_key_reply, "key", key, verbs_key_codec),
};
LAYOUT(show_key_reply);

static const struct varlink_member get_jwks_reply_members[] = {
    M(verbs_get_jwks_reply, "jwks", jwks, varlink_object_text),
    M(verbs_get_jwks_reply, "etag", etag, varlink_string),
    M(verbs_get_jwks_reply, "maxAge", max_age, varlink_int),
    M(verbs_get_jwks_reply, "version", version, varlink_int),
};
const struct varlink_layout verbs_get_jwks_layout =
    VARLINK_LAYOUT(verbs_get_jwks_reply, get_jwks_reply_members);

static const struct varlink_member verify_reply_members[] = {
    M(verbs_verify_reply, "keySet", key_set, varlink_string),
    M(verbs_verify_reply, "generation", generation, varlink_maybe_int),
    M(verbs_verify_reply, "kid", kid, varlink_string),
    M(verbs_verify_reply, "state", state, varlink_string),
    M(verbs_verify_reply, "published", published, varlink_maybe_bool),
    M(verbs_verify_reply, "expiresAt", expires_at, varlink_maybe_int),
    M(verbs_verify_reply, "valid", valid, varlink_bool),
    M(verbs_verify_reply, "reason", reason, varlink_string),
};
LAYOUT(verify_reply);

static const struct varlink_member monitor_reply_members[] = {
    M(verbs_monitor_reply, "event", event, varlink_string),
    M(verbs_monitor_reply, "keySet", key_set, varlink_string),
    M(verbs_monitor_reply, "keys", keys, verbs_keys_codec),
    M(verbs_monitor_reply, "complete", complete, varlink_true),
    M(verbs_monitor_reply, "sequence", sequence, varlink_int),
};
LAYOUT(monitor_reply);

/* ---- the methods ---- */

static const struct varlink_verb table[] = {
    {"Status", 0, verbs_status, NULL, &status_reply},
    {"ListKeySets", VARLINK_MORE, verbs_list_key_sets, NULL, &key_sets_reply},
    {"ListKeys", VARLINK_MORE, verbs_list_keys, &list_request, &keys_reply},
    {"ShowKey", 0, verbs_show_key, &show_key_request, &show_key_reply},
    {"Rotate", VARLINK_CHANGES, verbs_rotate, &rotate_request, &rotate_reply},
    {"Rollback", VARLINK_CHANGES, verbs_rollback, &rollback_request,
	&rollback_reply},
    {"Revoke", VARLINK_CHANGES, verbs_revoke, &revoke_request, &revoke_reply},
    {"AddKeySet", VARLINK_CHANGES, verbs_add_key_set, NULL, NULL},
    {"RemoveKeySet", VARLINK_CHANGES, verbs_remove_key_set, NULL, NULL},
    {"SetPolicy", VARLINK_CHANGES, verbs_set_policy, &set_policy_request,
	&set_policy_reply},
    {"Freeze", VARLINK_CHANGES, verbs_freeze, &freeze_request, &freeze_reply},
    {"AcceptClock", VARLINK_CHANGES, verbs_accept_clock, &accept_clock_request,
	&accept_clock_reply},
    {"Reload", VARLINK_CHANGES, verbs_reload, NULL, &reload_reply},
    {"Plan", VARLINK_MORE, verbs_plan, &plan_request, &plan_reply},
    {"GetJwks", 0, verbs_get_jwks, &get_jwks_request, &verbs_get_jwks_layout},
    {"Verify", 0, verbs_verify, &verify_request, &verify_reply},
    {"Monitor", VARLINK_MORE | VARLINK_NEEDS_MORE, verbs_monitor,
	&monitor_request, &monitor_reply},
};

enum jw_err
verbs_offer(struct varlink_service *service, struct jw_why *why)
{
	return varlink_service_add(service, varlink_text("org.jwksd.keys"),
	    table, sizeof(table) / sizeof(table[0]), why);
}
