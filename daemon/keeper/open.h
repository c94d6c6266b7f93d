/*
 * Opens the keeper of a configuration: its database, the anchor that names that
 * database, and the key-encryption key.
 */
#ifndef JWKSD_DAEMON_KEEPER_OPEN_H
#define JWKSD_DAEMON_KEEPER_OPEN_H

#include <stdbool.h>

#include "common/base/err.h"

struct event_base;
struct jw_config;
struct keeper;

/*
 * new_database: whichever database is at the path, or none, becomes the one
 * that the anchor names.  A key-encryption key is made only where there is no
 * database yet.  Blocks on the disk, for minutes when a large database is
 * migrated.  Errors, with why, are those of store_anchor_read(),
 * store_anchor_write(), crypto_kek_load(), store_open(), keeper_new().
 */
enum jw_err keeper_open(const struct jw_config *config, bool new_database,
    struct event_base *base, struct keeper **ret_keeper, struct jw_why *why);

/* JW_LOCKED with why: another daemon has the database open.  Changes nothing.
 */
enum jw_err keeper_check_lock(
    const struct jw_config *config, struct jw_why *why);

/* The anchor could not be written: a database that is deleted later will not be
 * missed. */
bool keeper_is_unanchored(const struct keeper *keeper);

#endif
