/*
 * The fronts of earlier keepers that live on, because their keeper was killed
 * (handover.h).  Each is reached at a path of its own in the runtime
 * directory: front.sock, front.1.sock, ...  A keeper that was killed while
 * its front took over leaves two of them, and so on.
 */
#ifndef JWKSD_DAEMON_EARLIER_H
#define JWKSD_DAEMON_EARLIER_H

#include <stddef.h>

#include "common/base/err.h"

struct daemon_earlier;
struct event_base;
struct sys_handover_offer;

/*
 * Ask them all, at most 2 s each.  *ret_offer holds every socket that they
 * offered (the caller's), the earliest servingSince among them, and nobody's
 * pid.  Changes nothing.  JW_IO with why.
 */
enum jw_err daemon_earlier_new(struct event_base *base,
    const char *runtime_directory, struct daemon_earlier **ret_earlier,
    struct sys_handover_offer *ret_offer, struct jw_why *why);

/*
 * A listening socket at a path that none of them has, for the front of this
 * keeper; the caller's.  Paths of dead ones are removed.  From here on they
 * are watched, and ours to end.  JW_IO with why, JW_NO_MEMORY.
 */
enum jw_err daemon_earlier_bind(
    struct daemon_earlier *earlier, int *ret_fd, struct jw_why *why);

/* Let them go: our own front serves. */
void daemon_earlier_drain(struct daemon_earlier *earlier);

/* Our own front serves on without us: its path stays, and nobody is ended
 * by daemon_earlier_free(). */
void daemon_earlier_leave(struct daemon_earlier *earlier);

/* After daemon_earlier_bind(), lets them go and removes every path. */
void daemon_earlier_free(struct daemon_earlier *earlier);

#endif
