/*
 * The daemon's typed errors as sentences: one row each.
 *
 * "{name}" in a sentence is that parameter, "{@name}" the same as a moment.
 * The result still holds whatever the daemon said: who prints it makes it
 * visible first.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/config/policy.h"
#include "ctl/call/error_texts.h"
#include "ctl/out/text.h"
#include "ctl/reply/reply.h"

enum { NAME_SIZE = 32, BOUND_SIZE = JW_DURATION_SIZE + 16 };

typedef bool fault_applies_fn(
    const struct out_text *text, const json_t *parameters);

/* Nothing was expected, or just what is: a rotation is in the way. */
static bool
is_in_the_way(const struct out_text *text, const json_t *parameters)
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
	const char *name =
	    json_string_value(json_object_get(parameters, "parameter"));

	(void)text;
	return name != NULL && strcmp(name, "requestId") == 0;
}

/* A name or an algorithm has no arithmetic. */
static bool
is_no_number(const struct out_text *text, const json_t *parameters)
{
	const char *name =
	    json_string_value(json_object_get(parameters, "parameter"));

	(void)text;
	return name != NULL &&
	       (strcmp(name, "name") == 0 || strcmp(name, "algorithm") == 0);
}

/* No key at all could take over: there is no moment to wait for. */
static bool
is_without_moment(const struct out_text *text, const json_t *parameters)
{
	const json_t *at = json_object_get(parameters, "readyAt");

	return json_is_integer(at) && json_integer_value(at) <= text->now;
}

