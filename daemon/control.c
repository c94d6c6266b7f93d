/*
 * Varlink servers on Unix sockets with libevent.  The accept side owns every
 * connection and every call; replies leave in the order of their calls.  No
 * byte from a client may end the process or hold up another client.
 */
#include "daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <grp.h>
#include <jansson.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/varlink.h"

enum {
	BACKLOG = 128,
	PAUSE_MS = 100,
	GROUPS_MAX = 1024,
	FAREWELL_S = 10,
	CALLS_A_TURN = 16
};

const struct control_limits control_default_limits = {
    .connections = 64,
    .per_uid = 16,
    .calls = 1,
    .queued = 1024 * 1024,
    .half_message_ms = 10000,
};

struct conn;

struct control_call {
	TAILQ_ENTRY(control_call) link;
	struct conn *conn;
	struct varlink_call request;
	struct evbuffer *out; /* until it is this call's turn */
	bool ended;
	bool busy; /* not followed: the answer is being made */
	void (*closed)(struct control_call *call, void *arg);
	void (*drained)(struct control_call *call, void *arg);
	void *arg;
};

TAILQ_HEAD(call_list, control_call);

struct conn {
	TAILQ_ENTRY(conn) link;
	struct control_server *server;
	struct bufferevent *bev;
	struct event *half;  /* a message has begun and must end */
	struct event *again; /* others had their turn */
	struct control_peer peer;
	struct call_list calls;
	int ncalls;
	const char *text; /* of the call that is being started */
	size_t text_len;
	bool allowed;
	bool at_end;  /* the client has said all */
	bool closing; /* after what is queued */
	bool broken;  /* to be freed when it is safe */
	bool in_process;
};

TAILQ_HEAD(conn_list, conn);

struct control_server {
	struct event_base *base;
	const struct varlink_service *service;
	void *context;
	struct control_limits limits;
	bool (*quick)(struct control_call *call, void *context);
	struct evconnlistener *listener;
	struct event *resume;
	struct conn_list conns;
	int nconns;
	bool has_group;
	gid_t group;
};

/* ---- connections ---- */

static void
call_free(struct control_call *call)
{
	varlink_call_done(&call->request);
	if (call->out != NULL)
		evbuffer_free(call->out);
	free(call);
}

static void
conn_free(struct conn *conn)
{
	struct control_call *call;

	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		TAILQ_REMOVE(&conn->calls, call, link);
		if (call->closed != NULL)
			call->closed(call, call->arg);
		call_free(call);
	}
	TAILQ_REMOVE(&conn->server->conns, conn, link);
	conn->server->nconns--;
	if (conn->half != NULL)
		event_free(conn->half);
	if (conn->again != NULL)
		event_free(conn->again);
	if (conn->bev != NULL)
		bufferevent_free(conn->bev);
	free(conn);
}

/* Now, or as soon as nobody further up the stack looks at it. */
static void
conn_drop(struct conn *conn)
{
	conn->broken = true;
	if (!conn->in_process)
		conn_free(conn);
}

static bool
is_flushed(struct conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

/* Move finished output to the wire, in the order of the calls. */
static void
flush(struct conn *conn)
{
	struct evbuffer *wire = bufferevent_get_output(conn->bev);
	struct control_call *call;

	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		/* The analyzer does not see that the head has changed. */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		evbuffer_add_buffer(wire, call->out);
		if (!call->ended)
			break;
		TAILQ_REMOVE(&conn->calls, call, link);
		conn->ncalls--;
		call_free(call);
	}
}

/* ---- answering ---- */

const struct json_t *
control_parameters(const struct control_call *call)
{
	return call->request.parameters;
}

const char *
control_method(const struct control_call *call)
{
	return call->request.method;
}

const char *
control_text(const struct control_call *call, size_t *ret_len)
{
	*ret_len = call->conn->text_len;
	return call->conn->text;
}

const struct control_peer *
control_peer(const struct control_call *call)
{
	return &call->conn->peer;
}

