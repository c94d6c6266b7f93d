/*
 * Varlink servers on Unix sockets with libevent.  The accept side owns every
 * connection and every call; replies leave in the order of their calls.  No
 * byte from a client may end the process or hold up another client.
 *
 * What arrives together is answered together: one recv(2), as many calls as
 * a turn has (turns.h), one send(2).  The kernel reports a descriptor once,
 * when something arrives: a connection that waits for its turn, or has nothing
 * to do, costs neither a turn of the loop nor a buffer.
 */
#include "common/serve/server.h"
#include "common/serve/refused_calls.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/group.h"
#include "common/base/log.h"
#include "common/base/timeval.h"
#include "common/serve/turns.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"

enum {
	BACKLOG = 128,
	PAUSE_MS = 100,
	GROUPS_MAX = 1024,
	FAREWELL_S = 10,
	HALF_TURN_MS = 100,
	UNREAD_S = 60, /* without a single octet taken */
	ACCEPTS_A_TURN = 32,
	/* Connections that are not served, in all and of one uid. */
	WAITING_MAX = 64,
	WAITING_OF_UID = 16,
	FULL_LINE_S = 60,
	/* Less than a client's depth: it refills while we go on. */
	CALLS_A_TURN = 16,
	OCTETS_A_TURN = 64 * 1024, /* of calls; the last may go over it */
	READ_SIZE = 64 * 1024,
	SPARE_MAX = 256 * 1024,
	SLACK = 4096, /* that a buffer may have beyond what is in it */
};

const struct serve_limits serve_default_limits = {
    .connections = 64,
    .per_uid = 16,
    .calls = 1,
    .queued = 1024 * 1024,
    .held = 64 * 1024 * 1024,
    .half_message_ms = 10000,
    .park_ms = 1000,
};

struct conn;

struct serve_call {
	TAILQ_ENTRY(serve_call) link;
	struct conn *conn;
	struct varlink_call request;
	const struct varlink_verb *verb;
	struct jw_buffer out; /* until it is this call's turn */
	bool ended;
	bool busy; /* not followed: the answer is being made */
	void (*closed)(struct serve_call *call, void *arg);
	void (*drained)(struct serve_call *call, void *arg);
	void *arg;
};

TAILQ_HEAD(call_list, serve_call);

enum place {
	PLACE_SERVED,
	PLACE_PARKED,      /* nothing is read until its uid has a place */
	PLACE_TURNED_AWAY, /* its first call is answered with Overloaded */
};

struct conn {
	TAILQ_ENTRY(conn) link;
	struct serve_server *server;
	int fd;
	struct event *readable, *writable;
	struct event *half; /* a message has begun and must end; or the time
			     * that it may be parked */
	enum place place;
	struct serve_turn turn;
	struct jw_buffer in, out;
	size_t behind;   /* output of calls whose turn has not come */
	size_t held;     /* counted of all three */
	size_t searched; /* of `in`: there is no NUL octet */
	struct serve_peer peer;
	struct call_list calls;
	int ncalls;
	const char *text; /* of the call that is being started */
	size_t text_len;
	bool allowed;
	bool has_input; /* the kernel may have more */
	bool has_end;   /* and behind it the end */
	bool at_end;    /* the client has said all */
	bool closing;   /* after what is queued */
	bool broken;    /* to be freed when it is safe */
	bool filled;    /* since all output had been sent */
	bool refused;   /* something, and the log has it */
};

TAILQ_HEAD(conn_list, conn);

struct serve_server {
	struct event_base *base;
	struct serve_turns *turns, *own_turns;
	const struct varlink_service *service;
	void *context;
	struct serve_limits limits;
	bool (*quick)(struct serve_call *call, void *context);
	serve_refused_fn *refused;
	void *refused_arg;
	struct evconnlistener *listener;
	struct event *resume;
	struct conn_list conns, waiting;
	int nconns;         /* those of `conns` */
	int accepted;       /* in this turn */
	bool out_of_places; /* clients wait in the kernel's queue */
	bool out_of_files;  /* the same, and the log has it */
	size_t held;        /* octets, of all connections */
	bool full;          /* some wait until there are fewer */
	int64_t told_at;    /* that there was no place */
	bool draining;
	void (*drained)(void *arg); /* NULL: it has been called */
	void *drained_arg;
	/* Of the last connection that had been busy, for the next one. */
	struct jw_buffer spare_in, spare_out;
	bool has_group;
	gid_t group;
};

/* ---- buffers ---- */

