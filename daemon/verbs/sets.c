/*
 * AddKeySet, AddKeySets and RemoveKeySet.  New key sets need key pairs, which
 * are made off the event loop: the call is answered when they are committed.
 * A client that leaves before that gets no key set.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/label.h"
#include "common/serve/server.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/keeper/new_sets.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/verbs/change.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

enum { PROGRESS_MS = 100 };

/* ---- AddKeySet and AddKeySets ---- */

/* One call.  The change's outcome is that of all its key sets. */
struct addition {
	struct verbs_change change;
	struct verbs_change_request asked; /* of several: each in turn */
	struct keeper_new_sets *sets;
	bool is_several;
	int64_t progress_ms; /* when progress was sent last */
};

static void
addition_free(struct addition *addition)
{
	if (addition == NULL)
		return;
	keeper_new_sets_free(addition->sets);
	free(addition);
}

static void
refuse_existing(struct verbs_change *change, const char *name)
{
	struct keeper_set *set = keeper_find(change->verbs->keeper, name);
	struct lc_set view = {.count = 0};
	const struct generation *active;

	if (set != NULL)
		keeper_view(set, &view);
	active = lc_active(&view);
	change->outcome.actual = active == NULL ? 0 : active->number;
	verbs_change_refuse(change, JW_CONFLICT);
}

static bool
is_given(const struct verbs_policy_members *members, const char *camel)
{
	size_t n;
	ptrdiff_t i = jw_policy_param_camel(camel) - jw_policy_params(&n);

	return (members->set & UINT32_C(1) << i) != 0;
}

/* The policy of a new key set; false: refused. */
static bool
choose_policy(struct verbs_change *change, struct jw_policy *policy)
{
	*policy = change->verbs->policy;
	if (!verbs_policy_apply(change, &change->asked->policy, policy))
		return false;
	if (!is_given(&change->asked->policy, "maxPublishedKeys"))
		jw_policy_fit(policy);
	return verbs_policy_check_algorithm(change, policy) &&
	       verbs_policy_check(change, policy);
}

static bool
refuse_name(struct verbs_change *change, const char *message)
{
	verbs_change_refuse_policy(change, "name", message, NULL);
	return false;
}

