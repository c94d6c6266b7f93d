/*
 * The arithmetic between the parameters of a policy: jwksd-lifecycle(7) gives
 * the reasons.  Must never accept a policy under which a verifier could meet a
 * token of a key that it cannot have seen.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/duration.h"
#include "common/config/policy.h"

/* Shared caches in a row before the one of a verifier. */
enum { CACHE_LEVELS = 1 };

/* The policy that is checked, and its fault if there is one. */
struct check {
	const struct jw_policy *policy;
	struct jw_policy_fault *ret_fault; /* may be NULL */
	struct jw_why *why;
};

enum jw_err
jw_policy_check_bounds(const struct jw_param *param, int64_t value,
    struct jw_policy_fault *ret_fault, struct jw_why *why)
{
	char is[JW_DURATION_SIZE], min[JW_DURATION_SIZE], max[JW_DURATION_SIZE];
	bool is_bits = param->kind == JW_PARAM_BITS;

	if (value >= param->minimum && value <= param->maximum &&
	    (!is_bits || value == 2048 || value == 3072 || value == 4096))
		return JW_OK;
	if (ret_fault != NULL) {
		*ret_fault = (struct jw_policy_fault){.param = param,
		    .has_minimum = true,
		    .has_maximum = true,
		    .minimum = param->minimum,
		    .maximum = param->maximum};
	}
	if (is_bits)
		return jw_fail(JW_BAD_POLICY, why,
		    "%s is %" PRId64 " but must be 2048, 3072 or 4096",
		    param->snake, value);
	return jw_fail(JW_BAD_POLICY, why,
	    "%s is %s but must be between %s and %s", param->snake,
	    jw_policy_format_value(param, value, is),
	    jw_policy_format_value(param, param->minimum, min),
	    jw_policy_format_value(param, param->maximum, max));
}

enum bound { AT_LEAST, AT_MOST };

/* The parameter is on the wrong side of the number, for that reason. */
static enum jw_err
refuse(const struct check *check, const char *name, enum bound bound,
    int64_t number, const char *because)
{
	const struct jw_param *param = jw_policy_param_snake(name);
	char is[JW_DURATION_SIZE], right[JW_DURATION_SIZE];

	if (check->ret_fault != NULL) {
		*check->ret_fault = (struct jw_policy_fault){
		    .param = param,
		    .has_minimum = bound == AT_LEAST,
		    .has_maximum = bound == AT_MOST,
		    .minimum = bound == AT_LEAST ? number : 0,
		    .maximum = bound == AT_MOST ? number : 0,
		};
	}
	return jw_fail(JW_BAD_POLICY, check->why,
	    "%s is %s but must be at %s %s (%s)", name,
	    jw_policy_format_value(
		param, jw_policy_get(check->policy, param), is),
	    bound == AT_LEAST ? "least" : "most",
	    jw_policy_format_value(param, number, right), because);
}

static int64_t
ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static enum jw_err
check_bounds(const struct check *check)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	enum jw_err err = JW_OK;

	for (size_t i = 0; i < count && err == JW_OK; i++) {
		err = jw_policy_check_bounds(&params[i],
		    jw_policy_get(check->policy, &params[i]), check->ret_fault,
		    check->why);
	}
	return err;
}

/*
 * A copy is as old as all the caches that held it one after another: each
 * shared one that sends no Age (nginx sends none) may hold it for
 * cache_max_age and serve it stale for a while, and the cache of the verifier
 * starts over.
 */
static enum jw_err
check_verifier_age(const struct check *check)
{
	const struct jw_policy *policy = check->policy;
	int32_t stale = policy->cache_stale_while_revalidate;
	bool on_error = policy->cache_stale_if_error > stale;
	int64_t oldest;
	char because[160];

	if (on_error)
		stale = policy->cache_stale_if_error;
	oldest = (int64_t)(CACHE_LEVELS + 1) * policy->cache_max_age +
		 CACHE_LEVELS * (int64_t)stale;
	if (policy->verifier_max_age >= oldest)
		return JW_OK;
	snprintf(because, sizeof(because),
	    "%d * cache_max_age + %d * %s: %d shared cache%s before that of "
	    "the verifier",
	    CACHE_LEVELS + 1, CACHE_LEVELS,
	    on_error ? "cache_stale_if_error" : "cache_stale_while_revalidate",
	    CACHE_LEVELS, CACHE_LEVELS == 1 ? "" : "s");
	return refuse(check, "verifier_max_age", AT_LEAST, oldest, because);
}

