/*
 * The methods of org.jwksd.keys: each checks what the interface description
 * cannot, asks the lifecycle or the keeper, and answers.  All run on the event
 * loop.
 *
 * A method is a row in door.c, where its request is decoded into a struct and
 * its reply encoded from one; the function gets the request, and `context` is
 * the struct verbs.
 */
#ifndef JWKSD_DAEMON_VERBS_VERBS_H
#define JWKSD_DAEMON_VERBS_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/policy.h"
#include "daemon/lifecycle/model.h"
#include "daemon/verbs/fault.h"

struct serve_call;
struct json_t;
struct keeper;
struct keeper_set;
struct publish;
struct verbs_sign;
struct settings;
struct varlink_service;

/* The last second of the year 9999: the largest that RFC 3339 can write. */
#define VERBS_TIME_MAX INT64_C(253402300799)

/* What every method is given. */
struct verbs {
	struct keeper *keeper;
	struct publish *publish;
	int64_t started;
	struct jw_policy policy;          /* of new key sets */
	const struct verbs_sign *signing; /* or NULL */
	const struct settings *reload;
	/* The next start would not miss a database that has been deleted. */
};

/* org.jwksd.keys; the context of its verbs is the struct verbs. */
extern const struct varlink_service verbs_service;

/* Encode the reply, a struct of the method's layout, and end the call. */
void verbs_reply(struct serve_call *call, const void *reply);
/* One of several replies, as serve_continue(). */
bool verbs_continue(struct serve_call *call, const void *reply);

/* A list that is sent in pages. */
struct verbs_pages {
	const struct verbs *verbs;
	void *list;
	/*
	 * Add the rows of the next page; or, when there is to be one reply, as
	 * many as it takes.  ret_last: there are no more.
	 */
	enum jw_err (*next)(void *list, bool in_pages,
	    struct varlink_rows *rows, bool *ret_last);
	void (*free)(void *list);
};

/*
 * Answer with a struct verbs_rows_reply; with `more` with as many as it takes,
 * each filled when the one before has been read.  A list that does not fit one
 * reply is never cut short: ExpectedMore.
 */
void verbs_send_pages(
    struct serve_call *call, const struct verbs_pages *take_pages);

/* The key set of that name, NULL: "default".  NULL comes back: there is none,
 * and the call has been answered. */
struct keeper_set *verbs_key_set(
    struct serve_call *call, const struct verbs *verbs, const char *name);

/* The same, but NULL stands for all: then *ret_set is NULL.  False: the call
 * has been answered. */
bool verbs_maybe_key_set(struct serve_call *call, const struct verbs *verbs,
    const char *name, struct keeper_set **ret_set);

/* The kid of a generation in memory; NULL: none, or set is NULL. */
const char *verbs_kid(const struct keeper_set *set, int64_t number);

/* False: the time is given, is in the past or beyond the year 9999, and the
 * call has been answered with InvalidParameter. */
bool verbs_time_ahead(struct serve_call *call, const struct verbs *verbs,
    const char *parameter, const struct varlink_maybe_int *time);

/* The domain of the HTTP front as it is in force; NULL: none. */
const char *verbs_domain(const struct verbs *verbs);

/* A key that has been found; release with verbs_found_done(). */
struct verbs_found {
	struct keeper_set *set; /* NULL: the key set is gone */
	struct key key;
};

/* The one key that a kid's prefix or KEYSET#GENERATION names.  False: the call
 * has been answered (NoSuchKey, AmbiguousKey, ...). */
bool verbs_find_key(struct serve_call *call, struct verbs *verbs,
    const char *name, struct verbs_found *ret_found);
void verbs_found_done(struct verbs_found *found);

#endif
