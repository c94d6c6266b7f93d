/*
 * Finds the parts of a plain call.  At anything that is not plain it stops and
 * leaves the text to the parser of all of JSON; must never understand a call
 * differently from that parser.
 */
#include "daemon/verbs/sign_call.h"

#include <string.h>

#include "common/wire/json_slice.h"

#define METHOD "org.jwksd.sign."

static bool
read_times(struct varlink_json *json, struct verbs_claims_times *times)
{
	struct varlink_json_object claims;
	struct jw_slice name, value;

	if (!varlink_json_open(json, &claims))
		return false;
	while (varlink_json_name(json, &claims, &name)) {
		struct verbs_claims_time *time =
		    verbs_claims_time(times, name.at, name.len);

		if (!varlink_json_value(json, &value))
			return false;
		if (time != NULL) {
			time->there = true;
			time->is_integer =
			    varlink_json_integer(value, &time->value);
		}
	}
	return varlink_json_close(json);
}

bool
verbs_sign_call_times(
    const char *text, size_t len, struct verbs_claims_times *ret_times)
{
	struct varlink_json json;

	varlink_json_begin(&json, text, len, true);
	memset(ret_times, 0, sizeof(*ret_times));
	return read_times(&json, ret_times) && varlink_json_ended(&json);
}

static bool
read_claims(struct varlink_json *json, struct verbs_sign_call *call)
{
	if (varlink_json_peek(json) != '{')
		return false;
	call->claims.at = json->at;
	if (!read_times(json, &call->times))
		return false;
	call->claims.len = (size_t)(json->at - call->claims.at);
	return true;
}

/* Where the string of a parameter goes; NULL: there is no such parameter. */
static struct jw_slice *
string_of(struct verbs_sign_call *call, struct jw_slice name)
{
	if (jw_slice_is(name, "keySet"))
		return &call->key_set;
	if (jw_slice_is(name, "type"))
		return &call->type;
	return jw_slice_is(name, "payload") ? &call->payload : NULL;
}

static bool
read_string(struct varlink_json *json, struct jw_slice *ret_string)
{
	struct jw_slice value;

	return varlink_json_value(json, &value) &&
	       varlink_json_string(value, ret_string);
}

static bool
read_parameters(struct varlink_json *json, struct verbs_sign_call *call)
{
	struct varlink_json_object parameters;
	struct jw_slice name, *string;

	if (!varlink_json_open(json, &parameters))
		return false;
	while (varlink_json_name(json, &parameters, &name)) {
		if (jw_slice_is(name, "claims")) {
			if (!read_claims(json, call))
				return false;
			continue;
		}
		string = string_of(call, name);
		if (string == NULL || !read_string(json, string))
			return false;
	}
	return varlink_json_close(json);
}

static bool
read_message(struct varlink_json *json, struct verbs_sign_call *call,
    struct jw_slice *ret_method)
{
	struct varlink_json_object message;
	struct jw_slice name;

	if (!varlink_json_open(json, &message))
		return false;
	while (varlink_json_name(json, &message, &name)) {
		bool read = jw_slice_is(name, "method")
				? read_string(json, ret_method)
				: jw_slice_is(name, "parameters") &&
				      read_parameters(json, call);

		if (!read)
			return false;
	}
	return varlink_json_close(json);
}

/* Each method has its own parameters and none of the other's. */
static bool
is_complete(struct verbs_sign_call *call, struct jw_slice method)
{
	bool has_claims = call->claims.at != NULL;
	bool has_payload = call->payload.at != NULL;

	call->is_payload = jw_slice_is(method, METHOD "SignPayload");
	if (call->is_payload)
		return has_payload && !has_claims;
	return jw_slice_is(method, METHOD "Sign") && has_claims && !has_payload;
}

bool
verbs_sign_call_read(
    const char *text, size_t len, struct verbs_sign_call *ret_call)
{
	struct varlink_json json;
	struct jw_slice method = {NULL, 0};

	varlink_json_begin(&json, text, len, true);
	memset(ret_call, 0, sizeof(*ret_call));
	return read_message(&json, ret_call, &method) &&
	       varlink_json_ended(&json) && is_complete(ret_call, method);
}
