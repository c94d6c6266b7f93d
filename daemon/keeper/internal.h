/*
 * What the files of the keeper share, and nobody else sees.
 */
#ifndef JWKSD_DAEMON_KEEPER_INTERNAL_H
#define JWKSD_DAEMON_KEEPER_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/deadline_heap.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/room.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"

struct event;
struct lc_change;
struct keeper_news;
struct keys_pair;
struct crypto_worker_pool;

struct keeper {
	struct event_base *base;
	char *store_path;
	struct store *store;
	const struct envelope_kek *kek;
	struct jw_policy policy;
	struct crypto_worker_pool *generators;
	atomic_bool stopping; /* key pairs that are being made are not wanted */
	struct event *timer;
	int64_t (*wall)(void);
	int64_t (*boot)(void);
	struct lc_clock_guard clock;
	struct keeper_observer *observers;
	struct keeper_set **sets; /* by id */
	size_t nsets;
	size_t sets_room;
	size_t ngenerations;
	size_t without_active; /* key sets whose signer is missing */
	void *by_name;         /* tsearch(3) */
	struct jw_deadlines agenda;
	int64_t woken_at;   /* wall clock */
	bool pruned;        /* since the start, last at */
	int64_t pruned_at;  /* boot-time clock */
	int64_t hold_until; /* after commits of unknown outcome */
	int32_t failures;
	int64_t note_hold_until; /* after an exp that could not be kept */
	int32_t note_failures;
	struct lc_outage servable;
	bool frozen;
	int64_t domain_since; /* of the HTTP front; 0: always */
	int64_t domain_until; /* copies from before live */
	bool misplaced;       /* files of the database are elsewhere */
	bool unnoted;         /* a key set may have an unnoted_exp */
	struct keeper_room room;
	size_t unrestated; /* key sets whose damage is yet to be audited */
	char *left_out;    /* damaged keys, as last audited */
	bool accepting;    /* whether this was committed is not known: */
	struct lc_clock_guard accepted;
	size_t unread;    /* key sets that a front may not have read */
	bool withdrawing; /* nor that another one is gone */
	size_t unresumed; /* key sets that have yet to record an outage */
	size_t unretimed; /* key sets whose waits have yet to start anew */
	bool trusted;     /* what the agenda was planned with */
	bool same_boot;   /* as when the store was last written */
	int64_t suspended;
	int64_t retimed_at; /* waits last began anew with a trusted clock */
};

/* Take over a row: hold it, and find it by name and id. */
enum jw_err keeper_hold_set(struct key_set *take_row, void *keeper);

/* When a key set's next change is due may be another now. */
void keeper_reconsider(struct keeper *keeper, struct keeper_set *set);

/* Another row of the same key set; the old one is the caller's. */
void keeper_replace_row(
    struct keeper *keeper, struct keeper_set *set, struct key_set *take_row);

/* Tombstones live in the store alone. */
void keeper_drop_tombstones(struct keeper *keeper, struct keeper_set *set);

/* A key set that has been removed, and told. */
void keeper_drop_set(struct keeper *keeper, struct keeper_set *set);

void keeper_log_change(const struct keeper_set *set,
    const struct lc_change *change, const char *kid);

/* ---- keeper_damage.c ---- */

/* Which keys of a row that was loaded are damaged; logged. */
void keeper_note_damage(struct keeper_set *set);

/* After all have been loaded: which key sets have to say so. */
enum jw_err keeper_look_for_damage(struct keeper *keeper);

/* A new version without the damaged keys, and with those that are whole
 * again.  Errors are keeper_commit()'s. */
enum jw_err keeper_restate(struct keeper *keeper, struct keeper_set *set);
/* It is committed, or the key set is gone. */
void keeper_restated(struct keeper *keeper, struct keeper_set *set);

void keeper_tell(struct keeper *keeper, const struct keeper_news *news);

/*
 * Seal a pair's private half for its row.  The caller frees *ret_blob.
 */
enum jw_err keeper_seal(const struct keeper *keeper, const char *key_set,
    const struct key *key, const struct keys_pair *pair, uint8_t **ret_blob,
    size_t *ret_len);

/* After a failure: wait longer each time, but never give up. */
int64_t keeper_hold_time(int32_t *failures);

/* Log a failed commit and, when its outcome is unknown, look up what holds.
 * Returns err. */
enum jw_err keeper_commit_failed(
    struct keeper *keeper, const char *key_set, enum jw_err err);

/* kid, jwk and spread of a pair; the facts are the caller's. */
enum jw_err keeper_describe(const struct keys_pair *pair, struct key *ret_key);

#endif
