/*
 * Reports about the fronts, from the folder that sends them documents.
 */
#ifndef JWKSD_DAEMON_KEEPER_FRONTS_H
#define JWKSD_DAEMON_KEEPER_FRONTS_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

/*
 * A front has read every document that it was sent, and serves them. reported:
 * since when it says it has been serving; 0: it is new.  After an outage waits
 * begin anew.
 */
void keeper_serving(struct keeper *keeper, int64_t reported);
/* No front is left.  listening: the listener stays open all the same. */
void keeper_not_serving(struct keeper *keeper, bool listening);

/* May a front not have read a document with which waits begin? */
bool keeper_is_unread(const struct keeper *keeper);
/* Every front has read all documents, but those of key sets that are unsent. */
void keeper_read(struct keeper *keeper);

#endif
