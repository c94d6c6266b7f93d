/*
 * Takes over what the store says where memory says something else, and tells
 * it like commits that were made here.
 */
#ifndef JWKSD_DAEMON_KEEPER_CATCH_UP_H
#define JWKSD_DAEMON_KEEPER_CATCH_UP_H

#include "common/base/err.h"

struct keeper;

/*
 * Every key set whose revision is another than in memory, those that came and
 * those that are gone: into memory, into the log, to the observers.  cause
 * goes with each change, and must be static.  What is published by that has
 * not been sent before now: the waits of such a key set start anew.  On
 * failure some key sets may have been taken over, each of them whole.
 */
enum jw_err keeper_catch_up(struct keeper *keeper, const char *cause);

#endif
