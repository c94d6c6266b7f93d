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

struct serve_call;
struct json_t;
struct jw_policy;
struct jw_policy_fault;
struct verbs;

/* The parameter's value; absent or null: the fallback. */
const char *verbs_string(
    const struct json_t *parameters, const char *name, const char *fallback);
int64_t verbs_integer(
    const struct json_t *parameters, const char *name, int64_t fallback);
bool verbs_bool(const struct json_t *parameters, const char *name);

/* A change that has been asked for. */
struct change {
	struct serve_call *call;
	struct verbs *verbs;
	struct keeper_edit edit;
	struct lc_outcome outcome;
	const char *request_id; /* NULL: none */
	char *asked;            /* method and parameters, canonical */
	bool urgent;            /* on a full disk it may use the reserve */
};

/*
 * Check what all changes share: false when the call has been answered.  Then,
 * and after any of verbs_edit_refuse(), verbs_edit_refuse_policy(),
 * verbs_edit_fail() and verbs_edit_finish(), the call is over and there is
 * nothing to release.
 */
bool verbs_edit_prepare(
    struct change *change, struct serve_call *call, void *context);
/*
 * For a change that takes time, once more before it is made: true when another
 * call of the same request has been answered meanwhile, and this one from that.
 */
bool verbs_edit_answered_before(struct change *change);
/* Prepare, and begin an edit of the key set that `parameter` names. */
bool verbs_edit_begin(struct change *change, struct serve_call *call,
    void *context, const char *parameter);

/* expectGeneration: whether it is there, and its value. */
bool verbs_edit_expects(const struct change *change);
int64_t verbs_edit_expected(const struct change *change);
/* JW_CONFLICT when another generation is active. */
enum jw_err verbs_edit_check_expected(struct change *change);

/* Answer with a refusal of the orders, as the outcome describes it;
 * parameter goes with JW_INVALID_PARAMETER. */
void verbs_edit_refuse(
    struct change *change, enum jw_err err, const char *parameter);
/* BadPolicy; fault may be NULL. */
void verbs_edit_refuse_policy(struct change *change, const char *parameter,
    const char *message, const struct jw_policy_fault *fault);
/* Any other error, with its parameters. */
void verbs_edit_fail(
    struct change *change, enum jw_err err, struct json_t *take_parameters);

/* The members of `policy` that are given, into policy; false: refused. */
bool verbs_edit_read_policy(struct change *change, struct jw_policy *policy);

/* Set a member to a key as it is after the edit; nothing for number 0. */
void verbs_edit_set_key(struct json_t *reply, const char *name,
    const struct change *change, int64_t number);

bool verbs_edit_is_dry(const struct change *change);

/* How the edit is to be committed; request is filled for it. */
struct keeper_commit verbs_edit_how(const struct change *change,
    const char *event, struct store_request *ret_request, const char *outcome);

/* Commit (but for a dry run) and answer. */
void verbs_edit_finish(
    struct change *change, const char *event, struct json_t *take_reply);
/* Answer after a commit that ended with err. */
void verbs_edit_answer(
    struct change *change, enum jw_err err, struct json_t *take_reply);

#endif
