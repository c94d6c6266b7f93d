/*
 * How key sets begin: with all their key pairs, in one transaction, published,
 * and signing unless an earlier one had the name.  A key set that is half made
 * must never be stored.
 *
 * The key pairs are made and sealed on a thread; a private key is not kept in
 * memory until the others are made.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/crypto/worker.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/new_sets.h"
#include "daemon/keeper/news.h"
#include "daemon/lifecycle/reading.h"

enum {
	TURN_MS = 5, /* of a thread; then more urgent key pairs may come */
	UUID_SIZE = 40,
};

struct keeper_new_sets {
	struct keeper *keeper;
	char uuid[UUID_SIZE]; /* the store may be closed before its threads */
	keeper_made_fn *fn;
	void *arg;
	bool is_making; /* a job has this struct, and nothing else may */
	atomic_bool cancelled;
	enum jw_err err;
	size_t made; /* key sets whose keys are all there */
	size_t count;
	struct keeper_new_set list[];
};

struct keeper_new_sets *
keeper_new_sets_new(struct keeper *keeper, size_t count)
{
	struct keeper_new_sets *sets =
	    calloc(1, sizeof(*sets) + count * sizeof(struct keeper_new_set));

	if (sets == NULL)
		return NULL;
	sets->keeper = keeper;
	snprintf(
	    sets->uuid, sizeof(sets->uuid), "%s", store_uuid(keeper->store));
	sets->count = count;
	return sets;
}

size_t
keeper_new_sets_count(const struct keeper_new_sets *sets)
{
	return sets->count;
}

struct keeper_new_set *
keeper_new_sets_at(struct keeper_new_sets *sets, size_t place)
{
	return &sets->list[place];
}

/* One to sign, and its standbys. */
static size_t
wanted_keys(const struct keeper_new_set *set)
{
	return 1 + (size_t)set->row.facts.policy.standby_count;
}

static void
release(struct keeper_new_sets *sets)
{
	for (size_t i = 0; i < sets->count; i++) {
		struct keeper_new_set *set = &sets->list[i];

		for (size_t k = 0; set->created != NULL && k < wanted_keys(set);
		     k++)
			free((uint8_t *)(uintptr_t)set->created[k].sealed);
		free(set->created);
		store_set_done(&set->row);
	}
	free(sets);
}

void
keeper_new_sets_free(struct keeper_new_sets *sets)
{
	if (sets == NULL)
		return;
	if (!sets->is_making) {
		release(sets);
		return;
	}
	atomic_store(&sets->cancelled, true);
	crypto_worker_cancel(sets->keeper->generators, sets);
}

/* ---- keys ---- */

/* On a thread: generate the next key of a key set and seal its private half. */
static enum jw_err
make_key(struct keeper_new_sets *sets, struct keeper_new_set *set)
{
	const struct key_set_facts *facts = &set->row.facts;
	size_t place = set->row.nkeys;
	struct key *key = &set->row.keys[place];
	struct store_new_key *created = &set->created[place];
	struct crypto_envelope_row row = {
	    .database_uuid = sets->uuid,
	    .key_set = set->row.name,
	    .kid = key->kid,
	    .generation = facts->next_number + (int64_t)place,
	    .alg = jw_alg_name(facts->policy.algorithm),
	};
	struct keys_pair *pair = NULL;
	uint8_t *sealed = NULL;
	enum jw_err err = crypto_generate((enum jw_alg)facts->policy.algorithm,
	    facts->policy.rsa_bits, &sets->cancelled, &pair);

	if (err == JW_OK)
		err = keeper_describe(pair, key);
	if (err == JW_OK) {
		set->row.nkeys++;
		err = crypto_seal(sets->keeper->kek, &row, pair, &sealed,
		    &created->sealed_len);
	}
	created->key = key;
	created->sealed = sealed;
	crypto_free(pair);
	return err;
}

static void
make_some(void *arg)
{
	struct keeper_new_sets *sets = arg;
	int64_t until = jw_clock_monotonic_ms() + TURN_MS;

	do {
		struct keeper_new_set *set = &sets->list[sets->made];

		sets->err = make_key(sets, set);
		if (sets->err == JW_OK && set->row.nkeys == wanted_keys(set))
			sets->made++;
	} while (sets->err == JW_OK && sets->made < sets->count &&
		 jw_clock_monotonic_ms() < until);
}

static void
end_making(struct keeper_new_sets *sets, enum jw_err err)
{
	sets->is_making = false;
	if (atomic_load(&sets->cancelled))
		release(sets);
	else
		sets->fn(err, sets->made, sets->arg);
}

static void
drop_making(void *arg)
{
	end_making(arg, JW_IO);
}

static void made_some(void *arg);

