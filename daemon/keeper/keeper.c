/*
 * The keeper: one timer; plan, act, publish.  Holds the key sets and is the
 * only writer of the store.  Must never act on what it has not committed, nor
 * commit what the lifecycle has not decided, nor wait for a key pair.
 */
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/catch_up.h"
#include "daemon/keeper/fronts.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/news.h"
#include "daemon/keeper/place.h"
#include "daemon/keeper/sign.h"

#include <errno.h>
#include <event2/event.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/timeval.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/crypto/worker.h"
#include "daemon/document/jwks.h"
#include "daemon/keeper/difference.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/lifecycle/reading.h"
#include "daemon/lifecycle/time_correction.h"
#include "daemon/store/ballast.h"

enum {
	WAKE_MAX = 30, /* seconds; deadlines are not monotonic */
	PASS_MS = 5,   /* then the event loop has its turn */
	HOLD_MAX = 60, /* seconds after a failure */
	PRUNE_EVERY = 86400,
	REQUESTS_KEPT_FOR = 7 * 86400,
	REQUESTS_KEPT = 10000, /* however old they seem to be */
	GENERATOR_THREADS = 2,
	GENERATOR_NICE = 5, /* more starves it with the queue's lock held */
};

/* A key pair on its way. */
struct generate {
	struct keeper *keeper;
	int64_t set_id;
	enum jw_alg alg;
	int rsa_bits;
	struct keys_pair *pair;
	enum jw_err err;
};

/* ---- key sets in memory ---- */

static int
keeper_compare_names(const void *a, const void *b)
{
	const struct keeper_set *x = a, *y = b;

	return strcmp(x->row.name, y->row.name);
}

static void
set_free(struct keeper_set *set)
{
	store_set_done(&set->row);
	free(set);
}

static bool
has_active(const struct keeper_set *set)
{
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (lc_state(&set->row.keys[i].facts) == GEN_ACTIVE)
			return true;
	return false;
}

/* One that waits for the end of an earlier key set lacks nothing. */
static bool
lacks_signer(const struct keeper_set *set)
{
	struct lc_set view;

	if (has_active(set))
		return false;
	keeper_view(set, &view);
	return !lc_awaits(&view);
}

static enum jw_err
index_set(struct keeper *keeper, struct keeper_set *set)
{
	struct keeper_set **grown;
	size_t room = keeper->sets_room == 0 ? 16 : keeper->sets_room * 2;

	if (keeper->nsets == keeper->sets_room) {
		grown =
		    realloc(keeper->sets, room * sizeof(struct keeper_set *));
		if (grown == NULL)
			return JW_NO_MEMORY;
		keeper->sets = grown;
		keeper->sets_room = room;
	}
	if (tsearch(set, &keeper->by_name, keeper_compare_names) == NULL)
		return JW_NO_MEMORY;
	keeper->sets[keeper->nsets++] = set;
	keeper->without_active += lacks_signer(set);
	keeper->ngenerations += set->row.nkeys;
	return JW_OK;
}

