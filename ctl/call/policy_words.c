/*
 * PARAM=VALUE words: members of a policy, as operators write and read them.
 *
 * Names and kinds are those of the one table in common/config/policy; whether
 * the values fit together is not checked here.
 */
#include "ctl/call/policy_words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/base/nearest.h"
#include "common/config/policy.h"
#include "ctl/reply/members.h"

enum { PARAM_SIZE = 48 };

static enum jw_err
unknown_param(const char *name, struct jw_why *why)
{
	const struct jw_param *camel = jw_policy_param_camel(name);
	struct jw_nearest nearest;
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);

	jw_nearest_init(&nearest, name);
	for (size_t i = 0; i < count; i++)
		jw_nearest_consider(&nearest, params[i].snake);
	jw_why_set(why, "a policy has no parameter \"%s\"", name);
	if (camel != NULL || nearest.best != NULL)
		jw_why_hint(why, "did you mean %s?",
		    camel != NULL ? camel->snake : nearest.best);
	else
		jw_why_hint(why, "`jwksctl keyset show NAME` lists them all");
	return JW_USAGE;
}

static json_t *
param_json(const struct jw_param *param, int32_t value)
{
	if (param->kind == JW_PARAM_ALGORITHM)
		return json_string(jw_alg_name(value));
	if (param->kind == JW_PARAM_MODE)
		return json_string(jw_mode_name(value));
	return json_integer(value);
}

static enum jw_err
not_a_setting(const char *word, struct jw_why *why)
{
	jw_why_set(why, "\"%s\" is not PARAM=VALUE", word);
	jw_why_hint(why, "like rotation_period=14d");
	return JW_USAGE;
}

enum jw_err
call_policy_take(const char *word, struct json_t *policy, struct jw_why *why)
{
	size_t len = strcspn(word, "=");
	char name[PARAM_SIZE];
	const struct jw_param *param;
	int32_t value;

	if (word[len] == '\0' || len == 0)
		return not_a_setting(word, why);
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	param = jw_policy_param_snake(name);
	if (param == NULL)
		return unknown_param(name, why);
	if (json_object_get(policy, param->camel) != NULL) {
		jw_why_set(why, "%s is given twice", name);
		return JW_USAGE;
	}
	if (jw_policy_parse_value(param, word + len + 1, &value, why) != JW_OK)
		return JW_USAGE;
	json_object_set_new(policy, param->camel, param_json(param, value));
	return JW_OK;
}

const struct jw_param *
call_policy_param(const char *word)
{
	char name[PARAM_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	return jw_policy_param_snake(name);
}

const char *
call_policy_number(const struct jw_param *param, int64_t number, char *buf)
{
	if (param->kind == JW_PARAM_DURATION)
		return jw_duration_format(number, buf);
	snprintf(buf, JW_DURATION_SIZE, "%" PRId64, number);
	return buf;
}

enum jw_err
call_policy_text(const struct json_t *policy, const struct jw_param *param,
    char *ret_text, struct jw_why *why)
{
	const json_t *value = json_object_get(policy, param->camel);
	int64_t number;
	enum jw_err err;

	if (json_is_string(value)) {
		snprintf(ret_text, JW_DURATION_SIZE, "%.48s",
		    json_string_value(value));
		return JW_OK;
	}
	err = reply_number(policy, param->camel, &number, why);
	if (err != JW_OK)
		return err;
	if (number == REPLY_NONE)
		strncpy(ret_text, "-", 2);
	else
		call_policy_number(param, number, ret_text);
	return JW_OK;
}
