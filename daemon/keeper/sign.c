/*
 * Private keys, and the largest exp of each.  Must never hand out the private
 * key of another row than the one that was asked for, nor forget how long a
 * token lives that it agreed to.
 */
#include "daemon/keeper/sign.h"

#include <stdlib.h>
#include <string.h>

#include "common/config/alg.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/internal.h"
#include "daemon/lifecycle/lifecycle.h"

const struct key *
keeper_active(const struct keeper_set *set)
{
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (lc_state(&set->row.keys[i].facts) == GEN_ACTIVE)
			return &set->row.keys[i];
	return NULL;
}

enum jw_err
keeper_unseal(struct keeper *keeper, const struct keeper_set *set,
    const struct key *key, struct keys_pair **ret_pair)
{
	struct crypto_envelope_row row = {
	    .database_uuid = store_uuid(keeper->store),
	    .key_set = set->row.name,
	    .kid = key->kid,
	    .generation = key->facts.number,
	    .alg = jw_alg_name(key->facts.alg),
	};
	struct keys_pair *public = NULL;
	uint8_t *blob = NULL;
	size_t len = 0;
	enum jw_err err =
	    crypto_from_own_jwk((enum jw_alg)key->facts.alg, key->jwk, &public);

	if (err == JW_OK)
		err = store_sealed(
		    keeper->store, set->row.id, key->facts.number, &blob, &len);
	if (err == JW_OK)
		err = crypto_unseal(keeper->kek, &row, crypto_spki_hash(public),
		    blob, len, ret_pair);
	free(blob);
	crypto_free(public);
	return err;
}

static void
keeper_sign_remember(struct keeper *keeper, struct keeper_set *set,
    const struct key *key, int64_t max_exp)
{
	keeper->unnoted = true;
	if (set->unnoted_number != key->facts.number)
		set->unnoted_exp = 0;
	set->unnoted_number = key->facts.number;
	if (set->unnoted_exp < max_exp)
		set->unnoted_exp = max_exp;
}

static enum jw_err
commit_exp(struct keeper *keeper, struct keeper_set *set, int64_t number,
    int64_t max_exp)
{
	struct keeper_commit how = {
	    .cause = "a token was signed",
	    .actor = {-1, -1, -1},
	};
	struct keeper_edit edit;

	keeper_edit_begin(keeper, set, &edit);
	for (size_t i = 0; i < edit.after.count; i++)
		if (edit.after.gens[i].number == number &&
		    edit.after.gens[i].max_exp < max_exp)
			edit.after.gens[i].max_exp = max_exp;
	return keeper_commit(keeper, &edit, &how);
}

/* A retired key is kept for as long as any token of its policy may live, so an
 * exp that cannot be committed now takes no key away from a token. */
enum jw_err
keeper_note_exp(struct keeper *keeper, struct keeper_set *set, int64_t max_exp)
{
	const struct key *key = keeper_active(set);
	int64_t now = keeper_now(keeper);
	enum jw_err err;

	if (key == NULL)
		return JW_NO_ACTIVE_KEY;
	if (max_exp <= key->facts.max_exp)
		return JW_OK;
	if (now < keeper->note_hold_until) {
		keeper_sign_remember(keeper, set, key, max_exp);
		return JW_OK;
	}
	err = commit_exp(keeper, set, key->facts.number, max_exp);
	if (err != JW_NO_SPACE && err != JW_STORE_FAILED)
		return err;
	keeper->note_hold_until =
	    now + keeper_hold_time(&keeper->note_failures);
	keeper_sign_remember(keeper, set, key, max_exp);
	keeper_reconsider(keeper, set);
	return JW_OK;
}

void
keeper_doubt_exps(struct keeper *keeper, int64_t now)
{
	bool unnoted = keeper->unnoted;

	for (size_t i = 0; i < keeper->nsets; i++) {
		struct keeper_set *set = keeper->sets[i];
		const struct key *key = keeper_active(set);

		if (key != NULL)
			keeper_sign_remember(keeper, set, key,
			    now + set->row.facts.policy.token_max_ttl);
	}
	/* Does not cause a commit for each key set: there may be very many. */
	keeper->unnoted = unnoted;
}

void
keeper_note_late(struct keeper *keeper, int64_t now)
{
	enum jw_err err = JW_OK;

	if (!keeper->unnoted || now < keeper->note_hold_until ||
	    keeper->room.level == ROOM_FULL)
		return;
	for (size_t i = 0; err == JW_OK && i < keeper->nsets; i++) {
		struct keeper_set *set = keeper->sets[i];

		if (set->unnoted_exp != 0)
			err = commit_exp(
			    keeper, set, set->unnoted_number, set->unnoted_exp);
	}
	/* After JW_OUTCOME_UNKNOWN the list of key sets may be another one. */
	keeper->unnoted = err != JW_OK;
	if (err != JW_OK)
		keeper->note_hold_until =
		    now + keeper_hold_time(&keeper->note_failures);
}