static char *
room_in(struct jw_buffer *octets, struct jw_buffer *spare, size_t n)
{
	if (octets->data == NULL) {
		*octets = *spare;
		*spare = (struct jw_buffer){NULL, 0, 0, 0};
	}
	return jw_buffer_room(octets, n);
}

/* A buffer is as large as what is in it: most connections are idle. */
static void
give_back(struct jw_buffer *octets, struct jw_buffer *spare)
{
	struct jw_buffer rest = {NULL, 0, 0, 0};

	if (octets->room <= 2 * octets->len + SLACK && octets->len > 0)
		return;
	if (octets->len > 0 &&
	    !jw_buffer_add(&rest, octets->data + octets->start, octets->len))
		return;
	jw_buffer_take(octets, octets->len);
	if (spare->data == NULL && octets->room <= SPARE_MAX)
		*spare = *octets;
	else
		jw_buffer_free(octets);
	*octets = rest;
}

/* ---- connections ---- */

static void
call_free(struct serve_call *call)
{
	varlink_call_done(&call->request);
	jw_buffer_free(&call->out);
	free(call);
}

static void
event_done(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

/* Look at it in its next turn; at the end of a turn that happens anyway. */
static void
conn_soon(struct conn *conn)
{
	if (conn->text == NULL)
		serve_turn_ask(&conn->turn);
}

/* After a change of what it holds. */
static void
count_held(struct conn *conn)
{
	struct serve_server *server = conn->server;
	size_t held = conn->in.len + conn->out.len + conn->behind;
	struct conn *other;

	server->held += held - conn->held;
	conn->held = held;
	if (server->held >= server->limits.held) {
		server->full = true;
	} else if (server->full) {
		server->full = false;
		TAILQ_FOREACH(other, &server->conns, link)
		conn_soon(other);
	}
}

static void admit_waiting(struct serve_server *server, uid_t uid);

static void
tell_empty(struct serve_server *server)
{
	void (*drained)(void *arg) = server->drained;

	if (drained == NULL || !TAILQ_EMPTY(&server->conns) ||
	    !TAILQ_EMPTY(&server->waiting))
		return;
	server->drained = NULL;
	drained(server->drained_arg);
}

/* There is one connection less that is served. */
static void
leave_place(struct conn *conn)
{
	static const struct timeval at_once = {0, 0};
	struct serve_server *server = conn->server;

	if (conn->place != PLACE_SERVED) {
		TAILQ_REMOVE(&server->waiting, conn, link);
		return;
	}
	TAILQ_REMOVE(&server->conns, conn, link);
	server->nconns--;
	admit_waiting(server, conn->peer.uid);
	if (server->out_of_places &&
	    server->nconns < server->limits.connections) {
		server->out_of_places = false;
		evtimer_add(server->resume, &at_once);
	}
}

static void
conn_free(struct conn *conn)
{
	struct serve_call *call;

	serve_turn_leave(&conn->turn);
	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		TAILQ_REMOVE(&conn->calls, call, link);
		if (call->closed != NULL)
			call->closed(call, call->arg);
		call_free(call);
	}
	leave_place(conn);
	conn->behind = 0;
	jw_buffer_free(&conn->in);
	jw_buffer_free(&conn->out);
	count_held(conn);
	tell_empty(conn->server);
	event_done(conn->readable);
	event_done(conn->writable);
	event_done(conn->half);
	close(conn->fd);
	free(conn);
}

static char *
out_room(struct conn *conn, size_t n)
{
	return room_in(&conn->out, &conn->server->spare_out, n);
}

static void
no_memory_for(struct serve_call *call)
{
	jw_log(JW_LOG_ERROR, "no memory for a reply");
	/* The next reply would take its place. */
	call->conn->broken = true;
	conn_soon(call->conn);
}

/* Move finished output to the wire, in the order of the calls. */
static void
flush(struct conn *conn)
{
	struct serve_call *call;
	char *at;

	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		/* The analyzer does not see that the head has changed. */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (call->out.len > 0) {
			at = out_room(conn, call->out.len);
			if (at == NULL) {
				no_memory_for(call);
				return;
			}
			memcpy(at, call->out.data + call->out.start,
			    call->out.len);
			jw_buffer_put(&conn->out, call->out.len);
			conn->behind -= call->out.len;
			jw_buffer_free(&call->out);
			conn->filled = true;
		}
		if (!call->ended)
			break;
		TAILQ_REMOVE(&conn->calls, call, link);
		conn->ncalls--;
		call_free(call);
	}
}

/* ---- answering ---- */