static size_t
place_of(const struct keeper *keeper, int64_t id)
{
	size_t low = 0, high = keeper->nsets;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (keeper->sets[mid]->row.id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A key set that has been removed. */
static void
forget_set(struct keeper *keeper, struct keeper_set *set)
{
	size_t place = place_of(keeper, set->row.id);

	keeper->nsets--;
	memmove(&keeper->sets[place], &keeper->sets[place + 1],
	    (keeper->nsets - place) * sizeof(struct keeper_set *));
	keeper->without_active -= lacks_signer(set);
	keeper->unread -= set->unread;
	keeper->ngenerations -= set->row.nkeys;
	jw_deadlines_remove(&keeper->agenda, &set->item);
	tdelete(set, &keeper->by_name, keeper_compare_names);
	set_free(set);
}

/* Take over a row from the store. */
enum jw_err
keeper_hold_set(struct key_set *take_row, void *arg)
{
	struct keeper *keeper = arg;
	struct keeper_set *set = calloc(1, sizeof(*set));
	enum jw_err err;

	if (set == NULL) {
		store_set_done(take_row);
		return JW_NO_MEMORY;
	}
	set->row = *take_row;
	for (size_t i = 0; i < set->row.nkeys; i++)
		set->row.keys[i].facts.spread = lc_spread(set->row.keys[i].kid);
	keeper_note_damage(set);
	err = index_set(keeper, set);
	if (err != JW_OK)
		set_free(set);
	return err;
}

static void
forget_sets(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->nsets; i++) {
		jw_deadlines_remove(&keeper->agenda, &keeper->sets[i]->item);
		tdelete(
		    keeper->sets[i], &keeper->by_name, keeper_compare_names);
		set_free(keeper->sets[i]);
	}
	keeper->nsets = 0;
	keeper->unread = 0;
	keeper->ngenerations = 0;
	keeper->without_active = 0;
}

size_t
keeper_count(const struct keeper *keeper)
{
	return keeper->nsets;
}

struct keeper_set *
keeper_at(const struct keeper *keeper, size_t place)
{
	return place < keeper->nsets ? keeper->sets[place] : NULL;
}

size_t
keeper_place_after(const struct keeper *keeper, int64_t id)
{
	return place_of(keeper, id + 1);
}

struct keeper_set *
keeper_find(const struct keeper *keeper, const char *name)
{
	struct keeper_set probe;
	size_t len = strlen(name);
	void *found;

	if (len >= sizeof(probe.row.name))
		return NULL;
	memcpy(probe.row.name, name, len + 1);
	found = tfind(&probe, &keeper->by_name, keeper_compare_names);
	return found == NULL ? NULL : *(struct keeper_set **)found;
}

struct keeper_set *
keeper_by_id(const struct keeper *keeper, int64_t id)
{
	size_t low = place_of(keeper, id);

	return low < keeper->nsets && keeper->sets[low]->row.id == id
		   ? keeper->sets[low]
		   : NULL;
}

struct keeper_set *
keeper_first_due(const struct keeper *keeper)
{
	struct jw_deadline *item = jw_deadlines_first(&keeper->agenda);

	if (item == NULL)
		return NULL;
	return (struct keeper_set *)(void *)((char *)item -
					     offsetof(struct keeper_set, item));
}

size_t
keeper_generations(const struct keeper *keeper)
{
	return keeper->ngenerations;
}

struct store *
keeper_store(const struct keeper *keeper)
{
	return keeper->store;
}

bool
keeper_is_ready(const struct keeper *keeper)
{
	return keeper->nsets > 0 && keeper->without_active == 0;
}

bool
keeper_clock_trusted(const struct keeper *keeper)
{
	return keeper->clock.trusted;
}

int64_t
keeper_now(struct keeper *keeper)
{
	int64_t now = keeper->wall();

	lc_clock_check(&keeper->clock, now, keeper->boot());
	if (keeper->clock.trusted != keeper->trusted)
		event_active(keeper->timer, 0, 0);
	return now;
}

void
keeper_view(const struct keeper_set *set, struct lc_set *ret_view)
{
	ret_view->facts = set->row.facts;
	ret_view->count = set->row.nkeys;
	for (size_t i = 0; i < set->row.nkeys; i++)
		ret_view->gens[i] = set->row.keys[i].facts;
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

/* ---- when to look again ---- */

static void
arm(struct keeper *keeper, int64_t now)
{
	struct jw_deadline *item = jw_deadlines_first(&keeper->agenda);
	int64_t seconds = WAKE_MAX;
	struct timeval wait;

	if (item != NULL && item->due <= now)
		seconds = 0;
	else if (item != NULL && item->due - now < WAKE_MAX)
		seconds = item->due - now;
	if (store_in_doubt(keeper->store) && keeper->hold_until - now < seconds)
		seconds =
		    keeper->hold_until > now ? keeper->hold_until - now : 0;
	if (keeper->unnoted && keeper->note_hold_until > now &&
	    keeper->note_hold_until - now < seconds)
		seconds = keeper->note_hold_until - now;
	/* Files that were moved may be moved back. */
	if (keeper->misplaced)
		seconds = 1;
	wait = jw_timeval_ms(seconds * 1000);
	evtimer_add(keeper->timer, &wait);
}

/* Something that comes before whatever else is due. */
static bool
has_news(const struct keeper *keeper, const struct keeper_set *set)
{
	return set->resumed_at != 0 || set->late_since != 0 ||
	       set->read_at != 0 || set->to_restate ||
	       (set->to_retime && keeper->clock.trusted);
}

static void
note_for_all(
    struct keeper *keeper, struct keeper_set *set, const struct lc_set *view)
{
	const struct generation *active = lc_active(view);
	struct jw_why why;

	keeper->unread -= set->unread;
	set->unread = set->read_at == 0 && lc_is_unread(view);
	keeper->unread += set->unread;

	set->rotate_due = active == NULL ? 0 : active->rotate_due;
	set->is_unwise = jw_policy_warning(&view->facts.policy, &why);
}

void
keeper_reconsider(struct keeper *keeper, struct keeper_set *set)
{
	struct lc_env env = keeper_env(keeper, set);
	struct lc_set view;
	int64_t due;

	keeper_view(set, &view);
	note_for_all(keeper, set, &view);
	due = has_news(keeper, set) ? env.now : lc_next(&view, &env).due;
	if (due != LC_NEVER && due < set->hold_until)
		due = set->hold_until;
	if (due != LC_NEVER && due < keeper->hold_until)
		due = keeper->hold_until;
	if (due == LC_NEVER)
		jw_deadlines_remove(&keeper->agenda, &set->item);
	else
		jw_deadlines_set(&keeper->agenda, &set->item, due);
	arm(keeper, env.now);
}

static void
reconsider_all(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper_reconsider(keeper, keeper->sets[i]);
}

/* After a failure: wait longer each time, but never give up. */
int64_t
keeper_hold_time(int32_t *failures)
{
	int64_t wait = HOLD_MAX;

	if (*failures < 6)
		wait = (int64_t)1 << (*failures)++;
	return wait < HOLD_MAX ? wait : HOLD_MAX;
}

static void
hold(struct keeper *keeper, struct keeper_set *set, int64_t now)
{
	set->hold_until = now + keeper_hold_time(&set->failures);
	keeper_reconsider(keeper, set);
}

/* ---- serving, freezing, the clock: what holds for all ---- */

/* What a failed write loses is found again as an outage: longer waits. */
static void
keeper_remember(struct keeper *keeper, const char *name, const char *value)
{
	if (store_meta_set(keeper->store, name, value) != JW_OK)
		jw_log(JW_LOG_ERROR, "%s is not kept: %s", name,
		    store_message(keeper->store));
}

static void
remember_servable(struct keeper *keeper)
{
	char text[SERVABLE_TEXT_SIZE];

	lc_outage_format(&keeper->servable, text);
	keeper_remember(keeper, "servable", text);
}

static void
note_outage(struct keeper *keeper, int64_t resumed)
{
	jw_log_event(JW_LOG_WARNING,
	    &(const struct jw_log_about){.event = JW_EVENT_OUTAGE},
	    "the key sets were not servable: keys that are not ready yet wait "
	    "anew");
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper->sets[i]->resumed_at = resumed;
	keeper->unresumed = keeper->nsets;
}

void
keeper_serving(struct keeper *keeper, int64_t reported)
{
	int64_t resumed;

	if (keeper->servable.serving)
		return;
	resumed =
	    lc_outage_begin(&keeper->servable, keeper_now(keeper), reported);
	/* The outage is remembered until every key set has recorded it. */
	if (resumed != 0)
		note_outage(keeper, resumed);
	else if (keeper->unresumed == 0)
		remember_servable(keeper);
	reconsider_all(keeper);
}

void
keeper_not_serving(struct keeper *keeper, bool listening)
{
	if (!keeper->servable.serving || keeper->store == NULL)
		return;
	lc_outage_end(&keeper->servable, keeper_now(keeper), listening);
	if (keeper->unresumed == 0)
		remember_servable(keeper);
	reconsider_all(keeper);
}

bool
keeper_is_unread(const struct keeper *keeper)
{
	return keeper->unread > 0 || keeper->withdrawing;
}

/* Copies of key sets that are gone were handed out until now. */
static void
note_withdrawal(struct keeper *keeper, int64_t at)
{
	if (!keeper->withdrawing || store_in_doubt(keeper->store))
		return;
	keeper->withdrawing = store_withdrawn(keeper->store, at) != JW_OK;
	if (keeper->withdrawing)
		jw_log(JW_LOG_ERROR,
		    "when removed key sets were served last is not kept: %s",
		    store_message(keeper->store));
}

void
keeper_read(struct keeper *keeper)
{
	int64_t at = keeper_now(keeper) + 1;

	if (keeper->store == NULL)
		return;
	note_withdrawal(keeper, at);
	for (size_t i = 0; i < keeper->nsets && keeper->unread > 0; i++) {
		struct keeper_set *set = keeper->sets[i];

		if (!set->unread || set->unsent)
			continue;
		set->read_at = at;
		keeper_reconsider(keeper, set);
	}
}

bool
keeper_is_frozen(const struct keeper *keeper)
{
	return keeper->frozen;
}

/* A value for all key sets, with who asked for it. */
static enum jw_err
commit_world(struct keeper *keeper, const char *name, const char *value,
    const struct store_audit *audit, const struct keeper_commit *how)
{
	struct store_change change = {
	    .now = keeper_now(keeper),
	    .audit = audit,
	    .naudit = 1,
	    .actor = how->actor,
	    .audit_reason = how->reason,
	    .request = how->request,
	};
	enum jw_err err =
	    store_meta_commit(keeper->store, name, value, &change);

	if (err != JW_OK)
		return keeper_commit_failed(keeper, name, err);
	return JW_OK;
}

static const char *
frozen_cause(bool frozen)
{
	return frozen ? "an operator froze every key set"
		      : "an operator thawed every key set";
}

static void
adopt_frozen(
    struct keeper *keeper, bool frozen, const struct store_actor *actor)
{
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){
		.event = frozen ? JW_EVENT_FROZEN : JW_EVENT_THAWED,
		.by_user = actor->uid >= 0,
		.uid = actor->uid,
	    },
	    "%s", frozen_cause(frozen));
	keeper->frozen = frozen;
	reconsider_all(keeper);
	keeper_tell(keeper, &(const struct keeper_news){
				.order = frozen ? "frozen" : "thawed",
			    });
}