/* The first row that applies counts. */
static const struct fault {
	enum jw_err err;
	const char *sentence;
	const char *hint;          /* NULL: none */
	fault_applies_fn *applies; /* NULL: always */
	const char *method;        /* NULL: any */
} faults[] = {
    {JW_NO_SUCH_KEY_SET, "there is no key set \"{keySet}\"",
	"`jwksctl keyset list` shows the key sets", NULL, NULL},
    {JW_NO_SUCH_KEY, "there is no key \"{key}\"",
	"a key is named by a unique prefix of its kid or by "
	"KEYSET#GENERATION; `jwksctl list --all`",
	NULL, NULL},
    {JW_AMBIGUOUS_KEY, "several kids begin with \"{key}\": {matches}",
	"give more of the kid", NULL, NULL},
    {JW_CONFLICT,
	"there is a key set of that name already; nothing was changed",
	"`jwksctl keyset show` shows it, `jwksctl keyset set` changes it", NULL,
	"AddKeySet"},
    {JW_CONFLICT,
	"another change of the key set is in the way; nothing was changed",
	"look at `jwksctl list` and `jwksctl plan`, then decide again",
	is_in_the_way, NULL},
    {JW_CONFLICT,
	"generation {actual} is active, not {expected}; nothing was "
	"changed",
	"somebody else was faster: look at `jwksctl list` and decide "
	"again",
	NULL, NULL},
    {JW_NOT_READY,
	"no other key could take over: the next one is still being made; "
	"nothing was changed",
	"try again in a moment: `jwksctl list` shows it once it is there",
	is_without_moment, "Revoke"},
    {JW_NOT_READY,
	"it signs, and no standby is ready before {@readyAt}; nothing was "
	"changed",
	"wait until then, or --force: another key signs at once (the one "
	"that signed before, if every verifier knows it and it still may), "
	"and verifiers that do not know it yet reject its tokens for a while",
	NULL, "Revoke"},
    {JW_BAD_STATE,
	"there is no generation to go back to: none was retired, or its "
	"rollback window is over",
	"`jwksctl keyset show` says how long rollback_window is; `jwksctl "
	"rotate` goes forward",
	NULL, "Rollback"},
    {JW_NOT_READY,
	"the key that signed before was not ready when it signed: verifiers "
	"may not know it before {@readyAt}; nothing was changed",
	"wait until then, or --now: verifiers that do not know it yet reject "
	"its tokens for a while",
	NULL, "Rollback"},
    {JW_BAD_STATE, "the key {kid} is {state}: it is not trusted any more",
	"nothing is left to be done: `jwksctl show {kid}`", NULL, "Revoke"},
    {JW_NOT_READY,
	"a token of it could still be valid until {@readyAt}; nothing was "
	"changed",
	"wait until then, or --force: verifiers reject those tokens", NULL,
	"RemoveKeySet"},
    {JW_NOT_READY,
	"the key set is new under the name of an earlier one and signs from "
	"{@readyAt}: verifiers may hold copies of that one until then",
	"`jwksctl rotate --now` does not wait, and says who may reject tokens",
	NULL, "Sign"},
    {JW_NOT_READY, "no key may be promoted before {@readyAt}",
	"without --at the rotation is scheduled for that moment", NULL, NULL},
    {JW_BAD_STATE, "the key {kid} is {state}: that cannot be done with it",
	NULL, NULL, NULL},
    {JW_NO_ACTIVE_KEY, "the key set \"{keySet}\" has no active key yet",
	"`jwksctl status` says what it waits for", NULL, NULL},
    {JW_BAD_KEY, "that key cannot be used: {message}", NULL, NULL, NULL},
    {JW_BAD_POLICY, "{message}; nothing was changed", NULL, is_no_number, NULL},
    {JW_BAD_POLICY,
	"the policy breaks the arithmetic: {message}; nothing was changed",
	NULL, NULL, NULL},
    {JW_BAD_CLAIMS, "that may not be signed: {parameter}: {message}", NULL,
	NULL, NULL},
    {JW_BAD_CONFIG, "{file}:{line}: {message}",
	"nothing was changed; `jwksd --check` names every mistake", NULL, NULL},
    {JW_FROZEN, "rotation is frozen: {cause}", "`jwksctl status` says more",
	NULL, NULL},
    {JW_NO_SPACE, "the daemon's disk is full; nothing was changed", NULL, NULL,
	NULL},
    {JW_OUTCOME_UNKNOWN,
	"the daemon cannot say whether it was done (request {requestId})",
	"repeat the command with --request-id {requestId}: nothing is "
	"done twice",
	NULL, NULL},
    {JW_STORE_FAILED,
	"the daemon's store failed: {message}; nothing was changed", NULL, NULL,
	NULL},
    {JW_OVERLOADED, "the daemon has more to sign than it can",
	"try again in a moment", NULL, NULL},
    {JW_PERMISSION_DENIED, "the daemon does not let you sign for that key set",
	"members of the group {group} may, but for what [access] sign_rules "
	"says",
	NULL, "Sign"},
    {JW_PERMISSION_DENIED, "the daemon does not let you do that",
	"members of the group {group} may", NULL, NULL},
    {JW_INVALID_PARAMETER,
	"that request id is no good, or belongs to another request",
	"a request is repeated with the very same options, or is new",
	is_request_id, NULL},
    {JW_INVALID_PARAMETER,
	"the daemon does not accept the parameter \"{parameter}\"",
	"`jwksctl introspect org.jwksd.keys` says what it takes", NULL, NULL},
    {JW_METHOD_NOT_FOUND, "the daemon has no method {method}",
	"`jwksctl introspect org.jwksd.keys` lists them", NULL, NULL},
    {JW_METHOD_NOT_IMPLEMENTED, "the daemon does not implement {method} yet",
	NULL, NULL, NULL},
    {JW_INTERFACE_NOT_FOUND, "the daemon has no interface {interface}",
	"`jwksctl introspect` lists them", NULL, NULL},
    {JW_EXPECTED_MORE, "that method answers with a stream", "add --more", NULL,
	NULL},
};

/* Writes at most size octets, and always a NUL. */
struct sink {
	char *out;
	size_t size, used;
};

static void
sink_put(struct sink *sink, const char *s, size_t len)
{
	size_t room = sink->size - 1 - sink->used;

	if (len > room)
		len = room;
	memcpy(sink->out + sink->used, s, len);
	sink->used += len;
	sink->out[sink->used] = '\0';
}

static void
sink_string(struct sink *sink, const char *s)
{
	sink_put(sink, s, strlen(s));
}

static void
sink_list(struct sink *sink, const json_t *list)
{
	size_t i;
	const json_t *item;

	json_array_foreach (list, i, item) {
		if (i > 0)
			sink_string(sink, ", ");
		sink_string(
		    sink, json_is_string(item) ? json_string_value(item) : "?");
	}
}

