/*
 * Varlink: messages, interface descriptions, and the service that answers
 * for them (varlink.org).  A message is one JSON object and a NUL byte.
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
	 * it is an object itself; "" where no name can be told. */
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
 * A null member is as good as absent.  What is wrong inside the parameters is
 * no failure: they are empty then, and `fault` says what (too deep, duplicate
 * members, a NUL, half a surrogate pair, a number beyond a double, no JSON).
 * An integer beyond int64 becomes a real, which no `int` takes.  Release with
 * varlink_call_done().
 */
enum jw_err varlink_call_parse(const char *data, size_t len,
    struct varlink_call *ret_call, struct jw_why *why);
void varlink_call_done(struct varlink_call *call);

/*
 * One JSON object that may stand in the parameters; NULL for anything else.
 * The caller's to json_decref.
 */
struct json_t *varlink_object_parse(const char *data, size_t len);

struct varlink_reply {
	struct json_t *parameters; /* an object; empty when absent */
	char *error;               /* qualified name; NULL on success */
	bool continues;
};

/*
 * The client's side: JW_PROTOCOL for any text that is no reply, duplicate
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

/* ---- the service: which methods there are, and who answers ---- */

enum {
	VARLINK_MORE = 1 << 0,       /* streams when asked with `more` */
	VARLINK_NEEDS_MORE = 1 << 1, /* ExpectedMore without it */
	VARLINK_FAULTS = 1 << 2,     /* is run with a call that has a fault */
	VARLINK_CHANGES = 1 << 3, /* changes something: refusals are audited */
};

/* One verb: a row of a table of the caller's.  `tag` is the caller's own. */
struct varlink_verb {
	const char *method; /* unqualified */
	unsigned flags;
	const void *tag;
};

struct varlink_service;

/* Strings are kept, not copied. */
struct varlink_service *varlink_service_new(const char *vendor,
    const char *product, const char *version, const char *url);
void varlink_service_free(struct varlink_service *service);

/*
 * Offer an interface.  verbs has count rows that outlive the service and must
 * name the description's methods exactly, none missing, none unknown:
 * JW_BUG with why otherwise, and for a text that is NULL, unsound, or offered
 * already.
 */
enum jw_err varlink_service_add(struct varlink_service *service,
    const char *text, const struct varlink_verb *verbs, size_t count,
    struct jw_why *why);

/*
 * What is to be done with a call.  With ret_verb set (JW_OK) the parameters
 * have been checked and the caller runs the verb.  With ret_verb NULL and
 * JW_OK the call was org.varlink.service's own and *ret_parameters is the
 * finished reply (the caller's to json_decref).  Otherwise the error to send,
 * with its parameters in *ret_parameters: JW_INTERFACE_NOT_FOUND,
 * JW_METHOD_NOT_FOUND, JW_INVALID_PARAMETER, JW_EXPECTED_MORE; JW_NO_MEMORY
 * without parameters.  Both results are always written; names that the peer
 * chose come back cut to VARLINK_NAME_SIZE.
 */
enum jw_err varlink_service_resolve(const struct varlink_service *service,
    const struct varlink_call *call, const struct varlink_verb **ret_verb,
    struct json_t **ret_parameters);

/* The flags of a qualified method; 0 where the service has no such one. */
unsigned varlink_service_flags(
    const struct varlink_service *service, const char *method);

/* The embedded descriptions; NULL for an interface that is none of ours. */
const char *varlink_text(const char *interface);

#endif
