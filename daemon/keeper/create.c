/*
 * Key pairs for standbys, made by threads and added when they are done.  Must
 * never wait for a key pair, nor add one that the policy no longer asks for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/crypto/worker.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"

/* A key pair that a thread makes. */
struct generate {
	struct keeper *keeper;
	int64_t set_id;
	enum jw_alg alg;
	int rsa_bits;
	struct keys_pair *pair;
	enum jw_err err;
};

static void
generate_free(void *arg)
{
	struct generate *job = arg;

	crypto_free(job->pair);
	free(job);
}

static void
generate_run(void *arg)
{
	struct generate *job = arg;

	job->err = crypto_generate(
	    job->alg, job->rsa_bits, &job->keeper->stopping, &job->pair);
}

enum jw_err
keeper_describe(const struct keys_pair *pair, struct key *ret_key)
{
	ret_key->jwk = strdup(crypto_public_jwk(pair));
	if (ret_key->jwk == NULL)
		return JW_NO_MEMORY;
	snprintf(ret_key->kid, sizeof(ret_key->kid), "%s", crypto_kid(pair));
	ret_key->facts.spread = lc_spread(ret_key->kid);
	return JW_OK;
}

enum jw_err
keeper_seal(const struct keeper *keeper, const char *key_set,
    const struct key *key, const struct keys_pair *pair, uint8_t **ret_blob,
    size_t *ret_len)
{
	struct crypto_envelope_row row = {
	    .database_uuid = store_uuid(keeper->store),
	    .key_set = key_set,
	    .kid = key->kid,
	    .generation = key->facts.number,
	    .alg = jw_alg_name(key->facts.alg),
	};

	return crypto_seal(keeper->kek, &row, pair, ret_blob, ret_len);
}

static enum jw_err
add_pair(
    struct keeper *keeper, struct keeper_set *set, const struct keys_pair *pair)
{
	struct keeper_edit edit;
	struct key key = {.jwk = NULL};
	struct store_new_key created = {.key = &key};
	struct keeper_commit how = {
	    .cause = "a standby is missing",
	    .actor = {-1, -1, -1},
	    .created = &created,
	    .ncreated = 1,
	};
	uint8_t *sealed = NULL;
	enum jw_err err;

	keeper_edit_begin(keeper, set, &edit);
	if (!lc_add(&edit.after, &edit.env, crypto_alg(pair),
		lc_spread(crypto_kid(pair))))
		return JW_BUG;
	err = keeper_describe(pair, &key);
	if (err != JW_OK)
		return err;
	key.facts = edit.after.gens[edit.after.count - 1];
	err = keeper_seal(
	    keeper, set->row.name, &key, pair, &sealed, &created.sealed_len);
	created.sealed = sealed;
	if (err == JW_OK)
		err = keeper_commit(keeper, &edit, &how);
	if (err != JW_OK)
		free(key.jwk);
	free(sealed);
	return err;
}

/* The policy may have changed while the pair was made. */
static bool
is_still_wanted(
    struct keeper *keeper, struct keeper_set *set, const struct generate *job)
{
	struct lc_env env = keeper_env(keeper, set);
	struct lc_set view;

	keeper_view(set, &view);
	for (;;) {
		struct lc_step step = lc_next(&view, &env);

		if (step.action == LC_CREATE)
			return view.facts.policy.algorithm == (int32_t)job->alg;
		if (step.action == LC_NONE || step.due > env.now)
			return false;
		lc_apply(&view, &step, &env);
		lc_bury(&view);
	}
}

static void
generate_done(void *arg)
{
	struct generate *job = arg;
	struct keeper *keeper = job->keeper;
	struct keeper_set *set = keeper_by_id(keeper, job->set_id);
	enum jw_err err = job->err;

	if (set == NULL) {
		generate_free(job);
		return;
	}
	if (set->pairs_coming > 0)
		set->pairs_coming--;
	if (err == JW_OK && is_still_wanted(keeper, set, job))
		err = add_pair(keeper, set, job->pair);
	if (err == JW_OUTCOME_UNKNOWN)
		set = keeper_by_id(keeper, job->set_id);
	if (err != JW_OK) {
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_KEY_PAIR_FAILED,
			.key_set = set == NULL ? NULL : set->row.name,
		    },
		    "%s: no new key pair: %s",
		    set == NULL ? "?" : set->row.name, jw_err_text(err));
		if (set != NULL)
			keeper_hold(keeper, set, keeper_now(keeper));
	} else {
		keeper_reconsider(keeper, set);
	}
	generate_free(job);
}

enum jw_err
keeper_generate_standby(struct keeper *keeper, struct keeper_set *set)
{
	struct generate *job = calloc(1, sizeof(*job));
	enum jw_err err;

	if (job == NULL)
		return JW_NO_MEMORY;
	job->keeper = keeper;
	job->set_id = set->row.id;
	job->alg = (enum jw_alg)set->row.facts.policy.algorithm;
	job->rsa_bits = set->row.facts.policy.rsa_bits;
	/* Before the pairs of new key sets: this key set is in use. */
	err = crypto_worker_submit(keeper->generators, WORKER_URGENT,
	    generate_run, generate_done, generate_free, job);
	if (err == JW_OK)
		set->pairs_coming++;
	else
		free(job);
	return err;
}
