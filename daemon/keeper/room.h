/*
 * The room that is left on the disk of the database, and a reserve for a full
 * disk.
 */
#ifndef JWKSD_DAEMON_KEEPER_ROOM_H
#define JWKSD_DAEMON_KEEPER_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "daemon/keeper/disk.h"

struct store_ballast;
struct keeper;

struct keeper_room {
	struct store_ballast *ballast; /* NULL: none is kept */
	enum keeper_disk_level level;
	bool refused;         /* the last commit found no room */
	int64_t refused_left; /* octets, at that time */
	bool failed;    /* the ballast could not be written, and that is said */
	int64_t try_at; /* boot-time clock: not before then again */
};

/* Begin to keep a ballast and to look at the disk, from the next wake on.
 * */
void keeper_keep_room(struct keeper *keeper);
void keeper_room_done(struct keeper_room *room);

/* Look, and log what has changed.  Quick. */
void keeper_look_at_room(struct keeper *keeper);
/* Look, and grow the ballast to its full size where there is room; blocks on
 * the disk. */
void keeper_make_room(struct keeper *keeper);
/* Note whether a commit found room. */
void keeper_note_room(struct keeper *keeper, bool found);

/* Shorten the ballast by one step, but never below `keep` octets.  False: it
 * cannot be. */
bool keeper_release_room(struct keeper *keeper, int64_t keep);

/* Is there room for revocations only? */
bool keeper_is_full(const struct keeper *keeper);

/* The warning for Status; false: there is none. */
bool keeper_room_warning(struct keeper *keeper, char *ret_text, size_t size);

#endif
