/*
 * Unix sockets that clients connect to.
 */
#ifndef JWKSD_COMMON_SERVE_BIND_H
#define JWKSD_COMMON_SERVE_BIND_H

#include "common/base/err.h"

/*
 * Bind a Unix socket at path: mode 0660 and the group's (NULL, or a group
 * that does not exist: mode 0600).  Made under a temporary name and moved
 * into place when it listens.  With why: JW_LOCKED when a living daemon
 * answers there, JW_IO, JW_NO_SPACE.
 */
enum jw_err serve_bind(
    const char *path, const char *group, int *ret_fd, struct jw_why *why);

#endif
