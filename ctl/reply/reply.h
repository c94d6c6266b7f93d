/*
 * The types of the daemon's replies as plain structs, checked as they are
 * read.  Errors and ownership are as in members.h.
 */
#ifndef JWKSD_CTL_REPLY_REPLY_H
#define JWKSD_CTL_REPLY_REPLY_H

#include "ctl/reply/members.h"

/* A key's moments, in the order in which they come about. */
enum reply_moment {
	REPLY_CREATED,
	REPLY_PUBLISHED,
	REPLY_READY,
	REPLY_ACTIVATED,
	REPLY_ROTATE,
	REPLY_SIGNS,
	REPLY_RETIRED,
	REPLY_REMOVE,
	REPLY_REMOVED,
	REPLY_REVOKED,
	REPLY_MOMENTS
};

/* Type Key. */
struct reply_key {
	const char *kid, *key_set, *alg, *state;
	const char *reason; /* NULL: none */
	int64_t generation;
	int64_t at[REPLY_MOMENTS]; /* REPLY_NONE: none */
	const struct json_t *jwk;  /* NULL: none */
};

enum jw_err reply_key(
    const struct json_t *object, struct reply_key *ret_key, struct jw_why *why);

/* Type KeySet. */
struct reply_key_set {
	const char *name, *alg, *path;
	const char *mode; /* of the policy; NULL: none */
	int64_t version;
	int64_t active_generation;   /* REPLY_NONE: none */
	int64_t scheduled_for;       /* REPLY_NONE: nothing */
	int64_t signs_at;            /* REPLY_NONE: it signs */
	bool frozen;                 /* by an operator */
	const struct json_t *policy; /* NULL: none */
	const struct json_t *urls;   /* strings, the best first; NULL: none */
};

enum jw_err reply_key_set(const struct json_t *object,
    struct reply_key_set *ret_set, struct jw_why *why);

/* One URL of a key set; there is at least one.  NULL past the last. */
const char *reply_url(const struct reply_key_set *set, size_t at);
/* The path at which a key set is served whatever host is asked. */
const char *reply_any_host_path(const struct reply_key_set *set);

enum {
	REPLY_HONOUR_CACHE_CONTROL,
	REPLY_POLL_WITHIN_MAX_AGE,
	REPLY_NEVER_EXPIRE,
	REPLY_VERIFIERS
};

/*
 * Until when each class of verifiers may decide wrongly about tokens.
 * REPLY_NONE: not at all; 0: until they see a kid that is new to them.
 */
struct reply_exposure {
	bool given;
	int64_t until;                        /* the latest of them */
	const struct json_t *accept, *reject; /* NULL: none */
	int64_t accept_old_tokens[REPLY_VERIFIERS];
	int64_t reject_new_tokens[REPLY_VERIFIERS];
};

/* Without an object: not given. */
enum jw_err reply_exposure(const struct json_t *object,
    struct reply_exposure *ret_exposure, struct jw_why *why);

/* Type Change. */
struct reply_change {
	const char *key_set, *to, *cause;
	const char *kid, *from; /* NULL: none */
	int64_t time, generation;
};

enum jw_err reply_change(const struct json_t *object,
    struct reply_change *ret_change, struct jw_why *why);

#endif
