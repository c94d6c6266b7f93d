/*
 * The methods of org.jwksd.sign.  Everything runs on the event loop but the
 * signatures themselves.
 */
#ifndef JWKSD_DAEMON_VERBS_SIGN_H
#define JWKSD_DAEMON_VERBS_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct serve_call;
struct event_base;
struct verbs_rights;
struct varlink_rows;
struct varlink_service;
struct verbs;
struct verbs_sign;

/*
 * verbs outlives it; rights becomes its own, on success and on failure.
 * From here on keys are forgotten when they stop being active.
 */
enum jw_err verbs_sign_new(struct event_base *base, struct verbs *verbs,
    struct verbs_rights *take_rights, struct verbs_sign **ret_signing,
    struct jw_why *why);
/* Before the keeper, after the server whose context it is. */
void verbs_sign_free(struct verbs_sign *signing);

/* org.jwksd.sign; the context of its verbs is the struct verbs_sign. */
extern const struct varlink_service verbs_sign_service;

/* For serve_options.quick: the calls of sign_call.h. */
bool verbs_sign_quick(struct serve_call *call, void *context);

/* Append a line for each key that should sign and cannot; signing may be
 * NULL. */
void verbs_sign_warn(
    const struct verbs_sign *signing, struct varlink_rows *warnings);

#endif
