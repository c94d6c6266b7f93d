/*
 * One connection to the daemon, blocking, with deadlines.
 *
 * A deadline is jw_clock_monotonic_ms() plus milliseconds; CLIENT_FOREVER waits
 * until the connection ends.  Nothing here retries.
 */
#ifndef JWKSD_COMMON_WIRE_CLIENT_H
#define JWKSD_COMMON_WIRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct varlink_client;
struct json_t;
struct varlink_reply;

enum { CLIENT_PATIENCE_MS = 10 * 1000 }; /* to connect; for one reply */

#define CLIENT_FOREVER INT64_MAX

/*
 * Connect to the socket at path.  JW_UNREACHABLE, JW_PERMISSION_DENIED,
 * JW_USAGE (a path that no socket can have) or JW_NO_MEMORY, with why and a
 * hint.  Release with varlink_client_close().
 */
enum jw_err varlink_client_open(const char *path, int64_t deadline,
    struct varlink_client **ret_client, struct jw_why *why);
void varlink_client_close(struct varlink_client *client);

/*
 * End waits without an error when stop_fd (a signalfd) is readable or the
 * reader of out_fd has gone; the descriptors stay the caller's.
 */
void varlink_client_stop_on(
    struct varlink_client *client, int stop_fd, int out_fd);
/* Has a wait ended so? */
bool varlink_client_stopped(const struct varlink_client *client);

/*
 * Send a call.  A connection that breaks meanwhile is not an error here: the
 * daemon may have sent the reason before it hung up, which
 * varlink_client_receive() returns.
 */
enum jw_err varlink_client_send(struct varlink_client *client,
    const char *method, const struct json_t *parameters, bool more,
    int64_t deadline, struct jw_why *why);

/*
 * The next reply; release with varlink_reply_done().  JW_UNREACHABLE when the
 * connection ended, the deadline passed, or varlink_client_stopped();
 * JW_PROTOCOL for bytes that are no reply; JW_NO_MEMORY.
 */
enum jw_err varlink_client_receive(struct varlink_client *client,
    int64_t deadline, struct varlink_reply *ret_reply, struct jw_why *why);

#endif
