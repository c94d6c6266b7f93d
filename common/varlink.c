/*
 * Varlink messages: parse and format.
 *
 * Bytes from a peer come in here, so nothing here may trust a length, a type
 * or a character, recurse without a bound, or fail in a way that ends more
 * than one connection.  It must never read or write a descriptor.
 */
#include "common/varlink.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits of an integer that may lie beyond int64. */
enum { LONG_INTEGER = 19 };

/* ---- messages: parse ---- */

static size_t
string_end(const char *data, size_t len, size_t i)
{
	for (i++; i < len && data[i] != '"'; i++) {
		if (data[i] == '\\')
			i++;
	}
	return i;
}

/* Jansson recurses 2048 deep, and that limit is not ours to set. */
static bool
is_shallow(const char *data, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == '"')
			i = string_end(data, len, i);
		else if (data[i] == '{' || data[i] == '[')
			depth++;
		else if ((data[i] == '}' || data[i] == ']') && depth > 0)
			depth--;
		if (depth > VARLINK_DEPTH_MAX)
			return false;
	}
	return true;
}

static bool
is_number_char(char c)
{
	return c != '\0' && strchr("+-.0123456789eE", c) != NULL;
}

static bool
is_beyond_int64(const char *token, size_t len)
{
	bool negative = token[0] == '-';
	const char *limit =
	    negative ? "9223372036854775808" : "9223372036854775807";

	token += negative;
	len -= negative;
	for (size_t i = 0; i < len; i++) {
		if (token[i] < '0' || token[i] > '9')
			return false;
	}
	return len > LONG_INTEGER ||
	       (len == LONG_INTEGER && memcmp(token, limit, len) > 0);
}

/* The length of the string, number or other byte that begins at i. */
static size_t
token_len(const char *data, size_t len, size_t i)
{
	size_t end = i;

	if (data[i] == '"') {
		end = string_end(data, len, i);
		return end < len ? end + 1 - i : len - i;
	}
	while (end < len && is_number_char(data[end]))
		end++;
	return end > i ? end - i : 1;
}

/*
 * A copy with every integer beyond int64 written as a real: Jansson refuses
 * the whole text for one such integer, but it is one ill-typed parameter.
 */
static char *
widen_integers(const char *data, size_t len, size_t *ret_len)
{
	char *copy = malloc(len + len / LONG_INTEGER * 2 + 1);
	size_t n, used = 0;

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < len; i += n) {
		n = token_len(data, len, i);
		memcpy(copy + used, data + i, n);
		used += n;
		if (is_number_char(data[i]) && is_beyond_int64(data + i, n)) {
			memcpy(copy + used, "e0", 2);
			used += 2;
		}
	}
	*ret_len = used;
	return copy;
}

static json_t *
load_object(const char *data, size_t len)
{
	json_error_t error;
	json_t *root;
	char *wide;
	size_t wide_len;

	if (data == NULL || len >= VARLINK_MESSAGE_MAX ||
	    !is_shallow(data, len))
		return NULL;
	root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL &&
	    json_error_code(&error) == json_error_numeric_overflow) {
		wide = widen_integers(data, len, &wide_len);
		if (wide == NULL)
			return NULL;
		root =
		    json_loadb(wide, wide_len, JSON_REJECT_DUPLICATES, &error);
		free(wide);
	}
	if (!json_is_object(root)) {
		json_decref(root);
		return NULL;
	}
	return root;
}

struct json_t *
varlink_object_parse(const char *data, size_t len)
{
	return load_object(data, len);
}

/* A member that a message may have, and where its value goes. */
struct member {
	const char *name;
	json_type type; /* JSON_TRUE stands for both booleans */
	json_t **ret_value;
};

static bool
has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value)
				 : json_typeof(value) == type;
}

static bool
take_member(
    const struct member *members, size_t count, const char *name, json_t *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(members[i].name, name) == 0) {
			*members[i].ret_value = value;
			return has_type(value, members[i].type);
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

	json_object_foreach (root, name, value) {
		if (!take_member(members, count, name, value))
			return false;
	}
	return true;
}

static json_t *
object_or_empty(json_t *parameters)
{
	return parameters != NULL ? json_incref(parameters) : json_object();
}

enum jw_err
varlink_call_parse(const char *data, size_t len, struct varlink_call *ret_call)
{
	json_t *method = NULL, *parameters = NULL;
	json_t *more = NULL, *oneway = NULL, *upgrade = NULL;
	const struct member members[] = {
	    {"method", JSON_STRING, &method},
	    {"parameters", JSON_OBJECT, &parameters},
	    {"more", JSON_TRUE, &more},
	    {"oneway", JSON_TRUE, &oneway},
	    {"upgrade", JSON_TRUE, &upgrade},
	};
	struct varlink_call call = {NULL, NULL, false, false};
	enum jw_err err = JW_PROTOCOL;
	json_t *root = load_object(data, len);

	if (root == NULL ||
	    !take_members(root, members, sizeof(members) / sizeof(*members)))
		goto out;
	if (method == NULL || json_is_true(upgrade) ||
	    (json_is_true(more) && json_is_true(oneway)))
		goto out;
	call.method = strdup(json_string_value(method));
	call.parameters = object_or_empty(parameters);
	call.more = json_is_true(more);
	call.oneway = json_is_true(oneway);
	if (call.method == NULL || call.parameters == NULL) {
		varlink_call_done(&call);
		err = JW_NO_MEMORY;
		goto out;
	}
	*ret_call = call;
	err = JW_OK;
out:
	json_decref(root);
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
	struct varlink_reply reply = {NULL, NULL, false};
	enum jw_err err = JW_PROTOCOL;
	json_t *root = load_object(data, len);

	if (root == NULL ||
	    !take_members(root, members, sizeof(members) / sizeof(*members)))
		goto out;
	if (error != NULL && json_is_true(continues))
		goto out;
	if (error != NULL)
		reply.error = strdup(json_string_value(error));
	reply.parameters = object_or_empty(parameters);
	reply.continues = json_is_true(continues);
	if ((error != NULL && reply.error == NULL) ||
	    reply.parameters == NULL) {
		varlink_reply_done(&reply);
		err = JW_NO_MEMORY;
		goto out;
	}
	*ret_reply = reply;
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
