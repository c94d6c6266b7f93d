/*
 * A connection: octets are read, calls are started and answers are sent.  No
 * octet from a client may end the process or hold up another client: a client
 * that breaks the rules loses its connection.
 *
 * What arrives together is answered together: one recv(2), as many calls as
 * a turn has (turns.h), one send(2).  The kernel reports a descriptor once,
 * when something arrives: a connection that waits for its turn, or has nothing
 * to do, costs neither a turn of the loop nor a buffer.
 */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/timeval.h"
#include "common/serve/internal.h"

enum {
	FAREWELL_S = 10,
	HALF_TURN_MS = 100,
	UNREAD_S = 60, /* without a single octet taken */
	/* Less than a client's depth: it refills while we go on. */
	CALLS_A_TURN = 16,
	OCTETS_A_TURN = 64 * 1024, /* of calls; the last may go over it */
	READ_SIZE = 64 * 1024,
	SPARE_MAX = 256 * 1024,
	SLACK = 4096, /* that a buffer may have beyond its contents */
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

/* Keep a buffer only as large as its contents: most connections are idle. */
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

/* ---- start and end ---- */

static void
event_done(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
serve_conn_soon(struct serve_conn *conn)
{
	if (conn->text == NULL)
		serve_turn_ask(&conn->turn);
}

void
serve_conn_count(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;
	size_t held = conn->in.len + conn->out.len + conn->behind;
	struct serve_conn *other;

	server->held += held - conn->held;
	conn->held = held;
	if (server->held >= server->limits.held) {
		server->full = true;
	} else if (server->full) {
		server->full = false;
		TAILQ_FOREACH (other, &server->conns, link)
			serve_conn_soon(other);
	}
}

void
serve_conn_free(struct serve_conn *conn)
{
	struct serve_call *call;

	assert(conn->text == NULL);
	serve_turn_leave(&conn->turn);
	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		if (call->closed != NULL)
			call->closed(call, call->arg);
		serve_call_drop(call);
	}
	serve_leave_place(conn);
	conn->behind = 0;
	jw_buffer_free(&conn->in);
	jw_buffer_free(&conn->out);
	serve_conn_count(conn);
	serve_tell_empty(conn->server);
	event_done(conn->readable);
	event_done(conn->writable);
	event_done(conn->timer);
	close(conn->fd);
	free(conn);
}

/* ---- output ---- */

char *
serve_conn_room(struct serve_conn *conn, size_t n)
{
	return room_in(&conn->out, &conn->server->spare_out, n);
}

void
serve_conn_flush(struct serve_conn *conn)
{
	struct serve_call *call;
	char *at;

	while ((call = TAILQ_FIRST(&conn->calls)) != NULL) {
		/* The analyzer does not see that the head has changed. */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (call->out.len > 0) {
			at = serve_conn_room(conn, call->out.len);
			if (at == NULL) {
				jw_log(JW_LOG_ERROR, "no memory for a reply");
				/* The next one would take its place. */
				conn->broken = true;
				serve_conn_soon(conn);
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
		serve_call_drop(call);
	}
}

/* ---- a turn ---- */

static bool
is_following(const struct serve_conn *conn)
{
	const struct serve_call *head = TAILQ_FIRST(&conn->calls);

	return head != NULL && head->closed != NULL && !head->busy;
}

/* A client that does not read its replies gets no further ones. */
static bool
may_go_on(struct serve_conn *conn)
{
	const struct serve_limits *limits = &conn->server->limits;
	size_t unsent = conn->out.len + conn->behind;

	/* The loop was broken because the store is gone: start no further
	 * call. */
	return !event_base_got_break(conn->server->base) && !conn->broken &&
	       !conn->closing && conn->ncalls < limits->calls &&
	       unsent < limits->queued && (unsent == 0 || !conn->server->full);
}

/* As many calls as one turn has.  JW_IO: there is no further one yet. */
static enum jw_err
take_turn(struct serve_conn *conn)
{
	const struct serve_turns *turns = conn->server->turns;
	enum jw_err err = JW_OK;
	size_t taken = 0;

	for (int i = 0;
	     i < CALLS_A_TURN && taken < OCTETS_A_TURN && err == JW_OK &&
	     may_go_on(conn) && (i == 0 || !serve_turns_over(turns));
	     i++) {
		err = serve_next_message(conn);
		taken += conn->text_len + 1;
		/* The time of half a message begins with its first byte. */
		if (err == JW_OK && evtimer_pending(conn->timer, NULL))
			event_del(conn->timer);
	}
	return err;
}

/* As much as the kernel takes. */
static void
send_out(struct serve_conn *conn)
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

/* A client has a limited time to read its output. */
static void
await_reader(struct serve_conn *conn)
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

/* all_taken: the rest of the input is not a whole message. */
static void
guard_half_message(struct serve_conn *conn, bool all_taken)
{
	int ms = conn->server->limits.half_message_ms;
	const struct timeval wait = jw_timeval_ms(ms);
	bool runs = evtimer_pending(conn->timer, NULL) != 0;

	if (!all_taken || conn->in.len == 0) {
		if (runs)
			event_del(conn->timer);
	} else if (!runs) {
		event_add(conn->timer, &wait);
	}
}

/* Reading pauses while more than a whole message waits. */
static bool
may_read(const struct serve_conn *conn)
{
	bool idle = conn->in.len + conn->out.len + conn->behind == 0;

	/* A client that takes its replies is served, whatever others hold. */
	return conn->in.len <= VARLINK_MESSAGE_MAX && !conn->at_end &&
	       !conn->broken && (idle || !conn->server->full);
}

/* A client that follows a stream has nothing to send: more than a whole
 * message is no mistake of its. */
static bool
says_too_much(const struct serve_conn *conn)
{
	return conn->in.len > VARLINK_MESSAGE_MAX && !conn->at_end &&
	       is_following(conn);
}

/* The verb of a stream may send more. */
static void
tell_drained(struct serve_conn *conn)
{
	struct serve_call *head = TAILQ_FIRST(&conn->calls);

	if (!conn->filled || conn->out.len > 0)
		return;
	conn->filled = false;
	if (head != NULL && head->drained != NULL)
		head->drained(head, head->arg);
}

/* The calls that came before are still answered, then it is closed. */
static enum jw_err
stop_reading(struct serve_conn *conn)
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
is_abandoned(const struct serve_conn *conn)
{
	const struct serve_call *head = TAILQ_FIRST(&conn->calls);
	struct pollfd look = {.fd = conn->fd};

	return conn->at_end && conn->in.len == 0 && head != NULL &&
	       head->busy && poll(&look, 1, 0) == 1 &&
	       (look.revents & POLLHUP) != 0;
}

/* Start calls, send answers, and decide how the connection goes on. */
static void
process(struct serve_conn *conn)
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
	serve_conn_count(conn);
	if (conn->at_end && conn->ncalls == 0 && err == JW_IO)
		conn->closing = true;
	if (is_abandoned(conn))
		conn->broken = true;
	if (conn->broken || (conn->closing && conn->out.len == 0) ||
	    says_too_much(conn)) {
		serve_conn_free(conn);
		return;
	}
	await_reader(conn);
	guard_half_message(conn, err == JW_IO);
	if ((err == JW_OK && may_go_on(conn)) ||
	    (conn->has_input && may_read(conn)))
		serve_conn_soon(conn);
	give_back(&conn->in, &conn->server->spare_in);
	give_back(&conn->out, &conn->server->spare_out);
	tell_drained(conn);
}

/* One recv(2).  False: the connection is over. */
static bool
take_in(struct serve_conn *conn)
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
	/* The kernel reports octets that arrive later, but not the end. */
	if (n == 0 || (n > 0 && n < READ_SIZE && !conn->has_end) ||
	    (n < 0 && errno == EAGAIN))
		conn->has_input = false;
	return (n != 0 || !is_following(conn)) &&
	       (n >= 0 || errno == EAGAIN || errno == EINTR);
}

static void
serve_on_turn(void *arg)
{
	struct serve_conn *conn = arg;

	if (conn->has_input && may_read(conn) && !take_in(conn))
		serve_conn_free(conn);
	else
		process(conn);
}

static void
serve_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct serve_conn *conn = arg;

