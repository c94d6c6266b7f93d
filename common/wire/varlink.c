/*
 * Varlink messages: parse and format.
 *
 * The bytes come from a peer: nothing here may trust a length, a type or a
 * character, recurse without a bound, or fail in a way that affects more than
 * one connection.  Must never read or write a descriptor.
 */
#include "common/wire/varlink.h"

#include <jansson.h>
#include <stdio.h>
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

/* A member that a message may have, and where its value goes. */
struct member {
	const char *name;
	json_type type; /* JSON_TRUE stands for both booleans */
	json_t **ret_value;
};

static bool
varlink_has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value)
				 : json_typeof(value) == type;
}

static bool
varlink_take_member(
    const struct member *members, size_t count, const char *name, json_t *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(members[i].name, name) == 0) {
			*members[i].ret_value = value;
			return varlink_has_type(value, members[i].type);
		}
	}
	return false;
}

/* The values belong to root.  False: an unknown or ill-typed member. */
static bool
take_members(json_t *root, const struct member *members, size_t count)
{
	const char *name;
	json_t *value;

	json_object_foreach (root, name, value)
		if (!varlink_take_member(members, count, name, value))
			return false;
	return true;
}

enum jw_err
varlink_reply_parse(
    const char *data, size_t len, struct varlink_reply *ret_reply)
{
	json_t *parameters = NULL, *error = NULL, *continues = NULL;
	const struct member members[] = {
	    {"parameters", JSON_OBJECT, &parameters},
	    {"error", JSON_STRING, &error},
	    {"continues", JSON_TRUE, &continues},
	};
	enum jw_err err = JW_PROTOCOL;
	json_t *root = varlink_object_parse(data, len);

	if (root == NULL ||
	    !take_members(root, members, sizeof(members) / sizeof(*members)))
		goto out;
	if (error != NULL && json_is_true(continues))
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

/*
 * The parameters are const for the caller, so they cannot become a member of
 * the message: both are written, and joined as text.
 */
static char *
join_parameters(char *head, const json_t *parameters, size_t *ret_len)
{
	char *tail = json_dumps(parameters, JSON_COMPACT);
	const char *comma = head[1] == '}' ? "" : ",";
	char *text = NULL;
	int n;

	if (tail != NULL && json_is_object(parameters)) {
		head[strlen(head) - 1] = '\0';
		n = asprintf(
		    &text, "%s%s\"parameters\":%s}", head, comma, tail);
		if (n < 0)
			text = NULL;
		else
			*ret_len = (size_t)n + 1;
	}
	free(tail);
	return text;
}

static char *
message_format(const json_t *message, const json_t *parameters, size_t *ret_len)
{
	char *head = json_dumps(message, JSON_COMPACT);
	char *text;

	if (head == NULL)
		return NULL;
	if (parameters == NULL) {
		*ret_len = strlen(head) + 1;
		return head;
	}
	text = join_parameters(head, parameters, ret_len);
	free(head);
	return text;
}

char *
varlink_call_format(const char *method, const struct json_t *parameters,
    bool more, bool oneway, size_t *ret_len)
{
	json_t *message = json_object();
	char *text = NULL;

	if (set_string(message, "method", method) &&
	    set_flag(message, "more", more) &&
	    set_flag(message, "oneway", oneway))
		text = message_format(message, parameters, ret_len);
	json_decref(message);
	return text;
}

char *
varlink_reply_format(const char *error, const struct json_t *parameters,
    bool continues, size_t *ret_len)
{
	json_t *message = json_object();
	char *text = NULL;

	if (set_string(message, "error", error) &&
	    set_flag(message, "continues", continues))
		text = message_format(message, parameters, ret_len);
	json_decref(message);
	return text;
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
