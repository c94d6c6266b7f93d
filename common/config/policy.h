/*
 * The policy of a key set: algorithm, mode and every duration of the life of
 * a generation.  One table declares each parameter once: its name in
 * configuration files (snake_case) and on the wire (camelCase), its kind,
 * default and bounds.  Plain data and pure functions; nothing blocks.
 */
#ifndef JWKSD_COMMON_CONFIG_POLICY_H
#define JWKSD_COMMON_CONFIG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/alg.h"

enum jw_mode {
	JW_MODE_AUTO,   /* changes happen when they are due */
	JW_MODE_MANUAL, /* due changes are shown and wait for an operator */
	JW_MODE_FROZEN, /* nothing becomes ready, rotates or is removed */
	JW_MODE_COUNT
};

const char *jw_mode_name(int mode);  /* NULL: there is none */
int jw_mode_parse(const char *name); /* -1: there is none */

/* All members are int32_t: durations in seconds, counts, enum values. */
struct jw_policy {
	int32_t algorithm; /* enum jw_alg, of new keys */
	int32_t rsa_bits;  /* 2048, 3072 or 4096 */
	int32_t mode;      /* enum jw_mode */
	int32_t rotation_period;
	int32_t cache_max_age;
	int32_t cache_stale_while_revalidate;
	int32_t cache_stale_if_error;
	int32_t verifier_max_age;  /* C */
	int32_t propagation_delay; /* D */
	int32_t publish_safety;
	int32_t token_max_ttl; /* T */
	int32_t clock_skew;
	int32_t signer_drain;
	int32_t retire_safety;
	int32_t rollback_window;
	int32_t standby_count;
	int32_t max_published_keys;
};

enum jw_param_kind {
	JW_PARAM_ALGORITHM,
	JW_PARAM_BITS,
	JW_PARAM_MODE,
	JW_PARAM_DURATION,
	JW_PARAM_NUMBER,
};

struct jw_param {
	const char *snake; /* "rotation_period" */
	const char *camel; /* "rotationPeriod" */
	enum jw_param_kind kind;
	size_t offset; /* of its int32_t in struct jw_policy */
	int32_t fallback;
	int32_t minimum;
	int32_t maximum;
	const char *help; /* one line for people */
};

/* Rows in the order of struct jw_policy. */
const struct jw_param *jw_policy_params(size_t *ret_count);
const struct jw_param *jw_policy_param_snake(const char *name);
const struct jw_param *jw_policy_param_camel(const char *name);

int32_t jw_policy_get(
    const struct jw_policy *policy, const struct jw_param *param);
void jw_policy_set(
    struct jw_policy *policy, const struct jw_param *param, int32_t value);
/* The defaults of the table. */
void jw_policy_init(struct jw_policy *ret_policy);
/* Lower max_published_keys to the number that fits, where it was not given. */
void jw_policy_fit(struct jw_policy *policy);

/* Parse a value as people write it, and check its bounds.  JW_BAD_POLICY with
 * why. */
enum jw_err jw_policy_parse_value(const struct jw_param *param,
    const char *text, int32_t *ret_value, struct jw_why *why);

/* The reverse, into buf of JW_DURATION_SIZE; returns buf. */
char *jw_policy_format_value(
    const struct jw_param *param, int64_t value, char *buf);

/* The parameter at fault in a policy, and the number that would be right. */
struct jw_policy_fault {
	const struct jw_param *param;
	bool has_minimum, has_maximum;
	int64_t minimum, maximum;
};

/*
 * Does the arithmetic hold (jwksd-lifecycle(7))?  JW_BAD_POLICY with
 * ret_fault and why otherwise.  Checked: the bounds of each parameter,
 * verifier_max_age >= 2 * cache_max_age + the larger stale time (a verifier's
 * own cache behind one shared cache that sends no Age),
 * rotation_period > Ipub, rotation_period >= 1 s, rollback_window <= Iret,
 * max_published_keys <= jw_alg_max_published(algorithm) and
 * >= 1 + standby_count + ceil(Iret/rotation_period) + 1.
 */
enum jw_err jw_policy_check(const struct jw_policy *policy,
    struct jw_policy_fault *ret_fault, struct jw_why *why);

/* The bounds of one parameter alone. */
enum jw_err jw_policy_check_bounds(const struct jw_param *param, int64_t value,
    struct jw_policy_fault *ret_fault, struct jw_why *why);
/* Is it allowed but unwise (cache_max_age under 60 s or over 15 min)? */
bool jw_policy_warning(const struct jw_policy *policy, struct jw_why *why);

/* D + C + publish_safety. */
int64_t jw_policy_publish_interval(const struct jw_policy *policy);
/* signer_drain + T + clock_skew + retire_safety. */
int64_t jw_policy_retire_interval(const struct jw_policy *policy);

#endif
