/*
 * What the methods of org.jwksd.keys do, one function each.  They check what
 * the interface description cannot, ask the lifecycle or the keeper, and
 * answer.  All run on the event loop.
 */
#ifndef JWKSD_DAEMON_VERBS_VERBS_H
#define JWKSD_DAEMON_VERBS_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/policy.h"

struct serve_call;
struct json_t;
struct keeper;
struct keeper_set;
struct publish;
struct verbs_sign;
struct settings;
struct varlink_service;

/* What every verb is given. */
struct verbs {
	struct keeper *keeper;
	struct publish *publish; /* who follows the documents */
	int64_t started;
	struct jw_policy policy;          /* of new key sets */
	const struct verbs_sign *signing; /* or NULL */
	const struct settings *reload;
	bool
	    is_unanchored; /* no anchor tells the next start of this database */
};

/* Offer org.jwksd.keys.  JW_BUG with why when table and description differ. */
enum jw_err verbs_offer(struct varlink_service *service, struct jw_why *why);

/* ---- shared by the verbs ---- */

/* The parameter's value; absent or null: the fallback. */
const char *verbs_string(
    const struct json_t *parameters, const char *name, const char *fallback);
int64_t verbs_integer(
    const struct json_t *parameters, const char *name, int64_t fallback);
bool verbs_bool(const struct json_t *parameters, const char *name);

/* The key set that `keySet` names ("default" when absent); otherwise the
 * call has been answered with NoSuchKeySet and NULL comes back. */
struct keeper_set *verbs_key_set(
    struct serve_call *call, const struct verbs *verbs);
/* The same for a name that is known. */
struct keeper_set *verbs_named_key_set(
    struct serve_call *call, const struct verbs *verbs, const char *name);

/* The kid of a generation in memory; NULL: none, or set is NULL. */
const char *verbs_kid(const struct keeper_set *set, int64_t number);

/* The parameter's value, untouched when absent.  False: it is in the past or
 * beyond the year 9999, and has been answered with InvalidParameter. */
bool verbs_time_ahead(struct serve_call *call, const struct verbs *verbs,
    const char *name, int64_t *ret_time);

/* The domain of the HTTP front as it is in force; NULL: none. */
const char *verbs_domain(const struct verbs *verbs);

/* Answer InvalidParameter. */
void verbs_invalid(struct serve_call *call, const char *parameter);
/* Answer a failure of the store. */
void verbs_store_failed(
    struct serve_call *call, const struct verbs *verbs, enum jw_err err);

/* What a `key` parameter names; key is the caller's to json_decref. */
struct verbs_found {
	struct keeper_set *set; /* NULL: the key set is gone */
	int64_t number;
	struct json_t *key;
};

/* False: the call has been answered (NoSuchKey, AmbiguousKey, …). */
bool verbs_find_key(struct serve_call *call, struct verbs *verbs,
    struct verbs_found *ret_found);

/* verbs.c, for org.jwksd.sign as well */
void verbs_get_jwks(struct serve_call *call, void *context);
/* verbs_verify.c */
void verbs_verify(struct serve_call *call, void *context);
/* verbs_list.c */
void verbs_list_key_sets(struct serve_call *call, void *context);
void verbs_list_keys(struct serve_call *call, void *context);
/* verbs_plan.c */
void verbs_plan(struct serve_call *call, void *context);
/* verbs_change.c */
void verbs_rotate(struct serve_call *call, void *context);
void verbs_rollback(struct serve_call *call, void *context);
void verbs_revoke(struct serve_call *call, void *context);
void verbs_set_policy(struct serve_call *call, void *context);
void verbs_freeze_one(struct serve_call *call, void *context);
/* verbs_sets.c */
void verbs_add_key_set(struct serve_call *call, void *context);
void verbs_remove_key_set(struct serve_call *call, void *context);
/* verbs_world.c */
void verbs_freeze(struct serve_call *call, void *context);
void verbs_accept_clock(struct serve_call *call, void *context);
/* verbs_reload.c */
void verbs_reload(struct serve_call *call, void *context);
/* verbs_monitor.c */
void verbs_monitor(struct serve_call *call, void *context);

#endif
