/*
 * Rows as the interfaces show them: pure builders of JSON values for the
 * types of org.jwksd.keys.  Each returns a new reference, NULL when memory is
 * short.  Members without a value are left out.
 */
#ifndef JWKSD_DAEMON_VERBS_ROWS_JSON_H
#define JWKSD_DAEMON_VERBS_ROWS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"

struct json_t;
struct lc_exposure;

/*
 * set: the key set as it is, or as an order would leave it: the key's facts
 * are those of its generation there.  NULL, and for a generation that is not
 * in it (a tombstone): the key's own.  with_jwk adds the public key.
 */
struct json_t *verbs_json_key(const char *key_set, const struct key *key,
    const struct lc_set *set, bool with_jwk);

struct json_t *verbs_json_policy(const struct jw_policy *policy);
/* domain: of the HTTP front; NULL: none. */
struct json_t *verbs_json_key_set(
    const struct key_set *set, const char *domain);
/* kid may be NULL. */
struct json_t *verbs_json_change(
    const char *key_set, const struct lc_change *change, const char *kid);
struct json_t *verbs_json_exposure(const struct lc_exposure *exposure);

/* The first word of a monitor's reply for a state that was entered. */
const char *verbs_json_event(enum gen_state to);

#endif