const struct json_t *
serve_parameters(const struct serve_call *call)
{
	return call->request.parameters;
}

const struct varlink_fault *
serve_fault(const struct serve_call *call)
{
	return &call->request.fault;
}

const char *
serve_method(const struct serve_call *call)
{
	return call->request.method;
}

const char *
serve_text(const struct serve_call *call, size_t *ret_len)
{
	*ret_len = call->conn->text_len;
	return call->conn->text;
}

const struct varlink_verb *
serve_verb(const struct serve_call *call)
{
	return call->verb;
}

const struct serve_peer *
serve_peer(const struct serve_call *call)
{
	return &call->conn->peer;
}

bool
serve_first_refusal(struct serve_call *call)
{
	bool first = !call->conn->refused;

	call->conn->refused = true;
	return first;
}

bool
serve_changes(const struct serve_call *call)
{
	return (varlink_service_flags(
		    call->conn->server->service, call->request.method) &
		   VARLINK_CHANGES) != 0;
}

bool
serve_wants_more(const struct serve_call *call)
{
	return call->request.more;
}

void
serve_follow(struct serve_call *call,
    void (*closed)(struct serve_call *call, void *arg),
    void (*drained)(struct serve_call *call, void *arg), void *arg)
{
	call->closed = closed;
	call->drained = drained;
	call->arg = arg;
}

void
serve_wait(struct serve_call *call,
    void (*closed)(struct serve_call *call, void *arg), void *arg)
{
	call->busy = true;
	serve_follow(call, closed, NULL, arg);
}

static void
emit_text(struct serve_call *call, char *take_text, size_t len)
{
	if (take_text == NULL || !jw_buffer_add(&call->out, take_text, len))
		no_memory_for(call);
	else
		call->conn->behind += len;
	free(take_text);
}

static void
emit(struct serve_call *call, const char *error, json_t *take_parameters,
    bool continues)
{
	size_t len;
	char *text;

	/* An error without fields has no parameters at all. */
	if (error != NULL && json_object_size(take_parameters) == 0) {
		json_decref(take_parameters);
		take_parameters = NULL;
	}
	if (call->request.oneway) {
		json_decref(take_parameters);
		return;
	}
	text = varlink_reply_format(error, take_parameters, continues, &len);
	emit_text(call, text, len);
	json_decref(take_parameters);
}

static void
end_call(struct serve_call *call)
{
	struct conn *conn = call->conn;

	call->ended = true;
	call->closed = NULL;
	call->drained = NULL;
	flush(conn);
	count_held(conn);
	conn_soon(conn);
}

void
serve_reply(struct serve_call *call, struct json_t *take_parameters)
{
	emit(call, NULL, take_parameters, false);
	end_call(call);
}

void
serve_reply_text(struct serve_call *call, const char *parameters)
{
	size_t len;
	char *text;

	if (!call->request.oneway) {
		text = varlink_reply_wrap(parameters, &len);
		emit_text(call, text, len);
	}
	end_call(call);
}

/* Its turn has come, and what it has said already is on the way. */
static bool
is_next(const struct serve_call *call)
{
	return call == TAILQ_FIRST(&call->conn->calls) && call->out.len == 0;
}

char *
serve_room(struct serve_call *call, size_t room)
{
	if (is_next(call))
		return out_room(call->conn, room);
	return jw_buffer_room(&call->out, room);
}

void
serve_put(struct serve_call *call, size_t len)
{
	if (is_next(call)) {
		jw_buffer_put(&call->conn->out, len);
		call->conn->filled = true;
	} else {
		jw_buffer_put(&call->out, len);
		call->conn->behind += len;
	}
	end_call(call);
}

bool
serve_is_oneway(const struct serve_call *call)
{
	return call->request.oneway;
}

void
serve_fail(
    struct serve_call *call, enum jw_err err, struct json_t *take_parameters)
{
	const struct serve_server *server = call->conn->server;
	const char *wire = jw_err_wire(err);

	if (wire == NULL) {
		json_decref(take_parameters);
		take_parameters =
		    json_pack("{s:s}", "message", jw_err_text(err));
		wire = jw_err_wire(JW_STORE_FAILED);
	}
	if (server->refused != NULL && call->request.method != NULL)
		server->refused(call, wire, server->refused_arg);
	emit(call, wire, take_parameters, false);
	end_call(call);
}

bool
serve_continue(struct serve_call *call, struct json_t *take_parameters)
{
	struct conn *conn = call->conn;

	if (call->out.len + conn->out.len > conn->server->limits.queued) {
		json_decref(take_parameters);
		return false;
	}
	emit(call, NULL, take_parameters, true);
	flush(conn);
	conn_soon(conn);
	return true;
}

