/*
 * The client at the other end of a connection, as the kernel identifies it.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "common/serve/internal.h"

enum { GROUPS_MAX = 1024 };

static bool
has_group(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool
serve_is_member(const struct serve_call *call, gid_t group)
{
	const struct serve_peer *peer = &call->conn->peer;

	return peer->uid == 0 || peer->uid == geteuid() || peer->gid == group ||
	       has_group(call->conn->fd, group);
}

bool
serve_identify(struct serve_conn *conn)
{
	const struct serve_server *server = conn->server;
	const int fd = conn->fd;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	conn->peer.uid = cred.uid;
	conn->peer.gid = cred.gid;
	conn->peer.pid = cred.pid;
	conn->allowed =
	    cred.uid == 0 || cred.uid == geteuid() ||
	    (server->has_group &&
		(cred.gid == server->group || has_group(fd, server->group)));
	return true;
}