bool
control_wants_more(const struct control_call *call)
{
	return call->request.more;
}

void
control_follow(struct control_call *call,
    void (*closed)(struct control_call *call, void *arg),
    void (*drained)(struct control_call *call, void *arg), void *arg)
{
	call->closed = closed;
	call->drained = drained;
	call->arg = arg;
}

void
control_wait(struct control_call *call,
    void (*closed)(struct control_call *call, void *arg), void *arg)
{
	call->busy = true;
	control_follow(call, closed, NULL, arg);
}

static void
emit(struct control_call *call, const char *error, json_t *take_parameters,
    bool continues)
{
	size_t len;
	char *text;

	if (call->request.oneway) {
		json_decref(take_parameters);
		return;
	}
	text = varlink_reply_format(error, take_parameters, continues, &len);
	if (text == NULL || evbuffer_add(call->out, text, len) != 0) {
		jw_log(JW_LOG_ERROR, "no memory for a reply to %s",
		    call->request.method);
		call->conn->closing = true;
	}
	free(text);
	json_decref(take_parameters);
}

static void process(struct conn *conn);

static void
end_call(struct control_call *call)
{
	struct conn *conn = call->conn;

	call->ended = true;
	call->closed = NULL;
	call->drained = NULL;
	flush(conn);
	if (!conn->in_process)
		process(conn);
}

void
control_reply(struct control_call *call, struct json_t *take_parameters)
{
	emit(call, NULL, take_parameters, false);
	end_call(call);
}

void
control_reply_text(
    struct control_call *call, const char *parameters, size_t len)
{
	static const char head[] = "{\"parameters\":";

	if (!call->request.oneway &&
	    (evbuffer_expand(call->out, sizeof(head) + len + 1) != 0 ||
		evbuffer_add(call->out, head, sizeof(head) - 1) != 0 ||
		evbuffer_add(call->out, parameters, len) != 0 ||
		evbuffer_add(call->out, "}", 2) != 0)) {
		jw_log(JW_LOG_ERROR, "no memory for a reply to %s",
		    call->request.method);
		call->conn->closing = true;
	}
	end_call(call);
}

void
control_fail(
    struct control_call *call, enum jw_err err, struct json_t *take_parameters)
{
	const char *wire = jw_err_wire(err);

	if (wire == NULL) {
		json_decref(take_parameters);
		take_parameters =
		    json_pack("{s:s}", "message", jw_err_text(err));
		wire = jw_err_wire(JW_STORE_FAILED);
	}
	emit(call, wire, take_parameters, false);
	end_call(call);
}

bool
control_continue(struct control_call *call, struct json_t *take_parameters)
{
	struct conn *conn = call->conn;
	size_t queued = evbuffer_get_length(call->out) +
			evbuffer_get_length(bufferevent_get_output(conn->bev));

	if (queued > conn->server->limits.queued) {
		json_decref(take_parameters);
		return false;
	}
	emit(call, NULL, take_parameters, true);
	flush(conn);
	return true;
}

void
control_hang_up(struct control_call *call)
{
	call->conn->closing = true;
}

size_t
control_unread(const struct control_call *call)
{
	struct bufferevent *bev = call->conn->bev;
	int in_kernel = 0;

	if (ioctl(bufferevent_getfd(bev), SIOCOUTQ, &in_kernel) != 0)
		in_kernel = 0;
	return (size_t)in_kernel + evbuffer_get_length(call->out) +
	       evbuffer_get_length(bufferevent_get_output(bev));
}

/* ---- reading ---- */

