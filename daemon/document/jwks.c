/*
 * Renders the public document of a key set, and checks it before it is
 * published.  Must never publish a foreign member, an empty set, or a set
 * without one of its keys.  Pure; uses Jansson.
 */
#include "daemon/document/jwks.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/config/alg.h"

/* The members of a public key of each type, and no others. */
static const struct shape {
	const char *kty;
	const char *members[8];
} shapes[] = {
    {"RSA", {"kty", "use", "alg", "kid", "n", "e", NULL}},
    {"EC", {"kty", "use", "alg", "kid", "crv", "x", "y", NULL}},
    {"OKP", {"kty", "use", "alg", "kid", "crv", "x", NULL}},
    {"AKP", {"kty", "use", "alg", "kid", "pub", NULL}},
};

static const char *
member(const json_t *jwk, const char *name)
{
	const char *value = json_string_value(json_object_get(jwk, name));

	return value == NULL ? "" : value;
}

static bool
has_shape(const json_t *jwk, const struct shape *shape)
{
	size_t n = 0;

	while (shape->members[n] != NULL)
		if (member(jwk, shape->members[n++])[0] == '\0')
			return false;
	return json_object_size(jwk) == n;
}

static bool
is_public_jwk(const json_t *jwk, const char *kid)
{
	const char *kty = member(jwk, "kty");

	if (strcmp(member(jwk, "kid"), kid) != 0 ||
	    strcmp(member(jwk, "use"), "sig") != 0)
		return false;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(kty, shapes[i].kty) == 0)
			return has_shape(jwk, &shapes[i]);
	return false;
}

bool
document_is_whole(const struct key *key)
{
	json_t *jwk = json_loads(key->jwk, JSON_REJECT_DUPLICATES, NULL);
	const char *alg = jw_alg_name(key->facts.alg);
	bool whole = alg != NULL && is_public_jwk(jwk, key->kid) &&
		     strcmp(member(jwk, "alg"), alg) == 0;

	json_decref(jwk);
	return whole;
}

static enum jw_err
check_key(const struct key *const *keys, size_t at, struct jw_why *why)
{
	json_t *jwk = json_loads(keys[at]->jwk, JSON_REJECT_DUPLICATES, NULL);
	enum jw_err err = JW_OK;

	if (!is_public_jwk(jwk, keys[at]->kid)) {
		err = jw_fail(JW_BUG, why,
		    "key %s: not a public JWK of a known type", keys[at]->kid);
	}
	for (size_t i = 0; err == JW_OK && i < at; i++)
		if (strcmp(keys[i]->kid, keys[at]->kid) == 0) {
			err = jw_fail(
			    JW_BUG, why, "key %s: twice", keys[at]->kid);
		}
	json_decref(jwk);
	return err;
}

enum jw_err
document_render(const struct key *const *keys, size_t count, char **ret_body,
    struct jw_why *why)
{
	size_t size = sizeof("{\"keys\":[]}");
	enum jw_err err = JW_OK;
	char *body, *p;

	if (count == 0 || count > JWKS_KEYS_MAX)
		return jw_fail(JW_BUG, why, "a JWKSet of %zu keys (1 to %d)",
		    count, JWKS_KEYS_MAX);
	for (size_t i = 0; err == JW_OK && i < count; i++) {
		err = check_key(keys, i, why);
		size += strlen(keys[i]->jwk) + 1;
	}
	if (err != JW_OK)
		return err;
	body = jw_alloc(size);
	p = stpcpy(body, "{\"keys\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*p++ = ',';
		p = stpcpy(p, keys[i]->jwk);
	}
	p = stpcpy(p, "]}");
	if (p - body > JWKS_BODY_MAX) {
		jw_why_set(why, "a JWKSet of %td octets (at most %d)", p - body,
		    JWKS_BODY_MAX);
		free(body);
		return JW_BUG;
	}
	*ret_body = body;
	return JW_OK;
}

void
document_cache_control(const struct jw_policy *policy, char *ret_value)
{
	int n = snprintf(ret_value, JWKS_HEADER_SIZE, "public, max-age=%d",
	    policy->cache_max_age);

	if (policy->cache_stale_while_revalidate > 0)
		n += snprintf(ret_value + n, JWKS_HEADER_SIZE - (size_t)n,
		    ", stale-while-revalidate=%d",
		    policy->cache_stale_while_revalidate);
	if (policy->cache_stale_if_error > 0)
		snprintf(ret_value + n, JWKS_HEADER_SIZE - (size_t)n,
		    ", stale-if-error=%d", policy->cache_stale_if_error);
}

void
document_location(const char *name, char *ret_app, char *ret_path)
{
	const char *slash = strchr(name, '/');
	int app_len = slash == NULL ? (int)strlen(name) : (int)(slash - name);

	snprintf(ret_app, MODEL_NAME_SIZE, "%.*s", app_len, name);
	if (slash == NULL)
		snprintf(ret_path, MODEL_NAME_SIZE, "/.well-known/jwks.json");
	else
		snprintf(ret_path, MODEL_NAME_SIZE, "/.well-known/%s-jwks.json",
		    slash + 1);
}

size_t
document_urls(
    const char *name, const char *domain, char (*ret_urls)[JWKS_URL_SIZE])
{
	char app[MODEL_NAME_SIZE], path[MODEL_NAME_SIZE];
	bool is_default;
	size_t n = 0;

	document_location(name, app, path);
	is_default = strcmp(app, "default") == 0;
	if (domain != NULL)
		snprintf(ret_urls[n++], JWKS_URL_SIZE, "https://%s.%s%s", app,
		    domain, path);
	if (domain != NULL && is_default)
		snprintf(
		    ret_urls[n++], JWKS_URL_SIZE, "https://%s%s", domain, path);
	if (domain == NULL && is_default)
		snprintf(ret_urls[n++], JWKS_URL_SIZE, "%s", path);
	snprintf(ret_urls[n++], JWKS_URL_SIZE, "/%s%s", app, path);
	return n;
}
