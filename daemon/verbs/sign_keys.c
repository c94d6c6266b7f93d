/*
 * The private keys that sign.  They are opened when a token first needs them;
 * must never keep one open that is no longer active.
 */
#include <string.h>

#include "common/base/log.h"
#include "common/wire/varlink_struct.h"
#include "daemon/keeper/sign.h"
#include "daemon/verbs/sign.h"
#include "daemon/verbs/sign_internal.h"
#include "daemon/verbs/verbs.h"

enum { TRY_AGAIN_S = 10 };

static bool
is_active(const struct verbs_sign *signing, int64_t set_id, const char *kid)
{
	const struct keeper_set *set =
	    keeper_by_id(signing->verbs->keeper, set_id);
	const struct key *key = set == NULL || set->row.facts.removed_at != 0
				    ? NULL
				    : keeper_active(set);

	return key != NULL && !key->facts.damaged && strcmp(key->kid, kid) == 0;
}

static bool
may_stay(int64_t set_id, const char *kid, void *arg)
{
	return is_active(arg, set_id, kid);
}

static struct verbs_sign_broken *
find_broken(struct verbs_sign *signing, const char *kid)
{
	for (size_t i = 0; i < signing->nbroken; i++)
		if (strcmp(signing->broken[i].kid, kid) == 0)
			return &signing->broken[i];
	return NULL;
}

static void
sweep_broken(struct verbs_sign *signing)
{
	size_t n = 0;

	for (size_t i = 0; i < signing->nbroken; i++)
		if (is_active(signing, signing->broken[i].set_id,
			signing->broken[i].kid))
			signing->broken[n++] = signing->broken[i];
	signing->nbroken = n;
}

void
verbs_sign_on_news(const struct keeper_news *news, void *arg)
{
	struct verbs_sign *signing = arg;

	(void)news;
	crypto_signer_sweep(signing->signer, may_stay, signing);
	sweep_broken(signing);
}

static void
note_broken(struct verbs_sign *signing, const struct keeper_set *set,
    const struct key *key, enum jw_err err)
{
	struct verbs_sign_broken *broken = find_broken(signing, key->kid);

	jw_log(JW_LOG_ERROR,
	    "%s: generation %lld (%s) cannot sign: %s; its public key stays "
	    "published",
	    set->row.name, (long long)key->facts.number, key->kid,
	    jw_err_text(err));
	/* Forget the first of too many: it is tried again early. */
	if (broken == NULL && signing->nbroken == SIGN_BROKEN_MAX)
		signing->broken[0] = signing->broken[--signing->nbroken];
	if (broken == NULL)
		broken = &signing->broken[signing->nbroken++];
	memcpy(broken->kid, key->kid, sizeof(broken->kid));
	broken->set_id = set->row.id;
	broken->again_at = keeper_now(signing->verbs->keeper) + TRY_AGAIN_S;
}

enum jw_err
verbs_sign_open_key(struct verbs_sign *signing, const struct keeper_set *set,
    const struct key *key)
{
	struct keeper *keeper = signing->verbs->keeper;
	int64_t now = keeper_now(keeper);
	struct verbs_sign_broken *broken;
	struct keys_pair *pair;
	enum jw_err err;

	if (crypto_signer_find(signing->signer, key->kid) != NULL)
		return JW_OK;
	broken = find_broken(signing, key->kid);
	/* A time further ahead: the clock was set back meanwhile. */
	if (broken != NULL && now < broken->again_at &&
	    broken->again_at - now <= TRY_AGAIN_S)
		return JW_BAD_KEY;
	err = keeper_unseal(keeper, set, key, &pair);
	if (err == JW_STORE_FAILED || err == JW_NO_MEMORY)
		return err;
	if (err != JW_OK) {
		note_broken(signing, set, key, err);
		return JW_BAD_KEY;
	}
	if (broken != NULL)
		*broken = signing->broken[--signing->nbroken];
	jw_log(JW_LOG_DEBUG, "%s: the key %s is open", set->row.name, key->kid);
	return crypto_signer_keep(signing->signer, set->row.id, pair) == NULL
		   ? JW_NO_MEMORY
		   : JW_OK;
}

void
verbs_sign_warn(const struct verbs_sign *signing, struct varlink_rows *warnings)
{
	for (size_t i = 0; signing != NULL && i < signing->nbroken; i++) {
		const struct verbs_sign_broken *broken = &signing->broken[i];
		const struct keeper_set *set =
		    keeper_by_id(signing->verbs->keeper, broken->set_id);

		varlink_rows_add_string(warnings,
		    "%s: the active key %s cannot sign: its private key does "
		    "not open; see the log",
		    set == NULL ? "?" : set->row.name, broken->kid);
	}
}
