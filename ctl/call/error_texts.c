/*
 * The daemon's errors as sentences: one row each.
 *
 * Must never assume that a parameter of an error is there or has its type.  A
 * sentence still holds what the daemon sent: the caller makes it fit for a
 * terminal.
 */
#include "ctl/call/error_texts.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/config/policy.h"
#include "ctl/call/policy_words.h"
#include "ctl/out/text.h"
#include "ctl/reply/members.h"

enum {
	VALUE_SIZE = 512,
	BOUND_SIZE = JW_DURATION_SIZE + 16,
	TEXT_PARTS = 7,
	HINT_PARTS = 4,
};

typedef bool error_applies_fn(
    const struct out_text *text, const json_t *parameters);

static const char *
string_of(const json_t *parameters, const char *name)
{
	const char *s = json_string_value(json_object_get(parameters, name));

	return s != NULL ? s : "";
}

/* ---- which row of an error ---- */

/* The daemon names no generation, or the one that is active. */
static bool
is_change_in_the_way(const struct out_text *text, const json_t *parameters)
{
	json_int_t expected =
	    json_integer_value(json_object_get(parameters, "expected"));
	json_int_t actual =
	    json_integer_value(json_object_get(parameters, "actual"));

	(void)text;
	return expected == 0 || expected == actual;
}

static bool
is_request_id(const struct out_text *text, const json_t *parameters)
{
	(void)text;
	return strcmp(string_of(parameters, "parameter"), "requestId") == 0;
}

static bool
is_without_arithmetic(const struct out_text *text, const json_t *parameters)
{
	const char *name = string_of(parameters, "parameter");

	(void)text;
	return strcmp(name, "name") == 0 || strcmp(name, "algorithm") == 0;
}

/* No key at all could take over: there is no moment to wait for. */
static bool
is_without_moment(const struct out_text *text, const json_t *parameters)
{
	const json_t *at = json_object_get(parameters, "readyAt");

	return json_is_integer(at) && json_integer_value(at) <= text->now;
}

/*
 * Of the rows that name an error, the first one counts whose method (NULL:
 * any) and condition (NULL: none) hold.  The parts of a text are in turn
 * words and the name of a parameter, whose value stands there.
 */
