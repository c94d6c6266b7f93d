/*
 * Does a JSON object fit what an interface description declares?
 *
 * The parameters come from a peer: must name the member that does not fit, and
 * never copy more of its name than there is room for.  The recursion is as deep
 * as the structs of the description, which cannot contain themselves.
 */
#include "common/wire/varlink_interface.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/varlink.h"

const struct varlink_method *
varlink_method_find(const struct varlink_interface *interface, const char *name)
{
	for (const struct varlink_method *m = interface->methods;
	     m->name != NULL; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* The place of a value: a member or an element of the value at `up`. */
struct place {
	const struct place *up; /* NULL for the whole object */
	const char *name;       /* NULL for an element */
	size_t index;
};

/* Returns the length so far; the full one when s had to be cut. */
static size_t
varlink_append(char *name, size_t used, const char *s)
{
	size_t len = strlen(s);
	size_t n = varlink_clip(s, len, VARLINK_NAME_SIZE - 1 - used);

	memcpy(name + used, s, n);
	name[used + n] = '\0';
	return n < len ? VARLINK_NAME_SIZE - 1 : used + n;
}

static size_t
append_place(char *name, const struct place *place)
{
	char index[24];
	size_t used;

	if (place->up == NULL)
		return 0;
	used = append_place(name, place->up);
	if (place->up->up != NULL)
		used = varlink_append(name, used, ".");
	snprintf(index, sizeof(index), "%zu", place->index);
	return varlink_append(
	    name, used, place->name != NULL ? place->name : index);
}

/* False; the innermost value that does not fit has written its name first. */
static bool
refuse(const struct place *place, char *name)
{
	if (name[0] == '\0')
		append_place(name, place);
	return false;
}

static bool fits_struct(const struct varlink_field *fields, json_t *object,
    const struct place *place, char *name);

/* An absent value is NULL. */
static bool
fits_one(const struct varlink_field *field, json_t *value,
    const struct place *place, char *name)
{
	switch (field->kind) {
	case VARLINK_BOOL:
		return json_is_boolean(value);
	case VARLINK_INT:
		return json_is_integer(value);
	case VARLINK_STRING:
		return json_is_string(value);
	case VARLINK_OBJECT:
		return json_is_object(value);
	case VARLINK_STRUCT:
		break;
	}
	return fits_struct(field->fields, value, place, name);
}

static bool
fits_elements(const struct varlink_field *field, json_t *array,
    const struct place *place, char *name)
{
	struct place element = {place, NULL, 0};
	json_t *value;

	if (!json_is_array(array))
		return false;
	json_array_foreach (array, element.index, value)
		if (!fits_one(field, value, &element, name))
			return refuse(&element, name);
	return true;
}

static bool
fits_field(const struct varlink_field *field, json_t *value,
    const struct place *place, char *name)
{
	if (value == NULL || json_is_null(value))
		return field->is_optional;
	return field->is_array ? fits_elements(field, value, place, name)
			       : fits_one(field, value, place, name);
}

static bool
is_known(const struct varlink_field *fields, const char *name)
{
	while (fields->name != NULL && strcmp(fields->name, name) != 0)
		fields++;
	return fields->name != NULL;
}

static bool
fits_struct(const struct varlink_field *fields, json_t *object,
    const struct place *place, char *name)
{
	struct place member = {place, NULL, 0};
	json_t *value;

	if (object != NULL && !json_is_object(object))
		return false;
	json_object_foreach (object, member.name, value)
		if (!is_known(fields, member.name))
			return refuse(&member, name);
	for (; fields->name != NULL; fields++) {
		member.name = fields->name;
		value = json_object_get(object, fields->name);
		if (!fits_field(fields, value, &member, name))
			return refuse(&member, name);
	}
	return true;
}

enum jw_err
varlink_fields_check(const struct varlink_field *fields,
    const json_t *parameters, char *ret_name)
{
	const struct place whole = {NULL, NULL, 0};
	char name[VARLINK_NAME_SIZE] = "";
	/* Jansson's iterators ask for a mutable object, and change nothing. */
	json_t *object = (json_t *)(uintptr_t)parameters;

	if (fits_struct(fields, object, &whole, name))
		return JW_OK;
	if (ret_name != NULL)
		memcpy(ret_name, name, sizeof(name));
	return JW_INVALID_PARAMETER;
}
