/*
 * ListKeySets and ListKeys.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

/* Rows of a reply, or a few more; the largest takes less than 1 KiB. */
enum { PAGE_ROWS = 128, ONE_REPLY_ROWS = 200 };

struct list {
	struct verbs *verbs;
	int64_t *ids; /* of the key sets, in the order of their names */
	size_t count;
	size_t at;
	int64_t below; /* tombstones from there on; 0: not begun */
	bool of_keys;
	bool all; /* tombstones too */
};

static void
list_free(void *arg)
{
	struct list *list = arg;

	free(list->ids);
	free(list);
}

static int
by_name(const void *a, const void *b)
{
	const struct keeper_set *const *x = a, *const *y = b;

	return strcmp((*x)->row.name, (*y)->row.name);
}

static void
sort_ids(struct list *list, struct keeper *keeper)
{
	size_t n = keeper_count(keeper);
	struct keeper_set **sets =
	    jw_alloc((n + 1) * sizeof(struct keeper_set *));

	list->ids = jw_alloc((n + 1) * sizeof(*list->ids));
	list->count = n;
	for (size_t i = 0; i < n; i++)
		sets[i] = keeper_at(keeper, i);
	qsort(sets, n, sizeof(struct keeper_set *), by_name);
	for (size_t i = 0; i < n; i++)
		list->ids[i] = sets[i]->row.id;
	free(sets);
}

static void
append_living(struct varlink_rows *rows, const struct keeper_set *set)
{
	size_t order[MODEL_GENERATIONS_MAX], n;
	struct lc_set view;

	keeper_view(set, &view);
	n = lc_publication(&view, order);
	for (size_t i = 0; i < n; i++)
		verbs_add_key(
		    rows, set->row.name, &set->row.keys[order[i]], &view);
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (!lc_is_published(&view.gens[i]) || view.gens[i].damaged)
			verbs_add_key(
			    rows, set->row.name, &set->row.keys[i], &view);
}

static void
append_set(
    struct varlink_rows *rows, const struct keeper_set *set, const char *domain)
{
	varlink_rows_add(rows, &verbs_key_set_codec,
	    &(struct verbs_key_set_row){.set = &set->row, .domain = domain});
}

struct tombstones {
	struct list *list;
	struct varlink_rows *rows;
	size_t most;
	const char *key_set;
};

static bool
append_tombstone(int64_t set_id, const struct key *key, void *arg)
{
	struct tombstones *to = arg;

	(void)set_id;
	if (to->rows->count >= to->most)
		return false;
	to->list->below = key->facts.number;
	if (lc_state(&key->facts) >= GEN_REMOVED)
		verbs_add_key(to->rows, to->key_set, key, NULL);
	return true;
}

/*
 * Living ones in the order of publication, then tombstones, newest first, as
 * far as there is room.  ret_all: there are no more of this key set.
 */
static enum jw_err
append_keys(struct list *list, const struct keeper_set *set, size_t most,
    struct varlink_rows *rows, bool *ret_all)
{
	struct tombstones to = {list, rows, most, set->row.name};
	enum jw_err err = JW_OK;

	if (list->below == 0)
		append_living(rows, set);
	if (list->all) {
		if (list->below == 0)
			list->below = INT64_MAX;
		err = keeper_each_key(list->verbs->keeper, set->row.id,
		    list->below, append_tombstone, &to);
	}
	*ret_all = !list->all || rows->count < most;
	return err;
}

static enum jw_err
list_next(void *arg, bool in_pages, struct varlink_rows *rows, bool *ret_last)
{
	struct list *list = arg;
	size_t most = in_pages ? PAGE_ROWS : ONE_REPLY_ROWS;
	enum jw_err err = JW_OK;

	while (err == JW_OK && list->at < list->count && rows->count < most) {
		struct keeper_set *set =
		    keeper_by_id(list->verbs->keeper, list->ids[list->at]);
		bool all = true;

		if (set != NULL && list->of_keys)
			err = append_keys(list, set, most, rows, &all);
		else if (set != NULL)
			append_set(rows, set, verbs_domain(list->verbs));
		if (!all)
			continue;
		list->at++;
		list->below = 0;
	}
	*ret_last = list->at >= list->count;
	return err;
}

/* only: NULL for all. */
static void
list_start(struct serve_call *call, struct verbs *verbs, bool of_keys, bool all,
    const struct keeper_set *only)
{
	struct list *list = jw_zalloc(sizeof(*list));

	list->verbs = verbs;
	list->of_keys = of_keys;
	list->all = all;
	sort_ids(list, verbs->keeper);
	if (only != NULL) {
		list->ids[0] = only->row.id;
		list->count = 1;
	}
	verbs_send_pages(
	    call, &(struct verbs_pages){verbs, list, list_next, list_free});
}

void
verbs_list_key_sets(struct serve_call *call, const void *request, void *context)
{
	(void)request;
	list_start(call, context, false, false, NULL);
}

void
verbs_list_keys(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct keeper_set *only;

	if (!verbs_maybe_key_set(call, context, asked->key_set, &only))
		return;
	list_start(call, context, true, asked->all, only);
}