enum jw_err
keeper_freeze_all(
    struct keeper *keeper, bool frozen, const struct keeper_commit *how)
{
	struct store_audit audit = {
	    .event = frozen ? "frozen" : "thawed",
	    .cause = frozen_cause(frozen),
	};
	enum jw_err err =
	    commit_world(keeper, "frozen", frozen ? "1" : "0", &audit, how);

	if (err == JW_OK)
		adopt_frozen(keeper, frozen, &how->actor);
	return err;
}

/* The clock's offset in this boot: a jump while we were away is a jump. */
static void
remember_clock(struct keeper *keeper)
{
	char text[CLOCK_TEXT_SIZE];

	if (lc_clock_format(&keeper->clock, text))
		keeper_remember(keeper, "clock", text);
}

/* The clock is believed, or no longer, or its doubts are still to be met. */
static void
note_trust(struct keeper *keeper)
{
	const struct lc_clock_guard *clock = &keeper->clock;

	if (keeper->trusted && !clock->trusted)
		jw_log_event(JW_LOG_WARNING,
		    &(const struct jw_log_about){
			.event = JW_EVENT_CLOCK_JUMPED},
		    "the wall clock jumped: nothing becomes ready, rotates by "
		    "schedule or is removed until it has been stable for %d "
		    "min",
		    CLOCK_STABLE_FOR / 60);
	if (!keeper->trusted && clock->trusted)
		jw_log_event(JW_LOG_NOTICE,
		    &(const struct jw_log_about){
			.event = JW_EVENT_CLOCK_TRUSTED},
		    "the wall clock is trusted again: waits in progress start "
		    "anew");
	keeper->trusted = clock->trusted;
	keeper->unretimed = clock->doubted ? keeper->nsets : 0;
	for (size_t i = 0; i < keeper->nsets; i++)
		keeper->sets[i]->to_retime = clock->doubted;
	remember_clock(keeper);
	reconsider_all(keeper);
}

static const char accepted_cause[] = "an operator accepted the clock";

/* A clock that says less than what has happened already is wrong. */
static void
doubt_clock(struct keeper *keeper, int64_t now)
{
	struct lc_set view;
	int64_t latest = 0, last;

	for (size_t i = 0; i < keeper->nsets; i++) {
		keeper_view(keeper->sets[i], &view);
		last = lc_latest_fact(&view);
		latest = last > latest ? last : latest;
	}
	if (latest > now + CLOCK_JUMP)
		lc_clock_doubt(&keeper->clock, now, keeper->boot());
}

/* While the machine sleeps, nobody can read the sets. */
static void
check_suspend(struct keeper *keeper, int64_t now)
{
	int64_t suspended = lc_clock_suspended();
	/* Each is the difference of two clocks in whole seconds. */
	bool slept = suspended - keeper->suspended + 2 > SERVABLE_GRACE;

	keeper->suspended = suspended;
	if (!slept || !keeper->servable.serving)
		return;
	note_outage(keeper, now + 1);
	reconsider_all(keeper);
}

static void
resumed(struct keeper *keeper, struct keeper_set *set)
{
	if (set->resumed_at != 0 && keeper->unresumed > 0 &&
	    --keeper->unresumed == 0)
		remember_servable(keeper);
	set->resumed_at = 0;
}

