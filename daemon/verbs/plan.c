/*
 * Plan: the coming transitions of one key set or of all, in the order of time.
 */
#include <stdlib.h>

#include "common/base/memory.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/forecast.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

/* Rows of a reply, and up to one step's more; the largest row takes less than
 * 480 octets of a message's 256 KiB. */
enum { PAGE_ROWS = 256, ONE_REPLY_ROWS = 512 };

struct planned {
	struct keeper *keeper;
	struct verbs_forecast *forecast;
};

static void
planned_free(void *arg)
{
	struct planned *planned = arg;

	verbs_forecast_free(planned->forecast);
	free(planned);
}

/* One rotation period, and what follows from it. */
static int64_t
horizon(const struct keeper_set *set, int64_t now)
{
	const struct jw_policy *p = &set->row.facts.policy;

	return now + p->rotation_period + jw_policy_publish_interval(p) +
	       jw_policy_retire_interval(p);
}

static void
add_set(struct planned *planned, const struct keeper_set *set,
    const struct lc_env *env, int64_t until)
{
	struct lc_set view;

	keeper_view(set, &view);
	verbs_forecast_add(planned->forecast, set->row.name, set->row.id, &view,
	    env, until != 0 ? until : horizon(set, env->now));
}

/* only: NULL for all. */
static void
add_sets(struct planned *planned, const struct keeper_set *only, int64_t until)
{
	struct keeper *keeper = planned->keeper;
	struct keeper_set *set = keeper_at(keeper, 0);
	struct lc_env env;

	if (set == NULL)
		return;
	/* The same for every key set, but for pairs_coming, which a forecast
	 * sets to 0. */
	env = keeper_env(keeper, set);
	if (only != NULL) {
		add_set(planned, only, &env, until);
		return;
	}
	for (size_t i = 0; (set = keeper_at(keeper, i)) != NULL; i++)
		add_set(planned, set, &env, until);
}

static enum jw_err
plan_next(void *arg, bool in_pages, struct varlink_rows *rows, bool *ret_last)
{
	struct planned *planned = arg;
	size_t most = in_pages ? PAGE_ROWS : ONE_REPLY_ROWS + 1;
	struct verbs_forecast_step step;

	while (rows->count < most &&
	       verbs_forecast_next(planned->forecast, &step)) {
		const struct keeper_set *set =
		    keeper_by_id(planned->keeper, step.set_id);

		for (size_t i = 0; i < step.count; i++)
			varlink_rows_add(rows, &verbs_change_codec,
			    &(struct verbs_change_row){
				.key_set = step.key_set,
				.change = &step.changes[i],
				.kid = verbs_kid(set, step.changes[i].number),
			    });
	}
	*ret_last = in_pages ? verbs_forecast_is_empty(planned->forecast)
			     : rows->count <= ONE_REPLY_ROWS;
	return JW_OK;
}

void
verbs_plan(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct verbs *verbs = context;
	struct keeper_set *only;
	struct planned *planned;

	if (!verbs_time_ahead(call, verbs, "until", &asked->until) ||
	    !verbs_maybe_key_set(call, verbs, asked->key_set, &only))
		return;
	planned = jw_alloc(sizeof(*planned));
	planned->keeper = verbs->keeper;
	planned->forecast = verbs_forecast_new();
	add_sets(planned, only, asked->until.value);
	verbs_send_pages(call,
	    &(struct verbs_pages){verbs, planned, plan_next, planned_free});
}
