/*
 * Varlink messages (varlink.org): parse and format.  A message is one JSON
 * object and a NUL byte.
 *
 * Pure: bytes and JSON values in and out.  No descriptor, no event loop, no
 * clock; the transport is the caller's.  `struct json_t` is Jansson's json_t.
 * Every parser here accepts any bytes whatsoever: the worst outcome is
 * JW_PROTOCOL, after which the caller drops the connection.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_H
#define JWKSD_COMMON_WIRE_VARLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct json_t;

enum {
	VARLINK_MESSAGE_MAX = 256 * 1024, /* with its NUL byte */
	VARLINK_NAME_SIZE = 128,          /* room for any name we know */
	VARLINK_DEPTH_MAX = 32,           /* of nested objects and arrays */
};

/* ---- messages ---- */

/*
 * Why parameters cannot be read although the message around them can: a name
 * or a value that JSON or its readers do not allow.
 */
struct varlink_fault {
	const char *what; /* static: "is not UTF-8"; NULL: nothing is wrong */
	/* Which member of the parameters, and which one of its members where
	 * it is an object itself; "" where there is no readable name. */
	char parameter[VARLINK_NAME_SIZE];
	char member[VARLINK_NAME_SIZE];
};

struct varlink_call {
	char *method; /* "org.jwksd.keys.Rotate", as the client wrote it */
	struct json_t *parameters; /* an object; empty when absent */
	bool more;
	bool oneway;
	struct varlink_fault fault;
};

/*
 * Parse a call of len bytes, without its NUL byte.  JW_PROTOCOL with why: not
 * one JSON object, too long, an unknown or duplicate member of the message, a
 * member of the wrong type, no method, oneway with more, `upgrade` asked for.
 * A null member counts as absent.  A fault inside the parameters is not a
 * failure: they are empty then, and `fault` describes it (too deep, duplicate
 * members, a NUL, half a surrogate pair, a number beyond a double, not JSON).
 * An integer beyond int64 becomes a real, which no `int` takes.  Release with
 * varlink_call_done().
 */
enum jw_err varlink_call_parse(const char *data, size_t len,
    struct varlink_call *ret_call, struct jw_why *why);
void varlink_call_done(struct varlink_call *call);

/*
 * One JSON object that may stand in the parameters; NULL for anything else.
 * The caller's to free.
 */
struct json_t *varlink_object_parse(const char *data, size_t len);
void varlink_object_free(struct json_t *object);

struct varlink_reply {
	struct json_t *parameters; /* an object; empty when absent */
	char *error;               /* qualified name; NULL on success */
	bool continues;
};

/*
 * For clients: JW_PROTOCOL for any text that is not a reply, duplicate
 * members at any depth, and an error that continues.  Release
 * with varlink_reply_done().
 */
enum jw_err varlink_reply_parse(
    const char *data, size_t len, struct varlink_reply *ret_reply);
void varlink_reply_done(struct varlink_reply *reply);

/*
 * Format a message with its NUL byte, compact.  ret_len counts the NUL.  The
 * caller frees the result with free(); NULL when memory is short, or when the
 * method is not UTF-8.  parameters may be NULL (left out) and stay the
 * caller's.
 */
char *varlink_call_format(const char *method, const struct json_t *parameters,
    bool more, bool oneway, size_t *ret_len);
char *varlink_reply_format(const char *error, const struct json_t *parameters,
    bool continues, size_t *ret_len);
/* A last reply whose parameters are text already. */
char *varlink_reply_wrap(const char *parameters, size_t *ret_len);

/* How many of the len octets of UTF-8 at s fit room, in whole characters. */
size_t varlink_clip(const char *s, size_t len, size_t room);

#endif
