/*
 * How a key set begins: with all its key pairs at hand, in one transaction,
 * published, and signing unless an earlier one had its name.  Nothing half-made
 * is ever stored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto/keys.h"
#include "daemon/crypto/worker.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/new_sets.h"
#include "daemon/keeper/news.h"
#include "daemon/lifecycle/operator_order.h"
#include "daemon/lifecycle/reading.h"

/* Key pairs on their way; the thread has the next one and nothing else. */
struct keeper_making {
	struct crypto_worker_pool *generators;
	enum jw_alg alg;
	int rsa_bits;
	enum jw_err err;
	atomic_bool cancelled;
	keeper_pairs_fn *fn;
	void *arg;
	size_t made, count;
	struct keys_pair *pairs[];
};

static void
make_next(void *arg)
{
	struct keeper_making *making = arg;

	making->err = crypto_generate(making->alg, making->rsa_bits,
	    &making->cancelled, &making->pairs[making->made]);
}

static void
making_free(struct keeper_making *making)
{
	for (size_t i = 0; i < making->count; i++)
		crypto_free(making->pairs[i]);
	free(making);
}

static void
making_end(struct keeper_making *making, enum jw_err err)
{
	if (!atomic_load(&making->cancelled))
		making->fn(err, making->pairs, making->count, making->arg);
	making_free(making);
}

static void
making_drop(void *arg)
{
	making_end(arg, JW_IO);
}

static void making_done(void *arg);

static enum jw_err
submit(struct keeper_making *making)
{
	return crypto_worker_submit(
	    making->generators, 0, make_next, making_done, making_drop, making);
}

/* One at a time: what is more urgent comes between. */
static void
making_done(void *arg)
{
	struct keeper_making *making = arg;
	enum jw_err err = making->err;

	if (err == JW_OK && ++making->made < making->count &&
	    !atomic_load(&making->cancelled)) {
		err = submit(making);
		if (err == JW_OK)
			return;
	}
	making_end(making, err);
}

enum jw_err
keeper_generate(struct keeper *keeper, const struct jw_policy *policy,
    size_t count, keeper_pairs_fn *fn, void *arg,
    struct keeper_making **ret_making)
{
	struct keeper_making *making =
	    calloc(1, sizeof(*making) + count * sizeof(struct keys_pair *));
	enum jw_err err;

	if (making == NULL)
		return JW_NO_MEMORY;
	making->generators = keeper->generators;
	making->alg = (enum jw_alg)policy->algorithm;
	making->rsa_bits = policy->rsa_bits;
	making->fn = fn;
	making->arg = arg;
	making->count = count;
	err = submit(making);
	if (err == JW_OK)
		*ret_making = making;
	else
		making_free(making);
	return err;
}

void
keeper_cancel(struct keeper *keeper, struct keeper_making *making)
{
	atomic_store(&making->cancelled, true);
	(void)crypto_worker_cancel(keeper->generators, making);
}

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
follow(const struct key_set_facts *facts, void *arg)
{
	struct legacy *legacy = arg;

	if (facts->withdrawn_at == 0)
		legacy->served = true;
	lc_follow(legacy->life, facts, last_served(legacy, facts));
}

/* Pending generations, and then the first start. */
static enum jw_err
begin_life(struct keeper *keeper, struct key_set *draft, bool now,
    struct lc_outcome *ret_outcome)
{
	struct lc_env env = {
	    .now = keeper_now(keeper),
	    .clock_trusted = keeper->clock.trusted,
	    .frozen = keeper->frozen,
	    .serving = keeper->servable.serving,
	};
	struct lc_set life = {.facts = draft->facts};
	struct legacy legacy = {keeper, env.now, &life, false};
	enum jw_err err =
	    store_each_removed(keeper->store, draft->name, follow, &legacy);

	for (size_t i = 0; err == JW_OK && i < draft->nkeys; i++)
		if (!lc_add(&life, &env, draft->facts.policy.algorithm,
			draft->keys[i].facts.spread))
			err = JW_BUG;
	if (err == JW_OK)
		err = lc_begin(&life, &env, now, ret_outcome);
	if (err != JW_OK)
		return err;
	if (legacy.served)
		lc_make_unread(&life);
	draft->facts = life.facts;
	for (size_t i = 0; i < draft->nkeys; i++)
		draft->keys[i].facts = life.gens[i];
	return JW_OK;
}

enum jw_err
keeper_draft_set(struct keeper *keeper, const char *name,
    const struct jw_policy *policy, struct keys_pair *const *pairs,
    size_t count, bool now, struct key_set *ret_draft,
    struct lc_outcome *ret_outcome)
{
	struct key_set draft = {.revision = 1, .facts.policy = *policy};
	enum jw_err err;

