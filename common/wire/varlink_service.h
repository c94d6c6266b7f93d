/*
 * A Varlink service: the interfaces that it offers, the function that runs for
 * each method, and org.varlink.service.  Pure; `struct json_t` is Jansson's
 * json_t.
 */
#ifndef JWKSD_COMMON_WIRE_VARLINK_SERVICE_H
#define JWKSD_COMMON_WIRE_VARLINK_SERVICE_H

#include "common/base/err.h"

struct json_t;
struct varlink_call;
struct varlink_interface;
struct varlink_layout;

enum {
	VARLINK_MORE = 1 << 0,       /* streams when asked with `more` */
	VARLINK_NEEDS_MORE = 1 << 1, /* ExpectedMore without it */
	VARLINK_FAULTS = 1 << 2,     /* is run with a call that has a fault */
	VARLINK_CHANGES = 1 << 3, /* changes something: refusals are audited */
};

struct serve_call; /* a call that is to be answered: the server's */

struct varlink_verb {
	const char *method; /* unqualified */
	unsigned flags;
	/* Run with the decoded request: a struct of that layout, which is gone
	 * when run returns; NULL without a layout. */
	void (*run)(
	    struct serve_call *call, const void *request, void *context);
	const struct varlink_layout *request, *reply;
};

/*
 * An interface and its verbs, one for each method, in any order.  The last row
 * has no method: it is the verb of all methods that have no row of their own.
 */
struct varlink_service {
	const struct varlink_interface *interface;
	const struct varlink_verb *verbs;
};

/*
 * Find the verb of a call.  With ret_verb set (JW_OK) the parameters
 * have been checked and the caller runs the verb.  With ret_verb NULL and
 * JW_OK the call was org.varlink.service's own and *ret_parameters is the
 * finished reply (the caller's to json_decref).  Otherwise the error to send,
 * with its parameters in *ret_parameters: JW_INTERFACE_NOT_FOUND,
 * JW_METHOD_NOT_FOUND, JW_INVALID_PARAMETER or JW_EXPECTED_MORE.
 * Both results are always written; names that the peer
 * chose come back cut to VARLINK_NAME_SIZE.
 */
enum jw_err varlink_service_resolve(const struct varlink_service *service,
    const struct varlink_call *call, const struct varlink_verb **ret_verb,
    struct json_t **ret_parameters);

/* The flags of a qualified method; 0 where the service has no such one. */
unsigned varlink_service_flags(
    const struct varlink_service *service, const char *method);

#endif