/* False: refused. */
static bool
take_set(struct addition *addition, struct key_set *row)
{
	struct verbs_change *change = &addition->change;
	const char *name = change->asked->key_set;
	struct jw_why why = {"", ""};
	size_t len = strlen(name);

	change->of_key_set = NULL;
	if (len >= sizeof(row->name))
		return refuse_name(
		    change, "a key set's name has at most 127 characters");
	memcpy(row->name, name, len + 1);
	if (addition->is_several)
		change->of_key_set = row->name;
	if (jw_key_set_name_check(row->name, &why) != JW_OK)
		return refuse_name(change, why.text);
	if (change->asked->expected.value != 0 ||
	    keeper_find(change->verbs->keeper, row->name) != NULL) {
		refuse_existing(change, row->name);
		return false;
	}
	return choose_policy(change, &row->facts.policy);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
keep_name(void *name)
{
	(void)name;
}

/* A name in the tree is that of a row, which outlives the tree. */
static bool
take_each(struct addition *addition)
{
	const struct varlink_objects *objects = &addition->asked.key_sets;
	struct verbs_change_request one;
	void *names = NULL, *found;
	bool good = true;

	for (size_t i = 0; good && i < objects->count; i++) {
		struct key_set *row =
		    &keeper_new_sets_at(addition->sets, i)->row;

		varlink_objects_get(
		    objects, i, &verbs_new_key_set_layout, &one);
		addition->asked.key_set = one.key_set;
		addition->asked.policy = one.policy;
		good = take_set(addition, row);
		found = good ? tsearch(row->name, &names, compare_names) : NULL;
		if (good && (found == NULL || *(char **)found != row->name))
			good = refuse_name(&addition->change, "given twice");
	}
	tdestroy(names, keep_name);
	addition->change.of_key_set = NULL;
	return good;
}

/* The URL may have answered with another key set before. */
static void
expose_url(struct keeper *keeper, struct keeper_new_set *set)
{
	struct lc_outcome *outcome = &set->outcome;
	struct lc_exposure exposure;

	if (outcome->ready_at != 0 || !keeper_expose_url(keeper, set->row.name,
					  keeper_now(keeper), &exposure))
		return;
	if (!outcome->exposed || exposure.until > outcome->exposure.until)
		outcome->exposure = exposure;
	outcome->exposed = true;
}

/* Of all key sets: when the last of them signs, and the longest exposure. */
static void
sum_up(struct addition *addition)
{
	struct lc_outcome *all = &addition->change.outcome;

	all->cause = "an operator added the key set";
	for (size_t i = 0; i < keeper_new_sets_count(addition->sets); i++) {
		struct keeper_new_set *set =
		    keeper_new_sets_at(addition->sets, i);
		const struct lc_outcome *one = &set->outcome;

		if (one->exposed)
			all->cause = "an operator added the key set and would "
				     "not wait";
		expose_url(addition->change.verbs->keeper, set);
		if (one->ready_at > all->ready_at)
			all->ready_at = one->ready_at;
		if (one->exposed && (!all->exposed || one->exposure.until >
							  all->exposure.until))
			all->exposure = one->exposure;
		all->exposed |= one->exposed;
	}
}

static void
fill_reply(struct addition *addition)
{
	struct verbs_change *change = &addition->change;
	const struct lc_outcome *all = &change->outcome;
	const struct lc_exposure *exposure =
	    all->exposed ? &all->exposure : NULL;
	size_t count = keeper_new_sets_count(addition->sets);

	if (addition->is_several)
		verbs_change_fill(change, "keyset",
		    &(const struct verbs_add_key_sets_reply){(int64_t)count,
			(int64_t)count, all->ready_at, exposure});
	else
		verbs_change_fill(change, "keyset",
		    &(const struct verbs_key_set_reply){
			.key_set =
			    {.set = &keeper_new_sets_at(addition->sets, 0)->row,
				.domain = verbs_domain(change->verbs)},
			.signs_at = all->ready_at,
			.exposure = exposure,
		    });
}

/* All keys are there. */
static void
finish_addition(struct addition *addition)
{
	struct verbs_change *change = &addition->change;
	size_t place = 0;
	enum jw_err err =
	    keeper_draft_sets(addition->sets, addition->asked.now, &place);

	if (err == JW_CONFLICT) {
		const char *name =
		    keeper_new_sets_at(addition->sets, place)->row.name;

		change->of_key_set = addition->is_several ? name : NULL;
		refuse_existing(change, name);
		return;
	}
	if (err == JW_OK) {
		sum_up(addition);
		fill_reply(addition);
	}
	if (err == JW_OK && !addition->asked.dry_run)
		err = keeper_add_sets(addition->sets, &change->how);
	verbs_change_answer(change, err);
}

static void
send_progress(struct addition *addition, size_t made)
{
	int64_t now = jw_clock_monotonic_ms();
	const struct verbs_add_key_sets_reply reply = {
	    .done = (int64_t)made,
	    .total = (int64_t)keeper_new_sets_count(addition->sets),
	};

	if (!addition->is_several || !serve_wants_more(addition->change.call) ||
	    now - addition->progress_ms < PROGRESS_MS)
		return;
	addition->progress_ms = now;
	/* A client that reads too little gets fewer of them. */
	(void)verbs_continue(addition->change.call, &reply);
}

static void
on_made(enum jw_err err, size_t made, void *arg)
{
	struct addition *addition = arg;
	struct verbs_change *change = &addition->change;

	if (err == JW_OK && made < keeper_new_sets_count(addition->sets)) {
		send_progress(addition, made);
		return;
	}
	if (err == JW_BAD_KEY)
		verbs_change_fail(change, err,
		    &(struct verbs_fault){.message = jw_err_text(err)});
	else if (err != JW_OK)
		verbs_change_answer(change, err);
	else if (!verbs_change_answered_before(change))
		finish_addition(addition);
	addition_free(addition);
}

static void
sets_on_closed(struct serve_call *call, void *arg)
{
	struct addition *addition = arg;

	(void)call;
	verbs_change_done(&addition->change);
	addition_free(addition);
}

/* NULL: the call has been answered. */
static struct addition *
addition_new(struct serve_call *call, struct verbs *verbs,
    const struct verbs_change_request *asked, size_t count)
{
	struct addition *addition = calloc(1, sizeof(*addition));

	if (addition != NULL)
		addition->sets = keeper_new_sets_new(verbs->keeper, count);
	if (addition == NULL || addition->sets == NULL) {
		verbs_fail(call, JW_NO_MEMORY, NULL);
		addition_free(addition);
		return NULL;
	}
	addition->asked = *asked;
	addition->progress_ms = jw_clock_monotonic_ms();
	if (verbs_change_prepare(
		&addition->change, call, verbs, &addition->asked))
		return addition;
	addition_free(addition);
	return NULL;
}

/* The addition lives on until the keys are there. */
static void
begin_addition(struct addition *take_addition)
{
	struct verbs_change *change = &take_addition->change;
	enum jw_err err;

	serve_wait(change->call, sets_on_closed, take_addition);
	err = keeper_make_keys(take_addition->sets, on_made, take_addition);
	if (err == JW_OK)
		return;
	verbs_change_answer(change, err);
	addition_free(take_addition);
}

void
verbs_add_key_set(struct serve_call *call, const void *request, void *context)
{
	struct addition *addition = addition_new(call, context, request, 1);

	if (addition == NULL)
		return;
	if (take_set(addition, &keeper_new_sets_at(addition->sets, 0)->row))
		begin_addition(addition);
	else
		addition_free(addition);
}

void
verbs_add_key_sets(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct addition *addition;

	if (asked->key_sets.count == 0) {
		verbs_invalid(call, "keySets");
		return;
	}
	addition = addition_new(call, context, asked, asked->key_sets.count);
	if (addition == NULL)
		return;
	addition->is_several = true;
	if (take_each(addition))
		begin_addition(addition);
	else
		addition_free(addition);
}

/* ---- RemoveKeySet ---- */

void
verbs_remove_key_set(
    struct serve_call *call, const void *request, void *context)
{
	const struct verbs_change_request *asked = request;
	struct verbs_key_set_reply reply = {.signs_at = 0};
	struct verbs_change change;
	enum jw_err err;

	if (!verbs_change_begin(&change, call, context, asked))
		return;
	err = verbs_change_check_expected(&change);
	if (err == JW_OK)
		err = lc_remove_set(&change.edit.after, &change.edit.env,
		    asked->force, &change.outcome);
	reply.key_set = (struct verbs_key_set_row){
	    .set = &change.edit.set->row,
	    .domain = verbs_domain(change.verbs),
	};
	if (change.outcome.exposed)
		reply.exposure = &change.outcome.exposure;
	verbs_change_finish(&change, err, "removed", &reply);
}
