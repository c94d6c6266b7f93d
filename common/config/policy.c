/*
 * The one table of policy parameters.  Every bound is low enough that no sum
 * of parameters leaves int64_t.
 */
#include "common/config/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/duration.h"

#define SEC 1
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
/*
 * Ipub is at most 4 of these, so that a rotation_period that is long enough
 * always exists.
 */
#define YEAR (365 * DAY)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const mode_names[JW_MODE_COUNT] = {
    [JW_MODE_AUTO] = "auto",
    [JW_MODE_MANUAL] = "manual",
    [JW_MODE_FROZEN] = "frozen",
};

/* clang-format off */
#define P(member, camel, kind, fallback, minimum, maximum, help) \
	{ #member, camel, JW_PARAM_##kind, \
	    offsetof(struct jw_policy, member), \
	    fallback, minimum, maximum, help }

static const struct jw_param params[] = {
P(algorithm, "algorithm", ALGORITHM,
    JW_ALG_ES256, 0, JW_ALG_COUNT - 1,
    "the JWS algorithm of new keys"),
P(rsa_bits, "rsaBits", BITS,
    2048, 2048, 4096,
    "the size of new RSA keys: 2048, 3072 or 4096"),
P(mode, "mode", MODE,
    JW_MODE_AUTO, 0, JW_MODE_COUNT - 1,
    "auto; manual: what is due waits for an operator; frozen"),
P(rotation_period, "rotationPeriod", DURATION,
    30 * DAY, 1, 10 * YEAR,
    "how long a generation signs"),
P(cache_max_age, "cacheMaxAge", DURATION,
    5 * MIN, 1, HOUR,
    "max-age in Cache-Control; 1min to 15min is wise"),
P(cache_stale_while_revalidate, "cacheStaleWhileRevalidate", DURATION,
    MIN, 0, YEAR,
    "stale-while-revalidate in Cache-Control; 0 leaves it out"),
P(cache_stale_if_error, "cacheStaleIfError", DURATION,
    HOUR, 0, YEAR,
    "stale-if-error in Cache-Control; 0 leaves it out"),
P(verifier_max_age, "verifierMaxAge", DURATION,
    DAY, 1, 2 * YEAR,
    "the oldest copy that any verifier or cache may still use"),
P(propagation_delay, "propagationDelay", DURATION,
    MIN, 0, YEAR,
    "from a change to the moment at which every replica serves it"),
P(publish_safety, "publishSafety", DURATION,
    HOUR, 0, YEAR,
    "a margin before a published key may sign"),
P(token_max_ttl, "tokenMaxTtl", DURATION,
    HOUR, 1, 10 * YEAR,
    "the longest life of a token that the signer accepts"),
P(clock_skew, "clockSkew", DURATION,
    5 * MIN, 0, YEAR,
    "the leeway that verifiers grant"),
P(signer_drain, "signerDrain", DURATION,
    MIN, 0, YEAR,
    "until the last signature in flight after a retirement is done"),
P(retire_safety, "retireSafety", DURATION,
    HOUR, 0, YEAR,
    "a margin before a retired key is removed"),
P(rollback_window, "rollbackWindow", DURATION,
    HOUR, 1, 10 * YEAR,
    "how long a retired key can be brought back"),
P(standby_count, "standbyCount", NUMBER,
    1, 1, 4,
    "keys that are published ahead of use"),
P(max_published_keys, "maxPublishedKeys", NUMBER,
    8, 3, JW_SET_KEYS_MAX,
    "keys in the JWKSet at most; verifiers cap it at 10 to 16"),
};
/* clang-format on */

_Static_assert(COUNT(params) == sizeof(struct jw_policy) / sizeof(int32_t),
    "a row for each member of struct jw_policy");

const char *
jw_mode_name(int mode)
{
	return mode >= 0 && mode < JW_MODE_COUNT ? mode_names[mode] : NULL;
}

/* The words of an enum; NULL outside of it. */
typedef const char *word_fn(int value);

/* The value whose word is `text`, compared with `compare`; -1 for none. */
static int
find_word(
    word_fn *word, const char *text, int (*compare)(const char *, const char *))
{
	for (int i = 0; word(i) != NULL; i++)
		if (compare(word(i), text) == 0)
			return i;
	return -1;
}

int
jw_mode_parse(const char *name)
{
	return find_word(jw_mode_name, name, strcmp);
}

const struct jw_param *
jw_policy_params(size_t *ret_count)
{
	*ret_count = COUNT(params);
	return params;
}

const struct jw_param *
jw_policy_param_snake(const char *name)
{
	for (size_t i = 0; i < COUNT(params); i++)
		if (strcmp(params[i].snake, name) == 0)
			return &params[i];
	return NULL;
}

const struct jw_param *
jw_policy_param_camel(const char *name)
{
	for (size_t i = 0; i < COUNT(params); i++)
		if (strcmp(params[i].camel, name) == 0)
			return &params[i];
	return NULL;
}

int32_t
jw_policy_get(const struct jw_policy *policy, const struct jw_param *param)
{
	int32_t value;

	memcpy(&value, (const char *)policy + param->offset, sizeof(value));
	return value;
}

