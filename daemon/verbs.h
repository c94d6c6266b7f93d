/*
 * What the methods of org.jwksd.keys do, one function each.  They check what
 * the interface description cannot, ask the lifecycle or the keeper, and
 * answer.  All run on the event loop.
 */
#ifndef JWKSD_DAEMON_VERBS_H
#define JWKSD_DAEMON_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct control_call;
struct json_t;
struct keeper;
struct keeper_set;
struct publish;
struct varlink_service;

/* What every verb is given. */
struct verbs {
	struct keeper *keeper;
	struct publish *publish; /* who follows the documents */
	int64_t started;
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
    struct control_call *call, const struct verbs *verbs);

/* Answer InvalidParameter. */
void verbs_invalid(struct control_call *call, const char *parameter);
/* Answer a failure of the store. */
void verbs_store_failed(
    struct control_call *call, const struct verbs *verbs, enum jw_err err);

/* verbs_change.c */
void verbs_rotate(struct control_call *call, void *context);
/* verbs_monitor.c */
void verbs_monitor(struct control_call *call, void *context);

#endif