static void
run_verb(struct conn *conn, struct control_call *call)
{
	const struct varlink_verb *verb = NULL;
	const struct control_verb *handler;
	json_t *parameters = NULL;
	enum jw_err err = varlink_service_resolve(
	    conn->server->service, &call->request, &verb, &parameters);

	if (err == JW_OK && verb != NULL && !conn->allowed) {
		jw_log(JW_LOG_WARNING, "uid %u may not call %s",
		    (unsigned)conn->peer.uid, call->request.method);
		err = JW_PERMISSION_DENIED;
	}
	if (err != JW_OK) {
		control_fail(call, err, parameters);
	} else if (verb == NULL) {
		control_reply(call, parameters);
	} else {
		handler = verb->tag;
		handler->run(call, conn->server->context);
	}
}

/* JW_PROTOCOL, JW_NO_MEMORY: it was no call, and has not been taken. */
static enum jw_err
run_call(struct conn *conn, struct control_call *call)
{
	const struct control_server *server = conn->server;
	enum jw_err err;

	if (server->quick != NULL && conn->allowed &&
	    server->quick(call, server->context))
		return JW_OK;
	err = varlink_call_parse(conn->text, conn->text_len, &call->request);
	if (err == JW_OK) {
		run_verb(conn, call);
		return JW_OK;
	}
	TAILQ_REMOVE(&conn->calls, call, link);
	conn->ncalls--;
	call_free(call);
	return err;
}

/* JW_PROTOCOL: whatever it was, it was no call. */
static enum jw_err
take_message(struct conn *conn, size_t len)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	const char *data =
	    (const char *)evbuffer_pullup(in, (ev_ssize_t)len + 1);
	struct control_call *call = calloc(1, sizeof(*call));
	enum jw_err err = JW_NO_MEMORY;

	if (call != NULL)
		call->out = evbuffer_new();
	if (data == NULL || call == NULL || call->out == NULL) {
		evbuffer_drain(in, len + 1);
		if (call != NULL)
			call_free(call);
		return JW_NO_MEMORY;
	}
	call->conn = conn;
	TAILQ_INSERT_TAIL(&conn->calls, call, link);
	conn->ncalls++;
	conn->text = data;
	conn->text_len = len;
	err = run_call(conn, call);
	conn->text = NULL;
	conn->text_len = 0;
	evbuffer_drain(in, len + 1);
	return err;
}

/* The next whole message; JW_IO when there is none yet. */
static enum jw_err
next_message(struct conn *conn)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "", 1, NULL);

	if (end.pos >= VARLINK_MESSAGE_MAX)
		return JW_PROTOCOL;
	if (end.pos >= 0)
		return take_message(conn, (size_t)end.pos);
	return evbuffer_get_length(in) >= VARLINK_MESSAGE_MAX ? JW_PROTOCOL
							      : JW_IO;
}

/* all_taken: what is left of the input is no whole message. */
static void
guard_half_message(struct conn *conn, bool all_taken)
{
	int ms = conn->server->limits.half_message_ms;
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};
	struct evbuffer *in = bufferevent_get_input(conn->bev);

	if (!all_taken || evbuffer_get_length(in) == 0)
		event_del(conn->half);
	else if (!event_pending(conn->half, EV_TIMEOUT, NULL))
		event_add(conn->half, &wait);
}

static bool
is_following(const struct conn *conn)
{
	const struct control_call *head = TAILQ_FIRST(&conn->calls);

	return head != NULL && head->closed != NULL && !head->busy;
}

/*
 * Reading pauses while more than a whole message waits.  Not by a watermark:
 * libevent calls back without end while what it let in is left there.
 */
static void
pace_reading(struct conn *conn)
{
	size_t len = evbuffer_get_length(bufferevent_get_input(conn->bev));
	bool reads = (bufferevent_get_enabled(conn->bev) & EV_READ) != 0;
	bool may_read = len <= VARLINK_MESSAGE_MAX && !conn->at_end;

	/* Whoever follows has nothing to say; so much is no mistake. */
	if (!may_read && !conn->at_end && is_following(conn)) {
		conn_drop(conn);
		return;
	}

	if (reads && !may_read)
		bufferevent_disable(conn->bev, EV_READ);
	else if (!reads && may_read)
		bufferevent_enable(conn->bev, EV_READ);
}

