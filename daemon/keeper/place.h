/*
 * Whether the files of the database are where they were: noticed while
 * running, told once, and gone on from when they are back.
 */
#ifndef JWKSD_DAEMON_KEEPER_PLACE_H
#define JWKSD_DAEMON_KEEPER_PLACE_H

#include <stdbool.h>

struct keeper;

/* Look, and log what has changed since the last look.  When the files are back,
 * what was refused meanwhile is tried at once. */
void keeper_check_place(struct keeper *keeper);

/* What is wrong with them, of now; NULL: nothing. */
const char *keeper_misplaced(struct keeper *keeper);

#endif
