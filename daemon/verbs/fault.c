/*
 * Which parameters an error of org.jwksd.keys has, as a table.
 */
#include "daemon/verbs/fault.h"

#include <stddef.h>

#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/verbs/verbs.h"

#define MEMBER(name, field, codec) \
	VARLINK_MEMBER(verbs_fault, name, field, codec)

static const struct varlink_member key_set[] = {
    MEMBER("keySet", key_set, varlink_string),
};
static const struct varlink_member key[] = {
    MEMBER("key", key, varlink_string),
};
static const struct varlink_member ambiguous[] = {
    MEMBER("key", key, varlink_string),
    MEMBER("matches", matches, varlink_strings),
};
static const struct varlink_member conflict[] = {
    MEMBER("expected", expected, varlink_int),
    MEMBER("actual", actual, varlink_int),
};
static const struct varlink_member not_ready[] = {
    MEMBER("readyAt", ready_at, varlink_int),
};
static const struct varlink_member bad_state[] = {
    MEMBER("kid", kid, varlink_string),
    MEMBER("state", state, varlink_string),
};
static const struct varlink_member message[] = {
    MEMBER("message", message, varlink_string),
};
static const struct varlink_member bad_policy[] = {
    MEMBER("parameter", parameter, varlink_string),
    MEMBER("message", message, varlink_string),
    MEMBER("minimum", minimum, varlink_maybe_int),
    MEMBER("maximum", maximum, varlink_maybe_int),
};
static const struct varlink_member frozen[] = {
    MEMBER("cause", cause, varlink_string),
};
static const struct varlink_member unknown_outcome[] = {
    MEMBER("requestId", request_id, varlink_string),
};
static const struct varlink_member invalid[] = {
    MEMBER("parameter", parameter, varlink_string),
};

#define FAULT(members) VARLINK_LAYOUT(verbs_fault, members)

static const struct varlink_layout faults[JW_ERR_COUNT] = {
    [JW_NO_SUCH_KEY_SET] = FAULT(key_set),
    [JW_NO_SUCH_KEY] = FAULT(key),
    [JW_AMBIGUOUS_KEY] = FAULT(ambiguous),
    [JW_CONFLICT] = FAULT(conflict),
    [JW_NOT_READY] = FAULT(not_ready),
    [JW_BAD_STATE] = FAULT(bad_state),
    [JW_NO_ACTIVE_KEY] = FAULT(key_set),
    [JW_BAD_KEY] = FAULT(message),
    [JW_BAD_POLICY] = FAULT(bad_policy),
    [JW_FROZEN] = FAULT(frozen),
    [JW_OUTCOME_UNKNOWN] = FAULT(unknown_outcome),
    [JW_STORE_FAILED] = FAULT(message),
    [JW_INVALID_PARAMETER] = FAULT(invalid),
};

struct json_t *
verbs_fault_encode(enum jw_err err, const struct verbs_fault *fault)
{
	const struct varlink_layout *layout = &faults[err];

	return layout->count == 0 ? NULL : varlink_encode(layout, fault);
}

void
verbs_fail(
    struct serve_call *call, enum jw_err err, const struct verbs_fault *fault)
{
	serve_fail(call, err, verbs_fault_encode(err, fault));
}

void
verbs_invalid(struct serve_call *call, const char *parameter)
{
	verbs_fail(call, JW_INVALID_PARAMETER,
	    &(struct verbs_fault){.parameter = parameter});
}

void
verbs_store_failed(struct serve_call *call, const struct verbs *verbs,
    enum jw_err err, const char *request_id)
{
	const struct verbs_fault fault = {
	    .message = keeper_store_message(verbs->keeper),
	    .request_id = request_id == NULL ? "" : request_id,
	};

	/* The store has no message for those. */
	if (err != JW_NO_SPACE && err != JW_NO_MEMORY &&
	    err != JW_OUTCOME_UNKNOWN)
		err = JW_STORE_FAILED;
	verbs_fail(call, err, &fault);
}
