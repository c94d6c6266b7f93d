/*
 * Interface descriptions as tables, which common/varlink.awk makes of the
 * .varlink files when the program is built, and the check of JSON objects
 * against them.  Pure; `struct json_t` is Jansson's json_t.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_INTERFACE_H
#define JWKSD_COMMON_WIRE_VARLINK_INTERFACE_H

#include <stdbool.h>

#include "common/base/err.h"

struct json_t;

enum varlink_kind {
	VARLINK_BOOL,
	VARLINK_INT,
	VARLINK_STRING,
	VARLINK_OBJECT,
	VARLINK_STRUCT
};

/* Every table of this header ends with a row whose name is NULL. */
struct varlink_field {
	const char *name;
	const char *type;       /* as it is written, without '?': "[]Key" */
	enum varlink_kind kind; /* of the value, or of an array's elements */
	bool is_array;
	bool is_optional;
	const struct varlink_field *fields; /* of a VARLINK_STRUCT */
};

struct varlink_method {
	const char *name; /* unqualified: "Rotate" */
	const struct varlink_field *input;
	const struct varlink_field *output;
};

struct varlink_error {
	const char *name; /* unqualified */
	const struct varlink_field *fields;
};

struct varlink_interface {
	const char *name;
	const char *text; /* the whole description */
	const struct varlink_method *methods;
	const struct varlink_error *errors;
};

/* Those of the .varlink files in this folder. */
extern const struct varlink_interface varlink_org_varlink_service,
    varlink_org_jwksd_keys, varlink_org_jwksd_publish, varlink_org_jwksd_sign;

/* NULL: the interface has no method of that name. */
const struct varlink_method *varlink_method_find(
    const struct varlink_interface *interface, const char *name);

/*
 * Does an object fit the fields of a method's input or output, or of an error?
 * Unknown, missing and ill-typed members do not; null counts as an absent
 * optional.  JW_INVALID_PARAMETER with the member's name in ret_name
 * (VARLINK_NAME_SIZE, cut between characters; dotted for nested members and
 * elements: "policy.rsaBits", "keys.0.kid"), which may be NULL.  NULL
 * parameters are empty ones.
 */
enum jw_err varlink_fields_check(const struct varlink_field *fields,
    const struct json_t *parameters, char *ret_name);

#endif
