/*
 * Keys whose rows are damaged.  They are left out of the document, and the
 * others stay in it: as a new version, which is audited because it differs from
 * what was published before.  Which keys that version leaves out is kept in the
 * store.  Must never let one damaged row take away a key that is whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"

/* " 1#3 1#4 ": ids of key sets, numbers of generations. */
static const char name[] = "left_out";
enum { ITEM_SIZE = 44 };

static void
log_damage(const struct keeper_set *set, const struct key *key)
{
	jw_log_event(JW_LOG_ERROR,
	    &(const struct jw_log_about){
		.event = JW_EVENT_NOT_PUBLISHED,
		.key_set = set->row.name,
		.kid = key->kid,
		.generation = key->facts.number,
	    },
	    "%s: generation %" PRId64 " (%s) is not published: its row is "
	    "damaged: not a public JWK of its algorithm",
	    set->row.name, key->facts.number, key->kid);
}

void
keeper_note_damage(struct keeper_set *set)
{
	set->damaged = 0;
	for (size_t i = 0; i < set->row.nkeys; i++) {
		struct key *key = &set->row.keys[i];

		key->facts.damaged = !document_is_whole(key);
		if (!key->facts.damaged)
			continue;
		set->damaged++;
		log_damage(set, key);
	}
}

static bool
is_named(const char *text, int64_t set_id, int64_t number)
{
	char item[ITEM_SIZE];

	snprintf(
	    item, sizeof(item), " %" PRId64 "#%" PRId64 " ", set_id, number);
	return text != NULL && strstr(text, item) != NULL;
}

static bool
keeper_is_new(const struct keeper *keeper, const struct keeper_set *set)
{
	for (size_t i = 0; i < set->row.nkeys; i++) {
		const struct generation *gen = &set->row.keys[i].facts;

		if (gen->damaged !=
		    is_named(keeper->left_out, set->row.id, gen->number))
			return true;
	}
	return false;
}

/* The names of all damaged keys. */
static char *
name_damaged(const struct keeper *keeper)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	fputc(' ', f);
	for (size_t i = 0; i < keeper->nsets; i++) {
		const struct keeper_set *set = keeper->sets[i];

		for (size_t j = 0; set->damaged > 0 && j < set->row.nkeys; j++)
			if (set->row.keys[j].facts.damaged)
				fprintf(f, "%" PRId64 "#%" PRId64 " ",
				    set->row.id, set->row.keys[j].facts.number);
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

enum jw_err
keeper_look_for_damage(struct keeper *keeper)
{
	enum jw_err err =
	    store_meta_get(keeper->store, name, &keeper->left_out);
	bool any = err == JW_OK;

	for (size_t i = 0; i < keeper->nsets && !any; i++)
		any = keeper->sets[i]->damaged > 0;
	for (size_t i = 0; i < keeper->nsets && any; i++) {
		keeper->sets[i]->to_restate =
		    keeper_is_new(keeper, keeper->sets[i]);
		keeper->unrestated += keeper->sets[i]->to_restate;
	}
	return err == JW_NO_SUCH_KEY ? JW_OK : err;
}

/* Begin an edit from what was published to what can be published. */
static void
keeper_begin(
    struct keeper *keeper, struct keeper_set *set, struct keeper_edit *edit)
{
	keeper_edit_begin(keeper, set, edit);
	for (size_t i = 0; i < edit->before.count; i++)
		edit->before.gens[i].damaged = is_named(
		    keeper->left_out, set->row.id, edit->before.gens[i].number);
	lc_touch(&edit->before, &edit->after, &edit->env);
}

void
keeper_restated(struct keeper *keeper, struct keeper_set *set)
{
	char *text;

	if (!set->to_restate)
		return;
	set->to_restate = false;
	if (keeper->unrestated == 0 || --keeper->unrestated > 0)
		return;
	text = name_damaged(keeper);
	if (text == NULL || store_meta_set(keeper->store, name, text) != JW_OK)
		jw_log(JW_LOG_WARNING,
		    "which damaged keys are left out is "
		    "not kept: the next start says it again");
	free(keeper->left_out);
	keeper->left_out = text;
}

enum jw_err
keeper_restate(struct keeper *keeper, struct keeper_set *set)
{
	struct keeper_commit how = {
	    .cause = set->damaged > 0
			 ? "keys whose rows are damaged are not published"
			 : "keys whose rows were damaged are published again",
	    .event = "damage",
	    .actor = {-1, -1, -1},
	};
	struct keeper_edit edit;

	keeper_begin(keeper, set, &edit);
	if (edit.before.facts.version == edit.after.facts.version)
		return JW_OK;
	return keeper_commit(keeper, &edit, &how);
}
