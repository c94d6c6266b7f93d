/*
 * Are the files of the database where they were?  Noticed while the daemon
 * runs, logged once, and commits go on when the files are back.
 */
#ifndef JWKSD_DAEMON_KEEPER_PLACE_H
#define JWKSD_DAEMON_KEEPER_PLACE_H

#include <stdbool.h>

struct keeper;

/* Look, and log a change since the last look.  When the files are back, commits
 * that were refused are tried at once. */
void keeper_check_place(struct keeper *keeper);

/* The fault, as of now; NULL: none. */
const char *keeper_misplaced(struct keeper *keeper);

#endif
