/*
 * The rules for claims, and how the signing input of a token is built from
 * them.  Pure; `struct json_t` is Jansson's json_t.
 */
#ifndef JWKSD_DAEMON_VERBS_CLAIMS_H
#define JWKSD_DAEMON_VERBS_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json_t;

enum {
	CLAIMS_OCTETS_MAX = 128 * 1024, /* so that the token fits a reply */
	CLAIMS_TYPE_MAX = 64,
};

/* A claim that the rules look at; all zeroes: it is absent. */
struct verbs_claims_time {
	bool there;
	bool is_integer;
	int64_t value; /* seconds since the epoch */
};

struct verbs_claims_times {
	struct verbs_claims_time exp, iat, nbf;
};

struct verbs_claims_fault {
	const char *claim; /* static text */
	char message[160]; /* the problem, and the right value */
};

/* The claim with this name; NULL: the rules look at no such claim. */
struct verbs_claims_time *verbs_claims_time(
    struct verbs_claims_times *times, const char *name, size_t len);

/* From parsed claims.  JW_BAD_CLAIMS with ret_fault: not an object. */
enum jw_err verbs_claims_read(const struct json_t *claims,
    struct verbs_claims_times *ret_times, struct verbs_claims_fault *ret_fault);

/*
 * RFC 7519 section 4.1: exp is there, an integer, after now and at most ttl
 * seconds after it; iat and nbf are integers where they are there.
 * JW_BAD_CLAIMS with ret_fault.
 */
enum jw_err verbs_claims_check(const struct verbs_claims_times *times,
    int64_t now, int32_t ttl, struct verbs_claims_fault *ret_fault);

/*
 * The largest exp that is written down for a token of this one: rounded up by
 * at most an eighth of ttl, so that few tokens cost a commit.
 */
int64_t verbs_claims_round_exp(int64_t exp, int32_t ttl);

/* May it stand in a header as `typ`?  RFC 7515 section 4.1.9: a media type,
 * or the part of one behind "application/". */
bool verbs_claims_type_is_fine(const char *type);

/*
 * The object with its octets as they are and, when iat is not 0, that claim
 * added as the last one.  The caller frees.  NULL: no memory.
 */
char *verbs_claims_text(
    const char *object, size_t len, int64_t iat, size_t *ret_len);

/* The header: exactly alg, kid and typ.  The caller frees. */
char *verbs_claims_header(const char *alg, const char *kid, const char *type);

#endif
