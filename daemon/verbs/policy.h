/*
 * SetPolicy, and the policy that a request names.
 */
#ifndef JWKSD_DAEMON_VERBS_POLICY_H
#define JWKSD_DAEMON_VERBS_POLICY_H

#include <stdbool.h>

#include "daemon/verbs/change.h"
#include "daemon/verbs/rows_json.h"

struct serve_call;

struct verbs_set_policy_request {
	struct verbs_mutation mutation;
	const char *name;
	struct verbs_policy_members policy;
};

struct verbs_set_policy_reply {
	struct verbs_key_set_row key_set;
};

void verbs_set_policy(
    struct serve_call *call, const void *request, void *context);

/* Set the members that were given; false: the change has been refused. */
bool verbs_policy_apply(struct verbs_change *change,
    const struct verbs_policy_members *members, struct jw_policy *policy);
/* Does the arithmetic of the policy hold?  False as above. */
bool verbs_policy_check(
    struct verbs_change *change, const struct jw_policy *policy);
/* Can this program make keys of the algorithm?  False as above. */
bool verbs_policy_check_algorithm(
    struct verbs_change *change, const struct jw_policy *policy);

#endif
