/*
 * How a description is kept, and the check of an object against a type: for
 * the files of this folder alone.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_IDL_H
#define JWKSD_COMMON_WIRE_VARLINK_IDL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct json_t;
struct varlink_layout;

enum varlink_kind {
	TYPE_BOOL,
	TYPE_INT,
	TYPE_FLOAT,
	TYPE_STRING,
	TYPE_OBJECT,
	TYPE_NAMED,
	TYPE_STRUCT,
	TYPE_ARRAY,
	TYPE_OPTIONAL,
	KIND_COUNT
};

struct varlink_type {
	enum varlink_kind kind;
	/* The wrapped type, or the type that a name means. */
	const struct varlink_type *element;
	struct varlink_field *fields; /* of a struct */
	const char *name;             /* of a TYPE_NAMED, and all below */
	const char *at;
	struct varlink_type *next_named;
};

struct varlink_field {
	const char *name;
	const struct varlink_type *type;
	struct varlink_field *next;
};

/* A named type or an error. */
struct varlink_definition {
	const char *name;
	const struct varlink_type *type;
	struct varlink_definition *next;
};

struct varlink_method {
	const char *name;
	const struct varlink_type *input;
	const struct varlink_type *output;
	struct varlink_method *next;
};

struct varlink_chunk {
	struct varlink_chunk *next;
	max_align_t data[];
};

struct varlink_interface {
	const char *text;
	const char *name;
	struct varlink_definition *types;
	struct varlink_definition *errors;
	struct varlink_method *methods;
	struct varlink_type *named; /* every use of a name */
	struct varlink_chunk *chunks;
};

/* NULL: there is none of that name. */
const struct varlink_definition *varlink_definition_find(
    const struct varlink_definition *list, const char *name);

/* NULL: there is no field of that name. */
const struct varlink_field *varlink_type_field(
    const struct varlink_type *type, const char *name);

/* As varlink_method_check_input(); parameters may be NULL: an empty object. */
enum jw_err varlink_type_check(const struct varlink_type *type,
    const struct json_t *parameters, char *ret_name);

/*
 * Does a layout have the fields of a struct type, each with its type?  An
 * input's may have more; it is decoded, and can say that an optional field was
 * absent.  An output's is encoded.  NULL: it does; else the name of the first
 * that differs.
 */
const char *varlink_type_misfit(const struct varlink_type *type,
    const struct varlink_layout *layout, bool is_input);

/* How many of the len bytes of UTF-8 at s fit room, in whole characters. */
size_t varlink_clip(const char *s, size_t len, size_t room);

#endif
