/*
 * Binds what the configuration names, or takes what was handed over.
 *
 * Must never take a socket away from a process that still listens on it.
 */
#include "common/system/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/system/notify.h"

enum {
	BACKLOG = 4096,
	/* Processes that were killed hold their sockets until they have ended,
	 * which is after the supervisor has noticed and started this one. */
	IN_USE_WAIT_MS = 500,
	IN_USE_PAUSE_MS = 10,
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static socklen_t
inet_address(const struct jw_listen *listen, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, listen->host, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(listen->port);
		return sizeof(ret->v4);
	}
	if (inet_pton(AF_INET6, listen->host, &ret->v6.sin6_addr) != 1)
		return 0;
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(listen->port);
	return sizeof(ret->v6);
}

static socklen_t
address_of(const struct jw_listen *listen, union address *ret)
{
	if (listen->kind == JW_LISTEN_INET)
		return inet_address(listen, ret);
	memset(ret, 0, sizeof(*ret));
	if (strlen(listen->path) >= sizeof(ret->un.sun_path))
		return 0;
	ret->un.sun_family = AF_UNIX;
	memcpy(ret->un.sun_path, listen->path, strlen(listen->path) + 1);
	return sizeof(ret->un);
}

/* A socket file at which no process accepts is left over from a crash. */
static void
remove_stale(const union address *address, socklen_t len)
{
	struct stat st;
	int fd;

	if (lstat(address->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, &address->any, len) != 0 && errno == ECONNREFUSED)
		unlink(address->un.sun_path);
	close(fd);
}

static int
bind_address(int fd, const union address *address, socklen_t len)
{
	int on = 1, status;
	mode_t mask;

	if (address->any.sa_family != AF_UNIX) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (address->any.sa_family == AF_INET6)
			setsockopt(
			    fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		return bind(fd, &address->any, len);
	}
	remove_stale(address, len);
	/* The documents are public: every user may connect. */
	mask = umask(0111);
	status = bind(fd, &address->any, len);
	umask(mask);
	return status;
}

static int
bind_when_free(int fd, const union address *address, socklen_t len)
{
	int64_t until = jw_clock_monotonic_ms() + IN_USE_WAIT_MS;
	int status;

	while ((status = bind_address(fd, address, len)) != 0 &&
	       errno == EADDRINUSE && jw_clock_monotonic_ms() < until)
		jw_clock_nap_ms(IN_USE_PAUSE_MS);
	return status;
}

static enum jw_err
open_one(const struct jw_listen *where, int *ret_fd, struct jw_why *why)
{
	union address address;
	socklen_t len = address_of(where, &address);
	enum jw_err err;
	int fd = -1;

	errno = EINVAL;
	if (len != 0)
		fd = socket(address.any.sa_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_when_free(fd, &address, len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		err = jw_fail(jw_err_errno(errno), why,
		    "cannot listen on %s: %s", where->text, strerror(errno));
		if (fd >= 0)
			close(fd);
		return err;
	}
	*ret_fd = fd;
	return JW_OK;
}

enum jw_err
sys_listeners_bind(const struct jw_config *config,
    struct sys_listeners *ret_listeners, struct jw_why *why)
{
	struct sys_listeners listeners = {0};
	const struct jw_listen *where;
	enum jw_err err;

	for (size_t i = 0; i < config->nlisten && i < LISTENERS_MAX; i++) {
		where = &config->listen[i];
		err = open_one(where, &listeners.fds[i], why);
		if (err != JW_OK) {
			sys_listeners_close(&listeners);
			return err;
		}
		listeners.count++;
		if (where->kind == JW_LISTEN_UNIX)
			listeners.paths[i] = jw_strdup(where->path);
	}
	*ret_listeners = listeners;
	return JW_OK;
}

enum jw_err
sys_listeners_open(struct sys_notify_fds *handed,
    const struct jw_config *config, struct sys_listeners *ret_listeners,
    struct jw_why *why)
{
	struct sys_listeners listeners = {0};
	enum jw_err err = JW_OK;
	int fd;

	while (listeners.count < LISTENERS_MAX &&
	       (fd = sys_notify_fds_next(handed, "http")) >= 0) {
		listeners.fds[listeners.count++] = fd;
		if (err == JW_OK)
			err = sys_notify_check_socket(
			    fd, "http", NOTIFY_UNIX_OR_INET, why);
	}
	if (err != JW_OK) {
		sys_listeners_close(&listeners);
		return err;
	}
	if (listeners.count == 0)
		return sys_listeners_bind(config, ret_listeners, why);
	*ret_listeners = listeners;
	return JW_OK;
}

void
sys_listeners_close(struct sys_listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		close(listeners->fds[i]);
		if (listeners->paths[i] != NULL)
			unlink(listeners->paths[i]);
		free(listeners->paths[i]);
	}
	listeners->count = 0;
}
