/*
 * Plan: the coming transitions of one key set or of all, in the order of time;
 * as one reply, or with `more` in as many as it takes, each computed when the
 * one before has been read.  A plan that does not fit one message is never cut
 * short: ExpectedMore.
 */
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/serve/server.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/forecast.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

/* Rows of a reply, and up to one step's more; the largest row takes less than
 * 480 octets of a message's 256 KiB. */
enum { PAGE_ROWS = 256, ONE_REPLY_ROWS = 512 };

struct planned {
	struct verbs *verbs;
	struct verbs_forecast *forecast;
};

static void
planned_free(struct planned *planned)
{
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
	struct keeper *keeper = planned->verbs->keeper;
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

static void
next_rows(struct planned *planned, size_t most, struct varlink_rows *rows)
{
	struct keeper *keeper = planned->verbs->keeper;
	struct verbs_forecast_step step;

	while (rows->count < most &&
	       verbs_forecast_next(planned->forecast, &step)) {
		const struct keeper_set *set =
		    keeper_by_id(keeper, step.set_id);

		for (size_t i = 0; i < step.count; i++)
			varlink_rows_add(rows, &verbs_change_codec,
			    &(struct verbs_change_row){
				.key_set = step.key_set,
				.change = &step.changes[i],
				.kid = verbs_kid(set, step.changes[i].number),
			    });
	}
}

static void
plan_send_page(struct serve_call *call, void *arg)
{
	struct planned *planned = arg;
	struct verbs_rows_reply page = {.rows = {NULL, 0}};

	next_rows(planned, PAGE_ROWS, &page.rows);
	if (!verbs_forecast_is_empty(planned->forecast)) {
		/* Sent only when drained: there is always room. */
		verbs_continue(call, &page);
		return;
	}
	verbs_reply(call, &page);
	planned_free(planned);
}

static void
plan_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	planned_free(arg);
}

static void
plan_send_at_once(struct serve_call *call, struct planned *planned)
{
	struct verbs_rows_reply reply = {.rows = {NULL, 0}};

	next_rows(planned, ONE_REPLY_ROWS + 1, &reply.rows);
	if (reply.rows.count > ONE_REPLY_ROWS) {
		varlink_rows_done(&reply.rows);
		verbs_fail(call, JW_EXPECTED_MORE, NULL);
	} else {
		verbs_reply(call, &reply);
	}
	planned_free(planned);
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
	planned->verbs = verbs;
	planned->forecast = verbs_forecast_new();
	add_sets(planned, only, asked->until.value);
	if (!serve_wants_more(call)) {
		plan_send_at_once(call, planned);
		return;
	}
	serve_follow(call, plan_on_closed, plan_send_page, planned);
	plan_send_page(call, planned);
}
