/*
 * A start that is refused behind sockets that a service manager holds.
 *
 * Each connection would start the program again, thousands of times a minute.
 * So the first refused start leaves a mark and exits, which an operator's
 * restart shows; one that a connection triggers while the mark is there stays
 * up and answers everything with the reason.  The mark is a file in
 * $RUNTIME_DIRECTORY, or in the directory of the sockets where that is not
 * set; its text is the reason that the log has.
 */
#ifndef JWKSD_COMMON_SYSTEM_REFUSAL_H
#define JWKSD_COMMON_SYSTEM_REFUSAL_H

#include <stdbool.h>

enum { REFUSAL_PATH = 4096, REFUSAL_TEXT = 600 };

struct sys_refusal {
	char path[REFUSAL_PATH]; /* of the mark; "": there is no place for it */
	bool marked;             /* by an earlier start */
	char text[REFUSAL_TEXT]; /* what that one has logged, or "" */
};

/* directory is where the mark is without $RUNTIME_DIRECTORY; or NULL. */
void sys_refusal_init(
    struct sys_refusal *refusal, const char *program, const char *directory);

/* Why a start with that exit status is refused may go away by itself: room on
 * a disk, input and output, another daemon's lock. */
bool sys_refusal_is_passing(int status);

/*
 * Is this refused start to stay up?  waiting: a client has connected and waits.
 * When not, the mark has been left.  Where no mark can be left it stays at
 * once, for the next start could not know of this one.
 */
bool sys_refusal_stays(struct sys_refusal *refusal, int status, bool waiting);

/* Note what has been logged.  False: it was there already. */
bool sys_refusal_note(struct sys_refusal *refusal, const char *text);

/* The mark goes: after a good start, and when the program is told to end. */
void sys_refusal_clear(struct sys_refusal *refusal);

#endif
