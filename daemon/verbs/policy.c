/*
 * SetPolicy, and the policy that a request names.  Must never let a policy into
 * force whose arithmetic does not hold, or whose keys could not be made.
 */
#include "daemon/verbs/change.h"

#include "daemon/crypto/keys.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/verbs.h"

bool
verbs_policy_apply(struct verbs_change *change,
    const struct verbs_policy_members *given, struct jw_policy *policy)
{
	const struct jw_param *wrong = given->wrong;
	size_t n;
	const struct jw_param *params = jw_policy_params(&n);

	if (wrong != NULL) {
		verbs_change_refuse_policy(change, wrong->camel,
		    "is outside of its range",
		    given->wrong_is_number
			? &(struct jw_policy_fault){wrong, true, true,
			      wrong->minimum, wrong->maximum}
			: NULL);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if ((given->set & UINT32_C(1) << i) != 0)
			jw_policy_set(policy, &params[i],
			    jw_policy_get(&given->values, &params[i]));
	return true;
}

bool
verbs_policy_check(struct verbs_change *change, const struct jw_policy *policy)
{
	struct jw_policy_fault fault;
	struct jw_why why = {"", ""};

	if (jw_policy_check(policy, &fault, &why) == JW_OK)
		return true;
	verbs_change_refuse_policy(
	    change, fault.param->camel, why.text, &fault);
	return false;
}

bool
verbs_policy_check_algorithm(
    struct verbs_change *change, const struct jw_policy *policy)
{
	struct jw_why why = {"", ""};

	if (crypto_supported((enum jw_alg)policy->algorithm, &why) == JW_OK)
		return true;
	verbs_change_refuse_policy(change, "algorithm", why.text, NULL);
	return false;
}

/* Some algorithms may not share a key set; false: refused. */
static bool
may_change_algorithm(
    struct verbs_change *change, const struct jw_policy *policy)
{
	int from = change->edit.before.facts.policy.algorithm;
	int to = policy->algorithm;
	struct jw_why why = {"", ""};

	if (from == to)
		return true;
	if (jw_alg_may_follow(from, to))
		return verbs_policy_check_algorithm(change, policy);
	jw_alg_why_not_follow(from, to, &why);
	verbs_change_refuse_policy(change, "algorithm", why.text, NULL);
	return false;
}

void
verbs_set_policy(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct verbs_key_set_reply reply;
	struct verbs_change change;
	struct jw_policy policy;
	enum jw_err err;

	if (!verbs_change_begin(&change, call, context, asked))
		return;
	policy = change.edit.before.facts.policy;
	if (!verbs_policy_apply(&change, &asked->policy, &policy) ||
	    !may_change_algorithm(&change, &policy) ||
	    !verbs_policy_check(&change, &policy))
		return;
	err = verbs_change_check_expected(&change);
	if (err == JW_OK)
		lc_set_policy(&change.edit.after, &change.edit.env, &policy);
	change.outcome.cause = "an operator changed the policy";
	reply.key_set = (struct verbs_key_set_row){
	    .set = &change.edit.set->row,
	    .facts = &change.edit.after.facts,
	    .domain = verbs_domain(change.verbs),
	};
	verbs_change_finish(&change, err, "policy", &reply);
}
