/*
 * The keeper as a whole: made, started, freed, and asked how it is.
 */
#include "daemon/keeper/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/worker.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/internal.h"
#include "daemon/lifecycle/clock_guard.h"

enum {
	GENERATOR_THREADS = 2,
	GENERATOR_NICE = 5, /* more starves it with the queue's lock held */
};

bool
keeper_is_ready(const struct keeper *keeper)
{
	return keeper->nsets > 0 && keeper->without_active == 0;
}

struct lc_env
keeper_env(struct keeper *keeper, const struct keeper_set *set)
{
	return (struct lc_env){
	    .now = keeper_now(keeper),
	    .clock_trusted = keeper->clock.trusted,
	    .frozen = keeper->frozen,
	    .serving = keeper->servable.serving,
	    .pairs_coming = set->pairs_coming,
	};
}

enum jw_err
keeper_new(const struct keeper_options *options, struct keeper **ret_keeper,
    struct jw_why *why)
{
	struct keeper *keeper = jw_zalloc(sizeof(*keeper));
	enum jw_err err;

	keeper->base = options->base;
	keeper->store = options->take_store;
	keeper->kek = options->kek;
	keeper->policy = *options->policy;
	keeper->wall = options->wall != NULL ? options->wall : jw_clock_wall_s;
	keeper->boot = options->boot != NULL ? options->boot : jw_clock_boot_s;
	jw_clock_boot_id(keeper->boot_id);
	/* The last process may have removed key sets that fronts still
	 * served. */
	keeper->withdrawing = true;
	keeper->store_path = jw_strdup(options->store_path);
	keeper->timer = evtimer_new(keeper->base, keeper_on_wake, keeper);
	err = crypto_worker_pool_new(keeper->base, GENERATOR_THREADS,
	    GENERATOR_NICE, 1, &keeper->generators);
	if (err == JW_IO)
		jw_why_set(
		    why, "threads that make key pairs: %s", strerror(errno));
	if (err == JW_OK)
		err = keeper_load(keeper, why);
	if (err != JW_OK)
		keeper_free(keeper);
	else
		*ret_keeper = keeper;
	return err;
}

void
keeper_start(struct keeper *keeper)
{
	int64_t now = keeper_now(keeper);

	if (!keeper->same_boot)
		keeper_doubt_clock(keeper, now);
	keeper->suspended = jw_clock_suspended_s();
	keeper->trusted = true;
	keeper_note_trust(keeper);
}

void
keeper_free(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	/* Making a key pair may take seconds: the threads are to stop. */
	atomic_store(&keeper->stopping, true);
	store_close(keeper->store);
	keeper->store = NULL;
	crypto_worker_pool_free(keeper->generators);
	keeper_forget_sets(keeper);
	jw_deadlines_done(&keeper->deadlines);
	keeper_room_done(&keeper->room);
	event_free(keeper->timer);
	free(keeper->sets);
	crypto_kek_free(keeper->own_kek);
	free(keeper->left_out);
	free(keeper->store_path);
	free(keeper);
}

enum jw_err
keeper_render(
    const struct keeper_set *set, const struct lc_set *view, char **ret_body)
{
	size_t order[MODEL_GENERATIONS_MAX], n, count = 0;
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct jw_why why = {"", ""};
	struct lc_set own;
	enum jw_err err;

	if (view == NULL) {
		keeper_view(set, &own);
		view = &own;
	}
	n = lc_publication(view, order);
	for (size_t i = 0; i < n; i++) {
		keys[count] = keeper_key(set, view->gens[order[i]].number);
		count += keys[count] != NULL;
	}
	if (count == 0)
		return JW_NO_ACTIVE_KEY;
	err = document_render(keys, count, ret_body, &why);
	if (err != JW_OK)
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_NOT_PUBLISHED,
			.key_set = set->row.name,
		    },
		    "%s: not published: %s", set->row.name, why.text);
	return err;
}
