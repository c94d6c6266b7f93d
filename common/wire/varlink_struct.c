/*
 * Structs and JSON objects by tables.  Must not look at a value that is not of
 * the member's type: not every object has been checked against a description.
 */
#include "common/wire/varlink_struct.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

static void
decode_bool(const json_t *value, void *ret_member)
{
	*(bool *)ret_member = json_is_true(value);
}

static json_t *
encode_bool(const void *member)
{
	return json_boolean(*(const bool *)member);
}

static json_t *
encode_true(const void *member)
{
	return *(const bool *)member ? json_true() : NULL;
}

static void
decode_int(const json_t *value, void *ret_member)
{
	*(int64_t *)ret_member = json_integer_value(value);
}

static json_t *
encode_int(const void *member)
{
	return json_integer(*(const int64_t *)member);
}

static json_t *
encode_int_if_set(const void *member)
{
	return *(const int64_t *)member == 0 ? NULL : encode_int(member);
}

static void
decode_maybe_int(const json_t *value, void *ret_member)
{
	*(struct varlink_maybe_int *)ret_member = (struct varlink_maybe_int){
	    .given = json_is_integer(value),
	    .value = json_integer_value(value),
	};
}

static json_t *
encode_maybe_int(const void *member)
{
	const struct varlink_maybe_int *maybe = member;

	return maybe->given ? json_integer(maybe->value) : NULL;
}

static void
decode_maybe_float(const json_t *value, void *ret_member)
{
	*(struct varlink_maybe_float *)ret_member =
	    (struct varlink_maybe_float){
		.given = json_is_number(value),
		.value = json_number_value(value),
	    };
}

static json_t *
encode_maybe_bool(const void *member)
{
	const struct varlink_maybe_bool *maybe = member;

	return maybe->given ? json_boolean(maybe->value) : NULL;
}

static void
decode_string(const json_t *value, void *ret_member)
{
	*(const char **)ret_member = json_string_value(value);
}

static json_t *
encode_string(const void *member)
{
	const char *text = *(const char *const *)member;

	return text == NULL ? NULL : json_string(text);
}

static void
decode_object(const json_t *value, void *ret_member)
{
	*(const json_t **)ret_member = value;
}

static json_t *
encode_object_text(const void *member)
{
	const char *text = *(const char *const *)member;

	return text == NULL ? NULL : json_loads(text, 0, NULL);
}

struct json_t *
varlink_rows_encode(const void *rows)
{
	json_t *array = ((const struct varlink_rows *)rows)->array;

	return array == NULL ? json_array() : array;
}

const struct varlink_codec varlink_bool = {
    "bool", sizeof(bool), true, decode_bool, encode_bool};
const struct varlink_codec varlink_true = {
    "bool", sizeof(bool), true, decode_bool, encode_true};
const struct varlink_codec varlink_int = {
    "int", sizeof(int64_t), false, decode_int, encode_int};
const struct varlink_codec varlink_int_if_set = {
    "int", sizeof(int64_t), false, decode_int, encode_int_if_set};
const struct varlink_codec varlink_maybe_int = {"int",
    sizeof(struct varlink_maybe_int), true, decode_maybe_int, encode_maybe_int};
const struct varlink_codec varlink_maybe_float = {"float",
    sizeof(struct varlink_maybe_float), true, decode_maybe_float, NULL};
const struct varlink_codec varlink_maybe_bool = {
    "bool", sizeof(struct varlink_maybe_bool), true, NULL, encode_maybe_bool};
const struct varlink_codec varlink_string = {
    "string", sizeof(char *), true, decode_string, encode_string};
const struct varlink_codec varlink_any_object = {
    "object", sizeof(json_t *), true, decode_object, NULL};
const struct varlink_codec varlink_object_text = {
    "object", sizeof(char *), true, NULL, encode_object_text};
const struct varlink_codec varlink_strings = {
    "[]string", sizeof(struct varlink_rows), true, NULL, varlink_rows_encode};

/* ---- structs ---- */

void
varlink_decode(const struct varlink_layout *layout, const struct json_t *object,
    void *ret_struct)
{
	memset(ret_struct, 0, layout->size);
	for (size_t i = 0; i < layout->count; i++) {
		const struct varlink_member *member = &layout->members[i];
		const json_t *value = json_object_get(object, member->name);

		if (value != NULL && !json_is_null(value))
			member->codec->decode(
			    value, (char *)ret_struct + member->offset);
	}
}

struct json_t *
varlink_encode(const struct varlink_layout *layout, const void *from)
{
	json_t *object = json_object();

	for (size_t i = 0; i < layout->count; i++) {
		const struct varlink_member *member = &layout->members[i];
		json_t *value =
		    member->codec->encode((const char *)from + member->offset);

		if (value != NULL)
			json_object_set_new(object, member->name, value);
	}
	return object;
}

char *
varlink_encode_text(const struct varlink_layout *layout, const void *from)
{
	json_t *object = varlink_encode(layout, from);
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

/* ---- objects ---- */

void
varlink_objects_decode(const json_t *value, void *ret_member)
{
	*(struct varlink_objects *)ret_member = (struct varlink_objects){
	    .array = value,
	    .count = json_array_size(value),
	};
}

void
varlink_objects_get(const struct varlink_objects *objects, size_t place,
    const struct varlink_layout *layout, void *ret_struct)
{
	varlink_decode(
	    layout, json_array_get(objects->array, place), ret_struct);
}

/* ---- rows ---- */

static void
append(struct varlink_rows *rows, json_t *take_value)
{
	if (rows->array == NULL)
		rows->array = json_array();
	json_array_append_new(rows->array, take_value);
	rows->count++;
}

void
varlink_rows_add(struct varlink_rows *rows, const struct varlink_codec *codec,
    const void *row)
{
	append(rows, codec->encode(row));
}

void
varlink_rows_add_string(struct varlink_rows *rows, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(rows, json_vsprintf(fmt, args));
	va_end(args);
}

void
varlink_rows_done(struct varlink_rows *rows)
{
	json_decref(rows->array);
	*rows = (struct varlink_rows){NULL, 0};
}
