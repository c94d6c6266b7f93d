/*
 * One edit of one key set: on disk, then in memory, then to the observers. Must
 * never change memory, log or notify an observer before the store has confirmed
 * the commit.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "daemon/keeper/difference.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/keeper/place.h"
#include "daemon/lifecycle/reading.h"
#include "daemon/store/ballast.h"

/* The parts of one commit while it is being made. */
struct draft {
	struct generation updated[MODEL_GENERATIONS_MAX];
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct store_audit audit[MODEL_GENERATIONS_MAX + 1];
	size_t nchanges;
	struct store_change change;
};

void
keeper_edit_begin(
    struct keeper *keeper, struct keeper_set *set, struct keeper_edit *ret_edit)
{
	ret_edit->set = set;
	ret_edit->env = keeper_env(keeper, set);
	keeper_view(set, &ret_edit->before);
	ret_edit->after = ret_edit->before;
	if (set->read_at != 0)
		lc_read(&ret_edit->after, set->read_at);
	for (size_t i = 0; i < ret_edit->after.count; i++) {
		struct generation *gen = &ret_edit->after.gens[i];

		if (gen->number == set->unnoted_number &&
		    gen->max_exp < set->unnoted_exp)
			gen->max_exp = set->unnoted_exp;
	}
}

static const struct key *
find_key(const struct keeper_set *set, const struct keeper_commit *how,
    int64_t number)
{
	const struct key *key = keeper_key(set, number);

	if (key != NULL)
		return key;
	for (size_t i = 0; i < how->ncreated; i++)
		if (how->created[i].key->facts.number == number)
			return how->created[i].key;
	return NULL;
}

static size_t
collect_updates(const struct keeper_edit *edit, struct generation *ret_gens)
{
	size_t n = 0;

	for (size_t i = 0; i < edit->after.count; i++) {
		const struct generation *now = &edit->after.gens[i];
		const struct generation *was =
		    lc_find(&edit->before, now->number);

		if (was != NULL && !lc_same(was, now))
			ret_gens[n++] = *now;
	}
	return n;
}

static void
draft_audit(struct draft *draft, const struct keeper_commit *how)
{
	size_t n = 0;

	if (how->event != NULL)
		draft->audit[n++] = (struct store_audit){
		    .event = how->event,
		    .cause = how->cause,
		};
	for (size_t i = 0; i < draft->nchanges; i++) {
		const struct lc_change *c = &draft->changes[i];

		draft->audit[n++] = (struct store_audit){
		    .generation = c->number,
		    .kid = draft->keys[i]->kid,
		    .event = lc_state_name(c->to),
		    .from_state = c->has_from ? lc_state_name(c->from) : NULL,
		    .to_state = lc_state_name(c->to),
		    .cause = how->cause,
		};
	}
	draft->change.audit = draft->audit;
	draft->change.naudit = n;
}

static enum jw_err
draft_make(struct draft *draft, const struct keeper_edit *edit,
    const struct keeper_commit *how)
{
	draft->nchanges = lc_diff(
	    &edit->before, &edit->after, draft->changes, MODEL_GENERATIONS_MAX);
	for (size_t i = 0; i < draft->nchanges; i++) {
		draft->changes[i].time = edit->env.now;
		draft->changes[i].cause = how->cause;
		draft->keys[i] =
		    find_key(edit->set, how, draft->changes[i].number);
		if (draft->keys[i] == NULL)
			return JW_BUG;
	}
	draft->change = (struct store_change){
	    .set = &edit->set->row,
	    .facts = &edit->after.facts,
	    .now = edit->env.now,
	    .updated = draft->updated,
	    .nupdated = collect_updates(edit, draft->updated),
	    .reason = how->reason,
	    .created = how->created,
	    .ncreated = how->ncreated,
	    .actor = how->actor,
	    .audit_reason = how->reason,
	    .request = how->request,
	};
	draft_audit(draft, how);
	return JW_OK;
}

/* Take the committed facts over into memory. */
static void
adopt_facts(struct keeper *keeper, const struct keeper_edit *edit)
{
	struct keeper_set *set = edit->set;
	bool lacked = keeper_lacks_signer(set);

	set->row.facts = edit->after.facts;
	for (size_t i = 0; i < set->row.nkeys; i++) {
		struct key *key = &set->row.keys[i];
		const struct generation *now =
		    lc_find(&edit->after, key->facts.number);

		if (now != NULL)
			key->facts = *now;
	}
	keeper->without_active -= lacked;
	keeper->without_active += keeper_lacks_signer(set);
	assert(keeper->without_active <= keeper->nsets);
}

