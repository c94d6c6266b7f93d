/*
 * One connection to the daemon.
 *
 * The socket is non-blocking and every wait goes through poll(2) with a
 * deadline, so that a daemon that hangs does not hang its client.  Replies are
 * bounded in length and parsed, but not interpreted.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/wire/client.h"
#include "common/wire/varlink.h"

enum { RETRY_CONNECT_MS = 20, READ_SIZE = 64 * 1024 };

struct varlink_client {
	int sock, stop_fd, out_fd;
	bool stopped;
	struct jw_buffer in; /* octets of replies that were not returned */
	size_t searched;     /* so many of them hold no NUL */
};

/* ---- connect ---- */

static enum jw_err
explain_connect(const char *path, int error, struct jw_why *why)
{
	if (error == EACCES || error == EPERM)
		return jw_fail(JW_PERMISSION_DENIED, why,
		    "you may not use the socket %s", path);
	if (error == EAGAIN)
		jw_why_set(why, "the daemon at %s accepts no connection", path);
	else
		jw_why_set(why, "no daemon is reachable at %s: %s", path,
		    strerror(error));
	jw_why_hint(why, "is jwksd running? another socket: --socket PATH or "
			 "JWKSCTL_SOCKET");
	return JW_UNREACHABLE;
}

static enum jw_err
make_address(
    const char *path, struct sockaddr_un *ret_address, struct jw_why *why)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(ret_address->sun_path))
		return jw_fail(JW_USAGE, why,
		    "a socket's path has 1 to %zu octets, not %zu",
		    sizeof(ret_address->sun_path) - 1, len);
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	memcpy(ret_address->sun_path, path, len);
	return JW_OK;
}

