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
 * verbs_change_fail(), verbs_change_refuse(), verbs_change_refuse_policy(),
 * verbs_change_answer() or verbs_change_finish(), which answer the call and
 * release what the change holds.
 */
struct verbs_change {
	struct serve_call *call;
	struct verbs *verbs;
	const struct verbs_change_request *asked;
	struct keeper_edit edit;
	struct lc_outcome outcome;
	struct keeper_commit how;
	bool urgent;    /* on a full disk it may use the reserve */
	bool is_change; /* else only a request id is worth a commit */
	/* For refusals of a method that changes several; NULL: there is one. */
	const char *of_key_set;
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
/* Begin with an edit of the key set that is asked for, NULL: "default". */
bool verbs_change_begin(struct verbs_change *change, struct serve_call *call,
    struct verbs *verbs, const struct verbs_change_request *asked);

/* Release what a change holds whose call has been answered elsewhere. */
void verbs_change_done(struct verbs_change *change);

/* JW_CONFLICT when another generation than the expected one is active. */
enum jw_err verbs_change_check_expected(struct verbs_change *change);

void verbs_change_fail(struct verbs_change *change, enum jw_err err,
    const struct verbs_fault *fault);
/* Answer with a refusal by the lifecycle, as the outcome describes it. */
void verbs_change_refuse(struct verbs_change *change, enum jw_err err);
/* BadPolicy; fault may be NULL. */
void verbs_change_refuse_policy(struct verbs_change *change,
    const char *parameter, const char *message,
    const struct jw_policy_fault *fault);

/* ---- the policy of a request: false when the change has been refused ---- */

/* Set the members that were given. */
bool verbs_policy_apply(struct verbs_change *change,
    const struct verbs_policy_members *given, struct jw_policy *policy);
/* Does the arithmetic of the policy hold? */
bool verbs_policy_check(
    struct verbs_change *change, const struct jw_policy *policy);
/* Can this program make keys of its algorithm? */
bool verbs_policy_check_algorithm(
    struct verbs_change *change, const struct jw_policy *policy);

/* ---- the end ---- */

/*
 * Encode the reply, and fill change->how for the keeper's function that
 * commits.  event: of the audit row; reply: a struct of the verb's layout.
 */
void verbs_change_fill(
    struct verbs_change *change, const char *event, const void *reply);
/* Answer with that reply, or with the error of the commit. */
void verbs_change_answer(struct verbs_change *change, enum jw_err err);
/* Fill, commit the edit (but for a dry run), answer.  err is the lifecycle's
 * decision: other than JW_OK is a refusal. */
void verbs_change_finish(struct verbs_change *change, enum jw_err err,
    const char *event, const void *reply);

#endif
