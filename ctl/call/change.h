/*
 * What every command that changes something has in common: one request id an
 * invocation, a dry run that shows what would happen, the question, and how to
 * repeat a request whose outcome is unknown.
 */
#ifndef JWKSD_CTL_CALL_CHANGE_H
#define JWKSD_CTL_CALL_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"

struct ctl;
struct json_t;
struct reply_member;

/*
 * Say for people what was done, or (dry) would be; reply is the struct that
 * call_change.members fills, whose strings are fit for a terminal.
 */
typedef enum jw_err call_change_print_fn(
    struct ctl *ctl, const void *reply, bool dry, FILE *out);

/*
 * Narrow the parameters to what the dry run has shown, so that nothing else is
 * done after the question.  reply is as the daemon sent it.
 */
typedef void call_change_expect_fn(
    const void *reply, struct json_t *parameters);

enum { CALL_CHANGE_REPLY_MAX = 640 }; /* octets of the struct of a reply */

struct call_change {
	const char *method;  /* qualified */
	const char *command; /* of jwksctl, to repeat it: "rotate" */
	/* Without those of --reason, --if-gen, --request-id and --dry-run.
	 * NULL: json_pack() failed, because an argument is not UTF-8. */
	struct json_t *take_parameters;
	const char *named;    /* the parameter that is the first argument */
	const char *danger;   /* show it first, and ask; NULL: do not */
	const char *question; /* with danger */
	bool is_follow_up; /* those options belong to the request before it */
	const char *quiet; /* -q: print the kid or name of this member */
	const struct reply_member *members; /* of the reply */
	call_change_print_fn *print;
	call_change_expect_fn *expect; /* with danger; NULL: nothing to add */
};

/*
 * Do it, or with --dry-run only show it, and print what the daemon did.
 * *ret_reply, which may be NULL, gets the reply (the caller drops it); NULL
 * after a dry run and when the operator said no.
 */
enum jw_err call_change_run(struct ctl *ctl, const struct call_change *change,
    struct json_t **ret_reply);

/* Add what --reason and --if-gen say.  JW_USAGE with ctl->why. */
enum jw_err call_change_take_options(
    struct ctl *ctl, struct json_t *parameters);

/* Set requestId to a new random one. */
enum jw_err call_change_add_id(struct ctl *ctl, struct json_t *parameters);

/*
 * Print "question [y/N] " and wait for an answer, or go on with --yes.  Any
 * answer but yes sets ctl->declined.
 */
void call_change_confirm(struct ctl *ctl, const char *question);

/* Set expectGeneration. */
void call_change_expect(struct json_t *parameters, long long generation);

#endif