static void
retimed(struct keeper *keeper, struct keeper_set *set)
{
	char text[24];

	set->to_retime = false;
	if (keeper->unretimed == 0 || --keeper->unretimed > 0)
		return;
	keeper->clock.doubted = false;
	keeper->retimed_at = keeper_now(keeper) + 1;
	snprintf(text, sizeof(text), "%lld", (long long)keeper->retimed_at);
	keeper_remember(keeper, "retimed", text);
	remember_clock(keeper);
}

void
keeper_drop_set(struct keeper *keeper, struct keeper_set *set)
{
	if (set->resumed_at != 0)
		resumed(keeper, set);
	if (set->to_retime)
		retimed(keeper, set);
	keeper_restated(keeper, set);
	keeper->withdrawing = true;
	forget_set(keeper, set);
}

void
keeper_replace_row(
    struct keeper *keeper, struct keeper_set *set, struct key_set *take_row)
{
	keeper->without_active -= lacks_signer(set);
	keeper->ngenerations -= set->row.nkeys;
	/* What is published now has yet to be read. */
	if (set->row.facts.version != take_row->facts.version)
		set->read_at = 0;
	set->row = *take_row;
	for (size_t i = 0; i < set->row.nkeys; i++)
		set->row.keys[i].facts.spread = lc_spread(set->row.keys[i].kid);
	keeper_note_damage(set);
	keeper->without_active += lacks_signer(set);
	keeper->ngenerations += set->row.nkeys;
	set->failures = 0;
	set->hold_until = 0;
}

static void
adopt_accepted(struct keeper *keeper)
{
	keeper->accepting = false;
	keeper->clock = keeper->accepted;
	jw_log(JW_LOG_NOTICE, "%s", accepted_cause);
	note_trust(keeper);
}

enum jw_err
keeper_accept_clock(struct keeper *keeper, const struct keeper_commit *how)
{
	struct store_audit audit = {
	    .event = "clock",
	    .cause = accepted_cause,
	};
	char text[CLOCK_TEXT_SIZE] = "";
	struct lc_clock_guard guard;
	enum jw_err err;

	if (store_in_doubt(keeper->store))
		return JW_STORE_FAILED;
	/* A jump that nobody has noticed yet is one all the same. */
	lc_clock_check(&keeper->clock, keeper->wall(), keeper->boot());
	guard.doubted = keeper->clock.doubted;
	lc_clock_accept(&guard, keeper->wall(), keeper->boot());
	if (!lc_clock_format(&guard, text))
		text[0] = '\0';
	/* It may be looked up before the commit returns. */
	keeper->accepted = guard;
	keeper->accepting = true;
	err = commit_world(keeper, "clock", text, &audit, how);
	if (err == JW_OK)
		adopt_accepted(keeper);
	else if (err != JW_OUTCOME_UNKNOWN)
		keeper->accepting = false;
	return err;
}

/* ---- observers ---- */

void
keeper_observe(struct keeper *keeper, struct keeper_observer *observer)
{
	observer->next = keeper->observers;
	keeper->observers = observer;
}

void
keeper_unobserve(struct keeper *keeper, struct keeper_observer *observer)
{
	struct keeper_observer **at = &keeper->observers;

	while (*at != NULL && *at != observer)
		at = &(*at)->next;
	if (*at != NULL)
		*at = observer->next;
}

void
keeper_tell(struct keeper *keeper, const struct keeper_news *news)
{
	struct keeper_observer *observer = keeper->observers, *next;

	for (; observer != NULL; observer = next) {
		next = observer->next;
		observer->fn(news, observer->arg);
	}
}

/* ---- committing ---- */

void
keeper_edit_begin(
    struct keeper *keeper, struct keeper_set *set, struct keeper_edit *ret_edit)
{
	ret_edit->set = set;
	ret_edit->env = keeper_env(keeper, set);
	keeper_view(set, &ret_edit->before);
	ret_edit->after = ret_edit->before;
	if (set->read_at != 0)
		lc_read(&ret_edit->after, set->read_at);
	for (size_t i = 0; i < ret_edit->after.count; i++) {
		struct generation *gen = &ret_edit->after.gens[i];

		if (gen->number == set->unnoted_number &&
		    gen->max_exp < set->unnoted_exp)
			gen->max_exp = set->unnoted_exp;
	}
}

static const struct key *
find_key(const struct keeper_set *set, const struct keeper_commit *how,
    int64_t number)
{
	for (size_t i = 0; i < set->row.nkeys; i++)
		if (set->row.keys[i].facts.number == number)
			return &set->row.keys[i];
	for (size_t i = 0; i < how->ncreated; i++)
		if (how->created[i].key->facts.number == number)
			return how->created[i].key;
	return NULL;
}

static size_t
collect_updates(const struct keeper_edit *edit, struct generation *ret_gens)
{
	size_t n = 0;

	for (size_t i = 0; i < edit->after.count; i++) {
		const struct generation *now = &edit->after.gens[i];
		const struct generation *was =
		    lc_find(&edit->before, now->number);

		if (was != NULL && !lc_same(was, now))
			ret_gens[n++] = *now;
	}
	return n;
}

/* What one commit is made of, while it is being made. */
struct draft {
	struct generation updated[MODEL_GENERATIONS_MAX];
	struct lc_change changes[MODEL_GENERATIONS_MAX];
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct store_audit audit[MODEL_GENERATIONS_MAX + 1];
	size_t nchanges;
	struct store_change change;
};

static void
draft_audit(struct draft *draft, const struct keeper_commit *how)
{
	size_t n = 0;

	if (how->event != NULL)
		draft->audit[n++] = (struct store_audit){
		    .event = how->event,
		    .cause = how->cause,
		};
	for (size_t i = 0; i < draft->nchanges; i++) {
		const struct lc_change *c = &draft->changes[i];

		draft->audit[n++] = (struct store_audit){
		    .generation = c->number,
		    .kid = draft->keys[i]->kid,
		    .event = lc_state_name(c->to),
		    .from_state = c->has_from ? lc_state_name(c->from) : NULL,
		    .to_state = lc_state_name(c->to),
		    .cause = how->cause,
		};
	}
	draft->change.audit = draft->audit;
	draft->change.naudit = n;
}