/* A client that does not read its replies gets no further ones. */
static bool
may_go_on(struct conn *conn)
{
	const struct control_limits *limits = &conn->server->limits;

	/* What was to end the loop ends it: nothing may be there to ask. */
	return !event_base_got_break(conn->server->base) && !conn->broken &&
	       !conn->closing && conn->ncalls < limits->calls &&
	       evbuffer_get_length(bufferevent_get_output(conn->bev)) <
		   limits->queued;
}

/* The last words are queued; they need not wait for ever. */
static void
limit_farewell(struct conn *conn)
{
	struct timeval wait = {FAREWELL_S, 0};

	if (conn->closing)
		bufferevent_set_timeouts(conn->bev, NULL, &wait);
}

/* Everything that can be done with what has arrived. */
static void
process(struct conn *conn)
{
	const struct timeval now = {0, 0};
	enum jw_err err = JW_OK;

	conn->in_process = true;
	for (int i = 0; i < CALLS_A_TURN && err == JW_OK && may_go_on(conn);
	     i++) {
		err = next_message(conn);
		/* The time of half a message begins with its first byte. */
		if (err == JW_OK)
			event_del(conn->half);
	}
	conn->in_process = false;
	if (err == JW_PROTOCOL || err == JW_NO_MEMORY) {
		jw_log(JW_LOG_INFO, "uid %u: not a call: dropped",
		    (unsigned)conn->peer.uid);
		conn->broken = true;
	}
	if (conn->at_end && conn->ncalls == 0 && err == JW_IO)
		conn->closing = true;
	if (conn->broken || (conn->closing && is_flushed(conn))) {
		conn_free(conn);
		return;
	}
	limit_farewell(conn);
	guard_half_message(conn, err == JW_IO);
	if (err == JW_OK && may_go_on(conn))
		evtimer_add(conn->again, &now);
	pace_reading(conn);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	process(arg);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process(arg);
}

static void
on_drained(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;
	struct control_call *head = TAILQ_FIRST(&conn->calls);

	(void)bev;
	if (conn->closing) {
		conn_free(conn);
		return;
	}
	if (head != NULL && head->drained != NULL)
		head->drained(head, head->arg);
	else
		process(conn);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *conn = arg;

	(void)bev;
	if ((what & BEV_EVENT_EOF) != 0 && !is_following(conn)) {
		conn->at_end = true;
		process(conn);
		return;
	}
	conn_drop(conn);
}

static void
on_half(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	jw_log(JW_LOG_INFO, "uid %u: half a message: dropped",
	    (unsigned)conn->peer.uid);
	conn_drop(conn);
}

/* ---- accepting ---- */

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
control_is_member(const struct control_call *call, gid_t group)
{
	const struct control_peer *peer = &call->conn->peer;

	return peer->uid == 0 || peer->uid == geteuid() || peer->gid == group ||
	       has_group(bufferevent_getfd(call->conn->bev), group);
}

