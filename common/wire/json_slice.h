/*
 * The text of JSON, read in one pass and without a copy: the slices of the
 * members of an object and of their values can be passed on octet for octet,
 * which no parser with a printer behind it does.
 *
 * A reader of all texts follows quotes and brackets alone: only a parser can
 * tell whether a value is JSON.  A reader of plain texts accepts less: strings
 * of printable ASCII without escapes, integers of at most 18 digits, objects of
 * at most JSON_PLAIN_MEMBERS members with different names, JSON_PLAIN_DEPTH
 * levels.  A text that it accepts is JSON, and means the same to a parser.
 */
#ifndef JWKSD_COMMON_WIRE_JSON_SLICE_H
#define JWKSD_COMMON_WIRE_JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

enum { JSON_PLAIN_DEPTH = 8, JSON_PLAIN_MEMBERS = 32 };

struct varlink_json {
	const char *at, *end;
	unsigned depth;
	bool is_plain;
};

/* An object that is being read. */
struct varlink_json_object {
	size_t count; /* of the members that were read */
	struct jw_slice names[JSON_PLAIN_MEMBERS]; /* of a plain text */
};

/* text outlives the reader, and may hold any octets whatsoever. */
void varlink_json_begin(
    struct varlink_json *ret_json, const char *text, size_t len, bool is_plain);

/* False: no object begins here. */
bool varlink_json_open(
    struct varlink_json *json, struct varlink_json_object *ret_object);
/*
 * The name of the next member, without its quotes; a value has to be read
 * next.  False: there is none, or it cannot be read, and then
 * varlink_json_close() is false.
 */
bool varlink_json_name(struct varlink_json *json,
    struct varlink_json_object *object, struct jw_slice *ret_name);
/* A value of any type, without the blanks around it. */
bool varlink_json_value(struct varlink_json *json, struct jw_slice *ret_value);
/* The name and the value; false as varlink_json_name(). */
bool varlink_json_member(struct varlink_json *json,
    struct varlink_json_object *object, struct jw_slice *ret_name,
    struct jw_slice *ret_value);
/* False: the object does not end here. */
bool varlink_json_close(struct varlink_json *json);
/* Is nothing but blanks left? */
bool varlink_json_ended(struct varlink_json *json);
/* The octet after the blanks here; NUL at the end. */
char varlink_json_peek(struct varlink_json *json);
/* The string, the number or word, or the other octet here; empty at the end. */
struct jw_slice varlink_json_token(struct varlink_json *json);

/* Does a name mean this word (ASCII), however it is written? */
bool varlink_json_is(struct jw_slice name, const char *word);
/* False: not a string. */
bool varlink_json_string(struct jw_slice value, struct jw_slice *ret_inside);
/* False: not an integer of at most 18 digits. */
bool varlink_json_integer(struct jw_slice value, int64_t *ret_value);

/*
 * The value of the member with that name (ASCII) of the outermost object, in a
 * text that a parser has accepted without duplicate members: of other octets
 * some slice of the text, or false, comes back.  False: there is none.
 */
bool varlink_json_find(
    const char *text, size_t len, const char *name, struct jw_slice *ret_value);

/* How deep objects and arrays are nested in any octets, as a parser that stops
 * at the first mistake would see it, or deeper. */
size_t varlink_json_depth(const char *text, size_t len);

#endif