void
serve_hang_up(struct serve_call *call)
{
	call->conn->closing = true;
}

int
serve_keep_open(const struct serve_call *call)
{
	return fcntl(call->conn->fd, F_DUPFD, STDERR_FILENO + 1);
}

size_t
serve_unread(const struct serve_call *call)
{
	const struct conn *conn = call->conn;
	int in_kernel = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &in_kernel) != 0)
		in_kernel = 0;
	return (size_t)in_kernel + call->out.len + conn->out.len;
}

/* ---- reading ---- */

static void
run_decoded(struct serve_call *call, const struct varlink_verb *verb)
{
	const struct varlink_layout *layout = verb->request;
	union {
		max_align_t align;
		char room[VARLINK_REQUEST_MAX];
	} request;

	call->verb = verb;
	if (layout != NULL) {
		assert(layout->size <= sizeof(request));
		varlink_decode(layout, call->request.parameters, &request);
	}
	verb->run(call, layout == NULL ? NULL : &request,
	    call->conn->server->context);
}

static void
run_verb(struct conn *conn, struct serve_call *call)
{
	const struct varlink_verb *verb = NULL;
	json_t *parameters = NULL;
	enum jw_err err = varlink_service_resolve(
	    conn->server->service, &call->request, &verb, &parameters);

	if (err == JW_OK && verb != NULL && !conn->allowed) {
		if (serve_first_refusal(call))
			jw_log(JW_LOG_WARNING, "uid %u may not call %s",
			    (unsigned)conn->peer.uid, call->request.method);
		err = JW_PERMISSION_DENIED;
	}
	if (err != JW_OK) {
		serve_fail(call, err, parameters);
	} else if (verb == NULL) {
		serve_reply(call, parameters);
	} else {
		run_decoded(call, verb);
	}
}

/* Why this uid loses its connection. */
static void
log_no_call(const struct conn *conn, const char *what)
{
	jw_log(JW_LOG_INFO,
	    "uid %u: not a call: %s; nothing more is read from this connection",
	    (unsigned)conn->peer.uid, what);
}

/* JW_PROTOCOL, JW_NO_MEMORY: it was no call, and has not been taken. */
static enum jw_err
run_call(struct conn *conn, struct serve_call *call)
{
	const struct serve_server *server = conn->server;
	struct jw_why why = {"", ""};
	enum jw_err err;

	if (server->quick != NULL && conn->allowed &&
	    conn->place == PLACE_SERVED && server->quick(call, server->context))
		return JW_OK;
	err = varlink_call_parse(
	    conn->text, conn->text_len, &call->request, &why);
	if (err == JW_OK && conn->place == PLACE_TURNED_AWAY) {
		serve_hang_up(call);
		serve_fail(call, JW_OVERLOADED, NULL);
		return JW_OK;
	}
	if (err == JW_OK) {
		run_verb(conn, call);
		return JW_OK;
	}
	if (err == JW_PROTOCOL)
		log_no_call(conn, why.text);
	TAILQ_REMOVE(&conn->calls, call, link);
	conn->ncalls--;
	call_free(call);
	return err;
}

static enum jw_err
start_call(struct conn *conn)
{
	struct serve_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return JW_NO_MEMORY;
	call->conn = conn;
	TAILQ_INSERT_TAIL(&conn->calls, call, link);
	conn->ncalls++;
	return run_call(conn, call);
}

/* The next whole message; JW_IO when there is none yet. */
static enum jw_err
next_message(struct conn *conn)
{
	struct jw_buffer *in = &conn->in;
	const char *text = in->data + in->start, *end = NULL;
	enum jw_err err;

	if (in->len > conn->searched)
		end = memchr(
		    text + conn->searched, '\0', in->len - conn->searched);
	conn->searched = end == NULL ? in->len : 0;
	if ((end == NULL ? in->len : (size_t)(end - text)) >=
	    VARLINK_MESSAGE_MAX) {
		log_no_call(conn, "longer than 256 KiB");
		return JW_PROTOCOL;
	}
	if (end == NULL)
		return JW_IO;
	conn->text = text;
	conn->text_len = (size_t)(end - text);
	err = start_call(conn);
	jw_buffer_take(in, conn->text_len + 1);
	conn->text = NULL;
	return err;
}

static bool
is_following(const struct conn *conn)
{
	const struct serve_call *head = TAILQ_FIRST(&conn->calls);

	return head != NULL && head->closed != NULL && !head->busy;
}