static enum jw_err
submit(struct keeper_new_sets *sets)
{
	return crypto_worker_submit(sets->keeper->generators, 0, make_some,
	    made_some, drop_making, sets);
}

static void
made_some(void *arg)
{
	struct keeper_new_sets *sets = arg;
	enum jw_err err = sets->err;

	if (err == JW_OK && sets->made < sets->count &&
	    !atomic_load(&sets->cancelled)) {
		sets->fn(JW_OK, sets->made, sets->arg);
		err = submit(sets);
		if (err == JW_OK)
			return;
	}
	end_making(sets, err);
}

static enum jw_err
prepare(struct keeper_new_sets *sets, struct keeper_new_set *set)
{
	size_t count = wanted_keys(set);

	set->row.revision = 1;
	set->row.keys = calloc(count, sizeof(*set->row.keys));
	set->created = calloc(count, sizeof(*set->created));
	if (set->row.keys == NULL || set->created == NULL)
		return JW_NO_MEMORY;
	return store_next_number(
	    sets->keeper->store, set->row.name, &set->row.facts.next_number);
}

enum jw_err
keeper_make_keys(struct keeper_new_sets *sets, keeper_made_fn *fn, void *arg)
{
	enum jw_err err = JW_OK;

	sets->fn = fn;
	sets->arg = arg;
	for (size_t i = 0; err == JW_OK && i < sets->count; i++)
		err = prepare(sets, &sets->list[i]);
	if (err == JW_OK)
		err = submit(sets);
	sets->is_making = err == JW_OK;
	return err;
}

/* ---- drafts ---- */

/* What earlier key sets of the name leave behind. */
struct legacy {
	const struct keeper *keeper;
	int64_t now;
	struct lc_set *life;
	bool served; /* as far as is known, still */
};

/*
 * When a removed key set was servable for the last time.  A clock that was not
 * trusted may have written any time.  An outage restarts the wait for its
 * copies, as it does for published keys: verifiers could read nothing else.
 */
static int64_t
last_served(const struct legacy *legacy, const struct key_set_facts *facts)
{
	const struct keeper *keeper = legacy->keeper;
	int64_t last = facts->withdrawn_at;

	if (last < keeper->retimed_at)
		last = keeper->retimed_at;
	if (!keeper->clock.trusted || keeper->clock.doubted ||
	    !keeper->servable.serving || facts->withdrawn_at == 0 ||
	    last > legacy->now + 1)
		last = legacy->now + 1;
	if (keeper->servable.since > last)
		last = keeper->servable.since;
	return last;
}

static void
follow_removed(const struct key_set_facts *facts, void *arg)
{
	struct legacy *legacy = arg;

	if (facts->withdrawn_at == 0)
		legacy->served = true;
	lc_follow(legacy->life, facts, last_served(legacy, facts));
}

/* Pending generations, and then the first start. */
static enum jw_err
begin_life(struct keeper *keeper, struct key_set *row, bool now,
    struct lc_outcome *ret_outcome)
{
	struct lc_env env = {
	    .now = keeper_now(keeper),
	    .clock_trusted = keeper->clock.trusted,
	    .frozen = keeper->frozen,
	    .serving = keeper->servable.serving,
	};
	struct lc_set life = {.facts = row->facts};
	struct legacy legacy = {keeper, env.now, &life, false};
	enum jw_err err = store_each_removed(
	    keeper->store, row->name, follow_removed, &legacy);

	for (size_t i = 0; err == JW_OK && i < row->nkeys; i++)
		if (!lc_add(&life, &env, row->facts.policy.algorithm,
			row->keys[i].facts.spread))
			err = JW_BUG;
	if (err == JW_OK)
		err = lc_begin(&life, &env, now, ret_outcome);
	if (err != JW_OK)
		return err;
	if (legacy.served)
		lc_make_unread(&life);
	row->facts = life.facts;
	for (size_t i = 0; i < row->nkeys; i++)
		row->keys[i].facts = life.gens[i];
	return JW_OK;
}

/* The keys were sealed for their numbers: no other may have had those. */
static enum jw_err
draft(struct keeper *keeper, struct keeper_new_set *set, bool now)
{
	int64_t next;
	enum jw_err err;

	if (keeper_find(keeper, set->row.name) != NULL)
		return JW_CONFLICT;
	err = store_next_number(keeper->store, set->row.name, &next);
	if (err == JW_OK && next != set->row.facts.next_number)
		err = JW_CONFLICT;
	return err == JW_OK ? begin_life(keeper, &set->row, now, &set->outcome)
			    : err;
}

