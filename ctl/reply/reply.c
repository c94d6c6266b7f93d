/*
 * The daemon's replies, checked as they are read.
 *
 * The daemon is trusted to rotate keys, not to be free of bugs: no member is
 * used before its type and range have been looked at.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/reply/reply.h"

/* ---- members ---- */

static enum jw_err
wrong(const char *name, struct jw_why *why)
{
	jw_why_set(why, "the daemon's reply makes no sense: \"%s\"", name);
	jw_why_hint(why, "--json shows the reply as it came");
	return JW_PROTOCOL;
}

/* NULL for a member that is absent or null. */
static const json_t *
member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

enum jw_err
reply_string(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why)
{
	const json_t *value = member(object, name);

	if (value != NULL && !json_is_string(value))
		return wrong(name, why);
	*ret_value = json_string_value(value);
	return JW_OK;
}

enum jw_err
reply_name(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why)
{
	const json_t *value = member(object, name);

	if (!json_is_string(value))
		return wrong(name, why);
	*ret_value = json_string_value(value);
	return JW_OK;
}

enum jw_err
reply_object(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why)
{
	const json_t *value = member(object, name);

	if (value != NULL && !json_is_object(value))
		return wrong(name, why);
	*ret_value = value;
	return JW_OK;
}

enum jw_err
reply_number(const struct json_t *object, const char *name, int64_t *ret_value,
    struct jw_why *why)
{
	const json_t *value = member(object, name);
	json_int_t number = json_integer_value(value);

	if (value == NULL) {
		*ret_value = REPLY_NONE;
		return JW_OK;
	}
	if (!json_is_integer(value) || number < 0 || number > REPLY_TIME_MAX)
		return wrong(name, why);
	*ret_value = number;
	return JW_OK;
}

enum jw_err
reply_bool(const struct json_t *object, const char *name, bool *ret_value,
    struct jw_why *why)
{
	const json_t *value = member(object, name);

	if (value != NULL && !json_is_boolean(value))
		return wrong(name, why);
	*ret_value = json_is_true(value);
	return JW_OK;
}

enum jw_err
reply_array(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why)
{
	const json_t *value = member(object, name);

	if (!json_is_array(value))
		return wrong(name, why);
	*ret_value = value;
	return JW_OK;
}

/* ---- named types ---- */

static enum jw_err
required_number(const json_t *object, const char *name, int64_t *ret_value,
    struct jw_why *why)
{
	int64_t value;
	enum jw_err err = reply_number(object, name, &value, why);

	if (err == JW_OK && value == REPLY_NONE)
		err = wrong(name, why);
	if (err == JW_OK)
		*ret_value = value;
	return err;
}

static enum jw_err
key_moments(const json_t *object, struct reply_key *key, struct jw_why *why)
{
	static const char *const names[REPLY_MOMENTS] = {
	    [REPLY_CREATED] = "createdAt",
	    [REPLY_PUBLISHED] = "publishedAt",
	    [REPLY_READY] = "readyAt",
	    [REPLY_ACTIVATED] = "activatedAt",
	    [REPLY_ROTATE] = "rotateAt",
	    [REPLY_SIGNS] = "signsAt",
	    [REPLY_RETIRED] = "retiredAt",
	    [REPLY_REMOVE] = "removeAt",
	    [REPLY_REMOVED] = "removedAt",
	    [REPLY_REVOKED] = "revokedAt",
	};
	enum jw_err err = JW_OK;

	for (size_t i = 0; i < REPLY_MOMENTS && err == JW_OK; i++)
		err = reply_number(object, names[i], &key->at[i], why);
	return err;
}

enum jw_err
reply_key(
    const struct json_t *object, struct reply_key *ret_key, struct jw_why *why)
{
	struct reply_key key = {0};
	const struct {
		const char *name;
		const char **value;
	} names[] = {
	    {"kid", &key.kid},
	    {"keySet", &key.key_set},
	    {"alg", &key.alg},
	    {"state", &key.state},
	};
	enum jw_err err = JW_OK;

	for (size_t i = 0; i < 4 && err == JW_OK; i++)
		err = reply_name(object, names[i].name, names[i].value, why);
	if (err == JW_OK)
		err =
		    required_number(object, "generation", &key.generation, why);
	if (err == JW_OK)
		err = key_moments(object, &key, why);
	if (err == JW_OK)
		err = reply_string(object, "reason", &key.reason, why);
	if (err == JW_OK)
		err = reply_object(object, "jwk", &key.jwk, why);
	if (err == JW_OK)
		*ret_key = key;
	return err;
}

enum jw_err
reply_key_set(const struct json_t *object, struct reply_key_set *ret_set,
    struct jw_why *why)
{
	struct reply_key_set set = {0};
	enum jw_err err;

	err = reply_name(object, "name", &set.name, why);
	if (err == JW_OK)
		err = reply_name(object, "alg", &set.alg, why);
	if (err == JW_OK)
		err = reply_name(object, "path", &set.path, why);
	if (err == JW_OK)
		err = required_number(object, "version", &set.version, why);
	if (err == JW_OK)
		err = reply_number(
		    object, "activeGeneration", &set.active_generation, why);
	if (err == JW_OK)
		err = reply_number(
		    object, "scheduledFor", &set.scheduled_for, why);
	if (err == JW_OK)
		err = reply_number(object, "signsAt", &set.signs_at, why);
	if (err == JW_OK)
		err = reply_bool(object, "frozen", &set.frozen, why);
	if (err == JW_OK)
		err = reply_object(object, "policy", &set.policy, why);
	if (err == JW_OK)
		err = reply_string(set.policy, "mode", &set.mode, why);
	if (err == JW_OK && member(object, "urls") != NULL)
		err = reply_array(object, "urls", &set.urls, why);
	if (err == JW_OK)
		*ret_set = set;
	return err;
}

const char *
reply_url(const struct reply_key_set *set, size_t at)
{
	const char *url = json_string_value(json_array_get(set->urls, at));

	return url == NULL && at == 0 ? set->path : url;
}

const char *
reply_any_host_path(const struct reply_key_set *set)
{
	const char *url;

	for (size_t i = 0; (url = reply_url(set, i)) != NULL; i++)
		if (url[0] == '/')
			return url;
	return set->path;
}

enum jw_err
reply_change(const struct json_t *object, struct reply_change *ret_change,
    struct jw_why *why)
{
	struct reply_change change = {0};
	enum jw_err err;

	err = required_number(object, "time", &change.time, why);
	if (err == JW_OK)
		err =
		    reply_number(object, "generation", &change.generation, why);
	if (err == JW_OK)
		err = reply_name(object, "keySet", &change.key_set, why);
	if (err == JW_OK)
		err = reply_string(object, "kid", &change.kid, why);
	if (err == JW_OK)
		err = reply_string(object, "from", &change.from, why);
	if (err == JW_OK)
		err = reply_name(object, "to", &change.to, why);
	if (err == JW_OK)
		err = reply_name(object, "cause", &change.cause, why);
	if (err == JW_OK)
		*ret_change = change;
	return err;
}