/* A client that does not read its replies gets no further ones. */
static bool
serve_may_go_on(struct conn *conn)
{
	const struct serve_limits *limits = &conn->server->limits;
	size_t unsent = conn->out.len + conn->behind;

	/* What was to end the loop ends it: nothing may be there to ask. */
	return !event_base_got_break(conn->server->base) && !conn->broken &&
	       !conn->closing && conn->ncalls < limits->calls &&
	       unsent < limits->queued && (unsent == 0 || !conn->server->full);
}

/* As many calls as one turn has.  JW_IO: there is no further one yet. */
static enum jw_err
take_turn(struct conn *conn)
{
	const struct serve_turns *turns = conn->server->turns;
	enum jw_err err = JW_OK;
	size_t taken = 0;

	for (int i = 0;
	     i < CALLS_A_TURN && taken < OCTETS_A_TURN && err == JW_OK &&
	     serve_may_go_on(conn) && (i == 0 || !serve_turns_over(turns));
	     i++) {
		err = next_message(conn);
		taken += conn->text_len + 1;
		/* The time of half a message begins with its first byte. */
		if (err == JW_OK && evtimer_pending(conn->half, NULL))
			event_del(conn->half);
	}
	return err;
}

/* As much as the kernel takes. */
static void
send_out(struct conn *conn)
{
	struct jw_buffer *out = &conn->out;
	ssize_t n = 1;

	while (out->len > 0 && n > 0) {
		n = send(conn->fd, out->data + out->start, out->len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			jw_buffer_take(out, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			conn->broken = true;
	}
}

/* The last words are queued; they need not wait for ever. */
static void
await_reader(struct conn *conn)
{
	const struct timeval farewell = {FAREWELL_S, 0};
	const struct timeval unread = {UNREAD_S, 0};

	if (conn->out.len == 0)
		return;
	if (conn->closing)
		event_add(conn->writable, &farewell);
	else if (!event_pending(conn->writable, EV_WRITE, NULL))
		event_add(conn->writable, is_following(conn) ? NULL : &unread);
}

/* all_taken: what is left of the input is no whole message. */
static void
guard_half_message(struct conn *conn, bool all_taken)
{
	int ms = conn->server->limits.half_message_ms;
	const struct timeval wait = jw_timeval_ms(ms);
	bool runs = evtimer_pending(conn->half, NULL) != 0;

	if (!all_taken || conn->in.len == 0) {
		if (runs)
			event_del(conn->half);
	} else if (!runs) {
		event_add(conn->half, &wait);
	}
}

/* Reading pauses while more than a whole message waits. */
static bool
may_read(const struct conn *conn)
{
	bool idle = conn->in.len + conn->out.len + conn->behind == 0;

	/* A client that takes its replies is served, whatever others hold. */
	return conn->in.len <= VARLINK_MESSAGE_MAX && !conn->at_end &&
	       !conn->broken && (idle || !conn->server->full);
}

/* A client that follows has nothing to say, and so much is no mistake. */
static bool
says_too_much(const struct conn *conn)
{
	return conn->in.len > VARLINK_MESSAGE_MAX && !conn->at_end &&
	       is_following(conn);
}

/* Who follows may go on now. */
static void
tell_drained(struct conn *conn)
{
	struct serve_call *head = TAILQ_FIRST(&conn->calls);

	if (!conn->filled || conn->out.len > 0)
		return;
	conn->filled = false;
	if (head != NULL && head->drained != NULL)
		head->drained(head, head->arg);
}

/* Calls before the one that was none are answered, and then it is over. */
static enum jw_err
stop_reading(struct conn *conn)
{
	if (is_following(conn))
		conn->broken = true;
	jw_buffer_take(&conn->in, conn->in.len);
	conn->searched = 0;
	conn->at_end = true;
	return JW_IO;
}

/*
 * The client has closed both directions, so it cannot read the answer that is
 * being made; one that has only sent its last call keeps its own to read from.
 */
static bool
is_abandoned(const struct conn *conn)
{
	const struct serve_call *head = TAILQ_FIRST(&conn->calls);
	struct pollfd look = {.fd = conn->fd};

	return conn->at_end && conn->in.len == 0 && head != NULL &&
	       head->busy && poll(&look, 1, 0) == 1 &&
	       (look.revents & POLLHUP) != 0;
}

/* Everything that can be done with what has arrived. */
static void
process(struct conn *conn)
{
	enum jw_err err = take_turn(conn);

	if (err == JW_PROTOCOL)
		err = stop_reading(conn);
	if (err == JW_NO_MEMORY) {
		jw_log(JW_LOG_ERROR, "no memory for a call");
		conn->broken = true;
	}
	if (!conn->broken)
		send_out(conn);
	count_held(conn);
	if (conn->at_end && conn->ncalls == 0 && err == JW_IO)
		conn->closing = true;
	if (is_abandoned(conn))
		conn->broken = true;
	if (conn->broken || (conn->closing && conn->out.len == 0) ||
	    says_too_much(conn)) {
		conn_free(conn);
		return;
	}
	await_reader(conn);
	guard_half_message(conn, err == JW_IO);
	if ((err == JW_OK && serve_may_go_on(conn)) ||
	    (conn->has_input && may_read(conn)))
		conn_soon(conn);
	give_back(&conn->in, &conn->server->spare_in);
	give_back(&conn->out, &conn->server->spare_out);
	tell_drained(conn);
}

/* One recv(2).  False: the connection is over. */
static bool
take_in(struct conn *conn)
{
	char *at = room_in(&conn->in, &conn->server->spare_in, READ_SIZE);
	ssize_t n = -1;

	if (at == NULL)
		errno = ENOMEM;
	else
		n = recv(conn->fd, at, READ_SIZE, MSG_DONTWAIT);
	if (n > 0)
		jw_buffer_put(&conn->in, (size_t)n);
	if (n == 0)
		conn->at_end = true;
	/* What arrives from now on is reported again; the end is not. */
	if (n == 0 || (n > 0 && n < READ_SIZE && !conn->has_end) ||
	    (n < 0 && errno == EAGAIN))
		conn->has_input = false;
	return (n != 0 || !is_following(conn)) &&
	       (n >= 0 || errno == EAGAIN || errno == EINTR);
}

static void
on_turn(void *arg)
{
	struct conn *conn = arg;

	if (conn->has_input && may_read(conn) && !take_in(conn))
		conn_free(conn);
	else
		process(conn);
}

static void
serve_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	conn->has_input = true;
	if ((what & EV_CLOSED) != 0)
		conn->has_end = true;
	serve_turn_ask(&conn->turn);
}

/* A client that does not take the last words has had its time. */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		conn->broken = true;
	serve_turn_ask(&conn->turn);
}

