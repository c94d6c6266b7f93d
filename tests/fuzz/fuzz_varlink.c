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

enum { VERBS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool truth)
{
	if (!truth)
		abort();
}

/* A service with an interface of ours; made once, never freed. */
static struct varlink_service *
our_service(struct varlink_interface **ret_interface)
{
	static struct varlink_service *service;
	static struct varlink_interface *interface;
	static struct varlink_verb verbs[VERBS_MAX];
	const struct varlink_method *method;
	const char *text = varlink_text("org.jwksd.keys");
	size_t n = 0;

	if (service == NULL) {
		require(
		    varlink_interface_parse(text, &interface, NULL) == JW_OK);
		while ((method = varlink_interface_method_at(interface, n))) {
			require(n < VERBS_MAX);
			verbs[n++].method = varlink_method_name(method);
		}
		verbs[0].flags = VARLINK_NEEDS_MORE;
		service = varlink_service_new("v", "p", "1", "u");
		require(varlink_service_add(service, text, verbs, n, NULL) ==
			JW_OK);
	}
	*ret_interface = interface;
	return service;
}

static void
resolve(const struct varlink_call *call)
{
	struct varlink_interface *interface;
	struct varlink_service *service = our_service(&interface);
	const struct varlink_verb *verb;
	json_t *parameters;
	enum jw_err err =
	    varlink_service_resolve(service, call, &verb, &parameters);
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
	struct varlink_interface *interface;
	const struct varlink_method *m;
	char name[VARLINK_NAME_SIZE] = "";
	const char *error;

	our_service(&interface);
	for (size_t i = 0;
	     (m = varlink_interface_method_at(interface, i)) != NULL; i++) {
		varlink_method_check_input(m, parameters, name);
		varlink_method_check_output(m, parameters, name);
		require(strlen(name) < sizeof(name));
	}
	for (size_t i = 0;
	     (error = varlink_interface_error_at(interface, i)) != NULL; i++)
		varlink_error_check(interface, error, parameters, name);
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
