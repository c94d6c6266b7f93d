/*
 * Feeds arbitrary bytes to every parser of messages from a peer.
 *
 * The first byte picks the parser.  Beyond "no crash" it holds what must be
 * true of whatever was accepted; a broken promise aborts.  Build with
 * clang -fsanitize=fuzzer,address,undefined.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "daemon/verbs/verbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool truth)
{
	if (!truth)
		abort();
}

static void
resolve(const struct varlink_call *call)
{
	const struct varlink_verb *verb;
	json_t *parameters;
	enum jw_err err =
	    varlink_service_resolve(&verbs_service, call, &verb, &parameters);
	char *text;
	size_t len;

	require(call->fault.what == NULL || err != JW_OK);
	require((err == JW_OK && verb != NULL) == (parameters == NULL));
	if (err != JW_OK)
		require(verb == NULL && jw_err_wire(err) != NULL);
	if (parameters != NULL) {
		text = varlink_reply_format(
		    jw_err_wire(err), parameters, false, &len);
		require(text != NULL && len <= VARLINK_MESSAGE_MAX);
		free(text);
	}
	json_decref(parameters);
}

/* Whatever the method is: the parameters against every type we declare. */
static void
check_all(const json_t *parameters)
{
	const struct varlink_method *m = varlink_org_jwksd_keys.methods;
	const struct varlink_error *error = varlink_org_jwksd_keys.errors;
	char name[VARLINK_NAME_SIZE] = "";

	for (; m->name != NULL; m++) {
		varlink_fields_check(m->input, parameters, name);
		varlink_fields_check(m->output, parameters, name);
		require(strlen(name) < sizeof(name));
	}
	for (; error->name != NULL; error++)
		varlink_fields_check(error->fields, parameters, name);
	json_decref(json_string(name));
}

static void
fuzz_call(const char *data, size_t len)
{
	struct varlink_call call, again;
	size_t text_len;
	char *text;

	if (varlink_call_parse(data, len, &call, NULL) != JW_OK)
		return;
	require(!(call.more && call.oneway));
	require(
	    call.fault.what == NULL || json_object_size(call.parameters) == 0);
	text = varlink_call_format(
	    call.method, call.parameters, call.more, call.oneway, &text_len);
	require(text != NULL && text_len == strlen(text) + 1);
	if (text_len <= VARLINK_MESSAGE_MAX) {
		require(varlink_call_parse(text, text_len - 1, &again, NULL) ==
			JW_OK);
		require(strcmp(call.method, again.method) == 0);
		require(json_equal(call.parameters, again.parameters));
		varlink_call_done(&again);
	}
	resolve(&call);
	check_all(call.parameters);
	free(text);
	varlink_call_done(&call);
}

static void
fuzz_reply(const char *data, size_t len)
{
	struct varlink_reply reply, again;
	size_t text_len;
	char *text;

	if (varlink_reply_parse(data, len, &reply) != JW_OK)
		return;
	require(reply.error == NULL || !reply.continues);
	text = varlink_reply_format(
	    reply.error, reply.parameters, reply.continues, &text_len);
	require(text != NULL && text_len == strlen(text) + 1);
	if (text_len <= VARLINK_MESSAGE_MAX) {
		require(
		    varlink_reply_parse(text, text_len - 1, &again) == JW_OK);
		require(json_equal(reply.parameters, again.parameters));
		require(reply.continues == again.continues);
		varlink_reply_done(&again);
	}
	check_all(reply.parameters);
	free(text);
	varlink_reply_done(&reply);
}

/* The parameters of a method of ours, without a message around them. */
static void
fuzz_check(const char *data, size_t len)
{
	json_t *parameters =
	    json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(parameters))
		check_all(parameters);
	json_decref(parameters);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const char *, size_t) = {
	    fuzz_call,
	    fuzz_reply,
	    fuzz_check,
	};
	size_t pick;

	if (size == 0)
		return 0;
	pick = data[0] % (sizeof(targets) / sizeof(*targets));
	targets[pick]((const char *)data + 1, size - 1);
	return 0;
}
