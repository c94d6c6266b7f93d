/*
 * SetPolicy, and the policy that a request names.  Must never let a policy into
 * force whose arithmetic does not hold, or whose keys could not be made.
 */
#include "daemon/crypto/keys.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/change.h"
#include "daemon/verbs/verbs.h"

enum jw_err
verbs_policy_apply(struct verbs_change *change,
    const struct verbs_policy_members *given, struct jw_policy *policy)
{
	const struct jw_param *wrong = given->wrong;
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	if (wrong != NULL)
		return verbs_change_bad_policy(change, wrong->camel,
		    "is outside of its range",
		    given->wrong_is_number
			? &(struct jw_policy_fault){wrong, true, true,
			      wrong->minimum, wrong->maximum}
			: NULL);
	for (size_t i = 0; i < n; i++)
		if ((given->set & UINT32_C(1) << i) != 0)
			jw_policy_set(policy, &params[i],
			    jw_policy_get(&given->values, &params[i]));
	return JW_OK;
}

enum jw_err
verbs_policy_check(struct verbs_change *change, const struct jw_policy *policy)
{
	struct jw_policy_fault fault;

	if (jw_policy_check(policy, &fault, &change->why) == JW_OK)
		return JW_OK;
	return verbs_change_bad_policy(
	    change, fault.param->camel, change->why.text, &fault);
}

enum jw_err
verbs_policy_check_algorithm(
    struct verbs_change *change, const struct jw_policy *policy)
{
	if (crypto_supported((enum jw_alg)policy->algorithm, &change->why) ==
	    JW_OK)
		return JW_OK;
	return verbs_change_bad_policy(
	    change, "algorithm", change->why.text, NULL);
}

/* Some algorithms may not share a key set. */
static enum jw_err
check_next_algorithm(
    struct verbs_change *change, const struct jw_policy *policy)
{
	int from = change->edit.before.facts.policy.algorithm;
	int to = policy->algorithm;

	if (from == to)
		return JW_OK;
	if (jw_alg_may_follow(from, to))
		return verbs_policy_check_algorithm(change, policy);
	jw_alg_why_not_follow(from, to, &change->why);
	return verbs_change_bad_policy(
	    change, "algorithm", change->why.text, NULL);
}

static enum jw_err
decide_policy(struct verbs_change *change)
{
	struct jw_policy policy = change->edit.before.facts.policy;
	enum jw_err err =
	    verbs_policy_apply(change, &change->asked->policy, &policy);

	if (err == JW_OK)
		err = check_next_algorithm(change, &policy);
	if (err == JW_OK)
		err = verbs_policy_check(change, &policy);
	if (err == JW_OK)
		err = verbs_change_check_expected(change);
	if (err != JW_OK)
		return err;
	lc_set_policy(&change->edit.after, &change->edit.env, &policy);
	change->event = "policy";
	change->outcome.cause = "an operator changed the policy";
	change->reply.row.facts = &change->edit.after.facts;
	return JW_OK;
}

void
verbs_set_policy(struct serve_call *call, const void *request, void *context)
{
	verbs_change_run(call, context, request, decide_policy);
}
