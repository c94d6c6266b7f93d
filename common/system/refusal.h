/*
 * A start that is refused behind sockets that a service manager holds.
 *
 * Each connection would start the program again, thousands of times a minute.
 * So the first refused start leaves a mark and exits, and an operator sees that
 * a restart has failed; a start that a connection causes while the mark is
 * there stays up and answers every call with the reason.  The mark is a file in
 * $RUNTIME_DIRECTORY, or in the directory of the sockets where that is not
 * set; its text is the reason that has been logged.
 */
#ifndef JWKSD_COMMON_SYSTEM_REFUSAL_H
#define JWKSD_COMMON_SYSTEM_REFUSAL_H

#include <stdbool.h>

enum { REFUSAL_PATH = 4096, REFUSAL_TEXT = 600 };

struct sys_refusal {
	char path[REFUSAL_PATH]; /* of the mark; "": there is no place for it */
	bool marked;             /* by an earlier start */
	char text[REFUSAL_TEXT]; /* the reason that it has logged, or "" */
};

/* directory is where the mark is without $RUNTIME_DIRECTORY; or NULL. */
void sys_refusal_init(
    struct sys_refusal *refusal, const char *program, const char *directory);

/* May the reason of that exit status go away by itself?  No room on a disk, an
 * error of input or output, another daemon's lock. */
bool sys_refusal_is_passing(int status);

/*
 * Is this refused start to stay up?  waiting: a client has connected and waits.
 * When it is not, the mark has been left.  Where no mark can be left the first
 * one stays up, since the next start could not know of it.
 */
bool sys_refusal_stays(struct sys_refusal *refusal, int status, bool waiting);

/* Note the reason before it is logged.  False: it has been logged already. */
bool sys_refusal_note(struct sys_refusal *refusal, const char *text);

/* Remove the mark: after a good start, and when the program is stopped. */
void sys_refusal_clear(struct sys_refusal *refusal);

#endif