static enum jw_err
draft_make(struct draft *draft, const struct keeper_edit *edit,
    const struct keeper_commit *how)
{
	draft->nchanges = lc_diff(
	    &edit->before, &edit->after, draft->changes, MODEL_GENERATIONS_MAX);
	for (size_t i = 0; i < draft->nchanges; i++) {
		draft->changes[i].time = edit->env.now;
		draft->changes[i].cause = how->cause;
		draft->keys[i] =
		    find_key(edit->set, how, draft->changes[i].number);
		if (draft->keys[i] == NULL)
			return JW_BUG;
	}
	draft->change = (struct store_change){
	    .set = &edit->set->row,
	    .facts = &edit->after.facts,
	    .now = edit->env.now,
	    .updated = draft->updated,
	    .nupdated = collect_updates(edit, draft->updated),
	    .reason = how->reason,
	    .created = how->created,
	    .ncreated = how->ncreated,
	    .actor = how->actor,
	    .audit_reason = how->reason,
	    .request = how->request,
	};
	draft_audit(draft, how);
	return JW_OK;
}

/* The committed facts, into memory. */
static void
adopt_facts(struct keeper *keeper, const struct keeper_edit *edit)
{
	struct keeper_set *set = edit->set;
	bool lacked = lacks_signer(set);

	set->row.facts = edit->after.facts;
	for (size_t i = 0; i < set->row.nkeys; i++) {
		struct key *key = &set->row.keys[i];
		const struct generation *now =
		    lc_find(&edit->after, key->facts.number);

		if (now != NULL)
			key->facts = *now;
	}
	keeper->without_active -= lacked;
	keeper->without_active += lacks_signer(set);
}

void
keeper_drop_tombstones(struct keeper *keeper, struct keeper_set *set)
{
	size_t n = 0, before = set->row.nkeys;

	for (size_t i = 0; i < set->row.nkeys; i++) {
		struct key *key = &set->row.keys[i];

		if (lc_state(&key->facts) < GEN_REMOVED) {
			set->row.keys[n++] = *key;
			continue;
		}
		free(key->jwk);
		free(key->reason);
	}
	set->row.nkeys = n;
	keeper->ngenerations -= before - n;
}

/* Room for keys that a commit adds, before it is made. */
static enum jw_err
keeper_keeper_make_room(struct keeper_set *set, size_t more)
{
	struct key *grown;

	if (more == 0)
		return JW_OK;
	grown =
	    realloc(set->row.keys, (set->row.nkeys + more) * sizeof(*grown));
	if (grown == NULL)
		return JW_NO_MEMORY;
	set->row.keys = grown;
	return JW_OK;
}

static void
adopt_created(struct keeper *keeper, struct keeper_set *set,
    const struct keeper_commit *how)
{
	for (size_t i = 0; i < how->ncreated; i++)
		set->row.keys[set->row.nkeys++] = *how->created[i].key;
	keeper->ngenerations += how->ncreated;
}

static const enum jw_event events[GEN_STATE_COUNT] = {
    [GEN_PENDING] = JW_EVENT_CREATED,
    [GEN_PUBLISHED] = JW_EVENT_PUBLISHED,
    [GEN_READY] = JW_EVENT_STANDBY_READY,
    [GEN_ACTIVE] = JW_EVENT_ACTIVATED,
    [GEN_RETIRED] = JW_EVENT_RETIRED,
    [GEN_REMOVED] = JW_EVENT_REMOVED,
    [GEN_REVOKED] = JW_EVENT_REVOKED,
};

static void
log_change(const struct keeper_set *set, const struct lc_change *change,
    const char *kid, const struct store_actor *actor)
{
	const struct jw_log_about about = {
	    .event = events[change->to],
	    .key_set = set->row.name,
	    .kid = kid,
	    .generation = change->number,
	    .state = lc_state_name(change->to),
	    .by_user = actor->uid >= 0,
	    .uid = actor->uid,
	};

	jw_log_event(JW_LOG_NOTICE, &about,
	    "%s: generation %lld (%s) is %s: %s", about.key_set,
	    (long long)change->number, kid, about.state, change->cause);
}

void
keeper_log_change(const struct keeper_set *set, const struct lc_change *change,
    const char *kid)
{
	log_change(set, change, kid, &(const struct store_actor){-1, -1, -1});
}

static void
log_changes(const struct keeper_set *set, const struct draft *draft)
{
	for (size_t i = 0; i < draft->nchanges; i++)
		log_change(set, &draft->changes[i], draft->keys[i]->kid,
		    &draft->change.actor);
}

static void recover(struct keeper *keeper);

enum jw_err
keeper_commit_failed(
    struct keeper *keeper, const char *key_set, enum jw_err err)
{
	keeper_check_place(keeper);
	if (keeper->misplaced && err == JW_STORE_FAILED)
		return err;
	if (err == JW_NO_SPACE)
		keeper_note_room(keeper, false);
	jw_log_event(JW_LOG_ERROR,
	    &(const struct jw_log_about){
		.event = JW_EVENT_STORE_FAILED,
		.key_set = key_set,
	    },
	    "%s: not committed: %s: %s", key_set, jw_err_text(err),
	    store_message(keeper->store));
	if (err == JW_OUTCOME_UNKNOWN)
		recover(keeper);
	return err;
}

/* keep: what is left of the reserve for commits. */
static void
scrub(struct keeper *keeper, int64_t keep)
{
	enum jw_err err;

	do
		err = store_scrub(keeper->store);
	while (err == JW_NO_SPACE && keeper_release_room(keeper, keep));
	if (err != JW_OK)
		jw_log(JW_LOG_WARNING, "an erased private key is still in the "
				       "log of the database: trying again");
}

static enum jw_err
commit(struct keeper *keeper, const struct store_change *change, bool urgent)
{
	enum jw_err err;
	int64_t id;

	do
		err = store_commit(keeper->store, change, &id);
	while (err == JW_NO_SPACE && urgent && keeper_release_room(keeper, 0));
	if (err == JW_OK)
		keeper_note_room(keeper, true);
	return err;
}

