/*
 * Functions that files of the keeper call in one another, and no other
 * folder.
 */
#ifndef JWKSD_DAEMON_KEEPER_INTERNAL_H
#define JWKSD_DAEMON_KEEPER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/keeper/keeper.h"
#include "daemon/keeper/state.h"

struct keeper_news;
struct keys_pair;
struct lc_change;

/* ---- sets.c ---- */

/* Hold a row from the store, to be found by name and id. */
enum jw_err keeper_hold_set(struct key_set *take_row, void *keeper);
/* Another row of the same key set; the old one is the caller's. */
void keeper_replace_row(
    struct keeper *keeper, struct keeper_set *set, struct key_set *take_row);
/* Tombstones live in the store alone. */
void keeper_drop_tombstones(struct keeper *keeper, struct keeper_set *set);
/* A key set whose removal is committed, and sent to the observers. */
void keeper_drop_set(struct keeper *keeper, struct keeper_set *set);
void keeper_forget_sets(struct keeper *keeper);
/* NULL: it has no such generation. */
const struct key *keeper_key(const struct keeper_set *set, int64_t number);
/* Has it no active key, though it does not wait for one (lc_awaits())? */
bool keeper_lacks_signer(const struct keeper_set *set);

/* ---- schedule.c ---- */

/* The timer's callback. */
void keeper_on_wake(int fd, short what, void *keeper);
/* Find the next deadline of a key set again, and set the timer. */
void keeper_reconsider(struct keeper *keeper, struct keeper_set *set);
void keeper_reconsider_all(struct keeper *keeper);
/* After a failure: wait longer each time, but never give up. */
int64_t keeper_hold_time(int32_t *failures);
void keeper_hold(struct keeper *keeper, struct keeper_set *set, int64_t now);

/* ---- serving.c, clock.c, all_sets.c ---- */

void keeper_remember_servable(struct keeper *keeper);
/* An outage while the machine was suspended. */
void keeper_check_suspend(struct keeper *keeper, int64_t now);
/* A key set has recorded the outage. */
void keeper_resumed(struct keeper *keeper, struct keeper_set *set);
void keeper_remember_clock(struct keeper *keeper);
/* The clock is trusted, or no longer: log it, and plan anew. */
void keeper_note_trust(struct keeper *keeper);
/* Distrust a clock that says less than what has happened already. */
void keeper_doubt_clock(struct keeper *keeper, int64_t now);
/* The waits of a key set have started anew with a trusted clock. */
void keeper_retimed(struct keeper *keeper, struct keeper_set *set);
void keeper_adopt_accepted(struct keeper *keeper);

/* Keep a value in the store; a failure is logged. */
void keeper_remember(
    struct keeper *keeper, const char *name, const char *value);
/* A value for all key sets, with its audit row. */
enum jw_err keeper_commit_for_all(struct keeper *keeper, const char *name,
    const char *value, const struct store_audit *audit,
    const struct keeper_commit *how);
void keeper_adopt_frozen(
    struct keeper *keeper, bool frozen, const struct store_actor *actor);

/* ---- damage.c ---- */

/* Find the damaged keys of a row that was loaded, and log them. */
void keeper_note_damage(struct keeper_set *set);
/* After all have been loaded: which key sets have to say so. */
enum jw_err keeper_look_for_damage(struct keeper *keeper);
/* A new version without the damaged keys, and with those that are whole
 * again.  Errors are keeper_commit()'s. */
enum jw_err keeper_restate(struct keeper *keeper, struct keeper_set *set);
/* Its commit is on disk, or the key set is gone. */
void keeper_restated(struct keeper *keeper, struct keeper_set *set);

/* ---- events.c, commit.c ---- */

void keeper_tell(struct keeper *keeper, const struct keeper_news *news);
/* actor NULL: the daemon itself. */
void keeper_log_change(const struct keeper_set *set,
    const struct lc_change *change, const char *kid,
    const struct store_actor *actor);

/* Log a failed commit and, when its outcome is unknown, recover.  Returns
 * err. */
enum jw_err keeper_commit_failed(
    struct keeper *keeper, const char *key_set, enum jw_err err);
/* Erase destroyed private keys from the log of the database; keep: octets of
 * the reserve that are not to be used for it. */
void keeper_scrub(struct keeper *keeper, int64_t keep);

/* ---- create.c, load.c, recover.c ---- */

/* Begin to make a key pair for a standby. */
enum jw_err keeper_generate_standby(
    struct keeper *keeper, struct keeper_set *set);
/* kid, jwk and spread of a pair; the facts are the caller's. */
enum jw_err keeper_describe(const struct keys_pair *pair, struct key *ret_key);
/* Seal a pair's private half for its row.  The caller frees *ret_blob. */
enum jw_err keeper_seal(const struct keeper *keeper, const char *key_set,
    const struct key *key, const struct keys_pair *pair, uint8_t **ret_blob,
    size_t *ret_len);

enum jw_err keeper_load(struct keeper *keeper, struct jw_why *why);
/* The cause of changes that recovery found in the store. */
extern const char keeper_late_cause[];
/* Open the store again after a COMMIT of unknown outcome, and take over what it
 * has.  Ends the event loop where that can never succeed. */
void keeper_recover(struct keeper *keeper);

#endif