static const struct error_row {
	enum jw_err err;
	const char *method;
	error_applies_fn *applies;
	const char *text[TEXT_PARTS], *hint[HINT_PARTS];
} error_rows[] = {
    {JW_NO_SUCH_KEY_SET, NULL, NULL, {"there is no key set \"", "keySet", "\""},
	{"`jwksctl keyset list` shows the key sets"}},
    {JW_NO_SUCH_KEY, NULL, NULL, {"there is no key \"", "key", "\""},
	{"a key is named by a unique prefix of its kid or by "
	 "KEYSET#GENERATION; `jwksctl list --all`"}},
    {JW_AMBIGUOUS_KEY, NULL, NULL,
	{"several kids begin with \"", "key", "\": ", "matches"},
	{"give more of the kid"}},
    {JW_CONFLICT, "AddKeySet", NULL,
	{"there is a key set of that name already; nothing was changed"},
	{"`jwksctl keyset show` shows it, `jwksctl keyset set` changes it"}},
    {JW_CONFLICT, "AddKeySets", NULL,
	{"there is a key set \"", "keySet", "\" already; nothing was changed"},
	{"`jwksctl keyset show` shows it, `jwksctl keyset set` changes it"}},
    {JW_CONFLICT, NULL, is_change_in_the_way,
	{"another change of the key set is in the way; nothing was changed"},
	{"look at `jwksctl list` and `jwksctl plan`, then decide again"}},
    {JW_CONFLICT, NULL, NULL,
	{"generation ", "actual", " is active, not ", "expected",
	    "; nothing was changed"},
	{"another operator was faster: look at `jwksctl list` and decide "
	 "again"}},
    {JW_NOT_READY, "Revoke", is_without_moment,
	{"no other key could take over: the next one is still being made; "
	 "nothing was changed"},
	{"try again in a moment: `jwksctl list` shows it once it is there"}},
    {JW_NOT_READY, "Revoke", NULL,
	{"it signs, and no standby is ready before ", "readyAt",
	    "; nothing was changed"},
	{"wait until then, or --force: another key signs at once (the one "
	 "that signed before, if every verifier knows it and it still may), "
	 "and verifiers that do not know it yet reject its tokens for a "
	 "while"}},
    {JW_NOT_READY, "Rollback", NULL,
	{"the key that signed before was not ready when it signed: verifiers "
	 "may not know it before ",
	    "readyAt", "; nothing was changed"},
	{"wait until then, or --now: verifiers that do not know it yet reject "
	 "its tokens for a while"}},
    {JW_NOT_READY, "RemoveKeySet", NULL,
	{"a token of it could still be valid until ", "readyAt",
	    "; nothing was changed"},
	{"wait until then, or --force: verifiers reject those tokens"}},
    {JW_NOT_READY, "Sign", NULL,
	{"the key set is new under the name of an earlier one and signs from ",
	    "readyAt", ": verifiers may hold copies of that one until then"},
	{"`jwksctl rotate --now` does not wait, and says who may reject "
	 "tokens"}},
    {JW_NOT_READY, NULL, NULL, {"no key may be promoted before ", "readyAt"},
	{"without --at the rotation is scheduled for that moment"}},
    {JW_BAD_STATE, "Rollback", NULL,
	{"there is no generation to go back to: none was retired, or its "
	 "rollback window is over"},
	{"`jwksctl keyset show` says how long rollback_window is; `jwksctl "
	 "rotate` goes forward"}},
    {JW_BAD_STATE, "Revoke", NULL,
	{"the key ", "kid", " is ", "state", ": it is not trusted any more"},
	{"nothing is left to be done: `jwksctl show ", "kid", "`"}},
    {JW_BAD_STATE, NULL, NULL,
	{"the key ", "kid", " is ", "state", ": that cannot be done with it"},
	{NULL}},
    {JW_NO_ACTIVE_KEY, NULL, NULL,
	{"the key set \"", "keySet", "\" has no active key yet"},
	{"`jwksctl status` says what it waits for"}},
    {JW_BAD_KEY, NULL, NULL, {"that key cannot be used: ", "message"}, {NULL}},
    {JW_BAD_POLICY, NULL, is_without_arithmetic,
	{"", "message", "; nothing was changed"}, {NULL}},
    {JW_BAD_POLICY, NULL, NULL,
	{"the policy breaks the arithmetic: ", "message",
	    "; nothing was changed"},
	{NULL}},
    {JW_BAD_CLAIMS, NULL, NULL,
	{"that may not be signed: ", "parameter", ": ", "message"}, {NULL}},
    {JW_BAD_CONFIG, NULL, NULL, {"", "file", ":", "line", ": ", "message"},
	{"nothing was changed; `jwksd --check` names every mistake"}},
    {JW_FROZEN, NULL, NULL, {"rotation is frozen: ", "cause"},
	{"`jwksctl status` says more"}},
    {JW_NO_SPACE, NULL, NULL,
	{"the daemon's disk is full; nothing was changed"}, {NULL}},
    {JW_OUTCOME_UNKNOWN, NULL, NULL,
	{"the daemon cannot say whether it was done (request ", "requestId",
	    ")"},
	{"repeat the command with --request-id ", "requestId",
	    ": nothing is done twice"}},
    {JW_STORE_FAILED, NULL, NULL,
	{"the daemon's store failed: ", "message", "; nothing was changed"},
	{NULL}},
    {JW_OVERLOADED, NULL, NULL, {"the daemon has more to sign than it can"},
	{"try again in a moment"}},
    {JW_PERMISSION_DENIED, "Sign", NULL,
	{"the daemon does not let you sign for that key set"},
	{"members of the group ", "group",
	    " may, but for what [access] sign_rules says"}},
    {JW_PERMISSION_DENIED, NULL, NULL, {"the daemon does not let you do that"},
	{"members of the group ", "group", " may"}},
    {JW_INVALID_PARAMETER, NULL, is_request_id,
	{"that request id is not valid, or belongs to another request"},
	{"a request is repeated with the very same options, or is new"}},
    {JW_INVALID_PARAMETER, NULL, NULL,
	{"the daemon does not accept the parameter \"", "parameter", "\""},
	{"`jwksctl introspect org.jwksd.keys` says what it takes"}},
    {JW_METHOD_NOT_FOUND, NULL, NULL, {"the daemon has no method ", "method"},
	{"`jwksctl introspect org.jwksd.keys` lists them"}},
    {JW_METHOD_NOT_IMPLEMENTED, NULL, NULL,
	{"the daemon does not implement ", "method", " yet"}, {NULL}},
    {JW_INTERFACE_NOT_FOUND, NULL, NULL,
	{"the daemon has no interface ", "interface"},
	{"`jwksctl introspect` lists them"}},
    {JW_EXPECTED_MORE, NULL, NULL, {"that method answers with a stream"},
	{"add --more"}},
};

/* ---- sentences ---- */