static bool
identify(struct conn *conn, int fd)
{
	const struct control_server *server = conn->server;
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

static bool
has_place(const struct control_server *server, uid_t uid)
{
	const struct conn *conn;
	int of_uid = 0;

	if (server->nconns > server->limits.connections)
		return false;
	if (server->limits.per_uid >= server->limits.connections)
		return true;
	TAILQ_FOREACH(conn, &server->conns, link)
	of_uid += conn->peer.uid == uid;
	return of_uid <= server->limits.per_uid;
}

static bool
conn_start(struct conn *conn, int fd)
{
	struct event_base *base = conn->server->base;

	conn->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (conn->bev == NULL) {
		close(fd);
		return false;
	}
	conn->half = evtimer_new(base, on_half, conn);
	conn->again = evtimer_new(base, on_again, conn);
	if (conn->half == NULL || conn->again == NULL || !identify(conn, fd) ||
	    !has_place(conn->server, conn->peer.uid))
		return false;
	bufferevent_setcb(conn->bev, on_read, on_drained, on_event, conn);
	if (conn->server->limits.yields &&
	    (bufferevent_priority_set(conn->bev, CONTROL_LAST) != 0 ||
		event_priority_set(conn->again, CONTROL_LAST) != 0))
		return false;
	return bufferevent_enable(conn->bev, EV_READ | EV_WRITE) == 0;
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	struct control_server *server = arg;
	struct conn *conn = calloc(1, sizeof(*conn));

	(void)listener;
	(void)sa;
	(void)len;
	if (conn == NULL) {
		close(fd);
		return;
	}
	conn->server = server;
	TAILQ_INIT(&conn->calls);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->nconns++;
	if (!conn_start(conn, fd))
		conn_free(conn);
}

/* Out of descriptors: look away for a moment instead of spinning. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control_server *server = arg;
	struct timeval wait = {0, PAUSE_MS * 1000};

	evconnlistener_disable(listener);
	evtimer_add(server->resume, &wait);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control_server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

/* ---- the server ---- */

static bool
find_group(const char *name, gid_t *ret_gid)
{
	const struct group *group = name == NULL ? NULL : getgrnam(name);

	if (group == NULL)
		return false;
	*ret_gid = group->gr_gid;
	return true;
}

static int
bind_new(const char *path, mode_t mask)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t old;
	int fd, rc;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	old = umask(mask);
	rc = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (rc != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A socket that a crash has left refuses; one whose queue is full does not. */
static bool
somebody_answers(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	bool answers;
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return false;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	answers = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 ||
		  errno == EAGAIN;
	close(fd);
	return answers;
}

enum jw_err
control_bind(
    const char *path, const char *group, int *ret_fd, struct jw_why *why)
{
	char temporary[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	bool grouped;
	gid_t gid = 0;
	int fd;

	if (somebody_answers(path)) {
		jw_why_set(why, "%s: another daemon answers there", path);
		jw_why_hint(why, "stop it, or give this one its own [daemon] "
				 "runtime_directory");
		return JW_LOCKED;
	}
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	grouped = find_group(group, &gid);
	fd = bind_new(temporary, grouped ? 0117 : 0177);
	/* Nobody can connect before listen(2): the group comes in time. */
	if (fd >= 0 && (!grouped || lchown(temporary, (uid_t)-1, gid) == 0) &&
	    listen(fd, BACKLOG) == 0 && rename(temporary, path) == 0) {
		*ret_fd = fd;
		return JW_OK;
	}
	jw_why_set(why, "%s: %s", path, strerror(errno));
	jw_why_hint(why, "the path of a socket has at most 103 octets, and its "
			 "directory must be writable by the daemon");
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	return JW_IO;
}

enum jw_err
control_server_new(
    const struct control_options *options, struct control_server **ret_server)
{
	struct control_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		close(options->take_fd);
		return JW_NO_MEMORY;
	}
	TAILQ_INIT(&server->conns);
	server->base = options->base;
	server->service = options->service;
	server->context = options->context;
	server->limits = *options->limits;
	server->quick = options->quick;
	server->has_group = find_group(options->group, &server->group);
	server->resume = evtimer_new(server->base, on_resume, server);
	server->listener = evconnlistener_new(server->base, on_accept, server,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, options->take_fd);
	if (server->listener == NULL || server->resume == NULL) {
		if (server->listener == NULL)
			close(options->take_fd);
		control_server_free(server);
		return JW_NO_MEMORY;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	*ret_server = server;
	return JW_OK;
}

void
control_server_free(struct control_server *server)
{
	struct conn *conn;

	if (server == NULL)
		return;
	/* conn_free() takes it off the list, which the analyzer cannot see. */
	while ((conn = TAILQ_FIRST(&server->conns)) != NULL)
		conn_free(conn); /* NOLINT(clang-analyzer-unix.Malloc) */
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->resume != NULL)
		event_free(server->resume);
	free(server);
}