static void
adopt(struct keeper *keeper, const struct keeper_edit *edit,
    const struct keeper_commit *how, const struct draft *draft)
{
	struct keeper_set *set = edit->set;
	struct keeper_news news = {
	    .set = set,
	    .changes = draft->changes,
	    .count = draft->nchanges,
	    .keys = draft->keys,
	    .order = how->event,
	    .document_changed = keeper_difference_in_document(
		&edit->before.facts, &edit->after.facts),
	};

	set->row.revision++;
	keeper->failures = 0;
	set->failures = 0;
	set->hold_until = 0;
	set->read_at = 0;
	set->unnoted_exp = 0;
	set->unnoted_number = 0;
	keeper->note_failures = 0;
	keeper->note_hold_until = 0;
	adopt_facts(keeper, edit);
	log_changes(set, draft);
	keeper_tell(keeper, &news);
	keeper_drop_tombstones(keeper, set);
	if (set->row.facts.removed_at == 0)
		keeper_reconsider(keeper, set);
	else
		keeper_drop_set(keeper, set);
}

enum jw_err
keeper_commit(struct keeper *keeper, struct keeper_edit *edit,
    const struct keeper_commit *how)
{
	struct draft draft = {.nchanges = 0};
	enum jw_err err = keeper_keeper_make_room(edit->set, how->ncreated);

	if (err == JW_OK)
		err = draft_make(&draft, edit, how);
	if (err == JW_OK)
		err = commit(keeper, &draft.change, how->urgent);
	if (err != JW_OK)
		return keeper_commit_failed(keeper, edit->set->row.name, err);
	adopt_created(keeper, edit->set, how);
	adopt(keeper, edit, how, &draft);
	/* What an operator ordered is over when it is answered. */
	if (how->actor.uid >= 0)
		scrub(keeper, how->urgent ? BALLAST_SIZE / 2 : BALLAST_SIZE);
	return JW_OK;
}

/* ---- key pairs ---- */

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
			hold(keeper, set, keeper_now(keeper));
	} else {
		keeper_reconsider(keeper, set);
	}
	generate_free(job);
}

static enum jw_err
generate_start(struct keeper *keeper, struct keeper_set *set)
{
	struct generate *job = calloc(1, sizeof(*job));
	enum jw_err err;

	if (job == NULL)
		return JW_NO_MEMORY;
	job->keeper = keeper;
	job->set_id = set->row.id;
	job->alg = (enum jw_alg)set->row.facts.policy.algorithm;
	job->rsa_bits = set->row.facts.policy.rsa_bits;
	/* Before what new key sets need: this one is in use. */
	err = crypto_worker_submit(keeper->generators, WORKER_URGENT,
	    generate_run, generate_done, generate_free, job);
	if (err == JW_OK)
		set->pairs_coming++;
	else
		free(job);
	return err;
}

/* ---- the wake ---- */

static enum jw_err
keeper_perform(
    struct keeper *keeper, struct keeper_edit *edit, const struct lc_step *step)
{
	struct keeper_commit how = {
	    .cause = step->cause,
	    .actor = {-1, -1, -1},
	};

	lc_apply(&edit->after, step, &edit->env);
	return keeper_commit(keeper, edit, &how);
}

static const char late_cause[] =
    "a commit that had been reported as failed is there";

/* Waits begin anew before anything else may happen. */
static void
resume(struct keeper *keeper, struct keeper_set *set)
{
	bool late = set->late_since != 0;
	bool retime = !late && set->to_retime && keeper->clock.trusted;
	bool outage = !late && !retime && set->resumed_at != 0;
	struct keeper_commit how = {
	    .cause = late     ? late_cause
		     : retime ? "the clock is trusted again"
		     : outage ? "the set could not be read for a while"
			      : "every front has read the set",
	    .event = late     ? "recovered"
		     : retime ? "clock"
		     : outage ? "outage"
			      : NULL,
	    .actor = {-1, -1, -1},
	};
	struct keeper_edit edit;
	enum jw_err err = JW_OK;
	bool changed = set->read_at != 0;

	keeper_edit_begin(keeper, set, &edit);
	if (late)
		changed |= lc_make_late(&edit.after, set->late_since);
	else if (retime)
		changed |= lc_retime(&edit.after, edit.env.now);
	else if (outage)
		changed |= lc_resume(&edit.after, set->resumed_at);
	if (changed)
		err = keeper_commit(keeper, &edit, &how);
	if (err == JW_OUTCOME_UNKNOWN)
		return;
	if (err != JW_OK) {
		hold(keeper, set, edit.env.now);
		return;
	}
	if (late)
		set->late_since = 0;
	else if (retime)
		retimed(keeper, set);
	else if (outage)
		resumed(keeper, set);
	keeper_reconsider(keeper, set);
}

/* What can be published of a key set with damaged rows. */
static void
restate(struct keeper *keeper, struct keeper_set *set)
{
	enum jw_err err = keeper_restate(keeper, set);

	if (err == JW_OUTCOME_UNKNOWN)
		return;
	if (err != JW_OK) {
		hold(keeper, set, keeper_now(keeper));
		return;
	}
	keeper_restated(keeper, set);
	keeper_reconsider(keeper, set);
}

/* One step of one key set. */
static void
act(struct keeper *keeper, struct keeper_set *set)
{
	struct keeper_edit edit;
	struct lc_step step;
	enum jw_err err = JW_OK;

	if (set->to_restate && set->hold_until <= keeper_now(keeper)) {
		restate(keeper, set);
		return;
	}
	if (has_news(keeper, set) && set->hold_until <= keeper_now(keeper)) {
		resume(keeper, set);
		return;
	}
	keeper_edit_begin(keeper, set, &edit);
	step = lc_next(&edit.before, &edit.env);
	if (step.due > edit.env.now || set->hold_until > edit.env.now ||
	    keeper->hold_until > edit.env.now) {
		keeper_reconsider(keeper, set);
		return;
	}
	if (step.action == LC_CREATE) {
		err = generate_start(keeper, set);
		keeper_reconsider(keeper, set);
	} else {
		err = keeper_perform(keeper, &edit, &step);
	}
	if (err != JW_OK && err != JW_OUTCOME_UNKNOWN)
		hold(keeper, set, edit.env.now);
}