/* ---- places ---- */

static bool
serve_has_place(const struct serve_server *server, uid_t uid)
{
	const struct conn *conn;
	int of_uid = 0;

	if (server->nconns < server->limits.per_uid)
		return true;
	TAILQ_FOREACH(conn, &server->conns, link)
	of_uid += conn->peer.uid == uid;
	return of_uid < server->limits.per_uid;
}

/* Once a minute: whoever is turned away tries again. */
static void
tell_full(struct conn *conn)
{
	struct serve_server *server = conn->server;
	int64_t now = jw_clock_monotonic_s();

	if (server->told_at != 0 && now - server->told_at < FULL_LINE_S)
		return;
	server->told_at = now;
	jw_log(JW_LOG_WARNING,
	    "uid %u: no place for another connection (%d of %d, %d of one "
	    "uid)",
	    (unsigned)conn->peer.uid, server->nconns,
	    server->limits.connections, server->limits.per_uid);
}

static void
start_waiting(struct conn *conn, enum place place)
{
	int ms = conn->server->limits.park_ms;
	const struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	conn->place = place;
	event_add(conn->half, &wait);
}

/* How many wait so (uid: NULL: of all), and the one that has waited longest. */
static int
count_waiting(const struct serve_server *server, enum place place,
    const uid_t *uid, struct conn **ret_first)
{
	struct conn *conn;
	int n = 0;

	TAILQ_FOREACH(conn, &server->waiting, link)
	{
		if (conn->place != place ||
		    (uid != NULL && conn->peer.uid != *uid))
			continue;
		if (n++ == 0)
			*ret_first = conn;
	}
	return n;
}

/* What would have ended soon ends now, where there are too many of it. */
static void
bound_waiting(struct serve_server *server, enum place place, const uid_t *uid,
    void (*end)(struct conn *conn))
{
	struct conn *first = NULL;

	if (count_waiting(server, place, uid, &first) >= WAITING_OF_UID ||
	    count_waiting(server, place, NULL, &first) >= WAITING_MAX)
		end(first);
}

/* Read its first call, to refuse it. */
static void
turn_away(struct conn *conn)
{
	tell_full(conn);
	bound_waiting(
	    conn->server, PLACE_TURNED_AWAY, &conn->peer.uid, conn_free);
	start_waiting(conn, PLACE_TURNED_AWAY);
	event_add(conn->readable, NULL);
}

