/*
 * What every changing method does: check the mutation parameters, answer a
 * repeated request from its first outcome, edit, commit, answer.
 */
#ifndef JWKSD_DAEMON_VERBS_CHANGE_H
#define JWKSD_DAEMON_VERBS_CHANGE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/fault.h"
#include "daemon/verbs/methods.h"

struct jw_policy;
struct jw_policy_fault;
struct serve_call;
struct verbs;

/*
 * A change that has been asked for.  One that has begun ends with
 * verbs_change_refuse(), verbs_change_answer() or verbs_change_finish(), which
 * answer the call and release what the change holds.
 */
struct verbs_change {
	struct serve_call *call;
	struct verbs *verbs;
	const struct verbs_change_request *asked;
	struct keeper_edit edit;
	struct lc_outcome outcome;
	struct verbs_change_reply reply;
	struct verbs_fault fault; /* what the outcome does not say */
	struct jw_why why;        /* for fault.message */
	const char *event;        /* of the audit row; NULL: the keeper's */
	bool urgent;              /* on a full disk it may use the reserve */
	bool is_change;           /* else only a request id is worth a commit */
	struct keeper_commit how;
	/* Of a request with an id: method and parameters in one form for all
	 * clients, and the reply, both as JSON text. */
	struct store_request request;
	char *canonical, *outcome_text;
};

/*
 * Begin: false when the call has been answered, because a parameter is wrong
 * or the request has been answered before.
 */
bool verbs_change_prepare(struct verbs_change *change, struct serve_call *call,
    struct verbs *verbs, const struct verbs_change_request *asked);
/* For a change that takes time, once more before it is made: true when another
 * call of the same request was answered meanwhile, and this one from that. */
bool verbs_change_answered_before(struct verbs_change *change);

/* Release what a change holds whose call has been answered elsewhere. */
void verbs_change_done(struct verbs_change *change);

/*
 * Decide on an edit that has begun: change edit.after, set the event and the
 * outcome, and in the reply or the fault what the outcome does not say.  Any
 * error is a refusal.
 */
typedef enum jw_err verbs_change_decide(struct verbs_change *change);

/* All of it, for the key set that is asked for, NULL: "default". */
void verbs_change_run(struct serve_call *call, struct verbs *verbs,
    const struct verbs_change_request *asked, verbs_change_decide *decide);

/* ---- decisions ---- */

/* JW_CONFLICT when another generation than the expected one is active. */
enum jw_err verbs_change_check_expected(struct verbs_change *change);
/* Returns JW_BAD_POLICY; fault may be NULL. */
enum jw_err verbs_change_bad_policy(struct verbs_change *change,
    const char *parameter, const char *message,
    const struct jw_policy_fault *fault);
/* Set the members of a policy that were given. */
enum jw_err verbs_policy_apply(struct verbs_change *change,
    const struct verbs_policy_members *given, struct jw_policy *policy);
/* Does the arithmetic of the policy hold? */
enum jw_err verbs_policy_check(
    struct verbs_change *change, const struct jw_policy *policy);
/* Can this program make keys of its algorithm? */
enum jw_err verbs_policy_check_algorithm(
    struct verbs_change *change, const struct jw_policy *policy);

/* ---- the end ---- */

/* Answer with an error and what outcome and fault say of it. */
void verbs_change_refuse(struct verbs_change *change, enum jw_err err);
/* Encode the reply, and fill `how` for the keeper's function that commits. */
void verbs_change_fill(struct verbs_change *change);
/* Answer with that reply, or with the error of the commit. */
void verbs_change_answer(struct verbs_change *change, enum jw_err err);
/* Refuse after an error; else add the outcome to the reply, commit the edit
 * (but for a dry run) and answer. */
void verbs_change_finish(struct verbs_change *change, enum jw_err err);

/* A key as the edit leaves it; number 0: none. */
struct verbs_key_row verbs_change_key(
    const struct verbs_change *change, int64_t number);

#endif
