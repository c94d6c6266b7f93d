/*
 * Room on the disk of the database.  Must never take the last room of a disk
 * for its own reserve, nor log the same twice: a disk may be full for days.
 */
#include "daemon/keeper/room.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/sign.h"
#include "daemon/store/ballast.h"

enum { TRY_AGAIN_S = 30 };

void
keeper_keep_room(struct keeper *keeper)
{
	char *path = jw_asprintf("%s.ballast", keeper->store_path);

	keeper->room.ballast = store_ballast_new(path);
	free(path);
	keeper_look_at_room(keeper);
	if (keeper->room.level == ROOM_FULL)
		keeper_doubt_exps(keeper, keeper_now(keeper));
	event_active(keeper->timer, 0, 0);
}

void
keeper_room_done(struct keeper_room *room)
{
	store_ballast_free(room->ballast);
	room->ballast = NULL;
}

/* ---- looking ---- */

static bool
measure(const struct keeper *keeper, struct keeper_disk *ret_room)
{
	struct statvfs disk;
	struct stat st;

	if (keeper->room.ballast == NULL ||
	    statvfs(keeper->store_path, &disk) != 0 ||
	    stat(keeper->store_path, &st) != 0)
		return false;
	ret_room->total = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize;
	ret_room->left = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	ret_room->database = st.st_size;
	return true;
}

static void
log_level(const struct keeper *keeper, const struct keeper_disk *room)
{
	char left[ROOM_TEXT_SIZE];
	const char *path = keeper->store_path;

	keeper_disk_text(room->left, left);
	if (keeper->room.level == ROOM_FULL)
		jw_log(JW_LOG_ERROR,
		    "%s: its disk is full (%s are left): nothing but a "
		    "revocation is certain to be kept; serving and signing go "
		    "on",
		    path, left);
	else if (keeper->room.level == ROOM_SHORT)
		jw_log(JW_LOG_WARNING,
		    "%s: its disk is nearly full: %s are left", path, left);
	else
		jw_log(JW_LOG_NOTICE, "%s: its disk has room again: %s", path,
		    left);
}

static void
keeper_consider(struct keeper *keeper, const struct keeper_disk *room)
{
	enum keeper_disk_level level =
	    keeper_disk_level(room, keeper->room.level);

	if (level == keeper->room.level)
		return;
	/* Steps that were postponed may be possible now. */
	if (level < keeper->room.level) {
		keeper->room.try_at = 0;
		event_active(keeper->timer, 0, 0);
	}
	keeper->room.level = level;
	log_level(keeper, room);
}

/* The size that the ballast may have: it leaves as much as a commit needs. */
static int64_t
ballast_wanted(const struct keeper *keeper, const struct keeper_disk *room)
{
	int64_t size = store_ballast_size(keeper->room.ballast);
	int64_t steps = (room->left - ROOM_LEAST) / BALLAST_STEP;

	if (keeper->misplaced || steps < 0)
		return size;
	size += steps * BALLAST_STEP;
	return size < BALLAST_SIZE ? size : BALLAST_SIZE;
}

static bool
may_grow(const struct keeper *keeper, const struct keeper_disk *room)
{
	return keeper->boot() >= keeper->room.try_at &&
	       ballast_wanted(keeper, room) >
		   store_ballast_size(keeper->room.ballast);
}

/* False: the size of the disk is unknown. */
static bool
keeper_look(struct keeper *keeper, struct keeper_disk *ret_room)
{
	struct keeper_room *own = &keeper->room;

	if (!measure(keeper, ret_room))
		return false;
	if (ret_room->left > own->refused_left + ROOM_LEAST)
		own->refused = false;
	keeper_consider(keeper, ret_room);
	/* At the next wake, not now: a client may be waiting for a reply. */
	if (may_grow(keeper, ret_room))
		event_active(keeper->timer, 0, 0);
	return true;
}

void
keeper_look_at_room(struct keeper *keeper)
{
	struct keeper_disk room;

	keeper_look(keeper, &room);
}

static void
ballast_failed(struct keeper *keeper, enum jw_err err, int error)
{
	keeper->room.try_at = keeper->boot() + TRY_AGAIN_S;
	if (err == JW_NO_SPACE || keeper->room.failed)
		return;
	jw_log(JW_LOG_WARNING,
	    "%s: the reserve that revocations use on a full disk cannot be "
	    "written: %s",
	    store_ballast_path(keeper->room.ballast), strerror(error));
	keeper->room.failed = true;
}

void
keeper_make_room(struct keeper *keeper)
{
	struct keeper_room *own = &keeper->room;
	struct keeper_disk room;
	enum jw_err err;

	if (!keeper_look(keeper, &room) || !may_grow(keeper, &room))
		return;
	err = store_ballast_grow(own->ballast, ballast_wanted(keeper, &room));
	if (err == JW_OK)
		own->failed = false;
	else
		ballast_failed(keeper, err, errno);
}

void
keeper_note_room(struct keeper *keeper, bool found)
{
	struct keeper_disk room;

	keeper->room.refused = !found;
	if (!found && measure(keeper, &room))
		keeper->room.refused_left = room.left;
	keeper_look_at_room(keeper);
}

bool
keeper_release_room(struct keeper *keeper, int64_t keep)
{
	struct store_ballast *ballast = keeper->room.ballast;
	int64_t size = ballast == NULL ? 0 : store_ballast_size(ballast);

	if (size - BALLAST_STEP < keep || !store_ballast_release(ballast))
		return false;
	jw_log(JW_LOG_WARNING,
	    "%s: the disk is full: a revocation uses the reserve, of which "
	    "%lld "
	    "KiB are left",
	    keeper->store_path,
	    (long long)(store_ballast_size(ballast) / 1024));
	return true;
}

bool
keeper_is_full(const struct keeper *keeper)
{
	return keeper->room.refused || keeper->room.level == ROOM_FULL;
}

/* ---- Status ---- */

bool
keeper_room_warning(struct keeper *keeper, char *ret_text, size_t size)
{
	const struct keeper_room *room = &keeper->room;
	const char *path = keeper->store_path;
	char left[ROOM_TEXT_SIZE];
	struct keeper_disk now;

	if (!keeper_look(keeper, &now))
		return false;
	if (keeper_is_full(keeper) && store_ballast_size(room->ballast) > 0)
		snprintf(ret_text, size,
		    "the disk of %.200s is full: until there is room nothing "
		    "changes, but keys can be revoked; serving and signing go "
		    "on",
		    path);
	else if (keeper_is_full(keeper))
		snprintf(ret_text, size,
		    "the disk of %.200s is full, and the reserve for "
		    "revocations "
		    "is used up: until there is room nothing changes; serving "
		    "and signing go on",
		    path);
	else if (room->level == ROOM_SHORT)
		snprintf(ret_text, size,
		    "the disk of %.200s is nearly full: %s are left; when it "
		    "is "
		    "full, keys can be revoked, and nothing else changes",
		    path, keeper_disk_text(now.left, left));
	else if (room->failed)
		snprintf(ret_text, size,
		    "%.200s cannot be written: keys could not be revoked while "
		    "the "
		    "disk is full; see the log",
		    store_ballast_path(room->ballast));
	return keeper_is_full(keeper) || room->level != ROOM_FINE ||
	       room->failed;
}
