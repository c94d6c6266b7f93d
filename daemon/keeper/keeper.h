/*
 * The keeper: the key sets in memory, one timer, and the only writer of the
 * store.  At each wake it reads the clock once, asks the lifecycle what is
 * due, performs it in one transaction, tells its observers, and asks again.
 *
 * Everything here runs on the event loop.  Commits block on the disk;
 * generating key pairs does not block (worker.h).
 */
#ifndef JWKSD_DAEMON_KEEPER_KEEPER_H
#define JWKSD_DAEMON_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/deadline_heap.h"
#include "common/base/err.h"
#include "common/config/policy.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"
#include "daemon/store/change.h"

struct envelope_kek;
struct event_base;
struct keeper;
struct keeper_commit;
struct store;

/* A key set in memory; read-only outside the keeper. */
struct keeper_set {
	struct key_set row;
	struct jw_deadline item;
	/* What a look over all key sets needs, side by side. */
	int64_t rotate_due; /* of the active generation; 0: none is */
	bool is_unwise;     /* the policy is lawful, and worth a warning */
	int pairs_coming;   /* key pairs that are being generated */
	int64_t hold_until; /* after a failure; 0: nothing in the way */
	int64_t resumed_at; /* an outage ended, and is to be recorded */
	int64_t read_at;    /* every front has read it, and the same */
	bool unread;        /* a wait begins when they have */
	bool unsent;        /* what is published could not be sent */
	int64_t late_since; /* a commit was told late, and the same */
	bool to_retime;     /* the clock is believed again (retime.h) */
	bool to_restate;    /* other keys are damaged than the version says */
	int32_t damaged;    /* keys that cannot be published */
	int32_t failures;   /* in a row */
	/* An exp that could not be committed: the next commit has it. */
	int64_t unnoted_exp;
	int64_t unnoted_number; /* the generation that signed it */
};

struct keeper_options {
	struct event_base *base;
	const char *store_path;
	struct store *take_store;
	const struct envelope_kek *kek;
	const struct jw_policy *policy; /* of the first key set */
	int64_t (*wall)(void); /* clocks; NULL: this machine's (clock.h) */
	int64_t (*boot)(void);
};

/*
 * Load everything; a new database gets the key set `default`.  Nothing is
 * performed yet.  Owns the store from here on, on success and on failure.
 */
enum jw_err keeper_new(const struct keeper_options *options,
    struct keeper **ret_keeper, struct jw_why *why);
void keeper_free(struct keeper *keeper);

/* The first pass, and the timer. */
void keeper_start(struct keeper *keeper);

/* The wall clock as of this wake of the event loop. */
int64_t keeper_now(struct keeper *keeper);
bool keeper_clock_trusted(const struct keeper *keeper);

/* Every key set has an active key, or waits for one (lc_awaits()). */
bool keeper_is_ready(const struct keeper *keeper);
size_t keeper_count(const struct keeper *keeper);
/* Living generations of all key sets. */
size_t keeper_generations(const struct keeper *keeper);
/* In the order of ids: a place stays behind the same set while sets are only
 * added.  NULL past the last. */
struct keeper_set *keeper_at(const struct keeper *keeper, size_t place);
size_t keeper_place_after(const struct keeper *keeper, int64_t id);
struct keeper_set *keeper_find(const struct keeper *keeper, const char *name);
struct keeper_set *keeper_by_id(const struct keeper *keeper, int64_t id);
/* The key set whose next change is the earliest; NULL: none is planned. */
struct keeper_set *keeper_first_due(const struct keeper *keeper);

/* Freeze or thaw every key set; kept in the store. */
enum jw_err keeper_freeze_all(
    struct keeper *keeper, bool frozen, const struct keeper_commit *how);
bool keeper_is_frozen(const struct keeper *keeper);

/* The wall clock is right, an operator says. */
enum jw_err keeper_accept_clock(
    struct keeper *keeper, const struct keeper_commit *how);

/* ---- looking at and changing a key set ---- */

void keeper_view(const struct keeper_set *set, struct lc_set *ret_view);
struct lc_env keeper_env(struct keeper *keeper, const struct keeper_set *set);

struct keeper_edit {
	struct keeper_set *set;
	struct lc_env env;
	struct lc_set before;
	struct lc_set after; /* the caller's to change */
};

void keeper_edit_begin(struct keeper *keeper, struct keeper_set *set,
    struct keeper_edit *ret_edit);

/* How and why; all but cause may be NULL or empty. */
struct keeper_commit {
	const char *cause;
	const char *event; /* of an order: an audit row of its own */
	const char *reason;
	struct store_actor actor;
	const struct store_request *request;
	const struct store_new_key *created;
	size_t ncreated;
	bool urgent; /* on a full disk it may use the reserve */
};

/*
 * Make an edit true: on disk, then in memory, then told to the observers.
 * Errors are store_commit()'s; then nothing has changed in memory.  After
 * JW_OUTCOME_UNKNOWN memory follows the store once the disk confirms it, or
 * the loop ends; the set may be gone.  JW_OK takes over the created `jwk`s.
 */
enum jw_err keeper_commit(struct keeper *keeper, struct keeper_edit *edit,
    const struct keeper_commit *how);

/* ---- what is published ---- */

/*
 * A key set's body as it is (view NULL) or as a view of it would be.  The
 * caller frees.  JW_NO_ACTIVE_KEY before the first version.
 */
enum jw_err keeper_render(
    const struct keeper_set *set, const struct lc_set *view, char **ret_body);

#endif
