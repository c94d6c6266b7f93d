/*
 * The front as the keeper's child, where no service manager runs it: bind its
 * listening sockets, start jwksd-http with them, and start it again when it
 * has ended.  It ends when the keeper does, however the keeper ends.
 */
#ifndef JWKSD_DAEMON_FRONT_H
#define JWKSD_DAEMON_FRONT_H

#include "common/base/err.h"

struct event_base;
struct daemon_front;
struct jw_config;

/*
 * Bind what config's [http] listen names; without processes nothing is done,
 * and *ret_front is left alone.  Comes before the database is opened:
 * afterwards the keeper opens no inet socket.  config_file is what the front is
 * started with (NULL: the default), and outlives it.  Blocks as
 * sys_listeners_bind() does.  With why: JW_LOCKED (another daemon has the
 * database), JW_IO, JW_NO_SPACE.
 */
enum jw_err daemon_front_new(struct event_base *base,
    const struct jw_config *config, const char *config_file,
    struct daemon_front **ret_front, struct jw_why *why);

/* Start it.  JW_IO with why. */
enum jw_err daemon_front_start(struct daemon_front *front, struct jw_why *why);

/* End it: SIGTERM, and SIGKILL after 3 s, for which it blocks. */
void daemon_front_free(struct daemon_front *front);

#endif
