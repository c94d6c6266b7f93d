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

#include "ctl/fault.h"
#include "ctl/reply.h"
#include "ctl/text.h"

enum { NAME_SIZE = 32 };

/* Nothing was expected, or just what is: a rotation is in the way. */
static bool
is_in_the_way(const json_t *parameters)
{
	json_int_t expected =
	    json_integer_value(json_object_get(parameters, "expected"));
	json_int_t actual =
	    json_integer_value(json_object_get(parameters, "actual"));

	return expected == 0 || expected == actual;
}

static bool
is_request_id(const json_t *parameters)
{
	const char *name =
	    json_string_value(json_object_get(parameters, "parameter"));

	return name != NULL && strcmp(name, "requestId") == 0;
}

/* The first row that applies counts. */
static const struct fault {
	enum jw_err err;
	const char *sentence;
	const char *hint;                          /* NULL: none */
	bool (*applies)(const json_t *parameters); /* NULL: always */
} faults[] = {
    {JW_NO_SUCH_KEY_SET, "there is no key set \"{keySet}\"",
	"`jwksctl list` shows the key sets and their keys", NULL},
    {JW_NO_SUCH_KEY, "there is no key \"{key}\"",
	"a key is named by a unique prefix of its kid or by "
	"KEYSET#GENERATION; `jwksctl list --all`",
	NULL},
    {JW_AMBIGUOUS_KEY, "several kids begin with \"{key}\": {matches}",
	"give more of the kid", NULL},
    {JW_CONFLICT,
	"another change of the key set is in the way; nothing was changed",
	"look at `jwksctl list` and `jwksctl plan`, then decide again",
	is_in_the_way},
    {JW_CONFLICT,
	"generation {actual} is active, not {expected}; nothing was "
	"changed",
	"somebody else was faster: look at `jwksctl list` and decide "
	"again",
	NULL},
    {JW_NOT_READY, "no key may be promoted before {@readyAt}",
	"without --at the rotation is scheduled for that moment", NULL},
    {JW_BAD_STATE, "the key {kid} is {state}: that cannot be done with it",
	NULL, NULL},
    {JW_NO_ACTIVE_KEY, "the key set \"{keySet}\" has no active key yet",
	"`jwksctl status` says what it waits for", NULL},
    {JW_BAD_KEY, "that key cannot be used: {message}", NULL, NULL},
    {JW_BAD_POLICY,
	"the policy breaks the arithmetic: {parameter}: "
	"{message}",
	NULL, NULL},
    {JW_BAD_CLAIMS, "that may not be signed: {parameter}: {message}", NULL,
	NULL},
    {JW_BAD_CONFIG, "{file}:{line}: {message}", NULL, NULL},
    {JW_FROZEN, "rotation is frozen: {cause}", "`jwksctl status` says more",
	NULL},
    {JW_NO_SPACE, "the daemon's disk is full; nothing was changed", NULL, NULL},
    {JW_OUTCOME_UNKNOWN,
	"the daemon cannot say whether it was done (request {requestId})",
	"repeat the command with --request-id {requestId}: nothing is "
	"done twice",
	NULL},
    {JW_STORE_FAILED,
	"the daemon's store failed: {message}; nothing was changed", NULL,
	NULL},
    {JW_PERMISSION_DENIED, "the daemon does not let you do that",
	"members of the group jwksd-admin may", NULL},
    {JW_INVALID_PARAMETER,
	"that request id is no good, or belongs to another request",
	"a request is repeated with the very same options, or is new",
	is_request_id},
    {JW_INVALID_PARAMETER,
	"the daemon does not accept the parameter \"{parameter}\"",
	"`jwksctl introspect org.jwksd.keys` says what it takes", NULL},
    {JW_METHOD_NOT_FOUND, "the daemon has no method {method}",
	"`jwksctl introspect org.jwksd.keys` lists them", NULL},
    {JW_METHOD_NOT_IMPLEMENTED, "the daemon does not implement {method} yet",
	NULL, NULL},
    {JW_INTERFACE_NOT_FOUND, "the daemon has no interface {interface}",
	"`jwksctl introspect` lists them", NULL},
    {JW_EXPECTED_MORE, "that method answers with a stream", "add --more", NULL},
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
sink_value(struct sink *sink, const struct text *text, const json_t *value,
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
		sink_string(
		    sink, text_moment(text, json_integer_value(value), buf));
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
sink_parameter(struct sink *sink, const struct text *text, const char *s,
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
fill(const struct text *text, const char *sentence, const json_t *parameters,
    char *out, size_t size)
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

static void
explain_unknown(const char *error, const json_t *parameters, struct jw_why *why)
{
	char *dump = json_dumps(parameters, JSON_COMPACT);

	jw_why_set(
	    why, "the daemon answered %s %s", error, dump != NULL ? dump : "");
	jw_why_hint(why, "it may be newer than this jwksctl");
	free(dump);
}

enum jw_err
fault_explain(const struct text *text, const char *error,
    const struct json_t *parameters, struct jw_why *why)
{
	enum jw_err err = jw_err_from_wire(error);

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *fault = &faults[i];

		if (fault->err != err ||
		    (fault->applies != NULL && !fault->applies(parameters)))
			continue;
		fill(text, fault->sentence, parameters, why->text,
		    sizeof(why->text));
		fill(text, fault->hint != NULL ? fault->hint : "", parameters,
		    why->hint, sizeof(why->hint));
		return err;
	}
	explain_unknown(error, parameters, why);
	return JW_PROTOCOL;
}