static void
park(struct conn *conn)
{
	struct serve_server *server = conn->server;

	bound_waiting(server, PLACE_PARKED, &conn->peer.uid, turn_away);
	TAILQ_INSERT_TAIL(&server->waiting, conn, link);
	start_waiting(conn, PLACE_PARKED);
}

static void
serve_conn(struct conn *conn)
{
	struct serve_server *server = conn->server;

	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->nconns++;
	conn->place = PLACE_SERVED;
	event_del(conn->half);
	event_add(conn->readable, NULL);
}

static void
admit_waiting(struct serve_server *server, uid_t uid)
{
	struct conn *conn;

	TAILQ_FOREACH(conn, &server->waiting, link)
	if (conn->place == PLACE_PARKED && conn->peer.uid == uid)
		break;
	if (conn == NULL || !serve_has_place(server, uid) ||
	    server->nconns >= server->limits.connections)
		return;
	TAILQ_REMOVE(&server->waiting, conn, link);
	serve_conn(conn);
}

/* The client has closed it, with nothing said that is not done. */
static bool
is_left(const struct conn *conn)
{
	char octet;

	return conn->in.len == 0 && conn->out.len == 0 && conn->ncalls == 0 &&
	       recv(conn->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Connections that clients of the uid have closed make room for others. */
static void
serve_reap(struct serve_server *server, uid_t uid)
{
	struct conn *conn, *next;

	for (conn = TAILQ_FIRST(&server->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->peer.uid == uid && is_left(conn))
			conn_free(conn);
	}
}

static void
end_waiting(struct conn *conn)
{
	if (conn->place == PLACE_TURNED_AWAY) {
		conn_free(conn);
		return;
	}
	serve_reap(conn->server, conn->peer.uid);
	if (conn->place == PLACE_PARKED)
		turn_away(conn);
}

/* ---- events ---- */

static void
on_half(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval turn = {0, HALF_TURN_MS * 1000};
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->place != PLACE_SERVED) {
		end_waiting(conn);
		return;
	}
	/* The rest may be there already: it waits for a turn. */
	if (conn->has_input && may_read(conn)) {
		event_add(conn->half, &turn);
		return;
	}
	jw_log(JW_LOG_INFO, "uid %u: half a message: dropped",
	    (unsigned)conn->peer.uid);
	conn_free(conn);
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
serve_is_member(const struct serve_call *call, gid_t group)
{
	const struct serve_peer *peer = &call->conn->peer;

	return peer->uid == 0 || peer->uid == geteuid() || peer->gid == group ||
	       has_group(call->conn->fd, group);
}

static bool
serve_identify(struct conn *conn)
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

/* The kernel reports each change of a descriptor once. */
static bool
serve_watch(struct conn *conn)
{
	struct event_base *base = conn->server->base;

	conn->readable = event_new(base, conn->fd,
	    EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, serve_on_readable, conn);
	conn->writable =
	    event_new(base, conn->fd, EV_WRITE | EV_ET, on_writable, conn);
	conn->half = evtimer_new(base, on_half, conn);
	return conn->readable != NULL && conn->writable != NULL &&
	       conn->half != NULL;
}

/* NULL: no memory, or the client is gone; take_fd is closed then. */
static struct conn *
conn_new(struct serve_server *server, int take_fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		close(take_fd);
		return NULL;
	}
	conn->server = server;
	conn->fd = take_fd;
	TAILQ_INIT(&conn->calls);
	if (serve_identify(conn) && serve_watch(conn) &&
	    serve_turn_join(&conn->turn, server->turns, server, conn->peer.uid,
		on_turn, conn) == JW_OK)
		return conn;
	event_done(conn->readable);
	event_done(conn->writable);
	event_done(conn->half);
	close(take_fd);
	free(conn);
	return NULL;
}

static void
tell_files(struct serve_server *server, bool out_of_files)
{
	if (server->out_of_files == out_of_files)
		return;
	server->out_of_files = out_of_files;
	if (out_of_files)
		jw_log(JW_LOG_WARNING,
		    "connections cannot be accepted: %s; clients wait",
		    strerror(errno));
	else
		jw_log(JW_LOG_NOTICE, "connections are accepted again");
}

static void
serve_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	const struct timeval now = {0, 0};
	struct serve_server *server = arg;
	struct conn *conn = conn_new(server, fd);

	(void)sa;
	(void)len;
	tell_files(server, false);
	if (conn != NULL && !serve_has_place(server, conn->peer.uid))
		serve_reap(server, conn->peer.uid);
	if (conn != NULL && serve_has_place(server, conn->peer.uid))
		serve_conn(conn);
	else if (conn != NULL)
		park(conn);
	/* Clients beyond the limit wait in the kernel's queue. */
	if (server->nconns >= server->limits.connections) {
		server->out_of_places = true;
		evconnlistener_disable(listener);
	} else if (++server->accepted == ACCEPTS_A_TURN) {
		/* It accepts as long as clients come: others wait too. */
		evconnlistener_disable(listener);
		evtimer_add(server->resume, &now);
	}
}

