/*
 * What an interface description declares, and whether objects fit it.
 */
#include "common/wire/varlink_interface.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink_idl.h"

const struct varlink_field *
varlink_type_field(const struct varlink_type *type, const char *name)
{
	for (const struct varlink_field *f = type->fields; f != NULL;
	     f = f->next)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

const struct varlink_definition *
varlink_definition_find(const struct varlink_definition *list, const char *name)
{
	while (list != NULL && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void
varlink_interface_free(struct varlink_interface *interface)
{
	struct varlink_chunk *chunk;

	if (interface == NULL)
		return;
	while ((chunk = interface->chunks) != NULL) {
		interface->chunks = chunk->next;
		free(chunk);
	}
	free(interface);
}

const char *
varlink_interface_name(const struct varlink_interface *interface)
{
	return interface->name;
}

const struct varlink_method *
varlink_interface_method(
    const struct varlink_interface *interface, const char *name)
{
	const struct varlink_method *m = interface->methods;

	while (m != NULL && strcmp(m->name, name) != 0)
		m = m->next;
	return m;
}

const struct varlink_method *
varlink_interface_method_at(
    const struct varlink_interface *interface, size_t index)
{
	const struct varlink_method *m = interface->methods;

	for (; m != NULL && index > 0; index--)
		m = m->next;
	return m;
}

const char *
varlink_interface_error_at(
    const struct varlink_interface *interface, size_t index)
{
	const struct varlink_definition *e = interface->errors;

	for (; e != NULL && index > 0; index--)
		e = e->next;
	return e != NULL ? e->name : NULL;
}

const char *
varlink_method_name(const struct varlink_method *method)
{
	return method->name;
}

enum jw_err
varlink_method_check_input(const struct varlink_method *method,
    const struct json_t *parameters, char *ret_name)
{
	return varlink_type_check(method->input, parameters, ret_name);
}

enum jw_err
varlink_method_check_output(const struct varlink_method *method,
    const struct json_t *parameters, char *ret_name)
{
	return varlink_type_check(method->output, parameters, ret_name);
}

const char *
varlink_method_misfit(const struct varlink_method *method,
    const struct varlink_layout *request, const struct varlink_layout *reply)
{
	const char *name = NULL;

	if (request != NULL)
		name = varlink_type_misfit(method->input, request, true);
	if (reply != NULL && name == NULL)
		name = varlink_type_misfit(method->output, reply, false);
	return name;
}

enum jw_err
varlink_error_check(const struct varlink_interface *interface,
    const char *error, const struct json_t *parameters, char *ret_name)
{
	const struct varlink_definition *e =
	    varlink_definition_find(interface->errors, error);

	if (e == NULL)
		return JW_BUG;
	return varlink_type_check(e->type, parameters, ret_name);
}
