/*
 * Pings for the watchdog of a service manager.
 */
#ifndef JWKSD_DAEMON_WATCHDOG_H
#define JWKSD_DAEMON_WATCHDOG_H

#include "common/base/err.h"

struct event;
struct event_base;
struct keeper;

/*
 * Ping while the loop runs and the keeper's store answers; without a ping the
 * service manager restarts the daemon.  keeper NULL: while the loop runs.
 * *ret_timer, which the caller frees with event_free(3), is NULL where no
 * watchdog is wanted.  JW_NO_MEMORY.
 */
enum jw_err daemon_watchdog_start(
    struct event_base *base, struct keeper *keeper, struct event **ret_timer);

#endif
