/*
 * PARAM=VALUE words: members of a policy, as operators write and read them.
 */
#ifndef JWKSD_CTL_CALL_POLICY_WORDS_H
#define JWKSD_CTL_CALL_POLICY_WORDS_H

#include <stdint.h>

#include "common/base/err.h"

struct json_t;
struct jw_param;

/*
 * "rotation_period=14d" becomes a member of policy.  JW_USAGE with why, which
 * says what would be right.
 */
enum jw_err call_policy_take(
    const char *word, struct json_t *policy, struct jw_why *why);

/* The parameter that such a word, taken before, is about. */
const struct jw_param *call_policy_param(const char *word);

/* A number of that parameter as the configuration file writes it, in buf of
 * JW_DURATION_SIZE octets. */
const char *call_policy_number(
    const struct jw_param *param, int64_t number, char *buf);

/*
 * A member of a policy as the configuration file writes it, JW_DURATION_SIZE
 * octets at most; "-" when it is absent.  JW_PROTOCOL with why.
 */
enum jw_err call_policy_text(const struct json_t *policy,
    const struct jw_param *param, char *ret_text, struct jw_why *why);

#endif