	if (keeper_find(keeper, name) != NULL)
		return JW_CONFLICT;
	snprintf(draft.name, sizeof(draft.name), "%s", name);
	err = store_next_number(keeper->store, name, &draft.facts.next_number);
	if (err != JW_OK)
		return err;
	draft.keys = calloc(count, sizeof(*draft.keys));
	if (draft.keys == NULL)
		return JW_NO_MEMORY;
	draft.nkeys = count;
	for (size_t i = 0; err == JW_OK && i < count; i++)
		err = keeper_describe(pairs[i], &draft.keys[i]);
	if (err == JW_OK)
		err = begin_life(keeper, &draft, now, ret_outcome);
	if (err != JW_OK)
		store_set_done(&draft);
	else
		*ret_draft = draft;
	return err;
}

/* What one commit of a new key set is made of. */
struct founding {
	struct store_new_key created[MODEL_GENERATIONS_MAX];
	uint8_t *sealed[MODEL_GENERATIONS_MAX];
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct store_audit audit[MODEL_GENERATIONS_MAX + 1];
};

static enum jw_err
founding_seal(struct founding *f, const struct keeper *keeper,
    const struct key_set *draft, struct keys_pair *const *pairs)
{
	enum jw_err err = JW_OK;

	for (size_t i = 0; err == JW_OK && i < draft->nkeys; i++) {
		f->created[i].key = &draft->keys[i];
		err = keeper_seal(keeper, draft->name, &draft->keys[i],
		    pairs[i], &f->sealed[i], &f->created[i].sealed_len);
		f->created[i].sealed = f->sealed[i];
	}
	return err;
}

static void
founding_audit(struct founding *f, const struct key_set *draft,
    const struct keeper_commit *how, int64_t now)
{
	f->audit[0] = (struct store_audit){
	    .event = how->event,
	    .cause = how->cause,
	};
	for (size_t i = 0; i < draft->nkeys; i++) {
		enum gen_state to = lc_state(&draft->keys[i].facts);

		f->keys[i] = &draft->keys[i];
		f->changes[i] = (struct lc_change){
		    .time = now,
		    .number = draft->keys[i].facts.number,
		    .to = to,
		    .cause = how->cause,
		};
		f->audit[i + 1] = (struct store_audit){
		    .generation = draft->keys[i].facts.number,
		    .kid = draft->keys[i].kid,
		    .event = lc_state_name(to),
		    .to_state = lc_state_name(to),
		    .cause = how->cause,
		};
	}
}

static enum jw_err
founding_commit(struct founding *f, struct keeper *keeper,
    struct key_set *draft, const struct keeper_commit *how)
{
	struct store_change change = {
	    .set = draft,
	    .facts = &draft->facts,
	    .now = draft->keys[0].facts.created_at,
	    .created = f->created,
	    .ncreated = draft->nkeys,
	    .audit = f->audit,
	    .naudit = draft->nkeys + 1,
	    .actor = how->actor,
	    .audit_reason = how->reason,
	    .request = how->request,
	};

	return store_commit(keeper->store, &change, &draft->id);
}

static void
announce(struct keeper *keeper, const struct founding *f,
    const struct keeper_commit *how, int64_t id)
{
	struct keeper_set *set = keeper_by_id(keeper, id);
	struct keeper_news news = {
	    .set = set,
	    .changes = f->changes,
	    .count = set->row.nkeys,
	    .order = how->event,
	    .document_changed = true,
	};
	const struct key *keys[MODEL_GENERATIONS_MAX];

	for (size_t i = 0; i < set->row.nkeys; i++)
		keys[i] = &set->row.keys[i];
	news.keys = keys;
	keeper_tell(keeper, &news);
	keeper_reconsider(keeper, set);
}

enum jw_err
keeper_add_set(struct keeper *keeper, struct key_set *take_draft,
    struct keys_pair *const *pairs, const struct keeper_commit *how)
{
	struct founding *f = calloc(1, sizeof(*f));
	enum jw_err err = f == NULL ? JW_NO_MEMORY : JW_OK;

	if (err == JW_OK)
		err = founding_seal(f, keeper, take_draft, pairs);
	if (err == JW_OK) {
		founding_audit(
		    f, take_draft, how, take_draft->keys[0].facts.created_at);
		err = founding_commit(f, keeper, take_draft, how);
	}
	if (err == JW_OK) {
		err = keeper_hold_set(take_draft, keeper);
	} else {
		if (f != NULL)
			keeper_commit_failed(keeper, take_draft->name, err);
		store_set_done(take_draft);
	}
	if (err == JW_OK)
		announce(keeper, f, how, take_draft->id);
	for (size_t i = 0; f != NULL && i < MODEL_GENERATIONS_MAX; i++)
		free(f->sealed[i]);
	free(f);
	return err;
}