/* Allocate room for keys that a commit adds before it is made. */
static enum jw_err
make_room_for_keys(struct keeper_set *set, size_t more)
{
	struct key *grown;

	if (more == 0)
		return JW_OK;
	grown =
	    realloc(set->row.keys, (set->row.nkeys + more) * sizeof(*grown));
	if (grown == NULL)
		return JW_NO_MEMORY;
	set->row.keys = grown;
	return JW_OK;
}

static void
adopt_created(struct keeper *keeper, struct keeper_set *set,
    const struct keeper_commit *how)
{
	for (size_t i = 0; i < how->ncreated; i++)
		set->row.keys[set->row.nkeys++] = *how->created[i].key;
	keeper->ngenerations += how->ncreated;
}

static void
log_changes(const struct keeper_set *set, const struct draft *draft)
{
	for (size_t i = 0; i < draft->nchanges; i++)
		keeper_log_change(set, &draft->changes[i], draft->keys[i]->kid,
		    &draft->change.actor);
}

enum jw_err
keeper_commit_failed(
    struct keeper *keeper, const char *key_set, enum jw_err err)
{
	keeper_check_place(keeper);
	if (keeper->misplaced && err == JW_STORE_FAILED)
		return err;
	if (err == JW_NO_SPACE)
		keeper_note_room(keeper, false);
	jw_log_event(JW_LOG_ERROR,
	    &(const struct jw_log_about){
		.event = JW_EVENT_STORE_FAILED,
		.key_set = key_set,
	    },
	    "%s: not committed: %s: %s", key_set, jw_err_text(err),
	    store_message(keeper->store));
	if (err == JW_OUTCOME_UNKNOWN)
		keeper_recover(keeper);
	return err;
}

/* keep: octets of the reserve that stay for revocations. */
void
keeper_scrub(struct keeper *keeper, int64_t keep)
{
	enum jw_err err;

	do
		err = store_scrub(keeper->store);
	while (err == JW_NO_SPACE && keeper_release_room(keeper, keep));
	if (err != JW_OK)
		jw_log(JW_LOG_WARNING, "an erased private key is still in the "
				       "log of the database: trying again");
}

static enum jw_err
commit(struct keeper *keeper, const struct store_change *change, bool urgent)
{
	enum jw_err err;
	int64_t id;

	do
		err = store_commit(keeper->store, change, &id);
	while (err == JW_NO_SPACE && urgent && keeper_release_room(keeper, 0));
	if (err == JW_OK)
		keeper_note_room(keeper, true);
	return err;
}

static void
adopt(struct keeper *keeper, const struct keeper_edit *edit,
    const struct keeper_commit *how, const struct draft *draft)
{
	struct keeper_set *set = edit->set;
	struct keeper_news news = {
	    .set = set,
	    .changes = draft->changes,
	    .count = draft->nchanges,
	    .keys = draft->keys,
	    .order = how->event,
	    .document_changed = keeper_difference_in_document(
		&edit->before.facts, &edit->after.facts),
	};

	assert(set == keeper_by_id(keeper, set->row.id));
	assert(set->row.nkeys <= MODEL_GENERATIONS_MAX);
	set->row.revision++;
	keeper->failures = 0;
	set->failures = 0;
	set->hold_until = 0;
	set->read_at = 0;
	set->unnoted_exp = 0;
	set->unnoted_number = 0;
	keeper->note_failures = 0;
	keeper->note_hold_until = 0;
	adopt_facts(keeper, edit);
	log_changes(set, draft);
	keeper_tell(keeper, &news);
	keeper_drop_tombstones(keeper, set);
	if (set->row.facts.removed_at == 0)
		keeper_reconsider(keeper, set);
	else
		keeper_drop_set(keeper, set);
}

enum jw_err
keeper_commit(struct keeper *keeper, struct keeper_edit *edit,
    const struct keeper_commit *how)
{
	struct draft draft = {.nchanges = 0};
	enum jw_err err = make_room_for_keys(edit->set, how->ncreated);

	if (err == JW_OK)
		err = draft_make(&draft, edit, how);
	if (err == JW_OK)
		err = commit(keeper, &draft.change, how->urgent);
	if (err != JW_OK)
		return keeper_commit_failed(keeper, edit->set->row.name, err);
	adopt_created(keeper, edit->set, how);
	adopt(keeper, edit, how, &draft);
	/* An order is answered only when destroyed keys are erased from the log
	 * too. */
	if (how->actor.uid >= 0)
		keeper_scrub(
		    keeper, how->urgent ? BALLAST_SIZE / 2 : BALLAST_SIZE);
	return JW_OK;
}