/* "a, b, c" */
static void
join_list(const json_t *list, char *ret_text)
{
	size_t i, used = 0;
	const json_t *item;

	ret_text[0] = '\0';
	json_array_foreach (list, i, item)
		if (used < VALUE_SIZE)
			used += (size_t)snprintf(ret_text + used,
			    VALUE_SIZE - used, "%s%s", i > 0 ? ", " : "",
			    json_is_string(item) ? json_string_value(item)
						 : "?");
}

/* A parameter, cut where it is too long; "?" for one that is missing. */
static void
show_parameter(const struct out_text *text, const json_t *parameters,
    const char *name, char *ret_text)
{
	const json_t *value = json_object_get(parameters, name);
	json_int_t number = json_integer_value(value);

	if (json_is_array(value))
		join_list(value, ret_text);
	else if (!json_is_integer(value))
		snprintf(ret_text, VALUE_SIZE, "%s",
		    json_is_string(value) ? json_string_value(value) : "?");
	else if (strcmp(name, "readyAt") == 0 && number >= 0 &&
		 number <= REPLY_TIME_MAX)
		out_text_moment(text, number, ret_text);
	else
		snprintf(ret_text, VALUE_SIZE, "%" JSON_INTEGER_FORMAT, number);
}

static void
join_parts(const struct out_text *text, const json_t *parameters,
    const char *const *parts, size_t count, char *out, size_t size)
{
	char value[VALUE_SIZE];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && parts[i] != NULL && used < size; i++) {
		if (i % 2 == 1)
			show_parameter(text, parameters, parts[i], value);
		used += (size_t)snprintf(out + used, size - used, "%s",
		    i % 2 == 1 ? value : parts[i]);
	}
}

/* ---- the number that would be right ---- */

/* " at least 25h"; "" when the error has no such bound. */
static const char *
bound(const json_t *limit, const char *words, const struct jw_param *param,
    char *buf)
{
	json_int_t number = json_integer_value(limit);
	char shown[JW_DURATION_SIZE];

	if (!json_is_integer(limit) || number < 0)
		return "";
	if (param->kind == JW_PARAM_DURATION)
		jw_duration_format(number, shown);
	else
		snprintf(shown, sizeof(shown), "%" JSON_INTEGER_FORMAT, number);
	snprintf(buf, BOUND_SIZE, " %s %s", words, shown);
	return buf;
}

static void
hint_bounds(const json_t *parameters, struct jw_why *why)
{
	const char *name = string_of(parameters, "parameter");
	const struct jw_param *param = jw_policy_param_camel(name);
	char least[BOUND_SIZE], most[BOUND_SIZE];
	const char *from, *to;

	if (param == NULL)
		param = jw_policy_param_snake(name);
	if (param == NULL || param->kind == JW_PARAM_ALGORITHM ||
	    param->kind == JW_PARAM_MODE)
		return;
	from = bound(
	    json_object_get(parameters, "minimum"), "at least", param, least);
	to = bound(
	    json_object_get(parameters, "maximum"), "at most", param, most);
	if (*from != '\0' || *to != '\0')
		jw_why_hint(why, "%s would be right with%s%s%s", param->snake,
		    from, *from != '\0' && *to != '\0' ? " and" : "", to);
}

/* ---- the whole ---- */

static enum jw_err
explain_unknown(const char *error, const json_t *parameters, struct jw_why *why)
{
	char *dump = json_dumps(parameters, JSON_COMPACT);

	jw_why_set(
	    why, "the daemon answered %s %s", error, dump != NULL ? dump : "");
	jw_why_hint(why, "it may be newer than this jwksctl");
	free(dump);
	return JW_PROTOCOL;
}

enum jw_err
call_explain_error(const struct out_text *text, const char *method,
    const char *error, const struct json_t *parameters, struct jw_why *why)
{
	const struct error_row *row = error_rows;
	const struct error_row *end =
	    row + sizeof(error_rows) / sizeof(*error_rows);
	enum jw_err err = jw_err_from_wire(error);
	const char *dot = strrchr(method, '.');
	const char *verb = dot != NULL ? dot + 1 : method;

	while (row < end &&
	       (row->err != err ||
		   (row->method != NULL && strcmp(row->method, verb) != 0) ||
		   (row->applies != NULL && !row->applies(text, parameters))))
		row++;
	if (row == end)
		return explain_unknown(error, parameters, why);
	join_parts(text, parameters, row->text, TEXT_PARTS, why->text,
	    sizeof(why->text));
	join_parts(text, parameters, row->hint, HINT_PARTS, why->hint,
	    sizeof(why->hint));
	if (err == JW_BAD_POLICY)
		hint_bounds(parameters, why);
	return err;
}
