/*
 * The arithmetic of a disk that fills.  Must never call a disk fine whose next
 * commits may find no room.
 */
#include "daemon/keeper/disk.h"

#include <stdio.h>

#include "common/base/int64.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

static const int64_t enough = 32 * MIB; /* for a small database */

int64_t
keeper_disk_wanted(const struct keeper_disk *room)
{
	/* For the log, and for the copy that is made before a migration. */
	int64_t most = jw_max64(enough, 2 * room->database);

	return jw_max64(
	    jw_min64(most, room->total / 10), (int64_t)4 * ROOM_LEAST);
}

enum keeper_disk_level
keeper_disk_level(const struct keeper_disk *room, enum keeper_disk_level before)
{
	int64_t wanted = keeper_disk_wanted(room), least = ROOM_LEAST;

	if (before == ROOM_FULL)
		least *= 2;
	if (before != ROOM_FINE)
		wanted += wanted / 4;
	if (room->left < least)
		return ROOM_FULL;
	return room->left < wanted ? ROOM_SHORT : ROOM_FINE;
}

const char *
keeper_disk_text(int64_t octets, char ret_text[ROOM_TEXT_SIZE])
{
	if (octets < 10 * MIB)
		snprintf(ret_text, ROOM_TEXT_SIZE, "%lld KiB",
		    (long long)(octets / KIB));
	else
		snprintf(ret_text, ROOM_TEXT_SIZE, "%lld MiB",
		    (long long)(octets / MIB));
	return ret_text;
}