/* Out of descriptors: look away for a moment instead of spinning. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct serve_server *server = arg;
	struct timeval wait = {0, PAUSE_MS * 1000};

	tell_files(server, true);
	evconnlistener_disable(listener);
	evtimer_add(server->resume, &wait);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct serve_server *server = arg;

	(void)fd;
	(void)what;
	server->accepted = 0;
	if (!server->out_of_places && !server->draining)
		evconnlistener_enable(server->listener);
}

/* ---- the server ---- */

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
serve_bind(const char *path, const char *group, int *ret_fd, struct jw_why *why)
{
	char temporary[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	bool grouped;
	gid_t gid = 0;
	enum jw_err err;
	int fd;

	if (somebody_answers(path)) {
		jw_why_set(why, "%s: another daemon answers there", path);
		jw_why_hint(why, "stop it, or give this one its own [daemon] "
				 "runtime_directory");
		return JW_LOCKED;
	}
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	grouped = jw_group_find(group, &gid);
	fd = bind_new(temporary, grouped ? 0117 : 0177);
	/* Nobody can connect before listen(2): the group comes in time. */
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

enum jw_err
serve_server_new(
    const struct serve_options *options, struct serve_server **ret_server)
{
	struct serve_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		close(options->take_fd);
		return JW_NO_MEMORY;
	}
	TAILQ_INIT(&server->conns);
	TAILQ_INIT(&server->waiting);
	server->base = options->base;
	server->service = options->service;
	server->context = options->context;
	server->limits = *options->limits;
	server->quick = options->quick;
	server->has_group = jw_group_find(options->group, &server->group);
	server->turns = options->turns;
	if (server->turns == NULL &&
	    serve_turns_new(server->base, &server->own_turns) == JW_OK)
		server->turns = server->own_turns;
	server->resume = evtimer_new(server->base, on_resume, server);
	server->listener = evconnlistener_new(server->base, serve_on_accept,
	    server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
	    options->take_fd);
	if (server->listener == NULL || server->resume == NULL ||
	    server->turns == NULL) {
		if (server->listener == NULL)
			close(options->take_fd);
		serve_server_free(server);
		return JW_NO_MEMORY;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	*ret_server = server;
	return JW_OK;
}

/* What it has sent is still read, then the end. */
static void
end_input(struct conn *conn)
{
	(void)shutdown(conn->fd, SHUT_RD);
	conn->has_input = true;
	conn->has_end = true;
	if (conn->place != PLACE_PARKED)
		conn_soon(conn);
}

void
serve_server_drain(
    struct serve_server *server, void (*done)(void *arg), void *arg)
{
	struct conn *conn;

	server->draining = true;
	server->drained = done;
	server->drained_arg = arg;
	evconnlistener_disable(server->listener);
	TAILQ_FOREACH(conn, &server->waiting, link)
	end_input(conn);
	TAILQ_FOREACH(conn, &server->conns, link)
	end_input(conn);
	tell_empty(server);
}

void
serve_watch_refused(
    struct serve_server *server, serve_refused_fn *fn, void *arg)
{
	server->refused = fn;
	server->refused_arg = arg;
}

void
serve_server_free(struct serve_server *server)
{
	struct conn *conn;

	if (server == NULL)
		return;
	server->drained = NULL;
	while ((conn = TAILQ_FIRST(&server->waiting)) != NULL)
		conn_free(conn); /* NOLINT(clang-analyzer-unix.Malloc) */
	/* conn_free() takes it off the list, which the analyzer cannot see. */
	while ((conn = TAILQ_FIRST(&server->conns)) != NULL)
		conn_free(conn); /* NOLINT(clang-analyzer-unix.Malloc) */
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->resume != NULL)
		event_free(server->resume);
	serve_turns_free(server->own_turns);
	jw_buffer_free(&server->spare_in);
	jw_buffer_free(&server->spare_out);
	free(server);
}
