/*
 * Varlink messages: parse and format.
 *
 * The bytes come from a peer: nothing here may trust a length, a type or a
 * character, recurse without a bound, or fail in a way that affects more than
 * one connection.  Must never read or write a descriptor.
 */
#include "common/wire/varlink.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/wire/varlink_value.h"

/* ---- messages: parse ---- */

struct json_t *
varlink_object_parse(const char *data, size_t len)
{
	return varlink_object(data, len, VARLINK_DEPTH_MAX, NULL);
}

void
varlink_object_free(struct json_t *object)
{
	json_decref(object);
}

enum jw_err
varlink_reply_parse(
    const char *data, size_t len, struct varlink_reply *ret_reply)
{
	json_t *root = varlink_object_parse(data, len);
	json_t *parameters = json_object_get(root, "parameters");
	json_t *error = json_object_get(root, "error");
	json_t *continues = json_object_get(root, "continues");
	size_t known =
	    (parameters != NULL) + (error != NULL) + (continues != NULL);
	enum jw_err err = JW_PROTOCOL;

	if (root == NULL || json_object_size(root) != known ||
	    (parameters != NULL && !json_is_object(parameters)) ||
	    (error != NULL && !json_is_string(error)) ||
	    (continues != NULL && !json_is_boolean(continues)) ||
	    (error != NULL && json_is_true(continues)))
		goto out;
	*ret_reply = (struct varlink_reply){
	    .error = jw_strdup(json_string_value(error)),
	    .parameters =
		parameters != NULL ? json_incref(parameters) : json_object(),
	    .continues = json_is_true(continues),
	};
	err = JW_OK;
out:
	json_decref(root);
	return err;
}

void
varlink_reply_done(struct varlink_reply *reply)
{
	if (reply == NULL)
		return;
	json_decref(reply->parameters);
	free(reply->error);
	memset(reply, 0, sizeof(*reply));
}

/* ---- messages: format ---- */

/* True when set, or when there is nothing to set. */
static bool
set_string(json_t *message, const char *name, const char *value)
{
	return value == NULL ||
	       json_object_set_new(message, name, json_string(value)) == 0;
}

static bool
set_flag(json_t *message, const char *name, bool value)
{
	return !value || json_object_set_new(message, name, json_true()) == 0;
}

/* Takes message; NULL parameters are left out. */
static char *
message_format(json_t *take_message, const json_t *parameters, size_t *ret_len)
{
	/* A reference is counted, and nothing else changed. */
	json_t *members = (json_t *)(uintptr_t)parameters;
	char *text = NULL;

	if (members == NULL ||
	    (json_is_object(members) &&
		json_object_set(take_message, "parameters", members) == 0))
		text = json_dumps(take_message, JSON_COMPACT);
	if (text != NULL)
		*ret_len = strlen(text) + 1;
	json_decref(take_message);
	return text;
}

char *
varlink_call_format(const char *method, const struct json_t *parameters,
    bool more, bool oneway, size_t *ret_len)
{
	json_t *message = json_object();

	if (set_string(message, "method", method) &&
	    set_flag(message, "more", more) &&
	    set_flag(message, "oneway", oneway))
		return message_format(message, parameters, ret_len);
	json_decref(message);
	return NULL;
}

char *
varlink_reply_format(const char *error, const struct json_t *parameters,
    bool continues, size_t *ret_len)
{
	json_t *message = json_object();

	if (set_string(message, "error", error) &&
	    set_flag(message, "continues", continues))
		return message_format(message, parameters, ret_len);
	json_decref(message);
	return NULL;
}

char *
varlink_reply_wrap(const char *parameters, size_t *ret_len)
{
	char *text = jw_asprintf("{\"parameters\":%s}", parameters);

	*ret_len = strlen(text) + 1;
	return text;
}

size_t
varlink_clip(const char *s, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room > 0 && ((unsigned char)s[room] & 0xc0) == 0x80)
		room--;
	return room;
}
