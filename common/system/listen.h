/*
 * The listening sockets of the front: those that a service manager or the
 * keeper handed over, else those that [http] listen names.
 */
#ifndef JWKSD_COMMON_SYSTEM_LISTEN_H
#define JWKSD_COMMON_SYSTEM_LISTEN_H

#include <stddef.h>

#include "common/base/err.h"

struct jw_config;
struct sys_notify_fds;

enum { LISTENERS_MAX = 32 };

struct sys_listeners {
	size_t count;
	int fds[LISTENERS_MAX];
	char *paths[LISTENERS_MAX]; /* Unix sockets that we bound, or NULL */
};

/*
 * Bind what config names; the sockets are non-blocking and close-on-exec.
 * Blocks for at most half a second per address that is in use, as one may be
 * by processes that were killed and are about to end.  JW_IO or JW_NO_SPACE,
 * with why (which address).
 */
enum jw_err sys_listeners_bind(const struct jw_config *config,
    struct sys_listeners *ret_listeners, struct jw_why *why);
/*
 * Take every descriptor named "http"; without any, sys_listeners_bind().  Also
 * JW_BAD_CONFIG with why, for a descriptor that is not a listening stream
 * socket.
 */
enum jw_err sys_listeners_open(struct sys_notify_fds *handed,
    const struct jw_config *config, struct sys_listeners *ret_listeners,
    struct jw_why *why);
/* Closes them, and removes the Unix sockets that we bound. */
void sys_listeners_close(struct sys_listeners *listeners);

#endif
