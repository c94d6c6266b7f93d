/*
 * The varlink service: which verb answers a call, and org.varlink.service.
 *
 * Only a call whose parameters fit the description gets as far as a verb.
 * Whatever a caller sends, the worst answer is a typed error that fits a
 * message; it must never run a verb itself.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_idl.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"

struct offer {
	struct varlink_interface *interface;
	json_t *description;
	const struct varlink_verb *verbs;
	size_t count;
	struct offer *next;
};

struct varlink_service {
	const char *vendor;
	const char *product;
	const char *version;
	const char *url;
	struct offer *offers; /* org.varlink.service is the first */
};

/* Names and types are those of the specification. */
static const char service_text[] =
    "# What every varlink service offers: who it is, which interfaces it\n"
    "# has, and how they are described.\n"
    "interface org.varlink.service\n"
    "\n"
    "# Who the service is, and the names of all its interfaces.\n"
    "method GetInfo() -> (\n"
    "  vendor: string,\n"
    "  product: string,\n"
    "  version: string,\n"
    "  url: string,\n"
    "  interfaces: []string\n"
    ")\n"
    "\n"
    "# The text that describes an interface of this service.\n"
    "method GetInterfaceDescription(interface: string) -> (\n"
    "  description: string\n"
    ")\n"
    "\n"
    "# The service has no interface of that name.\n"
    "error InterfaceNotFound (interface: string)\n"
    "# The interface has no method of that name.\n"
    "error MethodNotFound (method: string)\n"
    "# The interface has that method, but this service does not.\n"
    "error MethodNotImplemented (method: string)\n"
    "# That parameter is unknown, missing, or not what it has to be.\n"
    "error InvalidParameter (parameter: string)\n"
    "# The caller may not do that.\n"
    "error PermissionDenied ()\n"
    "# The method answers only calls with `more`.\n"
    "error ExpectedMore ()\n";

static const struct offer *
find_offer(const struct varlink_service *service, const char *name, size_t len)
{
	const struct offer *offer = service->offers;
	const char *known;

	for (; offer != NULL; offer = offer->next) {
		known = varlink_interface_name(offer->interface);
		if (strlen(known) == len && memcmp(known, name, len) == 0)
			break;
	}
	return offer;
}

