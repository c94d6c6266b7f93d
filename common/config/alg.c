/*
 * The one table of algorithms.
 *
 * Many verifiers refuse a whole JWKSet for one key that they do not know, so
 * that an exotic algorithm must never come near the keys of another.
 */
#include "common/config/alg.h"

#include <string.h>

struct alg {
	const char *name;
	bool exotic;
	size_t pub; /* octets of an AKP public key (FIPS 204 table 2) */
};

#define ALG_ROW(value, name, exotic, pub) {name, exotic, pub},
static const struct alg algs[JW_ALG_COUNT] = {JW_ALGORITHMS(ALG_ROW)};

/* The text around the keys of a JWKSet, and around an AKP public key. */
static const char set_frame[] = "{\"keys\":[]}";
static const char akp_frame[] = "{\"kty\":\"AKP\",\"use\":\"sig\",\"alg\":\"\","
				"\"kid\":\"\",\"pub\":\"\"}";

enum { KID_LENGTH = 43 };

const char *
jw_alg_name(int alg)
{
	return alg >= 0 && alg < JW_ALG_COUNT ? algs[alg].name : NULL;
}

int
jw_alg_parse(const char *name)
{
	for (int i = 0; i < JW_ALG_COUNT; i++)
		if (strcmp(algs[i].name, name) == 0)
			return i;
	return -1;
}

bool
jw_alg_is_exotic(int alg)
{
	return alg >= 0 && alg < JW_ALG_COUNT && algs[alg].exotic;
}

bool
jw_alg_may_follow(int from, int to)
{
	return from == to || (!jw_alg_is_exotic(from) && !jw_alg_is_exotic(to));
}

void
jw_alg_why_not_follow(int from, int to, struct jw_why *why)
{
	jw_why_set(why,
	    "algorithm cannot change from %s to %s: many verifiers refuse a "
	    "whole set for one key of %s, so that its keys stand alone in a "
	    "key set of their own",
	    jw_alg_name(from), jw_alg_name(to),
	    jw_alg_name(jw_alg_is_exotic(to) ? to : from));
	jw_why_hint(
	    why, "add another key set with algorithm %s", jw_alg_name(to));
}

int32_t
jw_alg_max_published(int alg)
{
	const size_t room = JW_SET_OCTETS_MAX - strlen(set_frame);
	size_t key;

	if (alg < 0 || alg >= JW_ALG_COUNT || algs[alg].pub == 0)
		return JW_SET_KEYS_MAX;
	key = strlen(akp_frame) + strlen(algs[alg].name) + KID_LENGTH +
	      (algs[alg].pub * 8 + 5) / 6;
	/* A comma for each but the last. */
	return (int32_t)((room + 1) / (key + 1));
}