void
jw_policy_set(
    struct jw_policy *policy, const struct jw_param *param, int32_t value)
{
	memcpy((char *)policy + param->offset, &value, sizeof(value));
}

void
jw_policy_init(struct jw_policy *ret_policy)
{
	for (size_t i = 0; i < COUNT(params); i++)
		jw_policy_set(ret_policy, &params[i], params[i].fallback);
}

void
jw_policy_fit(struct jw_policy *policy)
{
	int32_t most = jw_alg_max_published(policy->algorithm);

	if (policy->max_published_keys > most)
		policy->max_published_keys = most;
}

char *
jw_policy_format_value(const struct jw_param *param, int64_t value, char *buf)
{
	const char *word = NULL;

	if (param->kind == JW_PARAM_DURATION && value >= 0)
		return jw_duration_format(value, buf);
	if (param->kind == JW_PARAM_ALGORITHM)
		word = jw_alg_name((int)value);
	else if (param->kind == JW_PARAM_MODE)
		word = jw_mode_name((int)value);
	if (word != NULL)
		snprintf(buf, JW_DURATION_SIZE, "%s", word);
	else
		snprintf(buf, JW_DURATION_SIZE, "%" PRId64, value);
	return buf;
}

static enum jw_err
parse_word(const struct jw_param *param, const char *text, word_fn *word,
    int64_t *ret_value, struct jw_why *why)
{
	int i = find_word(word, text, strcmp);
	char list[256] = "";

	if (i >= 0) {
		*ret_value = i;
		return JW_OK;
	}
	for (i = 0; word(i) != NULL; i++) {
		size_t len = strlen(list);

		snprintf(list + len, sizeof(list) - len, "%s%s",
		    i == 0 ? "" : ", ", word(i));
	}
	jw_why_set(why, "%s \"%.64s\" is unknown; it is one of %s",
	    param->snake, text, list);
	i = find_word(word, text, strcasecmp);
	if (i >= 0)
		jw_why_hint(why, "did you mean %s?", word(i));
	return JW_BAD_POLICY;
}

static enum jw_err
policy_parse_number(const struct jw_param *param, const char *text,
    int64_t *ret_value, struct jw_why *why)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return jw_fail(JW_BAD_POLICY, why,
		    "%s \"%.64s\" is not a number; write %" PRId32
		    " to %" PRId32 " in digits alone",
		    param->snake, text, param->minimum, param->maximum);
	*ret_value = strtol(text, NULL, 10);
	return JW_OK;
}

static enum jw_err
parse_duration(const struct jw_param *param, const char *text,
    int64_t *ret_value, struct jw_why *why)
{
	struct jw_why inner = {0};

	if (jw_duration_parse(text, ret_value, &inner) != JW_OK) {
		jw_why_set(why, "%s: %s", param->snake, inner.text);
		if (inner.hint[0] != '\0')
			jw_why_hint(why, "%s", inner.hint);
		return JW_BAD_POLICY;
	}
	return JW_OK;
}

static enum jw_err
parse_kind(const struct jw_param *param, const char *text, int64_t *ret_value,
    struct jw_why *why)
{
	if (param->kind == JW_PARAM_ALGORITHM)
		return parse_word(param, text, jw_alg_name, ret_value, why);
	if (param->kind == JW_PARAM_MODE)
		return parse_word(param, text, jw_mode_name, ret_value, why);
	if (param->kind == JW_PARAM_DURATION)
		return parse_duration(param, text, ret_value, why);
	return policy_parse_number(param, text, ret_value, why);
}

enum jw_err
jw_policy_parse_value(const struct jw_param *param, const char *text,
    int32_t *ret_value, struct jw_why *why)
{
	int64_t value = 0;
	enum jw_err err;

	err = parse_kind(param, text, &value, why);
	if (err == JW_OK)
		err = jw_policy_check_bounds(param, value, NULL, why);
	if (err == JW_OK)
		*ret_value = (int32_t)value;
	return err;
}

int64_t
jw_policy_publish_interval(const struct jw_policy *policy)
{
	return (int64_t)policy->propagation_delay + policy->verifier_max_age +
	       policy->publish_safety;
}

int64_t
jw_policy_retire_interval(const struct jw_policy *policy)
{
	return (int64_t)policy->signer_drain + policy->token_max_ttl +
	       policy->clock_skew + policy->retire_safety;
}

bool
jw_policy_warning(const struct jw_policy *policy, struct jw_why *why)
{
	char is[JW_DURATION_SIZE];

	if (policy->cache_max_age < MIN) {
		jw_why_set(why,
		    "cache_max_age is %s: below 1min it costs requests, and "
		    "most verifiers keep a copy longer anyway",
		    jw_duration_format(policy->cache_max_age, is));
		return true;
	}
	if (policy->cache_max_age > 15 * MIN) {
		jw_why_set(why,
		    "cache_max_age is %s: above 15min verifiers that obey it "
		    "refuse a new key, or accept a revoked one, for as long",
		    jw_duration_format(policy->cache_max_age, is));
		return true;
	}
	return false;
}