enum jw_err
keeper_draft_sets(struct keeper_new_sets *sets, bool now, size_t *ret_place)
{
	for (size_t i = 0; i < sets->count; i++) {
		enum jw_err err = draft(sets->keeper, &sets->list[i], now);

		if (err != JW_OK) {
			*ret_place = i;
			return err;
		}
	}
	return JW_OK;
}

/* ---- the commit ---- */

/* One transaction; the audit rows of all key sets follow one another. */
struct founding {
	struct store_change *changes;
	struct store_audit *audit;
	int64_t *ids;
};

static enum jw_err
founding_new(struct founding *f, const struct keeper_new_sets *sets)
{
	size_t rows = 0;

	assert(sets->count > 0);
	for (size_t i = 0; i < sets->count; i++)
		rows += 1 + sets->list[i].row.nkeys;
	f->changes = calloc(sets->count, sizeof(*f->changes));
	f->audit = calloc(rows, sizeof(*f->audit));
	f->ids = calloc(sets->count, sizeof(*f->ids));
	return f->changes == NULL || f->audit == NULL || f->ids == NULL
		   ? JW_NO_MEMORY
		   : JW_OK;
}

static void
founding_done(struct founding *f)
{
	free(f->changes);
	free(f->audit);
	free(f->ids);
}

/* A row for the key set, and one for each of its keys. */
static void
audit_set(struct store_audit *audit, const struct key_set *row,
    const struct keeper_commit *how)
{
	*audit++ = (struct store_audit){
	    .event = how->event,
	    .cause = how->cause,
	};
	for (size_t i = 0; i < row->nkeys; i++) {
		const struct key *key = &row->keys[i];
		const char *state = lc_state_name(lc_state(&key->facts));

		*audit++ = (struct store_audit){
		    .generation = key->facts.number,
		    .kid = key->kid,
		    .event = state,
		    .to_state = state,
		    .cause = how->cause,
		};
	}
}

static enum jw_err
founding_commit(struct founding *f, const struct keeper_new_sets *sets,
    const struct keeper_commit *how)
{
	struct store_audit *audit = f->audit;

	for (size_t i = 0; i < sets->count; i++) {
		const struct key_set *row = &sets->list[i].row;

		audit_set(audit, row, how);
		f->changes[i] = (struct store_change){
		    .set = row,
		    .facts = &row->facts,
		    .now = row->keys[0].facts.created_at,
		    .created = sets->list[i].created,
		    .ncreated = row->nkeys,
		    .audit = audit,
		    .naudit = row->nkeys + 1,
		    .actor = how->actor,
		    .audit_reason = how->reason,
		    .request = how->request,
		};
		audit += row->nkeys + 1;
	}
	return store_commit_all(
	    sets->keeper->store, f->changes, sets->count, f->ids);
}

static void
announce(struct keeper *keeper, struct keeper_set *set,
    const struct keeper_commit *how)
{
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct keeper_news news = {
	    .set = set,
	    .changes = changes,
	    .count = set->row.nkeys,
	    .keys = keys,
	    .order = how->event,
	    .document_changed = true,
	    .is_new = true,
	};

	for (size_t i = 0; i < set->row.nkeys; i++) {
		keys[i] = &set->row.keys[i];
		changes[i] = (struct lc_change){
		    .time = keys[i]->facts.created_at,
		    .number = keys[i]->facts.number,
		    .to = lc_state(&keys[i]->facts),
		    .cause = how->cause,
		};
	}
	keeper_tell(keeper, &news);
	keeper_reconsider(keeper, set);
}

/* All are in memory before the first is announced: fronts get them together. */
static enum jw_err
adopt(struct keeper_new_sets *sets, const int64_t *ids,
    const struct keeper_commit *how)
{
	struct keeper *keeper = sets->keeper;

	for (size_t i = 0; i < sets->count; i++) {
		struct key_set *row = &sets->list[i].row;
		struct key_set taken = *row;

		taken.id = ids[i];
		row->keys = NULL;
		row->nkeys = 0;
		if (keeper_hold_set(&taken, keeper) != JW_OK) {
			store_doubt(keeper->store);
			return keeper_commit_failed(
			    keeper, row->name, JW_OUTCOME_UNKNOWN);
		}
	}
	for (size_t i = 0; i < sets->count; i++)
		announce(keeper, keeper_by_id(keeper, ids[i]), how);
	return JW_OK;
}

enum jw_err
keeper_add_sets(struct keeper_new_sets *sets, const struct keeper_commit *how)
{
	struct founding f = {.changes = NULL};
	enum jw_err err = founding_new(&f, sets);

	if (err == JW_OK)
		err = founding_commit(&f, sets, how);
	if (err == JW_OK)
		err = adopt(sets, f.ids, how);
	else
		keeper_commit_failed(sets->keeper, sets->list[0].row.name, err);
	founding_done(&f);
	return err;
}