static void
prune(struct keeper *keeper, int64_t now)
{
	int64_t boot = keeper->boot();

	/* A clock that jumped makes every request look old. */
	if (!keeper->clock.trusted || keeper->clock.doubted ||
	    (keeper->pruned && boot - keeper->pruned_at < PRUNE_EVERY))
		return;
	keeper->pruned = true;
	keeper->pruned_at = boot;
	if (store_request_prune(
		keeper->store, now - REQUESTS_KEPT_FOR, REQUESTS_KEPT) != JW_OK)
		jw_log(JW_LOG_WARNING, "old requests stay: %s",
		    store_message(keeper->store));
}

/* A wall clock that was set back must not prolong what holds after a failure.
 */
static void
limit_holds(struct keeper *keeper, int64_t now)
{
	bool set_back = now < keeper->woken_at;
	int64_t most = now + HOLD_MAX;

	keeper->woken_at = now;
	if (!set_back)
		return;
	if (keeper->hold_until > most)
		keeper->hold_until = most;
	if (keeper->note_hold_until > most)
		keeper->note_hold_until = most;
	for (size_t i = 0; i < keeper->nsets; i++)
		if (keeper->sets[i]->hold_until > most)
			keeper->sets[i]->hold_until = most;
	reconsider_all(keeper);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *keeper = arg;
	struct keeper_set *set;
	int64_t now = keeper_now(keeper), until = lc_clock_ticks() + PASS_MS;

	(void)fd;
	(void)what;
	if (keeper->trusted != keeper->clock.trusted)
		note_trust(keeper);
	limit_holds(keeper, now);
	check_suspend(keeper, now);
	if (store_in_doubt(keeper->store) && keeper->hold_until <= now)
		recover(keeper);
	if (keeper->store == NULL)
		return; /* the loop is ending */
	if (store_in_doubt(keeper->store)) {
		arm(keeper, now);
		return;
	}
	keeper_check_place(keeper);
	do {
		set = keeper_first_due(keeper);
		if (set == NULL || set->item.due > now)
			break;
		act(keeper, set);
	} while (lc_clock_ticks() < until);
	if (keeper->store == NULL || store_in_doubt(keeper->store))
		return;
	/* One for all that are destroyed at the same time. */
	set = keeper_first_due(keeper);
	if (set == NULL || set->item.due > now)
		scrub(keeper, BALLAST_SIZE);
	keeper_make_room(keeper);
	keeper_note_late(keeper, now);
	prune(keeper, now);
	arm(keeper, now);
}

/* ---- start and end ---- */

/* The key set that every installation has. */
static enum jw_err
create_default(struct keeper *keeper, int64_t now)
{
	struct key_set row = {.name = "default"};
	struct key_set_facts facts = {
	    .policy = keeper->policy,
	    .next_number = 1,
	};
	struct store_audit audit = {
	    .event = "keyset",
	    .cause = "first start",
	};
	struct store_change change = {
	    .set = &row,
	    .facts = &facts,
	    .now = now,
	    .audit = &audit,
	    .naudit = 1,
	    .actor = {-1, -1, -1},
	};
	enum jw_err err = store_commit(keeper->store, &change, &row.id);

	if (err != JW_OK)
		return err;
	row.revision = 1;
	row.facts = facts;
	return keeper_hold_set(&row, keeper);
}

/* Whoever removes `default` later does not get it back. */
static enum jw_err
first_start(struct keeper *keeper)
{
	char *made = NULL;
	enum jw_err err = store_meta_get(keeper->store, "first_start", &made);

	free(made);
	if (err != JW_NO_SUCH_KEY)
		return err;
	if (keeper->nsets == 0)
		err = create_default(keeper, keeper_now(keeper));
	else
		err = JW_OK;
	return err == JW_OK
		   ? store_meta_set(keeper->store, "first_start", "done")
		   : err;
}

/* A wrong KEK must be found before it seals anything. */
static enum jw_err
check_kek(struct keeper *keeper, struct jw_why *why)
{
	char hex[2 * ENVELOPE_KEK_ID_SIZE + 1], *known = NULL;
	const uint8_t *id = crypto_kek_id(keeper->kek);
	enum jw_err err;

	for (int i = 0; i < ENVELOPE_KEK_ID_SIZE; i++)
		snprintf(hex + (ptrdiff_t)2 * i, 3, "%02x", id[i]);
	err = store_meta_get(keeper->store, "kek_id", &known);
	if (err == JW_NO_SUCH_KEY)
		return store_meta_set(keeper->store, "kek_id", hex);
	if (err == JW_OK && strcmp(known, hex) != 0) {
		jw_why_set(why, "the key-encryption key is not the one that "
				"sealed the keys of this database");
		jw_why_hint(why, "put the right one in place: without it the "
				 "private keys cannot be opened");
		err = JW_BAD_KEK;
	}
	free(known);
	return err;
}

/* What holds for all key sets; values that make no sense count as absent. */
static enum jw_err
load_world(struct keeper *keeper)
{
	char *frozen = NULL, *servable = NULL, *clock = NULL, *at = NULL;
	enum jw_err err = store_meta_get(keeper->store, "frozen", &frozen);

	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "servable", &servable);
	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "clock", &clock);
	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "retimed", &at);
	if (at != NULL)
		keeper->retimed_at = strtoll(at, NULL, 10);
	keeper->frozen = frozen != NULL && strcmp(frozen, "1") == 0;
	if (servable != NULL && !keeper->servable.serving)
		lc_outage_parse(servable, &keeper->servable);
	if (clock != NULL && !keeper->clock.started)
		keeper->same_boot = lc_clock_parse(&keeper->clock, clock);
	free(frozen);
	free(servable);
	free(clock);
	free(at);
	return err == JW_NO_SUCH_KEY ? JW_OK : err;
}

