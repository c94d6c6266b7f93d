/*
 * How a front hands its listening sockets to the keeper that comes after the
 * one that started it (without systemd only).
 *
 * The keeper binds RUNTIME/front.sock (SOCK_SEQPACKET, mode 0600; front.1.sock
 * and so on where earlier fronts still have that), gives the listening end to
 * the front as the descriptor named "front" and starts it.  A later keeper
 * connects to each of them.  A living front sends one packet: its
 * `servingSince` and, as SCM_RIGHTS, every HTTP listening socket.  When the
 * later keeper's own front serves, the keeper sends HANDOVER_DRAIN; the old
 * front stops accepting, ends its connections politely, and exits.  If the
 * keeper goes before that, the connection just closes and the front serves
 * on; one that goes afterwards cuts no answer either.  HANDOVER_STOP, before
 * or after the other, is for a front whose keeper is told to end: finish what
 * is being written, and exit.
 *
 * One packet each way; nothing here parses more than a fixed struct.
 */
#ifndef JWKSD_COMMON_SYSTEM_HANDOVER_H
#define JWKSD_COMMON_SYSTEM_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { HANDOVER_FDS_MAX = 32 };

#define HANDOVER_DRAIN 'D'
#define HANDOVER_STOP 'S'

struct sys_handover_offer {
	int64_t serving_since; /* seconds since the epoch; 0: not serving */
	int64_t pid;           /* of the front's supervisor */
	size_t nfds;
	int fds[HANDOVER_FDS_MAX];
};

/* Send an offer; the descriptors stay the caller's.  JW_IO on failure. */
enum jw_err sys_handover_send(int sock, const struct sys_handover_offer *offer);

/*
 * Receive an offer, blocking at most timeout_ms.  The descriptors are the
 * caller's, close-on-exec.  JW_IO, or JW_PROTOCOL for anything but an offer
 * (descriptors that came along are closed).
 */
enum jw_err sys_handover_receive(
    int sock, int timeout_ms, struct sys_handover_offer *ret_offer);

#endif
