/*
 * Which parameters an error of org.jwksd.keys has, as a table.
 */
#include "daemon/verbs/fault.h"

#include <stddef.h>

#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/verbs/verbs.h"

#define FAULT(...) VARLINK_LAYOUT(verbs_fault, __VA_ARGS__)
#define TEXT(name, field) \
	VARLINK_MEMBER(verbs_fault, name, field, varlink_string)
#define INT(name, field) VARLINK_MEMBER(verbs_fault, name, field, varlink_int)
#define MAYBE(name) VARLINK_MEMBER(verbs_fault, #name, name, varlink_maybe_int)

static const struct varlink_layout faults[JW_ERR_COUNT] = {
    [JW_NO_SUCH_KEY_SET] = FAULT(TEXT("keySet", key_set)),
    [JW_NO_SUCH_KEY] = FAULT(TEXT("key", key)),
    [JW_AMBIGUOUS_KEY] = FAULT(TEXT("key", key),
	VARLINK_MEMBER(verbs_fault, "matches", matches, varlink_strings)),
    [JW_CONFLICT] = FAULT(INT("expected", expected), INT("actual", actual),
	TEXT("keySet", of_key_set)),
    [JW_NOT_READY] = FAULT(INT("readyAt", ready_at)),
    [JW_BAD_STATE] = FAULT(TEXT("kid", kid), TEXT("state", state)),
    [JW_NO_ACTIVE_KEY] = FAULT(TEXT("keySet", key_set)),
    [JW_BAD_KEY] = FAULT(TEXT("message", message), TEXT("keySet", of_key_set)),
    [JW_BAD_POLICY] =
	FAULT(TEXT("parameter", parameter), TEXT("message", message),
	    MAYBE(minimum), MAYBE(maximum), TEXT("keySet", of_key_set)),
    [JW_BAD_CLAIMS] =
	FAULT(TEXT("parameter", parameter), TEXT("message", message)),
    [JW_FROZEN] = FAULT(TEXT("cause", cause)),
    [JW_OUTCOME_UNKNOWN] = FAULT(TEXT("requestId", request_id)),
    [JW_STORE_FAILED] = FAULT(TEXT("message", message)),
    [JW_INVALID_PARAMETER] = FAULT(TEXT("parameter", parameter)),
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