static enum jw_err
keeper_load(struct keeper *keeper, struct jw_why *why)
{
	enum jw_err err = check_kek(keeper, why);

	if (err == JW_BAD_KEK)
		return err;
	if (err == JW_OK)
		err = load_world(keeper);
	if (err == JW_OK)
		err = store_load(keeper->store, keeper_hold_set, keeper);
	if (err == JW_OK)
		err = keeper_look_for_damage(keeper);
	if (err == JW_OK)
		err = first_start(keeper);
	if (err != JW_OK)
		jw_why_set(why, "%s: %s", keeper->store_path,
		    store_message(keeper->store));
	return err;
}

/* What holds for all key sets, where a commit may be there after all. */
static enum jw_err
catch_up_world(struct keeper *keeper)
{
	char *frozen = NULL, *clock = NULL, text[CLOCK_TEXT_SIZE];
	const struct store_actor nobody = {-1, -1, -1};
	enum jw_err err = store_meta_get(keeper->store, "frozen", &frozen);
	bool is_frozen = frozen != NULL && strcmp(frozen, "1") == 0;

	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "clock", &clock);
	if (err == JW_OK || err == JW_NO_SUCH_KEY) {
		err = JW_OK;
		if (is_frozen != keeper->frozen)
			adopt_frozen(keeper, is_frozen, &nobody);
		if (keeper->accepting && clock != NULL &&
		    lc_clock_format(&keeper->accepted, text) &&
		    strcmp(clock, text) == 0)
			adopt_accepted(keeper);
		keeper->accepting = false;
	}
	free(frozen);
	free(clock);
	return err;
}

/* Another try may end otherwise: the disk may work again. */
static bool
is_worth_a_try(enum jw_err err)
{
	return err == JW_STORE_FAILED || err == JW_NO_SPACE ||
	       err == JW_NO_MEMORY || err == JW_LOCKED || err == JW_IO;
}

static void
give_up(struct keeper *keeper)
{
	jw_log(JW_LOG_ERROR, "the store cannot be opened again: ending; the "
			     "front serves on");
	store_close(keeper->store);
	keeper->store = NULL;
	forget_sets(keeper);
	event_base_loopbreak(keeper->base);
}

/* What could not be written meanwhile. */
static void
remember_world(struct keeper *keeper)
{
	if (keeper->unresumed == 0)
		remember_servable(keeper);
	remember_clock(keeper);
}

/*
 * A failed COMMIT may be there after all: only the store knows, and only once
 * the disk has confirmed what can be read from it.  Until then memory is what
 * was last confirmed: that is served, and signed with.
 */
static void
recover(struct keeper *keeper)
{
	struct jw_why why = {"", ""};
	int64_t now = keeper_now(keeper);
	enum jw_err err;

	/* Again and again is no use: each time longer. */
	keeper->hold_until = now + keeper_hold_time(&keeper->failures);
	err = store_recover(keeper->store, now, &why);
	if (err == JW_OK)
		err = catch_up_world(keeper);
	if (err == JW_OK)
		err = keeper_catch_up(keeper, late_cause);
	if (err == JW_OK) {
		jw_log(JW_LOG_NOTICE,
		    "%s: the disk has confirmed what is in "
		    "the database",
		    keeper->store_path);
		remember_world(keeper);
	} else {
		if (!store_in_doubt(keeper->store))
			store_doubt(keeper->store);
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_STORE_FAILED},
		    "%s", why.text[0] != '\0' ? why.text : jw_err_text(err));
	}
	if (err == JW_OK || is_worth_a_try(err))
		reconsider_all(keeper);
	else
		give_up(keeper);
}

enum jw_err
keeper_new(const struct keeper_options *options, struct keeper **ret_keeper,
    struct jw_why *why)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	enum jw_err err;

	if (keeper == NULL) {
		store_close(options->take_store);
		return JW_NO_MEMORY;
	}
	keeper->base = options->base;
	keeper->store = options->take_store;
	keeper->kek = options->kek;
	keeper->policy = *options->policy;
	keeper->wall = options->wall != NULL ? options->wall : lc_clock_wall;
	keeper->boot = options->boot != NULL ? options->boot : lc_clock_boot;
	/* Maybe of those that were removed before the end of the last one. */
	keeper->withdrawing = true;
	keeper->store_path = strdup(options->store_path);
	keeper->timer = evtimer_new(keeper->base, on_wake, keeper);
	err = keeper->store_path == NULL || keeper->timer == NULL
		  ? JW_NO_MEMORY
		  : crypto_worker_pool_new(keeper->base, GENERATOR_THREADS,
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
		doubt_clock(keeper, now);
	keeper->suspended = lc_clock_suspended();
	keeper->trusted = true;
	note_trust(keeper);
}

void
keeper_free(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	/* A key pair may take seconds to finish. */
	atomic_store(&keeper->stopping, true);
	store_close(keeper->store);
	keeper->store = NULL;
	crypto_worker_pool_free(keeper->generators);
	forget_sets(keeper);
	jw_deadlines_done(&keeper->agenda);
	keeper_room_done(&keeper->room);
	if (keeper->timer != NULL)
		event_free(keeper->timer);
	free(keeper->sets);
	free(keeper->left_out);
	free(keeper->store_path);
	free(keeper);
}

/* ---- rendering ---- */

enum jw_err
keeper_render(
    const struct keeper_set *set, const struct lc_set *view, char **ret_body)
{
	size_t order[MODEL_GENERATIONS_MAX], n, count = 0;
	const struct key *keys[MODEL_GENERATIONS_MAX];
	struct keeper_commit none = {.ncreated = 0};
	struct jw_why why = {"", ""};
	struct lc_set own;
	enum jw_err err;

	if (view == NULL) {
		keeper_view(set, &own);
		view = &own;
	}
	n = lc_publication(view, order);
	for (size_t i = 0; i < n; i++) {
		keys[count] = find_key(set, &none, view->gens[order[i]].number);
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
