/*
 * Members of the daemon's replies.
 *
 * The daemon is trusted to rotate keys, not to be free of bugs: must never use
 * a member before its type and range have been checked.
 */
#include "ctl/reply/members.h"

#include <jansson.h>
#include <string.h>

#include "ctl/reply/reply.h"

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
	case REPLY_ANY:
		return true;
	default:
		return json_is_object(value);
	}
}

static enum jw_err
store_struct(const json_t *value, enum reply_type type, void *ret_value,
    struct jw_why *why)
{
	switch (type) {
	case REPLY_KEY:
		memset(ret_value, 0, sizeof(struct reply_key));
		return value != NULL ? reply_key(value, ret_value, why) : JW_OK;
	case REPLY_KEY_SET:
		memset(ret_value, 0, sizeof(struct reply_key_set));
		return value != NULL ? reply_key_set(value, ret_value, why)
				     : JW_OK;
	default:
		return reply_exposure(value, ret_value, why);
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
	case REPLY_ARRAY:
	case REPLY_OBJECT:
	case REPLY_ANY:
		*(const json_t **)ret_value = value;
		return JW_OK;
	default:
		return store_struct(value, type, ret_value, why);
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

#define READ_ONE(function, pointer, type, required)                           \
	enum jw_err function(const struct json_t *object, const char *name,   \
	    pointer ret_value, struct jw_why *why)                            \
	{                                                                     \
		const struct reply_member member = {name, type, required, 0}; \
                                                                              \
		return read_member(object, &member, ret_value, why);          \
	}

READ_ONE(reply_string, const char **, REPLY_STRING, false)
READ_ONE(reply_name, const char **, REPLY_STRING, true)
READ_ONE(reply_number, int64_t *, REPLY_NUMBER, false)
READ_ONE(reply_bool, bool *, REPLY_BOOL, false)
READ_ONE(reply_array, const struct json_t **, REPLY_ARRAY, true)
