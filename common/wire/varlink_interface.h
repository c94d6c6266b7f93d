/*
 * Varlink interface descriptions: parse one, find its methods, and check
 * objects against its types.  Pure; `struct json_t` is Jansson's json_t.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_INTERFACE_H
#define JWKSD_COMMON_WIRE_VARLINK_INTERFACE_H

#include <stddef.h>

#include "common/base/err.h"

struct json_t;
struct varlink_layout;

struct varlink_interface;
struct varlink_method;

/*
 * Parse an interface description of ours, which has structs, arrays and
 * optional values, but no enums and no maps.  text must outlive the result.
 * JW_INVALID_PARAMETER with why and the line for one that is not sound: its
 * syntax, a type that is unknown or declared twice.
 */
enum jw_err varlink_interface_parse(const char *text,
    struct varlink_interface **ret_interface, struct jw_why *why);
void varlink_interface_free(struct varlink_interface *interface);

const char *varlink_interface_name(const struct varlink_interface *interface);
/* By unqualified name ("Rotate"); NULL for an unknown one. */
const struct varlink_method *varlink_interface_method(
    const struct varlink_interface *interface, const char *name);
/* In the order of the text; NULL past the last. */
const struct varlink_method *varlink_interface_method_at(
    const struct varlink_interface *interface, size_t index);
const char *varlink_interface_error_at(
    const struct varlink_interface *interface, size_t index);
const char *varlink_method_name(const struct varlink_method *method);

/*
 * Does an object fit the method's input (or output)?  Unknown, missing and
 * ill-typed members do not; null counts as an absent optional.
 * JW_INVALID_PARAMETER with the member's name in ret_name
 * (VARLINK_NAME_SIZE, cut between characters; dotted for nested members and
 * elements: "policy.rsaBits", "keys.0.kid").  NULL parameters are empty ones.
 */
enum jw_err varlink_method_check_input(const struct varlink_method *method,
    const struct json_t *parameters, char *ret_name);
enum jw_err varlink_method_check_output(const struct varlink_method *method,
    const struct json_t *parameters, char *ret_name);
/*
 * Do the structs of a method's request and reply (NULL: it has none) have its
 * fields and types?  NULL: they do; else the name of one that differs.
 */
const char *varlink_method_misfit(const struct varlink_method *method,
    const struct varlink_layout *request, const struct varlink_layout *reply);
/* As varlink_method_check_input(), for an error by its unqualified name; JW_BUG
 * for an unknown one. */
enum jw_err varlink_error_check(const struct varlink_interface *interface,
    const char *error, const struct json_t *parameters, char *ret_name);

#endif