static const struct varlink_verb *
find_verb(const struct varlink_verb *verbs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (name != NULL && strcmp(verbs[i].method, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Every method has a verb with its fields and types, every verb a method, and
 * none comes twice. */
static enum jw_err
match_verbs(const struct varlink_interface *interface,
    const struct varlink_verb *verbs, size_t count, struct jw_why *why)
{
	const char *owner = varlink_interface_name(interface), *name, *misfit;
	const struct varlink_method *method;

	for (size_t i = 0; i < count; i++) {
		name = verbs[i].method;
		method = varlink_interface_method(interface, name);
		if (method == NULL)
			return jw_fail(JW_BUG, why,
			    "%s describes no method for the verb "
			    "%s",
			    owner, name);
		if (find_verb(verbs, i, name) != NULL)
			return jw_fail(
			    JW_BUG, why, "%s.%s has two verbs", owner, name);
		misfit = varlink_method_misfit(
		    method, verbs[i].request, verbs[i].reply);
		if (misfit != NULL)
			return jw_fail(JW_BUG, why,
			    "%s.%s: the verb's \"%s\" is not the "
			    "description's",
			    owner, name, misfit);
	}
	for (size_t i = 0;
	     (method = varlink_interface_method_at(interface, i)) != NULL;
	     i++) {
		name = varlink_method_name(method);
		if (find_verb(verbs, count, name) == NULL)
			return jw_fail(
			    JW_BUG, why, "%s.%s has no verb", owner, name);
	}
	return JW_OK;
}

static void
offer_free(struct offer *offer)
{
	if (offer == NULL)
		return;
	varlink_interface_free(offer->interface);
	json_decref(offer->description);
	free(offer);
}

static enum jw_err
offer_new(const char *text, const struct varlink_verb *verbs, size_t count,
    struct offer **ret_offer, struct jw_why *why)
{
	struct offer *offer = jw_zalloc(sizeof(*offer));

	offer->verbs = verbs;
	offer->count = count;
	if (varlink_interface_parse(text, &offer->interface, why) == JW_OK &&
	    match_verbs(offer->interface, verbs, count, why) == JW_OK) {
		offer->description = json_string(text);
		if (offer->description != NULL) {
			*ret_offer = offer;
			return JW_OK;
		}
		jw_why_set(why, "the description of %s is not UTF-8",
		    varlink_interface_name(offer->interface));
	}
	offer_free(offer);
	return JW_BUG;
}

enum jw_err
varlink_service_add(struct varlink_service *service, const char *text,
    const struct varlink_verb *verbs, size_t count, struct jw_why *why)
{
	struct offer **last = &service->offers, *offer;
	const char *name;
	enum jw_err err;

	if (text == NULL)
		return jw_fail(
		    JW_BUG, why, "there is no description of the interface");
	err = offer_new(text, verbs, count, &offer, why);
	if (err != JW_OK)
		return err;
	name = varlink_interface_name(offer->interface);
	if (find_offer(service, name, strlen(name)) != NULL) {
		jw_why_set(why, "%s is offered twice", name);
		offer_free(offer);
		return JW_BUG;
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = offer;
	return JW_OK;
}

/* ---- the methods of org.varlink.service ---- */

/*
 * An error with one parameter.  A value that the peer chose is cut: the reply
 * has to fit a message, even when the call hardly did.
 */
static enum jw_err
varlink_service_refuse(enum jw_err err, const char *name, const char *value,
    size_t len, json_t **ret_parameters)
{
	size_t cut = varlink_clip(value, len, VARLINK_NAME_SIZE - 1);

	*ret_parameters = json_object();
	json_object_set_new(*ret_parameters, name, json_stringn(value, cut));
	return err;
}

static enum jw_err
get_info(const struct varlink_service *service, const json_t *parameters,
    json_t **ret_parameters)
{
	json_t *names = json_array();

	(void)parameters;
	for (struct offer *o = service->offers; o != NULL; o = o->next)
		json_array_append_new(
		    names, json_string(varlink_interface_name(o->interface)));
	*ret_parameters = json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor",
	    service->vendor, "product", service->product, "version",
	    service->version, "url", service->url, "interfaces", names);
	return JW_OK;
}

static enum jw_err
get_description(const struct varlink_service *service, const json_t *parameters,
    json_t **ret_parameters)
{
	const json_t *wanted = json_object_get(parameters, "interface");
	const char *name = json_string_value(wanted);
	size_t len = json_string_length(wanted);
	const struct offer *offer = find_offer(service, name, len);

	if (offer == NULL)
		return varlink_service_refuse(JW_INTERFACE_NOT_FOUND,
		    "interface", name, len, ret_parameters);
	*ret_parameters = json_pack("{s:O}", "description", offer->description);
	return JW_OK;
}

static const struct varlink_verb own_verbs[] = {
    {.method = "GetInfo"},
    {.method = "GetInterfaceDescription"},
};

/* In the order of own_verbs. */
static enum jw_err (*const own_answers[])(
    const struct varlink_service *, const json_t *, json_t **) = {
    get_info,
    get_description,
};

struct varlink_service *
varlink_service_new(const char *vendor, const char *product,
    const char *version, const char *url)
{
	struct varlink_service *service = jw_zalloc(sizeof(*service));

	service->vendor = vendor;
	service->product = product;
	service->version = version;
	service->url = url;
	if (varlink_service_add(service, service_text, own_verbs,
		sizeof(own_verbs) / sizeof(*own_verbs), NULL) != JW_OK) {
		varlink_service_free(service);
		return NULL;
	}
	return service;
}

void
varlink_service_free(struct varlink_service *service)
{
	struct offer *offer;

	if (service == NULL)
		return;
	while ((offer = service->offers) != NULL) {
		service->offers = offer->next;
		offer_free(offer);
	}
	free(service);
}

/* "policy.rsaBits", as for other misfits; cut where it is too long. */
static enum jw_err
check_input(const struct varlink_method *method,
    const struct varlink_call *call, char *ret_name)
{
	const struct varlink_fault *fault = &call->fault;
	size_t len, more = strlen(fault->member);

	if (fault->what == NULL)
		return varlink_method_check_input(
		    method, call->parameters, ret_name);
	memcpy(ret_name, fault->parameter, VARLINK_NAME_SIZE);
	if (ret_name[0] == '\0')
		memcpy(ret_name, "parameters", sizeof("parameters"));
	len = strlen(ret_name);
	if (more > 0 && len + 1 + more < VARLINK_NAME_SIZE) {
		ret_name[len] = '.';
		memcpy(ret_name + len + 1, fault->member, more + 1);
	}
	return JW_INVALID_PARAMETER;
}

enum jw_err
varlink_service_resolve(const struct varlink_service *service,
    const struct varlink_call *call, const struct varlink_verb **ret_verb,
    struct json_t **ret_parameters)
{
	const char *dot = strrchr(call->method, '.');
	size_t len = dot != NULL ? (size_t)(dot - call->method) : 0;
	const struct offer *offer = find_offer(service, call->method, len);
	const struct varlink_method *method;
	const struct varlink_verb *verb;
	char name[VARLINK_NAME_SIZE];
	enum jw_err err;

	*ret_verb = NULL;
	*ret_parameters = NULL;
	if (offer == NULL)
		return varlink_service_refuse(JW_INTERFACE_NOT_FOUND,
		    "interface", call->method, len, ret_parameters);
	method = varlink_interface_method(offer->interface, dot + 1);
	if (method == NULL)
		return varlink_service_refuse(JW_METHOD_NOT_FOUND, "method",
		    call->method, strlen(call->method), ret_parameters);
	verb = find_verb(offer->verbs, offer->count, dot + 1);
	if (call->fault.what != NULL && (verb->flags & VARLINK_FAULTS) != 0) {
		*ret_verb = verb;
		return JW_OK;
	}
	err = check_input(method, call, name);
	if (err != JW_OK)
		return varlink_service_refuse(
		    err, "parameter", name, strlen(name), ret_parameters);
	if ((verb->flags & VARLINK_NEEDS_MORE) != 0 && !call->more) {
		*ret_parameters = json_object();
		return JW_EXPECTED_MORE;
	}
	if (offer == service->offers)
		return own_answers[verb - own_verbs](
		    service, call->parameters, ret_parameters);
	*ret_verb = verb;
	return JW_OK;
}

unsigned
varlink_service_flags(const struct varlink_service *service, const char *method)
{
	const char *dot = strrchr(method, '.');
	const struct offer *offer;
	const struct varlink_verb *verb = NULL;

	if (dot == NULL)
		return 0;
	offer = find_offer(service, method, (size_t)(dot - method));
	if (offer != NULL)
		verb = find_verb(offer->verbs, offer->count, dot + 1);
	return verb == NULL ? 0 : verb->flags;
}
