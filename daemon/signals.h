/*
 * SIGTERM, SIGINT and SIGHUP, as events of the loop.
 */
#ifndef JWKSD_DAEMON_SIGNALS_H
#define JWKSD_DAEMON_SIGNALS_H

#include <stdbool.h>

struct event_base;
struct daemon_signals;

/*
 * on_stop is called at the first SIGTERM or SIGINT; the second breaks the
 * loop.  SIGHUP is logged and ignored.
 */
struct daemon_signals *daemon_signals_new(
    struct event_base *base, void (*on_stop)(void *arg), void *arg);
/* Has on_stop been called?  signals may be NULL. */
bool daemon_signals_stopping(const struct daemon_signals *signals);
/* From here on every signal is blocked: one that comes again while the process
 * ends does not kill it. */
void daemon_signals_free(struct daemon_signals *signals);

#endif
