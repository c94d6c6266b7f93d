/*
 * The front as the keeper's child, where no service manager runs it: bind
 * its listening sockets, start jwksd-http with them and little else, start
 * it again when it dies, and replace the front of an earlier keeper without
 * one refused connection (handover.h).
 */
#ifndef JWKSD_DAEMON_FRONT_H
#define JWKSD_DAEMON_FRONT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct daemon_front;
struct jw_config;

/*
 * Get the listening sockets: from the front of an earlier keeper if one
 * lives, else by binding.  Comes before the database is opened: afterwards
 * the keeper opens no inet socket.  config and config_file (NULL: the
 * default) outlive the front.  JW_IO with why.
 */
enum jw_err daemon_front_new(struct event_base *base,
    const struct jw_config *config, const char *config_file,
    struct daemon_front **ret_front, struct jw_why *why);

/* Start it.  Only by the holder of the database.  JW_IO with why. */
enum jw_err daemon_front_start(struct daemon_front *front, struct jw_why *why);

/* count processes of the front of that number have been sent every document:
 * when all of ours have, the earlier keeper's front is let go. */
void daemon_front_complete(
    struct daemon_front *front, int64_t number, size_t count);

/* Let go of it: it serves on, and a later keeper will find it. */
void daemon_front_leave(struct daemon_front *front);

/* End it: asks, waits at most 3 s, insists. */
void daemon_front_free(struct daemon_front *front);

#endif
