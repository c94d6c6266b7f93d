/*
 * The varlink service: which verb answers a call, and org.varlink.service.
 *
 * Only a call whose parameters fit the description gets as far as a verb.
 * Whatever a caller sends, the worst answer is a typed error that fits a
 * message; it must never run a verb itself.
 */
#include "common/wire/varlink_service.h"

#include <jansson.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"

/* NULL: the service has no interface of that name. */
static const struct varlink_interface *
find_interface(
    const struct varlink_service *service, const char *name, size_t len)
{
	const struct varlink_interface *const known[] = {
	    &varlink_org_varlink_service, service->interface};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]->name) == len &&
		    memcmp(known[i]->name, name, len) == 0)
			return known[i];
	return NULL;
}

/* The last row, which has no method, when no other has that one. */
static const struct varlink_verb *
find_verb(const struct varlink_service *service, const char *method)
{
	const struct varlink_verb *verb = service->verbs;

	while (verb->method != NULL && strcmp(verb->method, method) != 0)
		verb++;
	return verb;
}

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

/* ---- the methods of org.varlink.service ---- */

static enum jw_err
get_info(const struct varlink_service *service, json_t **ret_parameters)
{
	*ret_parameters = json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor",
	    "jwksd", "product", "jwksd", "version", JWKSD_VERSION, "url",
	    "https://jwksd.example/", "interfaces",
	    varlink_org_varlink_service.name, service->interface->name);
	return JW_OK;
}

static enum jw_err
get_description(const struct varlink_service *service, const json_t *parameters,
    json_t **ret_parameters)
{
	const json_t *wanted = json_object_get(parameters, "interface");
	const char *name = json_string_value(wanted);
	size_t len = json_string_length(wanted);
	const struct varlink_interface *interface =
	    find_interface(service, name, len);

	if (interface == NULL)
		return varlink_service_refuse(JW_INTERFACE_NOT_FOUND,
		    "interface", name, len, ret_parameters);
	*ret_parameters = json_pack("{s:s}", "description", interface->text);
	return JW_OK;
}

static enum jw_err
answer_own(const struct varlink_service *service, const char *method,
    const json_t *parameters, json_t **ret_parameters)
{
	if (strcmp(method, "GetInfo") == 0)
		return get_info(service, ret_parameters);
	return get_description(service, parameters, ret_parameters);
}

/* ---- calls ---- */

/* "policy.rsaBits", as for other misfits; cut where it is too long. */
static enum jw_err
check_input(const struct varlink_method *method,
    const struct varlink_call *call, char *ret_name)
{
	const struct varlink_fault *fault = &call->fault;
	size_t len, more = strlen(fault->member);

	if (fault->what == NULL)
		return varlink_fields_check(
		    method->input, call->parameters, ret_name);
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
	const struct varlink_interface *interface =
	    find_interface(service, call->method, len);
	const struct varlink_method *method;
	const struct varlink_verb *verb = NULL;
	char name[VARLINK_NAME_SIZE];
	enum jw_err err;

	*ret_verb = NULL;
	*ret_parameters = NULL;
	if (interface == NULL)
		return varlink_service_refuse(JW_INTERFACE_NOT_FOUND,
		    "interface", call->method, len, ret_parameters);
	method = varlink_method_find(interface, dot + 1);
	if (method == NULL)
		return varlink_service_refuse(JW_METHOD_NOT_FOUND, "method",
		    call->method, strlen(call->method), ret_parameters);
	if (interface == service->interface)
		verb = find_verb(service, method->name);
	if (call->fault.what != NULL && verb != NULL &&
	    (verb->flags & VARLINK_FAULTS) != 0) {
		*ret_verb = verb;
		return JW_OK;
	}
	err = check_input(method, call, name);
	if (err != JW_OK)
		return varlink_service_refuse(
		    err, "parameter", name, strlen(name), ret_parameters);
	if (verb == NULL)
		return answer_own(
		    service, method->name, call->parameters, ret_parameters);
	if ((verb->flags & VARLINK_NEEDS_MORE) != 0 && !call->more) {
		*ret_parameters = json_object();
		return JW_EXPECTED_MORE;
	}
	*ret_verb = verb;
	return JW_OK;
}

unsigned
varlink_service_flags(const struct varlink_service *service, const char *method)
{
	const char *dot = strrchr(method, '.');

	if (dot == NULL || find_interface(service, method,
			       (size_t)(dot - method)) != service->interface)
		return 0;
	return find_verb(service, dot + 1)->flags;
}
