/*
 * The keeper's eye on the room that is left on the disk of its database, and
 * its reserve for a disk that is full.
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

/* Begin to keep a ballast, and to look: from the next wake on.
 * JW_NO_MEMORY. */
enum jw_err keeper_keep_room(struct keeper *keeper);
void keeper_room_done(struct keeper_room *room);

/* Look, and log what has changed.  Quick. */
void keeper_look_at_room(struct keeper *keeper);
/* The same, and make the ballast whole where there is room; blocks on the
 * disk. */
void keeper_make_room(struct keeper *keeper);
/* A commit found no room, or found some. */
void keeper_note_room(struct keeper *keeper, bool found);

/* Give up a piece of the ballast, but not of its last `keep` octets.  False:
 * there is nothing to give up. */
bool keeper_release_room(struct keeper *keeper, int64_t keep);

/* Is there no room for what can be done without? */
bool keeper_is_full(const struct keeper *keeper);

/* What Status says; false: there is nothing to warn of. */
bool keeper_room_warning(struct keeper *keeper, char *ret_text, size_t size);

#endif
