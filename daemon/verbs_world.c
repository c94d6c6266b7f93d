/*
 * Freeze and AcceptClock: what holds for every key set at once.
 */
#include <jansson.h>

#include "daemon/control.h"
#include "daemon/keeper.h"
#include "daemon/verbs.h"

void
verbs_freeze(struct control_call *call, void *context)
{
	const json_t *parameters = control_parameters(call);
	bool frozen = verbs_bool(parameters, "frozen");
	struct verbs *verbs = context;
	enum jw_err err;

	if (verbs_string(parameters, "keySet", NULL) != NULL) {
		verbs_freeze_one(call, context);
		return;
	}
	/* Freezing what is frozen changes nothing: no request id is needed. */
	err = keeper_freeze_all(verbs->keeper, frozen,
	    &(const struct store_actor){
		control_peer(call)->uid,
		control_peer(call)->gid,
		control_peer(call)->pid,
	    },
	    verbs_string(parameters, "reason", NULL));
	if (err == JW_OK)
		control_reply(call,
		    json_pack("{s:s}", "mode", frozen ? "frozen" : "auto"));
	else
		verbs_store_failed(call, verbs, err);
}

void
verbs_accept_clock(struct control_call *call, void *context)
{
	const json_t *parameters = control_parameters(call);
	struct verbs *verbs = context;
	enum jw_err err = keeper_accept_clock(verbs->keeper,
	    &(const struct store_actor){
		control_peer(call)->uid,
		control_peer(call)->gid,
		control_peer(call)->pid,
	    },
	    verbs_string(parameters, "reason", NULL));

	if (err == JW_OK)
		control_reply(call, json_pack("{s:b}", "clockTrusted", 1));
	else
		verbs_store_failed(call, verbs, err);
}
