/*
 * What every command that changes something has in common: one request id an
 * invocation, a look at what would happen, the question, and how to repeat a
 * request whose outcome is unknown.
 */
#ifndef JWKSD_CTL_CALL_CHANGE_H
#define JWKSD_CTL_CALL_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"

struct ctl;
struct json_t;

/* Say for people what came of it, or (dry) would; reply fits a terminal. */
typedef enum jw_err call_change_tell_fn(
    struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out);

/* What has been looked at is what is to be done: narrow the parameters. */
typedef enum jw_err call_change_pin_fn(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters);

struct call_change {
	const char *method;        /* unqualified */
	const char *command;       /* how to repeat it: "rotate" */
	struct json_t *parameters; /* without requestId and dryRun */
	const char *named;         /* parameter that names its object */
	const char *const *more;   /* arguments after it; NULL: none */
	size_t nmore;
	const char *danger; /* look first, and ask; NULL: do not */
	const char *question;
	bool own_id;       /* --request-id is another's */
	const char *quiet; /* -q: the kid or name of this member */
	call_change_tell_fn *tell;
	call_change_pin_fn *pin; /* NULL: nothing to pin */
};

/* Add what --reason and --if-gen say.  JW_USAGE with ctl->why. */
enum jw_err call_change_take_options(
    struct ctl *ctl, struct json_t *parameters);

/*
 * Do it, or with --dry-run only look, and print what came of it.  *ret_reply,
 * which may be NULL, gets the reply (the caller drops it); NULL after a dry
 * run and when the operator said no.
 */
enum jw_err call_change_run(
    struct ctl *ctl, struct call_change *change, struct json_t **ret_reply);

/*
 * The same for NAME [PARAM=VALUE...], the arguments of the line: `change` says
 * the method, the command and what to tell; its parameters are made here.
 */
enum jw_err call_change_run_policy(struct ctl *ctl, struct call_change *change);

/* An optional member of type Key. */
struct reply_key;
enum jw_err call_change_key(struct ctl *ctl, const struct json_t *reply,
    const char *name, bool *ret_has, struct reply_key *ret_key);

/* Set expectGeneration. */
enum jw_err call_change_expect(struct json_t *parameters, long long generation);

#endif
