/*
 * How much room is left on the disk of the database, and whether that is
 * enough.  Pure.
 */
#ifndef JWKSD_DAEMON_KEEPER_DISK_H
#define JWKSD_DAEMON_KEEPER_DISK_H

#include <stddef.h>
#include <stdint.h>

enum keeper_disk_level {
	ROOM_FINE,
	ROOM_SHORT, /* to warn of */
	ROOM_FULL,  /* the next commit may find none */
};

enum {
	ROOM_LEAST = 128 * 1024, /* less than that is full */
	ROOM_TEXT_SIZE = 32,
};

/* Octets. */
struct keeper_disk {
	int64_t total; /* of the file system */
	int64_t left;  /* for this process */
	int64_t database;
};

/* Less than that is short: a tenth of the disk, or a multiple of the database
 * where the disk is large. */
int64_t keeper_disk_wanted(const struct keeper_disk *room);

/* before: what it was at the last look.  A level ends only well above where it
 * began, so that it does not come and go with each commit. */
enum keeper_disk_level keeper_disk_level(
    const struct keeper_disk *room, enum keeper_disk_level before);

/* "300 KiB", "12 MiB" */
const char *keeper_disk_text(int64_t octets, char ret_text[ROOM_TEXT_SIZE]);

#endif