	(void)fd;
	conn->has_input = true;
	if ((what & EV_CLOSED) != 0)
		conn->has_end = true;
	serve_turn_ask(&conn->turn);
}

/* With a timeout: the client has not read its output in time. */
static void
serve_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct serve_conn *conn = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0)
		conn->broken = true;
	serve_turn_ask(&conn->turn);
}

static void
serve_on_late(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval turn = {0, HALF_TURN_MS * 1000};
	struct serve_conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->place != PLACE_SERVED) {
		serve_end_waiting(conn);
		return;
	}
	/* The rest may be there already: it waits for a turn. */
	if (conn->has_input && may_read(conn)) {
		event_add(conn->timer, &turn);
		return;
	}
	jw_log(JW_LOG_INFO, "uid %u: half a message: dropped",
	    (unsigned)conn->peer.uid);
	serve_conn_free(conn);
}

/* The kernel reports each change of a descriptor once. */
static bool
watch(struct serve_conn *conn)
{
	struct event_base *base = conn->server->base;

	conn->readable = event_new(base, conn->fd,
	    EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, serve_on_readable, conn);
	conn->writable = event_new(
	    base, conn->fd, EV_WRITE | EV_ET, serve_on_writable, conn);
	conn->timer = evtimer_new(base, serve_on_late, conn);
	return conn->readable != NULL && conn->writable != NULL &&
	       conn->timer != NULL;
}

struct serve_conn *
serve_conn_new(struct serve_server *server, int take_fd)
{
	struct serve_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		close(take_fd);
		return NULL;
	}
	conn->server = server;
	conn->fd = take_fd;
	TAILQ_INIT(&conn->calls);
	if (serve_identify(conn) && watch(conn) &&
	    serve_turn_join(&conn->turn, server->turns, server, conn->peer.uid,
		serve_on_turn, conn) == JW_OK)
		return conn;
	event_done(conn->readable);
	event_done(conn->writable);
	event_done(conn->timer);
	close(take_fd);
	free(conn);
	return NULL;
}
