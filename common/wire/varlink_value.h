/*
 * JSON values from the text of a peer: Jansson's parser with limits of depth
 * and length, without duplicate members, NUL characters and numbers beyond a
 * double.  An integer beyond int64 becomes a real.  Pure.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_VALUE_H
#define JWKSD_COMMON_WIRE_VARLINK_VALUE_H

#include <stddef.h>

struct json_t;

/*
 * One value of any type, or one object; the caller's to json_decref.  NULL:
 * the text is refused, and ret_what (may be NULL) is a static text that goes
 * behind the name of the value, as "is not UTF-8".
 */
struct json_t *varlink_value(
    const char *text, size_t len, size_t depth_max, const char **ret_what);
struct json_t *varlink_object(
    const char *text, size_t len, size_t depth_max, const char **ret_what);

#endif
