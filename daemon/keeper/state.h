/*
 * The state of the keeper: what its files share, and no other folder sees.
 */
#ifndef JWKSD_DAEMON_KEEPER_STATE_H
#define JWKSD_DAEMON_KEEPER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/deadline_heap.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/room.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"
#include "daemon/store/store.h"

struct crypto_worker_pool;
struct event;
struct keeper_observer;

struct keeper {
	struct event_base *base;
	char *store_path;
	struct store *store;
	const struct envelope_kek *kek;
	struct envelope_kek *own_kek; /* the same, where the keeper frees it */
	bool unanchored;              /* the anchor could not be written */
	struct jw_policy policy;
	struct crypto_worker_pool *generators;
	atomic_bool
	    stopping; /* the key pairs that threads are making are not wanted */
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
	struct jw_deadlines deadlines;
	int64_t woken_at;   /* wall clock */
	bool pruned;        /* old requests were deleted since the start */
	int64_t pruned_at;  /* when they were, by the boot-time clock */
	int64_t hold_until; /* after commits of unknown outcome */
	int32_t failures;
	int64_t note_hold_until; /* after an exp that could not be kept */
	int32_t note_failures;
	struct lc_outage servable;
	bool frozen;
	int64_t domain_since; /* when [http] domain became what it is; 0: always
				 was */
	int64_t
	    domain_until; /* until then verifiers may have copies from before */
	bool misplaced;   /* files of the database have been moved or deleted */
	bool unnoted;     /* a key set may have an unnoted_exp */
	struct keeper_room room;
	size_t unrestated; /* key sets whose damage is yet to be audited */
	char *left_out;    /* damaged keys, as last audited */
	bool accepting;    /* `accepted` is being committed, or its outcome is
			      unknown */
	struct lc_clock_guard accepted;
	size_t unread;    /* key sets that a front may not have read yet */
	bool withdrawing; /* a front may still serve a removed key set */
	size_t unresumed; /* key sets that have yet to record the last outage */
	size_t unretimed; /* key sets whose waits have yet to start anew */
	bool trusted;     /* clock.trusted when the deadlines were computed */
	bool same_boot; /* the machine has not booted since the clock was stored
			 */
	int64_t suspended;
	char boot_id[JW_BOOT_ID_SIZE]; /* "": the boot has none */
	int64_t retimed_at; /* when all waits last began anew with a trusted
			       clock */
};

#endif