/* A full backlog cannot be polled for: EAGAIN means try again. */
static int
connect_until(int sock, const struct sockaddr_un *address, int64_t deadline)
{
	for (;;) {
		if (connect(sock, (const struct sockaddr *)address,
			sizeof(*address)) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return errno;
		if (jw_clock_monotonic_ms() >= deadline)
			return EAGAIN;
		jw_clock_nap_ms(RETRY_CONNECT_MS);
	}
}

enum jw_err
varlink_client_open(const char *path, int64_t deadline,
    struct varlink_client **ret_client, struct jw_why *why)
{
	struct sockaddr_un address;
	struct varlink_client *client;
	enum jw_err err;
	int error;

	err = make_address(path, &address, why);
	if (err != JW_OK)
		return err;
	client = jw_zalloc(sizeof(*client));
	client->stop_fd = client->out_fd = -1;
	client->sock =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = client->sock < 0
		    ? errno
		    : connect_until(client->sock, &address, deadline);
	if (error != 0) {
		varlink_client_close(client);
		return explain_connect(path, error, why);
	}
	*ret_client = client;
	return JW_OK;
}

void
varlink_client_close(struct varlink_client *client)
{
	if (client == NULL)
		return;
	if (client->sock >= 0)
		close(client->sock);
	jw_buffer_free(&client->in);
	free(client);
}

void
varlink_client_stop_on(struct varlink_client *client, int stop_fd, int out_fd)
{
	client->stop_fd = stop_fd;
	client->out_fd = out_fd;
}

bool
varlink_client_stopped(const struct varlink_client *client)
{
	return client->stopped;
}

/* ---- wait ---- */

static int
until(int64_t deadline)
{
	int64_t left;

	if (deadline == CLIENT_FOREVER)
		return -1;
	left = deadline - jw_clock_monotonic_ms();
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* JW_OK when the socket is worth a try. */
static enum jw_err
wait_for(struct varlink_client *client, short events, int64_t deadline,
    struct jw_why *why)
{
	struct pollfd fds[] = {
	    {.fd = client->sock, .events = events},
	    {.fd = client->stop_fd, .events = POLLIN},
	    {.fd = client->out_fd}, /* POLLERR comes unasked */
	};
	int n = poll(fds, 3, until(deadline));

	if (n < 0 && errno == EINTR)
		return JW_OK;
	if (n <= 0) {
		jw_why_set(why, "the daemon does not answer");
		jw_why_hint(why, "its log says what it is busy with");
		return JW_UNREACHABLE;
	}
	client->stopped = fds[1].revents != 0 || fds[2].revents != 0;
	return client->stopped ? JW_UNREACHABLE : JW_OK;
}

/* ---- send ---- */

static enum jw_err
send_all(struct varlink_client *client, const char *data, size_t len,
    int64_t deadline, struct jw_why *why)
{
	while (len > 0) {
		ssize_t n = send(client->sock, data, len, MSG_NOSIGNAL);
		enum jw_err err;

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return JW_OK; /* varlink_client_receive() finds out */
		err = wait_for(client, POLLOUT, deadline, why);
		if (err != JW_OK)
			return err;
	}
	return JW_OK;
}

enum jw_err
varlink_client_send(struct varlink_client *client, const char *method,
    const struct json_t *parameters, bool more, int64_t deadline,
    struct jw_why *why)
{
	enum jw_err err;
	size_t len;
	char *data;

	data = varlink_call_format(method, parameters, more, false, &len);
	if (data == NULL)
		return JW_NO_MEMORY;
	if (len > VARLINK_MESSAGE_MAX) {
		jw_why_set(why, "a request has at most %d octets, this has %zu",
		    VARLINK_MESSAGE_MAX, len);
		err = JW_USAGE;
	} else {
		err = send_all(client, data, len, deadline, why);
	}
	free(data);
	return err;
}

/* ---- receive ---- */

static enum jw_err
hung_up(struct varlink_client *client, struct jw_why *why)
{
	jw_why_set(why, "the daemon hung up %s",
	    client->in.len > 0 ? "in the middle of a reply"
			       : "without an answer");
	jw_why_hint(why, "its log may say why");
	return JW_UNREACHABLE;
}

static enum jw_err
read_some(struct varlink_client *client, int64_t deadline, struct jw_why *why)
{
	enum jw_err err;
	ssize_t n;
	char *at;

	if (client->in.len >= VARLINK_MESSAGE_MAX)
		return jw_fail(JW_PROTOCOL, why,
		    "the daemon's reply is longer than %d octets",
		    VARLINK_MESSAGE_MAX);
	err = wait_for(client, POLLIN, deadline, why);
	if (err != JW_OK)
		return err;
	at = jw_buffer_room(&client->in, READ_SIZE);
	if (at == NULL)
		return JW_NO_MEMORY;
	n = recv(client->sock, at, READ_SIZE, 0);
	if (n > 0)
		jw_buffer_put(&client->in, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return JW_OK;
	return hung_up(client, why);
}

/* The first whole message; NULL: there is none yet. */
static const char *
find_message(struct varlink_client *client, size_t *ret_len)
{
	const struct jw_buffer *in = &client->in;
	const char *text, *nul;

	if (in->len == client->searched)
		return NULL;
	text = in->data + in->start;
	nul = memchr(text + client->searched, '\0', in->len - client->searched);
	client->searched = nul == NULL ? client->in.len : 0;
	if (nul == NULL)
		return NULL;
	*ret_len = (size_t)(nul - text);
	return text;
}

enum jw_err
varlink_client_receive(struct varlink_client *client, int64_t deadline,
    struct varlink_reply *ret_reply, struct jw_why *why)
{
	const char *text;
	enum jw_err err;
	size_t len;

	while ((text = find_message(client, &len)) == NULL) {
		err = read_some(client, deadline, why);
		if (err != JW_OK)
			return err;
	}
	err = varlink_reply_parse(text, len, ret_reply);
	jw_buffer_take(&client->in, len + 1);
	if (err == JW_PROTOCOL) {
		jw_why_set(why, "what came back is no Varlink reply");
		jw_why_hint(why, "is that the socket of a jwksd?");
	}
	return err;
}
