/*
 * What several methods share.
 */
#include "daemon/verbs/verbs.h"

#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/wire/varlink_service.h"
#include "daemon/keeper/keeper.h"
#include "daemon/settings/settings.h"

void
verbs_reply(struct serve_call *call, const void *reply)
{
	serve_reply(call, varlink_encode(serve_verb(call)->reply, reply));
}

bool
verbs_continue(struct serve_call *call, const void *reply)
{
	return serve_continue(
	    call, varlink_encode(serve_verb(call)->reply, reply));
}

const char *
verbs_domain(const struct verbs *verbs)
{
	return verbs->reload == NULL ? NULL : verbs->reload->config->domain;
}

struct keeper_set *
verbs_key_set(
    struct serve_call *call, const struct verbs *verbs, const char *name)
{
	const char *wanted = name == NULL ? "default" : name;
	struct keeper_set *set = keeper_find(verbs->keeper, wanted);

	if (set == NULL)
		verbs_fail(call, JW_NO_SUCH_KEY_SET,
		    &(struct verbs_fault){.key_set = wanted});
	return set;
}

bool
verbs_maybe_key_set(struct serve_call *call, const struct verbs *verbs,
    const char *name, struct keeper_set **ret_set)
{
	*ret_set = name == NULL ? NULL : verbs_key_set(call, verbs, name);
	return name == NULL || *ret_set != NULL;
}

const char *
verbs_kid(const struct keeper_set *set, int64_t number)
{
	for (size_t i = 0; set != NULL && i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return set->row.keys[i].kid;
	return NULL;
}

bool
verbs_time_ahead(struct serve_call *call, const struct verbs *verbs,
    const char *parameter, const struct varlink_maybe_int *time)
{
	if (!time->given || (time->value >= keeper_now(verbs->keeper) &&
				time->value <= VERBS_TIME_MAX))
		return true;
	verbs_invalid(call, parameter);
	return false;
}