static void
sink_value(struct sink *sink, const struct out_text *text, const json_t *value,
    bool moment)
{
	char buf[TEXT_TIME_SIZE];

	if (json_is_string(value)) {
		sink_string(sink, json_string_value(value));
	} else if (json_is_array(value)) {
		sink_list(sink, value);
	} else if (json_is_integer(value) && moment &&
		   json_integer_value(value) >= 0 &&
		   json_integer_value(value) <= REPLY_TIME_MAX) {
		sink_string(sink,
		    out_text_moment(text, json_integer_value(value), buf));
	} else if (json_is_integer(value)) {
		snprintf(buf, sizeof(buf), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		sink_string(sink, buf);
	} else {
		sink_string(sink, "?");
	}
}

/* s is behind the brace; returns what follows the closing one. */
static const char *
sink_parameter(struct sink *sink, const struct out_text *text, const char *s,
    const json_t *parameters)
{
	bool moment = *s == '@';
	char name[NAME_SIZE];
	size_t len;

	s += moment;
	len = strcspn(s, "}");
	snprintf(name, sizeof(name), "%.*s", (int)len, s);
	sink_value(sink, text, json_object_get(parameters, name), moment);
	return s + len + 1;
}

static void
fill(const struct out_text *text, const char *sentence,
    const json_t *parameters, char *out, size_t size)
{
	struct sink sink = {.out = out, .size = size};

	out[0] = '\0';
	while (*sentence != '\0') {
		size_t len = strcspn(sentence, "{");

		sink_put(&sink, sentence, len);
		sentence += len;
		if (*sentence == '{')
			sentence = sink_parameter(
			    &sink, text, sentence + 1, parameters);
	}
}

/* ---- the number that would be right ---- */

static const struct jw_param *
param_of(const json_t *parameters)
{
	const char *name =
	    json_string_value(json_object_get(parameters, "parameter"));
	const struct jw_param *param;

	if (name == NULL)
		return NULL;
	param = jw_policy_param_camel(name);
	return param != NULL ? param : jw_policy_param_snake(name);
}

/* "at least 25h"; "" when that bound is not there. */
static const char *
bound(const json_t *parameters, const char *name, const char *words,
    const struct jw_param *param, char *buf)
{
	const json_t *value = json_object_get(parameters, name);
	json_int_t number = json_integer_value(value);
	char duration[JW_DURATION_SIZE];

	if (!json_is_integer(value) || number < 0)
		return "";
	if (param->kind == JW_PARAM_DURATION)
		snprintf(buf, BOUND_SIZE, "%s %s", words,
		    jw_duration_format(number, duration));
	else
		snprintf(
		    buf, BOUND_SIZE, "%s %" JSON_INTEGER_FORMAT, words, number);
	return buf;
}

static void
hint_bounds(const json_t *parameters, struct jw_why *why)
{
	const struct jw_param *param = param_of(parameters);
	char least[BOUND_SIZE], most[BOUND_SIZE];
	const char *from, *to;

	if (param == NULL || param->kind == JW_PARAM_ALGORITHM ||
	    param->kind == JW_PARAM_MODE)
		return;
	from = bound(parameters, "minimum", "at least", param, least);
	to = bound(parameters, "maximum", "at most", param, most);
	if (*from != '\0' || *to != '\0')
		jw_why_hint(why, "%s would be right with %s%s%s", param->snake,
		    from, *from != '\0' && *to != '\0' ? " and " : "", to);
}

static void
explain_unknown(const char *error, const json_t *parameters, struct jw_why *why)
{
	char *dump = json_dumps(parameters, JSON_COMPACT);

	jw_why_set(
	    why, "the daemon answered %s %s", error, dump != NULL ? dump : "");
	jw_why_hint(why, "it may be newer than this jwksctl");
	free(dump);
}

static bool
applies(const struct fault *fault, const struct out_text *text, enum jw_err err,
    const char *verb, const json_t *parameters)
{
	return fault->err == err &&
	       (fault->method == NULL || strcmp(fault->method, verb) == 0) &&
	       (fault->applies == NULL || fault->applies(text, parameters));
}

enum jw_err
call_explain_error(const struct out_text *text, const char *method,
    const char *error, const struct json_t *parameters, struct jw_why *why)
{
	enum jw_err err = jw_err_from_wire(error);
	const char *dot = strrchr(method, '.');
	const char *verb = dot != NULL ? dot + 1 : method;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *fault = &faults[i];

		if (!applies(fault, text, err, verb, parameters))
			continue;
		fill(text, fault->sentence, parameters, why->text,
		    sizeof(why->text));
		fill(text, fault->hint != NULL ? fault->hint : "", parameters,
		    why->hint, sizeof(why->hint));
		if (err == JW_BAD_POLICY)
			hint_bounds(parameters, why);
		return err;
	}
	explain_unknown(error, parameters, why);
	return JW_PROTOCOL;
}
