/*
 * Calls of org.jwksd.sign in the form in which nearly every client writes
 * them, read in one pass and without a copy: plain JSON (json_slice.h), no
 * flag of Varlink.
 *
 * False does not mean that a call is wrong: varlink_call_parse() is to read it,
 * and to find its faults.  True promises that it would accept the same octets,
 * and find the same values.
 */
#ifndef JWKSD_DAEMON_VERBS_SIGN_CALL_H
#define JWKSD_DAEMON_VERBS_SIGN_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"
#include "daemon/verbs/claims.h"

/* Slices of strings are without their quotes; at is NULL for absent ones. */
struct verbs_sign_call {
	bool is_payload;
	struct jw_slice key_set, type;
	struct jw_slice claims;          /* Sign: the object as it was sent */
	struct verbs_claims_times times; /* of these claims */
	struct jw_slice payload;         /* SignPayload */
};

bool verbs_sign_call_read(
    const char *text, size_t len, struct verbs_sign_call *ret_call);

/* The same for claims that are a text of their own. */
bool verbs_sign_call_times(
    const char *text, size_t len, struct verbs_claims_times *ret_times);

#endif
