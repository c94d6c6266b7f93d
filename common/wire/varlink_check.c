/*
 * Does a JSON object fit what an interface description declares?
 *
 * The parameters come from a peer: must name the member that does not fit, and
 * never copy more of its name than there is room for.  The recursion is as deep
 * as the object, whose depth the parser has bounded.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_idl.h"
#include "common/wire/varlink_interface.h"

/* The place of a value: a member or an element of the value at `up`. */
struct place {
	const struct place *up; /* NULL for the whole object */
	const char *name;       /* NULL for an element */
	size_t index;
};

size_t
varlink_clip(const char *s, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room > 0 && ((unsigned char)s[room] & 0xc0) == 0x80)
		room--;
	return room;
}

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

static bool fits(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name);

static bool
fits_plain(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name)
{
	(void)place;
	(void)name;
	switch (type->kind) {
	case TYPE_BOOL:
		return json_is_boolean(value);
	case TYPE_INT:
		return json_is_integer(value);
	case TYPE_FLOAT:
		return json_is_number(value);
	case TYPE_STRING:
		return json_is_string(value);
	default:
		return json_is_object(value);
	}
}

static bool
fits_named(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name)
{
	return fits(type->element, value, place, name);
}

static bool
fits_struct(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name)
{
	struct place member = {place, NULL, 0};
	json_t *v;

	/* NULL is an empty object for the whole, and absent anywhere else. */
	if (value == NULL ? place->up != NULL : !json_is_object(value))
		return false;
	json_object_foreach (value, member.name, v) {
		if (varlink_type_field(type, member.name) == NULL) {
			append_place(name, &member);
			return false;
		}
	}
	for (const struct varlink_field *f = type->fields; f != NULL;
	     f = f->next) {
		member.name = f->name;
		v = json_object_get(value, f->name);
		if (!fits(f->type, v, &member, name))
			return false;
	}
	return true;
}

static bool
fits_array(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name)
{
	struct place element = {place, NULL, 0};
	json_t *v;

	if (!json_is_array(value))
		return false;
	json_array_foreach (value, element.index, v)
		if (!fits(type->element, v, &element, name))
			return false;
	return true;
}

static bool
fits_optional(const struct varlink_type *type, json_t *value,
    const struct place *place, char *name)
{
	return value == NULL || json_is_null(value) ||
	       fits(type->element, value, place, name);
}

/* An absent value is NULL.  False: the innermost value that does not fit has
 * written its name. */
static bool
fits(const struct varlink_type *type, json_t *value, const struct place *place,
    char *name)
{
	static bool (*const checks[KIND_COUNT])(const struct varlink_type *,
	    json_t *, const struct place *, char *) = {
	    [TYPE_BOOL] = fits_plain,
	    [TYPE_INT] = fits_plain,
	    [TYPE_FLOAT] = fits_plain,
	    [TYPE_STRING] = fits_plain,
	    [TYPE_OBJECT] = fits_plain,
	    [TYPE_NAMED] = fits_named,
	    [TYPE_STRUCT] = fits_struct,
	    [TYPE_ARRAY] = fits_array,
	    [TYPE_OPTIONAL] = fits_optional,
	};

	if (checks[type->kind](type, value, place, name))
		return true;
	if (name[0] == '\0')
		append_place(name, place);
	return false;
}

enum jw_err
varlink_type_check(
    const struct varlink_type *type, const json_t *parameters, char *ret_name)
{
	const struct place whole = {NULL, NULL, 0};
	char name[VARLINK_NAME_SIZE] = "";
	/* Jansson's iterators ask for a mutable object, and change nothing. */
	json_t *object = (json_t *)(uintptr_t)parameters;

	if (fits(type, object, &whole, name))
		return JW_OK;
	if (ret_name != NULL)
		memcpy(ret_name, name, sizeof(name));
	return JW_INVALID_PARAMETER;
}
