/*
 * ListKeySets and ListKeys: as one list_reply, or with `more` in as many as it
 * takes, each sent when the one before has been read.  What would not fit
 * one message is never cut short: ExpectedMore.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "daemon/keeper/keeper.h"
#include "daemon/verbs/rows_json.h"
#include "daemon/verbs/verbs.h"

/* Rows a list_reply; the largest row takes less than a KiB. */
enum { PAGE_ROWS = 128, ONE_REPLY_ROWS = 200 };

struct list {
	struct serve_call *call;
	struct verbs *verbs;
	int64_t *ids; /* of the key sets, in the order of their names */
	size_t count;
	size_t at;
	int64_t below; /* tombstones from there on; 0: not begun */
	bool of_keys;
	bool all;
};

static void
list_free(struct list *list)
{
	free(list->ids);
	free(list);
}

static int
by_name(const void *a, const void *b)
{
	const struct keeper_set *const *x = a, *const *y = b;

	return strcmp((*x)->row.name, (*y)->row.name);
}

static bool
sort_ids(struct list *list, struct keeper *keeper)
{
	size_t n = keeper_count(keeper);
	struct keeper_set **sets = calloc(n + 1, sizeof(struct keeper_set *));

	list->ids = calloc(n + 1, sizeof(*list->ids));
	if (sets != NULL && list->ids != NULL) {
		for (size_t i = 0; i < n; i++)
			sets[i] = keeper_at(keeper, i);
		qsort(sets, n, sizeof(struct keeper_set *), by_name);
		for (size_t i = 0; i < n; i++)
			list->ids[i] = sets[i]->row.id;
		list->count = n;
	}
	free(sets);
	return sets != NULL && list->ids != NULL;
}

static void
append_living(json_t *rows, const struct keeper_set *set)
{
	size_t order[MODEL_GENERATIONS_MAX], n;
	struct lc_set view;

	keeper_view(set, &view);
	n = lc_publication(&view, order);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		    rows, verbs_json_key(set->row.name,
			      &set->row.keys[order[i]], &view, false));
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (!lc_is_published(&view.gens[i]) || view.gens[i].damaged)
			json_array_append_new(
			    rows, verbs_json_key(set->row.name,
				      &set->row.keys[i], &view, false));
}

struct tombstones {
	struct list *list;
	json_t *rows;
	size_t most;
	const char *key_set;
};

static bool
append_tombstone(int64_t set_id, const struct key *key, void *arg)
{
	struct tombstones *to = arg;

	(void)set_id;
	if (json_array_size(to->rows) >= to->most)
		return false;
	to->list->below = key->facts.number;
	if (lc_state(&key->facts) >= GEN_REMOVED)
		json_array_append_new(
		    to->rows, verbs_json_key(to->key_set, key, NULL, false));
	return true;
}

/*
 * Living ones in the order of publication, then tombstones, newest first, as
 * far as there is room.  ret_all: there are no more of this key set.
 */
static enum jw_err
append_keys(struct list *list, const struct keeper_set *set, size_t most,
    json_t *rows, bool *ret_all)
{
	struct tombstones to = {list, rows, most, set->row.name};
	enum jw_err err = JW_OK;

	if (list->below == 0)
		append_living(rows, set);
	if (list->all) {
		if (list->below == 0)
			list->below = INT64_MAX;
		err = store_each_key(keeper_store(list->verbs->keeper),
		    set->row.id, list->below, append_tombstone, &to);
	}
	*ret_all = !list->all || json_array_size(rows) < most;
	return err;
}

/* The rows of the next key sets until there are `most` or a few more. */
static enum jw_err
list_next_rows(struct list *list, size_t most, json_t *rows)
{
	enum jw_err err = JW_OK;

	while (err == JW_OK && list->at < list->count &&
	       json_array_size(rows) < most) {
		struct keeper_set *set =
		    keeper_by_id(list->verbs->keeper, list->ids[list->at]);
		bool all = true;

		if (set != NULL && list->of_keys)
			err = append_keys(list, set, most, rows, &all);
		else if (set != NULL)
			json_array_append_new(
			    rows, verbs_json_key_set(
				      &set->row, verbs_domain(list->verbs)));
		if (!all)
			continue;
		list->at++;
		list->below = 0;
	}
	return err;
}

static json_t *
list_reply(const struct list *list, json_t *take_rows)
{
	return json_pack(
	    "{s:o}", list->of_keys ? "keys" : "keySets", take_rows);
}

static void
list_fail(struct list *list, enum jw_err err)
{
	verbs_store_failed(list->call, list->verbs, err);
	list_free(list);
}

static void
list_send_page(struct serve_call *call, void *arg)
{
	struct list *list = arg;
	json_t *rows = json_array();
	enum jw_err err = list_next_rows(list, PAGE_ROWS, rows);

	if (err != JW_OK) {
		json_decref(rows);
		list_fail(list, err);
	} else if (list->at < list->count) {
		/* Sent only when drained: there is always room. */
		serve_continue(call, list_reply(list, rows));
	} else {
		serve_reply(call, list_reply(list, rows));
		list_free(list);
	}
}

static void
list_on_closed(struct serve_call *call, void *arg)
{
	(void)call;
	list_free(arg);
}

static void
list_send_at_once(struct list *list)
{
	json_t *rows = json_array();
	enum jw_err err = list_next_rows(list, ONE_REPLY_ROWS, rows);

	if (err != JW_OK || list->at < list->count) {
		json_decref(rows);
		if (err == JW_OK) {
			serve_fail(list->call, JW_EXPECTED_MORE, NULL);
			list_free(list);
		} else {
			list_fail(list, err);
		}
		return;
	}
	serve_reply(list->call, list_reply(list, rows));
	list_free(list);
}

static void
list_start(struct serve_call *call, struct verbs *verbs, bool of_keys,
    const struct keeper_set *only)
{
	struct list *list = calloc(1, sizeof(*list));
	bool sorted;

	if (list == NULL) {
		serve_fail(call, JW_NO_MEMORY, NULL);
		return;
	}
	list->call = call;
	list->verbs = verbs;
	list->of_keys = of_keys;
	list->all = verbs_bool(serve_parameters(call), "all");
	sorted = sort_ids(list, verbs->keeper);
	if (!sorted) {
		serve_fail(call, JW_NO_MEMORY, NULL);
		list_free(list);
		return;
	}
	if (only != NULL) {
		list->ids[0] = only->row.id;
		list->count = 1;
	}
	if (!serve_wants_more(call)) {
		list_send_at_once(list);
		return;
	}
	serve_follow(call, list_on_closed, list_send_page, list);
	list_send_page(call, list);
}

void
verbs_list_key_sets(struct serve_call *call, void *context)
{
	list_start(call, context, false, NULL);
}

void
verbs_list_keys(struct serve_call *call, void *context)
{
	struct keeper_set *set = NULL;

	if (verbs_string(serve_parameters(call), "keySet", NULL) != NULL) {
		set = verbs_key_set(call, context);
		if (set == NULL)
			return;
	}
	list_start(call, context, true, set);
}
