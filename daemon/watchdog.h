/*
 * Pings for the watchdog of a service manager.
 */
#ifndef JWKSD_DAEMON_WATCHDOG_H
#define JWKSD_DAEMON_WATCHDOG_H

struct event;
struct event_base;
struct keeper;

/*
 * Ping while the loop runs and the keeper's store answers; without a ping the
 * service manager restarts the daemon.  keeper NULL: while the loop runs.
 * Returns what the caller frees with event_free(3); NULL: no watchdog is
 * wanted.
 */
struct event *daemon_watchdog_start(
    struct event_base *base, struct keeper *keeper);

#endif
