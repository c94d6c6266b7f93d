/*
 * Plain C structs from JSON objects, and JSON objects from them, by a table of
 * members: a request is decoded once before its handler runs, a reply is
 * encoded once after it.  Pure; `struct json_t` is Jansson's json_t.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_STRUCT_H
#define JWKSD_COMMON_WIRE_VARLINK_STRUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json_t;

/* How the value of a member is kept in C. */
struct varlink_codec {
	const char *type; /* as a description writes it, without '?' */
	size_t size;      /* of the struct's member */
	/* A struct filled with zeroes says that the member was absent. */
	bool may_be_absent;
	/* Not called for a member that is absent or null. */
	void (*decode)(const struct json_t *value, void *ret_member);
	/* NULL: the member is left out. */
	struct json_t *(*encode)(const void *member);
};

struct varlink_member {
	const char *name; /* in JSON */
	const struct varlink_codec *codec;
	size_t offset, size;
};

#define VARLINK_MEMBER(type, name, field, codec)              \
	{                                                     \
		name, &(codec), offsetof(struct type, field), \
		    sizeof(((struct type *)NULL)->field)      \
	}

struct varlink_layout {
	const struct varlink_member *members;
	size_t count, size; /* of members; of the struct */
};

#define VARLINK_LAYOUT(type, ...)                                          \
	{                                                                  \
		(const struct varlink_member[]){__VA_ARGS__},              \
		    sizeof((const struct varlink_member[]){__VA_ARGS__}) / \
			sizeof(struct varlink_member),                     \
		    sizeof(struct type)                                    \
	}

enum { VARLINK_REQUEST_MAX = 512 }; /* octets of a request's struct */

struct varlink_maybe_int {
	bool given;
	int64_t value;
};
struct varlink_maybe_float {
	bool given;
	double value;
};
struct varlink_maybe_bool {
	bool given, value;
};

/* An array that is encoded row by row (zeroes: an empty one); an array of
 * objects, decoded one by one, that belongs to the JSON object. */
struct varlink_rows {
	struct json_t *array;
	size_t count;
};
struct varlink_objects {
	const struct json_t *array;
	size_t count;
};

extern const struct varlink_codec varlink_bool, /* bool; absent: false */
    varlink_true,                               /* bool; left out when false */
    varlink_int,                                /* int64_t */
    varlink_int_if_set,                         /* int64_t; left out when 0 */
    varlink_maybe_int,                          /* struct varlink_maybe_int */
    varlink_maybe_float,                        /* struct varlink_maybe_float */
    varlink_maybe_bool,                         /* struct varlink_maybe_bool */
    varlink_string,      /* const char *, the JSON object's; absent: NULL */
    varlink_any_object,  /* const struct json_t *, its; absent: NULL */
    varlink_object_text, /* const char *, an object as text; absent: NULL */
    varlink_strings;     /* struct varlink_rows, which encoding uses up */

/*
 * Fill a struct of layout->size octets.  Members that are absent, or (where no
 * description has been checked) of another type, are zeroes.  Strings belong
 * to `object`.
 */
void varlink_decode(const struct varlink_layout *layout,
    const struct json_t *object, void *ret_struct);
/* A new object, the caller's to json_decref, and the same as compact text, the
 * caller's to free.  In the order of the table. */
struct json_t *varlink_encode(
    const struct varlink_layout *layout, const void *from);
char *varlink_encode_text(
    const struct varlink_layout *layout, const void *from);

/* The place-th object of an array, as varlink_decode(). */
void varlink_objects_get(const struct varlink_objects *objects, size_t place,
    const struct varlink_layout *layout, void *ret_struct);
/* The codec of an array type: decodes to a struct varlink_objects. */
void varlink_objects_decode(const struct json_t *value, void *ret_member);
/* Append one row, encoded; one string, printf-like. */
void varlink_rows_add(struct varlink_rows *rows,
    const struct varlink_codec *codec, const void *row);
void varlink_rows_add_string(struct varlink_rows *rows, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* For rows that have not been encoded. */
void varlink_rows_done(struct varlink_rows *rows);
/* The codec of an array type: encodes a struct varlink_rows. */
struct json_t *varlink_rows_encode(const void *rows);

#endif
