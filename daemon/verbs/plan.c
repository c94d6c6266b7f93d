/*
 * Plan: what will happen to one key set or to all, in the order of time; as
 * one verbs_plan_reply, or with `more` in as many as it takes, each computed
 * when the one before has been read.  What would not fit one message is never
 * cut short: ExpectedMore.
 */
#include <jansson.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/forecast.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

/* Rows a verbs_plan_reply, or a step's more; the largest row takes less than
 * 480 octets of a message's 256 KiB. */
enum { PAGE_ROWS = 256, ONE_REPLY_ROWS = 512 };

struct planned {
	struct verbs *verbs;
	struct verbs_forecast *outlook;
};

static void
planned_free(struct planned *planned)
{
	verbs_forecast_free(planned->outlook);
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
verbs_add_set(struct planned *planned, const struct keeper_set *set,
    const struct lc_env *env, int64_t until)
{
	struct lc_set view;

	keeper_view(set, &view);
	verbs_forecast_add(planned->outlook, set->row.name, set->row.id, &view,
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
	/* But for pairs that are coming, it is the same for every key set. */
	env = keeper_env(keeper, set);
	if (only != NULL) {
		verbs_add_set(planned, only, &env, until);
		return;
	}
	for (size_t i = 0; (set = keeper_at(keeper, i)) != NULL; i++)
		verbs_add_set(planned, set, &env, until);
}

static json_t *
verbs_plan_next_rows(struct planned *planned, size_t most)
{
	struct keeper *keeper = planned->verbs->keeper;
	json_t *rows = json_array();
	struct verbs_forecast_step step;

	while (json_array_size(rows) < most &&
	       verbs_forecast_next(planned->outlook, &step)) {
		const struct keeper_set *set =
		    keeper_by_id(keeper, step.set_id);

		for (size_t i = 0; i < step.count; i++)
			json_array_append_new(rows,
			    verbs_json_change(step.key_set, &step.changes[i],
				verbs_kid(set, step.changes[i].number)));
	}
	return rows;
}

static json_t *
verbs_plan_reply(json_t *take_rows)
{
	return json_pack("{s:o}", "changes", take_rows);
}

static void
verbs_plan_send_page(struct serve_call *call, void *arg)
{
	struct planned *planned = arg;
	json_t *rows = verbs_plan_next_rows(planned, PAGE_ROWS);

	if (!verbs_forecast_is_empty(planned->outlook)) {
		/* Sent only when drained: there is always room. */
		serve_continue(call, verbs_plan_reply(rows));
		return;
	}
	serve_reply(call, verbs_plan_reply(rows));
	planned_free(planned);
}

static void
verbs_plan_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	planned_free(arg);
}

static void
verbs_plan_send_at_once(struct serve_call *call, struct planned *planned)
{
	json_t *rows = verbs_plan_next_rows(planned, ONE_REPLY_ROWS + 1);

	if (json_array_size(rows) > ONE_REPLY_ROWS) {
		json_decref(rows);
		serve_fail(call, JW_EXPECTED_MORE, NULL);
	} else {
		serve_reply(call, verbs_plan_reply(rows));
	}
	planned_free(planned);
}

static struct planned *
planned_new(struct verbs *verbs, const struct keeper_set *only, int64_t until)
{
	struct planned *planned = jw_alloc(sizeof(*planned));

	planned->verbs = verbs;
	planned->outlook = verbs_forecast_new();
	add_sets(planned, only, until);
	return planned;
}

void
verbs_plan(struct serve_call *call, void *context)
{
	const json_t *parameters = serve_parameters(call);
	struct verbs *verbs = context;
	const struct keeper_set *only = NULL;
	struct planned *planned;
	int64_t until = 0;

	if (!verbs_time_ahead(call, verbs, "until", &until))
		return;
	if (verbs_string(parameters, "keySet", NULL) != NULL) {
		only = verbs_key_set(call, verbs);
		if (only == NULL)
			return;
	}
	planned = planned_new(verbs, only, until);
	if (!serve_wants_more(call)) {
		verbs_plan_send_at_once(call, planned);
		return;
	}
	serve_follow(call, verbs_plan_on_closed, verbs_plan_send_page, planned);
	verbs_plan_send_page(call, planned);
}
