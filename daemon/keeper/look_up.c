/*
 * The store, read for other folders.  Must never hand out the store itself:
 * nothing but the keeper may write to it.
 */
#include "daemon/keeper/look_up.h"

#include <stdlib.h>

#include "daemon/keeper/state.h"
#include "daemon/store/place.h"
#include "daemon/store/store.h"

enum jw_err
keeper_each_key(const struct keeper *keeper, int64_t set_id, int64_t below,
    keeper_key_fn *fn, void *arg)
{
	return store_each_key(keeper->store, set_id, below, fn, arg);
}

enum jw_err
keeper_find_kid(const struct keeper *keeper, const char *kid_prefix,
    keeper_key_fn *fn, void *arg)
{
	return store_find_kid(keeper->store, kid_prefix, fn, arg);
}

enum jw_err
keeper_find_request(const struct keeper *keeper, const char *id,
    char **ret_asked, char **ret_outcome)
{
	return store_request_find(keeper->store, id, ret_asked, ret_outcome);
}

const char *
keeper_store_message(const struct keeper *keeper)
{
	return store_message(keeper->store);
}

bool
keeper_is_in_doubt(const struct keeper *keeper)
{
	return store_in_doubt(keeper->store);
}

bool
keeper_store_answers(const struct keeper *keeper)
{
	struct store *store = keeper->store;
	char *id = NULL;
	bool answers;

	if (store == NULL)
		return false;
	answers = store_in_doubt(store) || !store_in_place(store) ||
		  store_meta_get(store, "kek_id", &id) == JW_OK;
	free(id);
	return answers;
}

void
keeper_row_done(struct key_set *row)
{
	store_set_done(row);
}
