/*
 * The daemon's replies, checked as they are read.
 *
 * The daemon is trusted to rotate keys, not to be free of bugs: must never use
 * a member before its type and range have been checked.
 */
#include "ctl/reply/reply.h"

#include <jansson.h>
#include <string.h>

/* ---- members ---- */

static enum jw_err
makes_no_sense(const char *name, struct jw_why *why)
{
	jw_why_set(why, "the daemon's reply makes no sense: \"%s\"", name);
	jw_why_hint(why, "--json shows the reply as it came");
	return JW_PROTOCOL;
}

static bool
is_of_type(const json_t *value, enum reply_type type)
{
	json_int_t number = json_integer_value(value);

	switch (type) {
	case REPLY_STRING:
		return json_is_string(value);
	case REPLY_NUMBER:
		return json_is_integer(value) && number >= 0 &&
		       number <= REPLY_TIME_MAX;
	case REPLY_BOOL:
		return json_is_boolean(value);
	case REPLY_ARRAY:
		return json_is_array(value);
	default:
		return json_is_object(value);
	}
}

/* value is of that type, or NULL */
static enum jw_err
store_value(const json_t *value, enum reply_type type, void *ret_value,
    struct jw_why *why)
{
	switch (type) {
	case REPLY_STRING:
		*(const char **)ret_value = json_string_value(value);
		return JW_OK;
	case REPLY_NUMBER:
		*(int64_t *)ret_value =
		    value != NULL ? json_integer_value(value) : REPLY_NONE;
		return JW_OK;
	case REPLY_BOOL:
		*(bool *)ret_value = json_is_true(value);
		return JW_OK;
	case REPLY_KEY:
		if (value != NULL)
			return reply_key(value, ret_value, why);
		memset(ret_value, 0, sizeof(struct reply_key));
		return JW_OK;
	default:
		*(const json_t **)ret_value = value;
		return JW_OK;
	}
}

static enum jw_err
read_member(const json_t *object, const struct reply_member *member,
    void *ret_value, struct jw_why *why)
{
	const json_t *value = json_object_get(object, member->name);

	if (json_is_null(value))
		value = NULL;
	if (value == NULL ? member->required : !is_of_type(value, member->type))
		return makes_no_sense(member->name, why);
	return store_value(value, member->type, ret_value, why);
}

enum jw_err
reply_read(const struct json_t *object, const struct reply_member *members,
    void *ret_struct, struct jw_why *why)
{
	enum jw_err err = JW_OK;

	for (; err == JW_OK && members->name != NULL; members++)
		err = read_member(
		    object, members, (char *)ret_struct + members->offset, why);
	return err;
}

enum jw_err
reply_string(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_STRING, false, 0};

	return read_member(object, &member, ret_value, why);
}

enum jw_err
reply_name(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_STRING, true, 0};

	return read_member(object, &member, ret_value, why);
}

enum jw_err
reply_object(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_OBJECT, false, 0};

	return read_member(object, &member, ret_value, why);
}

enum jw_err
reply_number(const struct json_t *object, const char *name, int64_t *ret_value,
    struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_NUMBER, false, 0};

	return read_member(object, &member, ret_value, why);
}

enum jw_err
reply_bool(const struct json_t *object, const char *name, bool *ret_value,
    struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_BOOL, false, 0};

	return read_member(object, &member, ret_value, why);
}

enum jw_err
reply_array(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why)
{
	const struct reply_member member = {name, REPLY_ARRAY, true, 0};

	return read_member(object, &member, ret_value, why);
}

/* ---- named types ---- */

#define KEY(member) offsetof(struct reply_key, member)
#define KEY_SET(member) offsetof(struct reply_key_set, member)
#define CHANGE(member) offsetof(struct reply_change, member)

enum jw_err
reply_key(
    const struct json_t *object, struct reply_key *ret_key, struct jw_why *why)
{
	static const struct reply_member members[] = {
	    {"kid", REPLY_STRING, true, KEY(kid)},
	    {"keySet", REPLY_STRING, true, KEY(key_set)},
	    {"alg", REPLY_STRING, true, KEY(alg)},
	    {"state", REPLY_STRING, true, KEY(state)},
	    {"generation", REPLY_NUMBER, true, KEY(generation)},
	    {"createdAt", REPLY_NUMBER, false, KEY(at[REPLY_CREATED])},
	    {"publishedAt", REPLY_NUMBER, false, KEY(at[REPLY_PUBLISHED])},
	    {"readyAt", REPLY_NUMBER, false, KEY(at[REPLY_READY])},
	    {"activatedAt", REPLY_NUMBER, false, KEY(at[REPLY_ACTIVATED])},
	    {"rotateAt", REPLY_NUMBER, false, KEY(at[REPLY_ROTATE])},
	    {"signsAt", REPLY_NUMBER, false, KEY(at[REPLY_SIGNS])},
	    {"retiredAt", REPLY_NUMBER, false, KEY(at[REPLY_RETIRED])},
	    {"removeAt", REPLY_NUMBER, false, KEY(at[REPLY_REMOVE])},
	    {"removedAt", REPLY_NUMBER, false, KEY(at[REPLY_REMOVED])},
	    {"revokedAt", REPLY_NUMBER, false, KEY(at[REPLY_REVOKED])},
	    {"reason", REPLY_STRING, false, KEY(reason)},
	    {"jwk", REPLY_OBJECT, false, KEY(jwk)},
	    {NULL, REPLY_STRING, false, 0},
	};

	return reply_read(object, members, ret_key, why);
}

enum jw_err
reply_key_set(const struct json_t *object, struct reply_key_set *ret_set,
    struct jw_why *why)
{
	static const struct reply_member members[] = {
	    {"name", REPLY_STRING, true, KEY_SET(name)},
	    {"alg", REPLY_STRING, true, KEY_SET(alg)},
	    {"path", REPLY_STRING, true, KEY_SET(path)},
	    {"version", REPLY_NUMBER, true, KEY_SET(version)},
	    {"activeGeneration", REPLY_NUMBER, false,
		KEY_SET(active_generation)},
	    {"scheduledFor", REPLY_NUMBER, false, KEY_SET(scheduled_for)},
	    {"signsAt", REPLY_NUMBER, false, KEY_SET(signs_at)},
	    {"frozen", REPLY_BOOL, false, KEY_SET(frozen)},
	    {"policy", REPLY_OBJECT, false, KEY_SET(policy)},
	    {"urls", REPLY_ARRAY, false, KEY_SET(urls)},
	    {NULL, REPLY_STRING, false, 0},
	};
	enum jw_err err = reply_read(object, members, ret_set, why);

	if (err == JW_OK)
		err =
		    reply_string(ret_set->policy, "mode", &ret_set->mode, why);
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
	static const struct reply_member members[] = {
	    {"time", REPLY_NUMBER, true, CHANGE(time)},
	    {"generation", REPLY_NUMBER, false, CHANGE(generation)},
	    {"keySet", REPLY_STRING, true, CHANGE(key_set)},
	    {"kid", REPLY_STRING, false, CHANGE(kid)},
	    {"from", REPLY_STRING, false, CHANGE(from)},
	    {"to", REPLY_STRING, true, CHANGE(to)},
	    {"cause", REPLY_STRING, true, CHANGE(cause)},
	    {NULL, REPLY_STRING, false, 0},
	};

	return reply_read(object, members, ret_change, why);
}
