/*
 * What every changing method has in common: check the mutation parameters,
 * answer a repeated request from its first outcome, edit, commit, answer.
 */
#ifndef JWKSD_DAEMON_VERBS_EDIT_H
#define JWKSD_DAEMON_VERBS_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"

struct control_call;
struct json_t;
struct jw_policy;
struct jw_policy_fault;
struct verbs;

/* A change that has been asked for. */
struct change {
	struct control_call *call;
	struct verbs *verbs;
	struct keeper_edit edit;
	struct lc_outcome outcome;
	const char *request_id; /* NULL: none */
	char *asked;            /* method and parameters, canonical */
	bool urgent;            /* on a full disk it may use the reserve */
};

/*
 * Check what all changes share: false when the call has been answered.  Then,
 * and after any of edit_refuse(), edit_refuse_policy(), edit_fail() and
 * edit_finish(), the call is over and there is nothing to release.
 */
bool edit_prepare(
    struct change *change, struct control_call *call, void *context);
/*
 * For a change that takes time, once more before it is made: true when another
 * call of the same request has been answered meanwhile, and this one from that.
 */
bool edit_answered_before(struct change *change);
/* Prepare, and begin an edit of the key set that `parameter` names. */
bool edit_begin(struct change *change, struct control_call *call, void *context,
    const char *parameter);

/* expectGeneration: whether it is there, and its value. */
bool edit_expects(const struct change *change);
int64_t edit_expected(const struct change *change);
/* JW_CONFLICT when another generation is active. */
enum jw_err edit_check_expected(struct change *change);

/* Answer with a refusal of the orders, as the outcome describes it;
 * parameter goes with JW_INVALID_PARAMETER. */
void edit_refuse(struct change *change, enum jw_err err, const char *parameter);
/* BadPolicy; fault may be NULL. */
void edit_refuse_policy(struct change *change, const char *parameter,
    const char *message, const struct jw_policy_fault *fault);
/* Any other error, with its parameters. */
void edit_fail(
    struct change *change, enum jw_err err, struct json_t *take_parameters);

/* The members of `policy` that are given, into policy; false: refused. */
bool edit_read_policy(struct change *change, struct jw_policy *policy);

/* Set a member to a key as it is after the edit; nothing for number 0. */
void edit_set_key(struct json_t *reply, const char *name,
    const struct change *change, int64_t number);

bool edit_is_dry(const struct change *change);

/* How the edit is to be committed; request is filled for it. */
struct keeper_commit edit_how(const struct change *change, const char *event,
    struct store_request *ret_request, const char *outcome);

/* Commit (but for a dry run) and answer. */
void edit_finish(
    struct change *change, const char *event, struct json_t *take_reply);
/* Answer after a commit that ended with err. */
void edit_answer(
    struct change *change, enum jw_err err, struct json_t *take_reply);

#endif
