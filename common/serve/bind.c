/*
 * Makes a Unix socket with its final mode and group before a client can
 * connect.  Must never take the place of a socket on which another daemon
 * answers.
 */
#include "common/serve/bind.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/group.h"

enum { BACKLOG = 128 };

typedef int address_fn(int fd, const struct sockaddr *address, socklen_t len);

/* A socket that was bound or connected to a path; -1 with errno. */
static int
open_socket(const char *path, address_fn *bind_or_connect)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    bind_or_connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* A socket that a crash has left refuses; one whose queue is full does not. */
static bool
is_answered(const char *path)
{
	int fd = open_socket(path, connect);

	if (fd < 0)
		return errno == EAGAIN;
	close(fd);
	return true;
}

static int
bind_new(const char *path, mode_t mask)
{
	mode_t old = umask(mask);
	int fd;

	unlink(path);
	fd = open_socket(path, bind);
	umask(old);
	return fd;
}

enum jw_err
serve_bind(const char *path, const char *group, int *ret_fd, struct jw_why *why)
{
	char temporary[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	bool grouped;
	gid_t gid = 0;
	enum jw_err err;
	int fd;

	if (is_answered(path)) {
		jw_why_set(why, "%s: another daemon answers there", path);
		jw_why_hint(why, "stop it, or give this one its own [daemon] "
				 "runtime_directory");
		return JW_LOCKED;
	}
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	grouped = jw_group_find(group, &gid);
	fd = bind_new(temporary, grouped ? 0117 : 0177);
	/* No client can connect before listen(2): the group is set in time. */
	if (fd >= 0 && (!grouped || lchown(temporary, (uid_t)-1, gid) == 0) &&
	    listen(fd, BACKLOG) == 0 && rename(temporary, path) == 0) {
		*ret_fd = fd;
		return JW_OK;
	}
	err = jw_err_errno(errno);
	jw_why_set(why, "%s: %s", path, strerror(errno));
	jw_why_hint(why, "the path of a socket has at most 103 octets, and its "
			 "directory must be writable by the daemon");
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	return err;
}
