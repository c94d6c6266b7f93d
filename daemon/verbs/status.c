/*
 * Status, and the warnings in it: what an operator should look at, one line
 * each.
 */
#include "common/base/duration.h"
#include "common/config/policy.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/keeper/open.h"
#include "daemon/keeper/place.h"
#include "daemon/keeper/room.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/publish/publish.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/sign.h"
#include "daemon/verbs/verbs.h"

enum { WARNINGS_MAX = 32, WARNING_SIZE = 512 };

static void
warn_of_damage(struct varlink_rows *warnings, const struct keeper_set *set)
{
	for (size_t i = 0; set->damaged > 0 && i < set->row.nkeys; i++) {
		const struct generation *gen = &set->row.keys[i].facts;

		if (!gen->damaged)
			continue;
		varlink_rows_add_string(warnings,
		    "%s: generation %lld (%s) is not published: its row in "
		    "the database is damaged%s",
		    set->row.name, (long long)gen->number,
		    lc_state_name(lc_state(gen)),
		    lc_state(gen) == GEN_ACTIVE
			? "; nothing signs until it is restored or the key "
			  "set is rotated"
			: "");
	}
}

static void
warn_of_signer(
    struct varlink_rows *warnings, const char *name, const struct lc_set *view)
{
	char when[JW_TIME_SIZE];

	if (lc_awaits(view))
		varlink_rows_add_string(warnings,
		    "%s: no key signs before %s: copies of an earlier key set "
		    "of its name may live until then",
		    name, jw_time_format(lc_signs_at(view), when));
	else if (lc_active(view) == NULL)
		varlink_rows_add_string(warnings, "%s: no key signs yet", name);
}

static void
warn_of_set(struct varlink_rows *warnings, struct keeper *keeper,
    const struct keeper_set *set)
{
	const char *name = set->row.name, *overdue;
	struct lc_env env = keeper_env(keeper, set);
	struct jw_why why = {"", ""};
	struct lc_set view;

	keeper_view(set, &view);
	warn_of_signer(warnings, name, &view);
	if (set->failures > 0)
		varlink_rows_add_string(warnings,
		    "%s: the last change failed and will be tried again: see "
		    "the log",
		    name);
	warn_of_damage(warnings, set);
	overdue = lc_overdue(&view, &env);
	if (overdue != NULL)
		varlink_rows_add_string(warnings,
		    "%s: a rotation is due and waits: %s", name, overdue);
	if (jw_policy_warning(&set->row.facts.policy, &why))
		varlink_rows_add_string(warnings, "%s: %s", name, why.text);
}

static void
warn_of_url(struct varlink_rows *warnings, const struct keeper *keeper,
    const char *name, int64_t now)
{
	struct lc_exposure exposure;
	char when[JW_TIME_SIZE];

	if (keeper_expose_url(keeper, name, now, &exposure))
		varlink_rows_add_string(warnings,
		    "%s: its URL at the domain is new, and verifiers that "
		    "read it before may reject its tokens until %s",
		    name, jw_time_format(exposure.until, when));
}

/* Cheap: Status looks at every key set. */
static bool
may_need_warning(const struct keeper_set *set, int64_t now)
{
	return set->rotate_due <= now || set->failures > 0 ||
	       set->damaged > 0 || set->is_unwise;
}

static void
warn_of_daemon(struct varlink_rows *warnings, const struct verbs *verbs)
{
	struct keeper *keeper = verbs->keeper;
	char text[WARNING_SIZE];

	if (!keeper_clock_trusted(keeper))
		varlink_rows_add_string(warnings,
		    "the wall clock jumped and is not trusted: nothing "
		    "rotates by schedule");
	if (publish_fronts(verbs->publish) == 0)
		varlink_rows_add_string(warnings,
		    "no HTTP front is connected: the key sets may not be "
		    "served");
	if (keeper_is_in_doubt(keeper))
		varlink_rows_add_string(warnings,
		    "the database cannot be written to the disk: nothing "
		    "changes until it can, and it is tried again; see the "
		    "log");
	if (keeper_misplaced(keeper) != NULL)
		varlink_rows_add_string(
		    warnings, "%s", keeper_misplaced(keeper));
	if (keeper_room_warning(keeper, text, sizeof(text)))
		varlink_rows_add_string(warnings, "%s", text);
	if (keeper_is_unanchored(verbs->keeper))
		varlink_rows_add_string(warnings,
		    "[store] anchor cannot be written: a database that is "
		    "deleted would not be missed at the next start; see the "
		    "log");
	verbs_sign_warn(verbs->signing, warnings);
}

static void
warn_of_sets(struct varlink_rows *warnings, struct keeper *keeper)
{
	int64_t now = keeper_now(keeper);

	for (size_t i = 0;
	     i < keeper_count(keeper) && warnings->count < WARNINGS_MAX; i++) {
		const struct keeper_set *set = keeper_at(keeper, i);

		if (may_need_warning(set, now))
			warn_of_set(warnings, keeper, set);
		if (keeper_domain_is_new(keeper, now))
			warn_of_url(warnings, keeper, set->row.name, now);
	}
}

/* The row refers to ret_change, which has no change when none is planned. */
static struct verbs_change_row
next_change(struct keeper *keeper, struct lc_change *ret_change)
{
	struct keeper_set *set = keeper_first_due(keeper);
	struct verbs_change_row row = {.change = NULL};
	struct lc_set view;

	if (set == NULL)
		return row;
	keeper_view(set, &view);
	if (lc_plan(&view, keeper_env(keeper, set), LC_NEVER - 1, ret_change,
		1) == 0)
		return row;
	return (struct verbs_change_row){
	    .key_set = set->row.name,
	    .change = ret_change,
	    .kid = verbs_kid(set, ret_change->number),
	};
}

void
verbs_status(struct serve_call *call, const void *request, void *context)
{
	const struct verbs *verbs = context;
	struct keeper *keeper = verbs->keeper;
	struct lc_exposure exposure;
	struct lc_change change;
	struct verbs_status_reply reply = {
	    .version = JWKSD_VERSION,
	    .started = verbs->started,
	    .is_ready = keeper_is_ready(keeper),
	    .mode = keeper_is_frozen(keeper) ? "frozen" : "auto",
	    .clock_trusted = keeper_clock_trusted(keeper),
	    .key_sets = (int64_t)keeper_count(keeper),
	    .generations = (int64_t)keeper_generations(keeper),
	    .fronts = (int64_t)publish_fronts(verbs->publish),
	    .next_change = next_change(keeper, &change),
	};

	(void)request;
	if (keeper_expose_urls(keeper, keeper_now(keeper), &exposure))
		reply.exposure = &exposure;
	warn_of_daemon(&reply.warnings, verbs);
	warn_of_sets(&reply.warnings, keeper);
	verbs_reply(call, &reply);
}
