/*
 * The daemon's replies as plain structs, checked as they are read.  Here:
 * their members.
 *
 * Unknown members are ignored: a newer daemon may send more.  A member of
 * another type or out of range, or a required one that is absent, is
 * JW_PROTOCOL with why.  Absent includes null.  Strings, arrays and objects
 * belong to the reply.
 */
#ifndef JWKSD_CTL_REPLY_MEMBERS_H
#define JWKSD_CTL_REPLY_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json_t;

#define REPLY_TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define REPLY_NONE INT64_C(-1)               /* an absent number */

enum reply_type {
	REPLY_STRING, /* const char *; absent: NULL */
	REPLY_NUMBER, /* int64_t from 0 to REPLY_TIME_MAX; absent: REPLY_NONE */
	REPLY_BOOL,   /* bool; absent: false */
	REPLY_ARRAY,  /* const struct json_t *; absent: NULL */
	REPLY_OBJECT, /* const struct json_t *; absent: NULL */
	REPLY_ANY,    /* const struct json_t * of any type; absent: NULL */
	REPLY_KEY,    /* struct reply_key; absent: its kid is NULL */
	REPLY_KEY_SET,  /* struct reply_key_set; absent: its name is NULL */
	REPLY_EXPOSURE, /* struct reply_exposure; absent: not given */
};

struct reply_member {
	const char *name; /* in JSON */
	enum reply_type type;
	bool required;
	size_t offset; /* in the struct */
};

/* Fill a struct; the table ends with name == NULL. */
enum jw_err reply_read(const struct json_t *object,
    const struct reply_member *members, void *ret_struct, struct jw_why *why);

/* One member: of reply_name() and reply_array() a required one. */
enum jw_err reply_string(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why);
enum jw_err reply_name(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why);
enum jw_err reply_number(const struct json_t *object, const char *name,
    int64_t *ret_value, struct jw_why *why);
enum jw_err reply_bool(const struct json_t *object, const char *name,
    bool *ret_value, struct jw_why *why);
enum jw_err reply_array(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why);

#endif
