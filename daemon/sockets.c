/*
 * One table of the keeper's sockets.  Must never remove the file of a socket
 * that a service manager made.
 */
#include "daemon/sockets.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/serve/bind.h"
#include "common/serve/server.h"
#include "common/system/notify.h"

enum {
	PUBLISH_CONNECTIONS = 160,
	SIGN_CONNECTIONS = 20000,
	SIGN_HELD = 256 * 1024 * 1024,
	SIGN_CALLS = 64,   /* that one connection has under way */
	SPARE_FILES = 256, /* descriptors that are not for connections */
	PATH_SIZE = 256,
	GROUP_SIZE = 64,
};

struct own_socket {
	int fd;               /* handed over, and stays open; else -1 */
	bool wrong;           /* it is not a listening Unix socket */
	char path[PATH_SIZE]; /* of the one that we made; else "" */
};

struct daemon_sockets {
	struct sys_notify_fds *handed;
	struct own_socket rows[SOCKETS];
};

static void
limit_publish(struct serve_limits *limits)
{
	limits->connections = limits->per_uid = PUBLISH_CONNECTIONS;
}

static void
limit_sign(struct serve_limits *limits)
{
	struct rlimit files = {0, 0};
	int connections = SIGN_CONNECTIONS;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < SIGN_CONNECTIONS + SPARE_FILES)
		connections = (int)files.rlim_cur - SPARE_FILES;
	if (connections > limits->connections)
		limits->connections = connections;
	/* One backend that never closes its connections leaves an eighth to
	 * others. */
	limits->per_uid = limits->connections - limits->connections / 8;
	limits->held = SIGN_HELD;
	limits->calls = SIGN_CALLS;
}

static const char *
admin_group(const struct jw_config *config)
{
	return config->admin_group;
}

static const char *
sign_group(const struct jw_config *config)
{
	return config->sign_group;
}

static const struct {
	const char *name;
	const char *group; /* unless the configuration names another one */
	const char *(*configured)(const struct jw_config *config);
	void (*limit)(struct serve_limits *limits);
} table[SOCKETS] = {
    [SOCKET_CONTROL] = {"control", "jwksd-admin", admin_group, NULL},
    [SOCKET_PUBLISH] = {"publish", "jwksd-http", NULL, limit_publish},
    [SOCKET_SIGN] = {"sign", "jwksd-sign", sign_group, limit_sign},
};

enum jw_err
daemon_sockets_take(struct daemon_sockets **ret_sockets, struct jw_why *why)
{
	struct daemon_sockets *sockets = jw_zalloc(sizeof(*sockets));
	enum jw_err err;

	for (size_t i = 0; i < SOCKETS; i++)
		sockets->rows[i].fd = -1;
	err = sys_notify_fds_take(&sockets->handed, why);
	if (err != JW_OK) {
		daemon_sockets_free(sockets);
		return err;
	}
	for (size_t i = 0; i < SOCKETS; i++)
		sockets->rows[i].fd =
		    sys_notify_fds_next(sockets->handed, table[i].name);
	*ret_sockets = sockets;
	return JW_OK;
}

static void
log_unknown(const struct daemon_sockets *sockets)
{
	const char *name;

	for (size_t i = 0;
	     (name = sys_notify_fds_left(sockets->handed, i)) != NULL; i++)
		jw_log(JW_LOG_WARNING,
		    "a socket named \"%s\" was handed over and is not used: "
		    "FileDescriptorName= is to be control, publish or sign, "
		    "each once",
		    name);
}

static void
log_missing(const struct daemon_sockets *sockets)
{
	for (size_t i = 0; i < SOCKETS; i++)
		if (sockets->rows[i].fd < 0)
			jw_log(JW_LOG_WARNING,
			    "no socket named \"%s\" was handed over, though "
			    "others were: it is made in the runtime directory",
			    table[i].name);
}

enum jw_err
daemon_sockets_check(struct daemon_sockets *sockets, struct jw_why *why)
{
	enum jw_err err = JW_OK, checked;

	log_unknown(sockets);
	if (!daemon_sockets_were_handed(sockets))
		return JW_OK;
	log_missing(sockets);
	for (size_t i = 0; i < SOCKETS; i++) {
		struct own_socket *row = &sockets->rows[i];

		if (row->fd < 0)
			continue;
		checked = sys_notify_check_socket(row->fd, table[i].name,
		    NOTIFY_UNIX, err == JW_OK ? why : NULL);
		row->wrong = checked != JW_OK;
		if (err == JW_OK)
			err = checked;
	}
	return err;
}

void
daemon_sockets_unlink(struct daemon_sockets *sockets)
{
	for (size_t i = 0; sockets != NULL && i < SOCKETS; i++)
		if (sockets->rows[i].path[0] != '\0')
			unlink(sockets->rows[i].path);
}

