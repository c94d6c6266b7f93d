/*
 * Varlink calls: parse.
 *
 * The envelope (which method, with which flags) is split from the parameters
 * before a parser sees either: a fault inside the parameters concerns one
 * call, a fault of the envelope ends the stream.  The octets come from a peer:
 * nothing here may trust a length, a type or a character.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_value.h"

/* ---- the envelope ---- */

enum { METHOD, PARAMETERS, MORE, ONEWAY, UPGRADE, MEMBERS };

static const struct {
	const char *name;
	const char *article; /* and its type, for people */
	json_type type;      /* JSON_TRUE stands for both booleans */
} rows[MEMBERS] = {
    [METHOD] = {"method", "a string", JSON_STRING},
    [PARAMETERS] = {"parameters", "an object", JSON_OBJECT},
    [MORE] = {"more", "true or false", JSON_TRUE},
    [ONEWAY] = {"oneway", "true or false", JSON_TRUE},
    [UPGRADE] = {"upgrade", "true or false", JSON_TRUE},
};

/* The parameters stay text; at is NULL when they are absent. */
struct envelope {
	json_t *values[MEMBERS];
	bool there[MEMBERS];
	struct jw_slice parameters;
};

static bool
is_null(const struct jw_slice *value)
{
	return value->len == 4 && memcmp(value->at, "null", 4) == 0;
}

static bool
varlink_call_has_type(const json_t *value, json_type type)
{
	return value != NULL &&
	       (type == JSON_TRUE ? json_is_boolean(value)
				  : json_typeof(value) == type);
}

/* False: not of its type.  The object of the parameters is not looked into. */
static bool
varlink_take_value(
    struct envelope *envelope, int i, const struct jw_slice *value)
{
	if (is_null(value))
		return i != METHOD;
	if (i == PARAMETERS) {
		envelope->parameters = *value;
		return value->at[0] == '{';
	}
	if (value->at[0] != '{' && value->at[0] != '[')
		envelope->values[i] =
		    varlink_value(value->at, value->len, 1, NULL);
	return varlink_call_has_type(envelope->values[i], rows[i].type);
}

static enum jw_err
varlink_call_take_member(struct envelope *envelope, const struct jw_slice *name,
    const struct jw_slice *value, struct jw_why *why)
{
	int i = 0;

	while (i < MEMBERS && !varlink_json_is(*name, rows[i].name))
		i++;
	if (i == MEMBERS)
		return jw_fail(JW_PROTOCOL, why,
		    "a member of the message that is none of "
		    "Varlink's");
	if (envelope->there[i])
		return jw_fail(
		    JW_PROTOCOL, why, "two members \"%s\"", rows[i].name);
	envelope->there[i] = true;
	if (varlink_take_value(envelope, i, value))
		return JW_OK;
	return jw_fail(JW_PROTOCOL, why, "\"%s\" is not %s", rows[i].name,
	    rows[i].article);
}

static enum jw_err
check_envelope(const struct envelope *envelope, struct jw_why *why)
{
	if (envelope->values[METHOD] == NULL)
		return jw_fail(JW_PROTOCOL, why, "there is no \"method\"");
	if (json_is_true(envelope->values[UPGRADE]))
		return jw_fail(JW_PROTOCOL, why, "\"upgrade\" is not offered");
	if (json_is_true(envelope->values[MORE]) &&
	    json_is_true(envelope->values[ONEWAY]))
		return jw_fail(
		    JW_PROTOCOL, why, "\"oneway\" and \"more\" at once");
	return JW_OK;
}

static enum jw_err
read_envelope(
    const char *data, size_t len, struct envelope *envelope, struct jw_why *why)
{
	struct varlink_json json;
	struct varlink_json_object message;
	struct jw_slice name, value;
	enum jw_err err;

	if (data == NULL || len >= VARLINK_MESSAGE_MAX)
		return jw_fail(JW_PROTOCOL, why, "longer than 256 KiB");
	varlink_json_begin(&json, data, len, false);
	if (!varlink_json_open(&json, &message))
		return jw_fail(JW_PROTOCOL, why, "not a JSON object");
	while (varlink_json_member(&json, &message, &name, &value)) {
		err = varlink_call_take_member(envelope, &name, &value, why);
		if (err != JW_OK)
			return err;
	}
	if (!varlink_json_close(&json) || !varlink_json_ended(&json))
		return jw_fail(JW_PROTOCOL, why, "not one whole JSON object");
	return check_envelope(envelope, why);
}

