/*
 * The types of org.jwksd.keys that are more than one C value: what is filled
 * in for each, and its codec (varlink_struct.h).  Members without a value are
 * left out.
 */
#ifndef JWKSD_DAEMON_VERBS_ROWS_JSON_H
#define JWKSD_DAEMON_VERBS_ROWS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/policy.h"
#include "common/wire/varlink_struct.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"

struct json_t;
struct lc_exposure;

/* ---- rows of a reply: what they show must stay until they are encoded ---- */

struct verbs_key_row {
	const char *key_set;
	const struct key *key; /* NULL: the member is left out */
	/* The key set as it is, or as a change would leave it: the key's facts
	 * are those of its generation there.  NULL, and for a generation that
	 * is not in it (a tombstone): the key's own. */
	const struct lc_set *set;
	const char *reason; /* NULL: the key's own */
	bool with_jwk;
};

struct verbs_key_set_row {
	const struct key_set *set;
	const struct key_set_facts *facts; /* NULL: the set's own */
	const char *domain;                /* of the HTTP front; NULL: none */
};

struct verbs_change_row {
	const char *key_set;
	const struct lc_change *change; /* NULL: the member is left out */
	const char *kid;                /* NULL: not made yet */
};

/* Members of a policy that a request sets. */
struct verbs_policy_members {
	uint32_t set; /* bit i: the i-th parameter (policy.h) */
	struct jw_policy values;
	/* The first member whose value cannot be right; NULL: none. */
	const struct jw_param *wrong;
	bool wrong_is_number;
};

extern const struct varlink_codec verbs_key_codec, /* struct verbs_key_row */
    verbs_key_set_codec,  /* struct verbs_key_set_row */
    verbs_change_codec,   /* struct verbs_change_row */
    verbs_exposure_codec, /* const struct lc_exposure *; NULL: left out */
    verbs_policy_codec,   /* struct verbs_policy_members; decodes only */
    verbs_keys_codec, /* struct varlink_rows of such rows, as the next two */
    verbs_key_sets_codec, verbs_changes_codec;

/* Append a key, as a row of these members. */
void verbs_add_key(struct varlink_rows *rows, const char *key_set,
    const struct key *key, const struct lc_set *set);

/* Monitor's word for a state that a key has entered. */
const char *verbs_json_event(enum gen_state to);

#endif
