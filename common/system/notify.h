/*
 * systemd: descriptors that it hands over, notifications to it, and its
 * journal; the only user of libsystemd.  Without a service manager nothing here
 * does anything.
 *
 * Descriptors are taken by name: their order differs between versions of
 * systemd.  The same protocol (LISTEN_FDS, LISTEN_FDNAMES) hands descriptors
 * from jwksd to the jwksd-http that it starts.
 */
#ifndef JWKSD_COMMON_SYSTEM_NOTIFY_H
#define JWKSD_COMMON_SYSTEM_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct sys_notify_fds;

/*
 * Take all handed-over descriptors once, at start; the environment variables
 * are removed.  Each is made non-blocking and close-on-exec.  The result is
 * never NULL on JW_OK and may be empty.  JW_IO with why (LISTEN_FDS, and the
 * name of the descriptor).
 */
enum jw_err sys_notify_fds_take(
    struct sys_notify_fds **ret_fds, struct jw_why *why);
/* Closes the descriptors that were not taken. */
void sys_notify_fds_free(struct sys_notify_fds *fds);

/*
 * The next descriptor of that name, the caller's from here on; -1: there is no
 * further one.
 */
int sys_notify_fds_next(struct sys_notify_fds *fds, const char *name);
/* The name of the index-th descriptor that was not taken; NULL: none. */
const char *sys_notify_fds_left(const struct sys_notify_fds *fds, size_t index);

enum sys_notify_family { NOTIFY_UNIX, NOTIFY_UNIX_OR_INET };

/*
 * Is the descriptor that was handed over under that name a listening stream
 * socket of the family?  JW_BAD_CONFIG with why otherwise.
 */
enum jw_err sys_notify_check_socket(int fd, const char *name,
    enum sys_notify_family family, struct jw_why *why);

/*
 * Before an execve(2) of this process: let it inherit all descriptors, under
 * their names.  Those that were taken must still be open.  JW_IO, JW_NO_MEMORY.
 */
enum jw_err sys_notify_fds_pass_on(const struct sys_notify_fds *fds);

void sys_notify_ready(const char *status);
void sys_notify_status(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void sys_notify_reloading(void);
void sys_notify_stopping(void);
void sys_notify_extend_timeout(unsigned seconds);
/* Microseconds between two pings of the watchdog; 0: no pings are wanted. */
uint64_t sys_notify_watchdog_interval(void);
void sys_notify_watchdog(void);
/* How long the next ping may take; 0: as long as the service manager said at
 * the start of the process. */
void sys_notify_watchdog_within(unsigned seconds);

/*
 * Where standard error is the journal, let events (log.h) reach it with their
 * MESSAGE_ID and JWKSD_KEYSET, JWKSD_KID, JWKSD_GENERATION, JWKSD_STATE,
 * JWKSD_UID; elsewhere they stay plain lines.  After jw_log_init().
 */
void sys_notify_journal(void);

#endif
