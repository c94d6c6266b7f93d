/*
 * The listening sockets of the front: those that a service manager, the
 * keeper or an earlier front handed over, else those that [http] listen
 * names.  Without systemd the keeper binds them and only passes them on.
 */
#ifndef JWKSD_COMMON_SYSTEM_LISTEN_H
#define JWKSD_COMMON_SYSTEM_LISTEN_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/system/handover.h"

struct jw_config;
struct sys_notify_fds;

struct sys_listeners {
	size_t count;
	int fds[HANDOVER_FDS_MAX];
	char *paths[HANDOVER_FDS_MAX]; /* Unix sockets that we made, or NULL */
};

/*
 * Take every descriptor named "http"; without any, bind what config names.
 * Non-blocking and close-on-exec.  With why: JW_IO, JW_NO_SPACE (which
 * address), or JW_BAD_CONFIG for a descriptor that is no listening stream
 * socket.
 */
enum jw_err sys_listeners_open(struct sys_notify_fds *handed,
    const struct jw_config *config, struct sys_listeners *ret_listeners,
    struct jw_why *why);
/*
 * What config names: an offered socket where one is bound there already
 * (those are taken over, the others closed), else a new one.  Errors as
 * above; then every offered socket is closed.
 */
enum jw_err sys_listeners_reuse(const struct sys_handover_offer *take_offer,
    const struct jw_config *config, struct sys_listeners *ret_listeners,
    struct jw_why *why);
/*
 * unlink_paths: remove the Unix sockets that we made.  Not after a hand-over,
 * when others listen there.
 */
void sys_listeners_close(struct sys_listeners *listeners, int unlink_paths);

#endif
