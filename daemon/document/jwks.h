/*
 * The published documents: pure rendering.  The body of a JWKSet is a
 * function of its keys and nothing else (RFC 7517 section 5).
 */
#ifndef JWKSD_DAEMON_DOCUMENT_JWKS_H
#define JWKSD_DAEMON_DOCUMENT_JWKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/config/policy.h"
#include "daemon/lifecycle/model.h"

enum {
	JWKS_BODY_MAX = JW_SET_OCTETS_MAX,
	JWKS_KEYS_MAX = JW_SET_KEYS_MAX,
	JWKS_HEADER_SIZE = 160,
	JWKS_URLS_MAX = 3,
	JWKS_URL_SIZE = 640,
};

/* Is its jwk a public JWK with its kid and algorithm, and nothing else? */
bool document_is_whole(const struct key *key);

/*
 * The JWKSet of keys, in their order.  Checked before it is handed out: at
 * least one key, at most JWKS_KEYS_MAX and JWKS_BODY_MAX octets, unique kids,
 * and of each key exactly the public members of its type.  JW_BUG with why
 * otherwise: never publish it.  The caller frees.
 */
enum jw_err document_render(const struct key *const *keys, size_t count,
    char **ret_body, struct jw_why *why);

/* The value of Cache-Control (RFC 9111, RFC 5861) under a policy;
 * JWKS_HEADER_SIZE octets. */
void document_cache_control(const struct jw_policy *policy, char *ret_value);

/*
 * Where a key set is served: "APP" at /.well-known/jwks.json, "APP/NAME" at
 * /.well-known/NAME-jwks.json.  ret_app and ret_path have MODEL_NAME_SIZE.
 */
void document_location(const char *name, char *ret_app, char *ret_path);

/*
 * Every URL of a key set, the one to hand out first: with a domain (NULL:
 * none) "https://APP.DOMAIN/PATH", and for "default" the bare domain's as
 * well; a URL that begins with "/" holds for any other host.  Returns how many
 * there are.
 */
size_t document_urls(
    const char *name, const char *domain, char (*ret_urls)[JWKS_URL_SIZE]);

#endif
