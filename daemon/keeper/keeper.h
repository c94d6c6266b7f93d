/*
 * The keeper: the key sets in memory, one timer, and the only writer of the
 * store.  At each wake it reads the clock once, asks the lifecycle for the next
 * step, performs it in one transaction, notifies its observers, and asks again.
 *
 * Every function here runs on the event loop.  Commits block on the disk;
 * generating key pairs does not (worker.h).
 */
#ifndef JWKSD_DAEMON_KEEPER_KEEPER_H
#define JWKSD_DAEMON_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/deadline_heap.h"
#include "common/base/err.h"
#include "common/config/policy.h"
#include "daemon/keeper/commit.h"
#include "daemon/lifecycle/model.h"
#include "daemon/lifecycle/plan.h"

struct envelope_kek;
struct event_base;
struct keeper;
struct store;

/* A key set in memory; read-only outside the keeper. */
struct keeper_set {
	struct key_set row;
	struct jw_deadline item;
	/* Read by loops over all key sets, and so kept together. */
	int64_t rotate_due; /* of the active generation; 0: none is */
	bool is_unwise;     /* the policy is lawful, and worth a warning */
	int pairs_coming;   /* key pairs that are being generated */
	int64_t hold_until; /* after a failure; 0: nothing in the way */
	int64_t resumed_at; /* when an outage ended that the key set has yet to
			       record */
	int64_t read_at;    /* when every front had read it, which is yet to be
			       recorded */
	bool unread;        /* a wait begins when every front has read it */
	bool unsent;        /* its document could not be sent to a front */
	int64_t late_since; /* when a commit was found in the store that had
			       been reported as failed; yet to be recorded */
	bool to_retime;     /* the clock is trusted again: waits start anew
			       (time_correction.h) */
	bool to_restate;    /* the damaged keys are others than those that its
			       version leaves out */
	int32_t damaged;    /* keys that cannot be published */
	int32_t failures;   /* in a row */
	/* The largest exp that could not be committed: the next commit of the
	 * key set has it. */
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

/* Load everything; a new database gets the key set `default`.  Performs no step
 * yet.  Owns the store from here on, on success and on failure. */
enum jw_err keeper_new(const struct keeper_options *options,
    struct keeper **ret_keeper, struct jw_why *why);
void keeper_free(struct keeper *keeper);

/* The first pass, and the timer. */
void keeper_start(struct keeper *keeper);

/* The wall clock as of this wake of the event loop. */
int64_t keeper_now(struct keeper *keeper);
bool keeper_clock_trusted(const struct keeper *keeper);

/* Has every key set an active key, or a reason to wait for one
 * (lc_awaits())? */
bool keeper_is_ready(const struct keeper *keeper);
size_t keeper_count(const struct keeper *keeper);
/* Living generations of all key sets. */
size_t keeper_generations(const struct keeper *keeper);
/* In the order of ids: a place stays behind the same key set while key sets are
 * only added.  NULL behind the last. */
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

/* An operator says that the wall clock is right. */
enum jw_err keeper_accept_clock(
    struct keeper *keeper, const struct keeper_commit *how);

#endif
