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

/* Say for people what was done, or (dry) would be; reply fits a terminal. */
typedef enum jw_err call_change_print_fn(
    struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out);

/*
 * Narrow the parameters to what the dry run has shown, so that nothing else is
 * done after the question.
 */
typedef enum jw_err call_change_pin_fn(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters);

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
	call_change_print_fn *print;
	call_change_pin_fn *pin; /* with danger; NULL: nothing to pin */
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

/* Set expectGeneration. */
enum jw_err call_change_expect(struct json_t *parameters, long long generation);

#endif
