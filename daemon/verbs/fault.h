/*
 * Refusals: an error of org.jwksd.keys with its parameters.
 */
#ifndef JWKSD_DAEMON_VERBS_FAULT_H
#define JWKSD_DAEMON_VERBS_FAULT_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/varlink_struct.h"

struct json_t;
struct serve_call;
struct verbs;

/* The parameters of every error; each error takes those that it has. */
struct verbs_fault {
	const char *key_set, *key, *kid, *state;
	const char *parameter, *message, *cause, *request_id;
	const char *of_key_set;   /* which of several; NULL: there is one */
	int64_t expected, actual; /* generations */
	int64_t ready_at;
	struct varlink_maybe_int minimum, maximum;
	struct varlink_rows matches; /* strings; used up */
};

/* The parameters of err, a new object; NULL: it has none. */
struct json_t *verbs_fault_encode(
    enum jw_err err, const struct verbs_fault *fault);

/* Answer with an error, and end the call. */
void verbs_fail(
    struct serve_call *call, enum jw_err err, const struct verbs_fault *fault);
/* Answer InvalidParameter. */
void verbs_invalid(struct serve_call *call, const char *parameter);
/* Answer a failure of the store; request_id is the call's, or NULL. */
void verbs_store_failed(struct serve_call *call, const struct verbs *verbs,
    enum jw_err err, const char *request_id);

#endif