static enum jw_err
check_rotation(const struct check *check)
{
	const int32_t period = check->policy->rotation_period;
	int64_t ipub = jw_policy_publish_interval(check->policy);
	char is[JW_DURATION_SIZE], longer[JW_DURATION_SIZE];

	if (period > ipub)
		return JW_OK;
	refuse(check, "rotation_period", AT_LEAST, ipub + 1, "");
	return jw_fail(JW_BAD_POLICY, check->why,
	    "rotation_period is %s but must be longer than %s "
	    "(propagation_delay + verifier_max_age + publish_safety)",
	    jw_duration_format(period, is), jw_duration_format(ipub, longer));
}

static enum jw_err
check_rollback(const struct check *check)
{
	int64_t iret = jw_policy_retire_interval(check->policy);

	if (check->policy->rollback_window <= iret)
		return JW_OK;
	return refuse(check, "rollback_window", AT_MOST, iret,
	    "signer_drain + token_max_ttl + clock_skew + retire_safety");
}

/*
 * Keys too large for many of them in one JWKSet.  The reason names the
 * algorithm too, for a file that gives only that.
 */
static enum jw_err
check_key_size(const struct check *check)
{
	const struct jw_policy *policy = check->policy;
	int32_t most = jw_alg_max_published(policy->algorithm);
	char because[96];

	snprintf(because, sizeof(because),
	    "with algorithm %s more do not fit into %d octets",
	    jw_alg_name(policy->algorithm), (int)JW_SET_OCTETS_MAX);
	if (policy->max_published_keys > most) {
		return refuse(
		    check, "max_published_keys", AT_MOST, most, because);
	}
	/* The active key, one that retires and one to come are the others. */
	if (policy->standby_count > most - 3) {
		return refuse(
		    check, "standby_count", AT_MOST, most - 3, because);
	}
	return JW_OK;
}

/*
 * No size of the set would do, with `room` for retired keys in the largest:
 * the period is too short, or the tokens live longer than any period.
 */
static enum jw_err
check_room(const struct check *check, int64_t room)
{
	const struct jw_param *period =
	    jw_policy_param_snake("rotation_period");
	int64_t iret = jw_policy_retire_interval(check->policy);
	int64_t longest = period->maximum * room;

	if (iret > longest) {
		return refuse(check, "token_max_ttl", AT_MOST,
		    longest - (iret - check->policy->token_max_ttl),
		    "else more keys than a JWKSet may hold wait for their "
		    "removal, whatever the rotation_period");
	}
	return refuse(check, period->snake, AT_LEAST, ceil_div(iret, room),
	    "else more keys than a JWKSet may hold wait for the end of "
	    "signer_drain + token_max_ttl + clock_skew + retire_safety");
}

/*
 * One active key, the standbys, every key that still waits for its removal,
 * and one that is about to be published.
 */
static enum jw_err
check_set_size(const struct check *check)
{
	const struct jw_policy *policy = check->policy;
	int32_t most = jw_alg_max_published(policy->algorithm);
	int64_t iret = jw_policy_retire_interval(policy);
	int64_t fixed = 1 + policy->standby_count + 1;
	int64_t need = fixed + ceil_div(iret, policy->rotation_period);

	if (policy->max_published_keys >= need)
		return JW_OK;
	if (need <= most) {
		return refuse(check, "max_published_keys", AT_LEAST, need,
		    "1 + standby_count + retired keys of one retirement "
		    "interval per rotation_period + 1");
	}
	return check_room(check, most - fixed);
}

enum jw_err
jw_policy_check(const struct jw_policy *policy,
    struct jw_policy_fault *ret_fault, struct jw_why *why)
{
	/* The first keeps the numbers of the others within their types. */
	static enum jw_err (*const checks[])(const struct check *) = {
	    check_bounds, check_verifier_age, check_rotation, check_rollback,
	    check_key_size, check_set_size};
	const struct check check = {policy, ret_fault, why};
	enum jw_err err = JW_OK;

	for (size_t i = 0;
	     i < sizeof(checks) / sizeof(checks[0]) && err == JW_OK; i++)
		err = checks[i](&check);
	return err;
}