void
daemon_sockets_free(struct daemon_sockets *sockets)
{
	if (sockets == NULL)
		return;
	for (size_t i = 0; i < SOCKETS; i++)
		if (sockets->rows[i].fd >= 0)
			close(sockets->rows[i].fd);
	sys_notify_fds_free(sockets->handed);
	free(sockets);
}

bool
daemon_sockets_were_handed(const struct daemon_sockets *sockets)
{
	for (size_t i = 0; i < SOCKETS; i++)
		if (sockets->rows[i].fd >= 0)
			return true;
	return false;
}

bool
daemon_sockets_are_managed(const struct daemon_sockets *sockets)
{
	return sockets->rows[SOCKET_PUBLISH].fd >= 0;
}

bool
daemon_sockets_is_usable(
    const struct daemon_sockets *sockets, enum daemon_socket_slot slot)
{
	return sockets->rows[slot].fd >= 0 && !sockets->rows[slot].wrong;
}

bool
daemon_sockets_have_clients(const struct daemon_sockets *sockets)
{
	struct pollfd pfds[SOCKETS];

	for (size_t i = 0; i < SOCKETS; i++)
		pfds[i] = (struct pollfd){
		    .fd = sockets->rows[i].fd, .events = POLLIN};
	return poll(pfds, SOCKETS, 0) > 0;
}

static bool
path_of(int fd, struct sockaddr_un *ret_sa)
{
	socklen_t len = sizeof(*ret_sa);

	memset(ret_sa, 0, sizeof(*ret_sa));
	return fd >= 0 &&
	       getsockname(fd, (struct sockaddr *)ret_sa, &len) == 0 &&
	       ret_sa->sun_family == AF_UNIX && ret_sa->sun_path[0] == '/' &&
	       len < sizeof(*ret_sa);
}

/* The group that the file of the socket has; NULL: it is not known. */
static const char *
group_of_file(const struct own_socket *row, char buf[GROUP_SIZE])
{
	const struct group *group = NULL;
	struct sockaddr_un sa;
	struct stat st;

	if (path_of(row->fd, &sa) && stat(sa.sun_path, &st) == 0)
		group = getgrgid(st.st_gid);
	if (group == NULL)
		return NULL;
	snprintf(buf, GROUP_SIZE, "%s", group->gr_name);
	return buf;
}

void
daemon_sockets_directory(
    const struct daemon_sockets *sockets, char *buf, size_t size)
{
	struct sockaddr_un sa;

	buf[0] = '\0';
	for (size_t i = 0; i < SOCKETS && buf[0] == '\0'; i++)
		if (path_of(sockets->rows[i].fd, &sa))
			snprintf(buf, size, "%s", dirname(sa.sun_path));
}

enum jw_err
daemon_sockets_pass_on(const struct daemon_sockets *sockets)
{
	return sys_notify_fds_pass_on(sockets->handed);
}

/*
 * Another descriptor of the same socket: the server closes its own, and the
 * one that was handed over stays for a start after this one.
 */
static enum jw_err
open_handed(const struct own_socket *row, const char *name, int *ret_fd,
    struct jw_why *why)
{
	int fd = row->wrong ? -1 : fcntl(row->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return jw_fail(JW_IO, why,
		    "the socket \"%s\" that was handed over: %s", name,
		    row->wrong ? "cannot be used" : strerror(errno));
	*ret_fd = fd;
	return JW_OK;
}

static enum jw_err
open_socket(struct daemon_sockets *sockets, enum daemon_socket_slot slot,
    const struct jw_config *config, const char *group, int *ret_fd,
    struct jw_why *why)
{
	struct own_socket *row = &sockets->rows[slot];
	char path[PATH_SIZE];
	enum jw_err err;

	if (row->fd >= 0)
		return open_handed(row, table[slot].name, ret_fd, why);
	assert(config != NULL);
	snprintf(path, sizeof(path), "%s/%s.sock", config->runtime_directory,
	    table[slot].name);
	err = serve_bind(path, group, ret_fd, why);
	if (err == JW_OK)
		snprintf(row->path, sizeof(row->path), "%s", path);
	return err;
}

static const char *
configured_group(enum daemon_socket_slot slot, const struct jw_config *config)
{
	const char *group = NULL;

	if (table[slot].configured != NULL)
		group = table[slot].configured(config);
	return group != NULL ? group : table[slot].group;
}

enum jw_err
daemon_sockets_serve(struct daemon_sockets *sockets,
    enum daemon_socket_slot slot, const struct jw_config *config,
    const struct serve_options *options, struct serve_server **ret_server,
    struct jw_why *why)
{
	struct serve_options own = *options;
	struct serve_limits limits = serve_default_limits;
	char group[GROUP_SIZE];
	enum jw_err err;

	own.group = config != NULL ? configured_group(slot, config)
				   : group_of_file(&sockets->rows[slot], group);
	if (table[slot].limit != NULL)
		table[slot].limit(&limits);
	own.limits = &limits;
	err = open_socket(sockets, slot, config, own.group, &own.take_fd, why);
	return err == JW_OK ? serve_server_new(&own, ret_server) : err;
}
