/*
 * What the keeper is told of the fronts, by the one who sends them what they
 * serve.
 */
#ifndef JWKSD_DAEMON_KEEPER_FRONTS_H
#define JWKSD_DAEMON_KEEPER_FRONTS_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

/*
 * A front has read everything that it was sent, and serves it.  reported: since
 * when it says it has been serving; 0: it is new.  After an outage waits begin
 * anew. */
void keeper_serving(struct keeper *keeper, int64_t reported);
/* No front is left.  listening: the listener stays open all the same. */
void keeper_not_serving(struct keeper *keeper, bool listening);

/* A front may not have read what waits begin with. */
bool keeper_is_unread(const struct keeper *keeper);
/* Every front has read all that has been told, but of sets that are unsent. */
void keeper_read(struct keeper *keeper);

#endif
