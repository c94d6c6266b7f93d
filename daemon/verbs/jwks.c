/*
 * GetJwks: a key set as it is published, or as it will be.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto/keys.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

static bool
has_any_of(const struct keeper_set *set, const struct lc_set *view)
{
	for (size_t i = 0; i < view->count; i++)
		if (verbs_kid(set, view->gens[i].number) != NULL)
			return true;
	return false;
}

/*
 * The set as it will be; keys that are yet to be made are left out, so that
 * there is nothing to find out once none of those that exist is left.
 */
static void
look_ahead(struct verbs *verbs, const struct keeper_set *set, int64_t at,
    struct lc_set *view)
{
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	struct lc_env env = keeper_env(verbs->keeper, set);
	int64_t due;
	size_t n;

	env.pairs_coming = 0;
	while (has_any_of(set, view) && lc_plan_due(view, &env, at, &due))
		lc_plan_step(view, &env, changes, &n);
}

static void
reply_with(struct serve_call *call, const struct keeper_set *set,
    const struct lc_set *view)
{
	char etag[KEYS_ETAG_SIZE], *body = NULL;
	enum jw_err err = keeper_render(set, view, &body);

	if (err == JW_OK)
		err = crypto_etag(body, strlen(body), etag);
	if (err == JW_OK)
		verbs_reply(
		    call, &(struct verbs_get_jwks_reply){
			      .jwks = body,
			      .etag = etag,
			      .max_age = view->facts.policy.cache_max_age,
			      .version = view->facts.version,
			  });
	else
		verbs_fail(
		    call, err, &(struct verbs_fault){.key_set = set->row.name});
	free(body);
}

void
verbs_get_jwks(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct verbs *verbs = context;
	struct keeper_set *set = verbs_key_set(call, verbs, asked->key_set);
	struct lc_set view;

	if (set == NULL || !verbs_time_ahead(call, verbs, "at", &asked->at))
		return;
	keeper_view(set, &view);
	if (asked->at.given)
		look_ahead(verbs, set, asked->at.value, &view);
	reply_with(call, set, &view);
}
