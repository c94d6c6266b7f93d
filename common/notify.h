/*
 * systemd, both directions; the only user of libsystemd.  Everything is a
 * quiet no-op when no service manager is there.
 *
 * Descriptors are taken by name: their order differs between versions of
 * systemd.  The same protocol (LISTEN_FDS, LISTEN_FDNAMES) hands descriptors
 * from jwksd to the jwksd-http that it starts.
 */
#ifndef JWKSD_COMMON_NOTIFY_H
#define JWKSD_COMMON_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct notify_fds;

/*
 * Take all handed-over descriptors once, at start; the environment variables
 * are removed.  Each is made non-blocking and close-on-exec.  The result is
 * never NULL on JW_OK and may be empty.
 */
enum jw_err notify_fds_take(struct notify_fds **ret_fds);
/* Closes what nobody took. */
void notify_fds_free(struct notify_fds *fds);

/*
 * The next descriptor of that name, -1 when there is none (left).  It is the
 * caller's from now on.
 */
int notify_fds_next(struct notify_fds *fds, const char *name);

void notify_ready(const char *status);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void);
void notify_stopping(void);
void notify_extend_timeout(unsigned seconds);
/* Microseconds between two watchdog pings that are wanted; 0: none. */
uint64_t notify_watchdog_interval(void);
void notify_watchdog(void);

/*
 * Where standard error is the journal, let events (log.h) reach it with their
 * MESSAGE_ID and JWKSD_KEYSET, JWKSD_KID, JWKSD_GENERATION, JWKSD_STATE,
 * JWKSD_UID; elsewhere they stay plain lines.  After jw_log_init().
 */
void notify_journal(void);

#endif
