/*
 * Rows that are in the store alone: generations that are removed or revoked,
 * and requests that have been answered.  Each call reads from the disk.
 */
#ifndef JWKSD_DAEMON_KEEPER_LOOK_UP_H
#define JWKSD_DAEMON_KEEPER_LOOK_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/lifecycle/model.h"

struct keeper;

/* key is the store's; false: no more, please. */
typedef bool keeper_key_fn(int64_t set_id, const struct key *key, void *arg);

/* Every generation of a key set with a number below `below`, highest first. */
enum jw_err keeper_each_key(const struct keeper *keeper, int64_t set_id,
    int64_t below, keeper_key_fn *fn, void *arg);
/* Every generation whose kid begins with kid_prefix. */
enum jw_err keeper_find_kid(const struct keeper *keeper, const char *kid_prefix,
    keeper_key_fn *fn, void *arg);

/* The caller frees both texts.  JW_NO_SUCH_KEY: no such request. */
enum jw_err keeper_find_request(const struct keeper *keeper, const char *id,
    char **ret_asked, char **ret_outcome);

/* What the last failure of the store said, for a log. */
const char *keeper_store_message(const struct keeper *keeper);
/* A commit's outcome is unknown, and nothing is read or changed until the disk
 * has confirmed it. */
bool keeper_is_in_doubt(const struct keeper *keeper);
/* Does the store answer, or is it known why it does not? */
bool keeper_store_answers(const struct keeper *keeper);

/* Frees what a key set holds, not the struct. */
void keeper_row_done(struct key_set *row);

#endif