/* ---- faults inside the parameters ---- */

/* The levels around the value of a parameter. */
enum { AROUND = 2 };

static void
set_name(char *ret_name, const json_t *name)
{
	size_t len = varlink_clip(json_string_value(name),
	    json_string_length(name), VARLINK_NAME_SIZE - 1);

	memcpy(ret_name, json_string_value(name), len);
	ret_name[len] = '\0';
}

/*
 * The fault of the first member of an object that has one, with the member's
 * name (or "" for one that is not readable) and its value.  NULL: none has.
 */
static const char *
bad_member(const struct jw_slice *object, size_t depth_max, char *ret_name,
    struct jw_slice *ret_value)
{
	json_t *seen = json_object(), *name = NULL, *value;
	const char *what = NULL;
	struct varlink_json_object members;
	struct varlink_json json;
	struct jw_slice text;

	varlink_json_begin(&json, object->at, object->len, false);
	varlink_json_open(&json, &members);
	while (what == NULL &&
	       varlink_json_member(&json, &members, &text, ret_value)) {
		ret_name[0] = '\0';
		json_decref(name);
		name = varlink_value(text.at - 1, text.len + 2, 1, &what);
		if (name == NULL)
			break;
		set_name(ret_name, name);
		if (json_object_get(seen, json_string_value(name)) != NULL)
			what = "is there twice";
		json_object_set(seen, json_string_value(name), name);
		if (what == NULL) {
			value = varlink_value(
			    ret_value->at, ret_value->len, depth_max, &what);
			json_decref(value);
		}
	}
	json_decref(name);
	json_decref(seen);
	return what;
}

static void
find_fault(const struct jw_slice *parameters, struct varlink_fault *ret_fault)
{
	const size_t depth = VARLINK_DEPTH_MAX - AROUND;
	struct jw_slice value = {NULL, 0}, inner;
	const char *what, *deeper = NULL;

	what = bad_member(parameters, depth, ret_fault->parameter, &value);
	if (what == NULL)
		ret_fault->parameter[0] = '\0';
	else if (value.at != NULL && value.at[0] == '{')
		deeper =
		    bad_member(&value, depth - 1, ret_fault->member, &inner);
	if (deeper != NULL)
		what = deeper;
	else
		ret_fault->member[0] = '\0';
	ret_fault->what = what != NULL ? what : "is not JSON";
}

static json_t *
varlink_read_parameters(
    const struct jw_slice *text, struct varlink_fault *ret_fault)
{
	json_t *parameters;

	if (text->at == NULL)
		return json_object();
	parameters =
	    varlink_object(text->at, text->len, VARLINK_DEPTH_MAX - 1, NULL);
	if (parameters != NULL)
		return parameters;
	find_fault(text, ret_fault);
	return json_object();
}

/* ---- the call ---- */

enum jw_err
varlink_call_parse(const char *data, size_t len, struct varlink_call *ret_call,
    struct jw_why *why)
{
	struct envelope envelope = {0};
	struct varlink_call call = {0};
	enum jw_err err = read_envelope(data, len, &envelope, why);

	if (err != JW_OK)
		goto out;
	call.method = jw_strdup(json_string_value(envelope.values[METHOD]));
	call.parameters =
	    varlink_read_parameters(&envelope.parameters, &call.fault);
	call.more = json_is_true(envelope.values[MORE]);
	call.oneway = json_is_true(envelope.values[ONEWAY]);
	*ret_call = call;
out:
	for (int i = 0; i < MEMBERS; i++)
		json_decref(envelope.values[i]);
	return err;
}

void
varlink_call_done(struct varlink_call *call)
{
	if (call == NULL)
		return;
	free(call->method);
	json_decref(call->parameters);
	memset(call, 0, sizeof(*call));
}
