/*
 * Turns on the event loop, shared out by the time that they take: first among
 * the users of each socket, then among the connections of one user.  The next
 * turn is that of the share, and of the connection in it, that has had the
 * least time; one that had nothing to do for a while begins with a little less
 * than what the others have had, and not with all the time that it left unused.
 *
 * A turn may ask for another one, and ends soon after serve_turns_over() says
 * so. All functions run on the event loop.
 */
#ifndef JWKSD_COMMON_SERVE_TURNS_H
#define JWKSD_COMMON_SERVE_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/deadline_heap.h"
#include "common/base/err.h"

struct event_base;
struct serve_turns;
struct turns_share; /* of one user at one socket */

/* Embedded in a connection; all zeroes before serve_turn_join(). */
struct serve_turn {
	struct jw_deadline item; /* due: the time used, ns */
	struct turns_share *share;
	bool again; /* asked for within the turn itself */
	void (*run)(void *arg);
	void *arg;
};

/* JW_NO_MEMORY. */
enum jw_err serve_turns_new(
    struct event_base *base, struct serve_turns **ret_turns);
/* After every turn has left. */
void serve_turns_free(struct serve_turns *turns);

/*
 * Take part, with a function that does a turn's work.  socket is only
 * compared.  JW_NO_MEMORY: the turn has not joined.
 */
enum jw_err serve_turn_join(struct serve_turn *turn, struct serve_turns *turns,
    const void *socket, uid_t uid, void (*run)(void *arg), void *arg);
/* Also within the turn, whose owner may be freed then; nothing where it has
 * not joined. */
void serve_turn_leave(struct serve_turn *turn);
/* There is something to do: run is called once, soon. */
void serve_turn_ask(struct serve_turn *turn);

/* Has the turn that is under way had its time? */
bool serve_turns_over(const struct serve_turns *turns);

#endif
