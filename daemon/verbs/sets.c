/*
 * AddKeySet, AddKeySets and RemoveKeySet.  New key sets need key pairs, which
 * are made off the event loop: the call is answered when they are committed.
 * A client that leaves before that gets no key set.
 */
#include <assert.h>
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

static enum jw_err
refuse_existing(struct verbs_change *change, const char *name)
{
	struct keeper_set *set = keeper_find(change->verbs->keeper, name);
	struct lc_set view = {.count = 0};
	const struct generation *active;

	if (set != NULL)
		keeper_view(set, &view);
	active = lc_active(&view);
	change->outcome.actual = active == NULL ? 0 : active->number;
	return JW_CONFLICT;
}

static bool
is_given(const struct verbs_policy_members *members, const char *camel)
{
	size_t n;
	ptrdiff_t i = jw_policy_param_camel(camel) - jw_policy_params(&n);

	return (members->set & UINT32_C(1) << i) != 0;
}

static enum jw_err
choose_policy(struct verbs_change *change, struct jw_policy *policy)
{
	const struct verbs_policy_members *given = &change->asked->policy;
	enum jw_err err;

	*policy = change->verbs->policy;
	err = verbs_policy_apply(change, given, policy);
	if (!is_given(given, "maxPublishedKeys"))
		jw_policy_fit(policy);
	if (err == JW_OK)
		err = verbs_policy_check_algorithm(change, policy);
	return err != JW_OK ? err : verbs_policy_check(change, policy);
}

static enum jw_err
bad_name(struct verbs_change *change, const char *message)
{
	return verbs_change_bad_policy(change, "name", message, NULL);
}

/* Any error is a refusal. */
static enum jw_err
take_set(struct addition *addition, struct key_set *row)
{
	struct verbs_change *change = &addition->change;
	const char *name;
	size_t len;

	assert(change->asked != NULL);
	name = change->asked->key_set;
	len = strlen(name);
	change->fault.of_key_set = NULL;
	if (len >= sizeof(row->name))
		return bad_name(
		    change, "a key set's name has at most 127 characters");
	memcpy(row->name, name, len + 1);
	if (addition->is_several)
		change->fault.of_key_set = row->name;
	if (jw_key_set_name_check(row->name, &change->why) != JW_OK)
		return bad_name(change, change->why.text);
	if (change->asked->expected.value != 0 ||
	    keeper_find(change->verbs->keeper, row->name) != NULL)
		return refuse_existing(change, row->name);
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
static enum jw_err
take_each(struct addition *addition)
{
	const struct varlink_objects *objects = &addition->asked.key_sets;
	struct verbs_change_request one;
	void *names = NULL, *found;
	enum jw_err err = JW_OK;

	for (size_t i = 0; err == JW_OK && i < objects->count; i++) {
		struct key_set *row =
		    &keeper_new_sets_at(addition->sets, i)->row;

		varlink_objects_get(
		    objects, i, &verbs_new_key_set_layout, &one);
		addition->asked.key_set = one.key_set;
		addition->asked.policy = one.policy;
		err = take_set(addition, row);
		if (err != JW_OK)
			break;
		found = tsearch(row->name, &names, compare_names);
		if (found == NULL || *(char **)found != row->name)
			err = bad_name(&addition->change, "given twice");
	}
	tdestroy(names, keep_name);
	return err;
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

/* All keys are there. */
static void
finish_addition(struct addition *addition)
{
	struct verbs_change *change = &addition->change;
	struct verbs_change_reply *reply = &change->reply;
	size_t count = keeper_new_sets_count(addition->sets), place = 0;
	enum jw_err err =
	    keeper_draft_sets(addition->sets, addition->asked.now, &place);

	if (err == JW_CONFLICT) {
		const char *name =
		    keeper_new_sets_at(addition->sets, place)->row.name;

		change->fault.of_key_set = addition->is_several ? name : NULL;
		verbs_change_refuse(change, refuse_existing(change, name));
		return;
	}
	if (err == JW_OK) {
		sum_up(addition);
		change->event = "keyset";
		reply->done = reply->total = (int64_t)count;
		reply->row.set = &keeper_new_sets_at(addition->sets, 0)->row;
		reply->row.domain = verbs_domain(change->verbs);
		reply->signs_at = change->outcome.ready_at;
		if (change->outcome.exposed)
			reply->exposure = &change->outcome.exposure;
		verbs_change_fill(change);
	}
	if (err == JW_OK && !addition->asked.dry_run)
		err = keeper_add_sets(addition->sets, &change->how);
	verbs_change_answer(change, err);
}

static void
send_progress(struct addition *addition, size_t made)
{
	int64_t now = jw_clock_monotonic_ms();
	const struct verbs_change_reply reply = {
	    .done = (int64_t)made,
	    .total = (int64_t)keeper_new_sets_count(addition->sets),
	};

	if (!addition->is_several || !serve_wants_more(addition->change.call) ||
	    now - addition->progress_ms < PROGRESS_MS)
		return;
	addition->progress_ms = now;
	/* A client that reads too little gets fewer of them. */
	verbs_continue(addition->change.call, &reply);
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
	if (err == JW_BAD_KEY) {
		change->fault.message = jw_err_text(err);
		verbs_change_refuse(change, err);
	} else if (err != JW_OK) {
		verbs_change_answer(change, err);
	} else if (!verbs_change_answered_before(change)) {
		finish_addition(addition);
	}
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

/* Refuse, or go on until the keys are there. */
static void
go_on(struct addition *take_addition, enum jw_err err)
{
	struct verbs_change *change = &take_addition->change;

	if (err != JW_OK) {
		verbs_change_refuse(change, err);
		addition_free(take_addition);
		return;
	}
	change->fault.of_key_set = NULL;
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

	if (addition != NULL)
		go_on(
		    addition, take_set(addition,
				  &keeper_new_sets_at(addition->sets, 0)->row));
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
	go_on(addition, take_each(addition));
}

/* ---- RemoveKeySet ---- */

static enum jw_err
decide_removal(struct verbs_change *change)
{
	enum jw_err err = verbs_change_check_expected(change);

	change->event = "removed";
	return err != JW_OK
		   ? err
		   : lc_remove_set(&change->edit.after, &change->edit.env,
			 change->asked->force, &change->outcome);
}

void
verbs_remove_key_set(
    struct serve_call *call, const void *request, void *context)
{
	verbs_change_run(call, context, request, decide_removal);
}
