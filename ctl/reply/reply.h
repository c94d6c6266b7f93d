/*
 * The daemon's replies as plain structs, checked as they are read.
 *
 * Unknown members are ignored: a newer daemon may send more.  A member of
 * another type or out of range, or a required one that is absent, is
 * JW_PROTOCOL with why.  Strings, arrays and objects belong to the reply.
 */
#ifndef JWKSD_CTL_REPLY_REPLY_H
#define JWKSD_CTL_REPLY_REPLY_H

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
	REPLY_KEY,    /* struct reply_key; absent: its kid is NULL */
};

struct reply_member {
	const char *name; /* in JSON */
	enum reply_type type;
	bool required;
	size_t offset; /* in the struct */
};

/* Fill a struct; the table ends with name == NULL.  Absent includes null. */
enum jw_err reply_read(const struct json_t *object,
    const struct reply_member *members, void *ret_struct, struct jw_why *why);

/* An optional member: its value, NULL, or JW_PROTOCOL for another type. */
enum jw_err reply_string(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why);
enum jw_err reply_object(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why);
/* REPLY_NONE, or 0 to REPLY_TIME_MAX: for times, counts and generations. */
enum jw_err reply_number(const struct json_t *object, const char *name,
    int64_t *ret_value, struct jw_why *why);
enum jw_err reply_bool(const struct json_t *object, const char *name,
    bool *ret_value, struct jw_why *why);
/* A required array; its length is json_array_size(). */
enum jw_err reply_array(const struct json_t *object, const char *name,
    const struct json_t **ret_value, struct jw_why *why);
/* A required string. */
enum jw_err reply_name(const struct json_t *object, const char *name,
    const char **ret_value, struct jw_why *why);

/* A key's moments, in the order in which they come about. */
enum reply_moment {
	REPLY_CREATED,
	REPLY_PUBLISHED,
	REPLY_READY,
	REPLY_ACTIVATED,
	REPLY_ROTATE,
	REPLY_SIGNS,
	REPLY_RETIRED,
	REPLY_REMOVE,
	REPLY_REMOVED,
	REPLY_REVOKED,
	REPLY_MOMENTS
};

/* Type Key. */
struct reply_key {
	const char *kid, *key_set, *alg, *state;
	const char *reason; /* NULL: none */
	int64_t generation;
	int64_t at[REPLY_MOMENTS]; /* REPLY_NONE: none */
	const struct json_t *jwk;  /* NULL: none */
};

enum jw_err reply_key(
    const struct json_t *object, struct reply_key *ret_key, struct jw_why *why);

/* Type KeySet. */
struct reply_key_set {
	const char *name, *alg, *path;
	const char *mode; /* of the policy; NULL: none */
	int64_t version;
	int64_t active_generation;   /* REPLY_NONE: none */
	int64_t scheduled_for;       /* REPLY_NONE: nothing */
	int64_t signs_at;            /* REPLY_NONE: it signs */
	bool frozen;                 /* by an operator */
	const struct json_t *policy; /* NULL: none */
	const struct json_t *urls;   /* strings, the best first; NULL: none */
};

enum jw_err reply_key_set(const struct json_t *object,
    struct reply_key_set *ret_set, struct jw_why *why);

/* One URL of a key set; at least the first (0) is there.  NULL past the last.
 */
const char *reply_url(const struct reply_key_set *set, size_t at);
/* The path at which a key set is served whatever host is asked. */
const char *reply_any_host_path(const struct reply_key_set *set);

/* Type Change. */
struct reply_change {
	const char *key_set, *to, *cause;
	const char *kid, *from; /* NULL: none */
	int64_t time, generation;
};

enum jw_err reply_change(const struct json_t *object,
    struct reply_change *ret_change, struct jw_why *why);

#endif
