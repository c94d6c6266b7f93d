/*
 * Which connections are served.  A uid has a share of the places: a connection
 * beyond it is parked for a moment, then turned away with its first call
 * answered.  Must never let one uid keep out another.
 */
#include <assert.h>
#include <event2/event.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/timeval.h"
#include "common/serve/internal.h"

enum {
	/* Connections that are not served, in all and of one uid. */
	WAITING_MAX = 64,
	WAITING_OF_UID = 16,
	FULL_LINE_S = 60,
};

static bool
has_place(const struct serve_server *server, uid_t uid)
{
	const struct serve_conn *conn;
	int of_uid = 0;

	if (server->nconns < server->limits.per_uid)
		return true;
	TAILQ_FOREACH (conn, &server->conns, link)
		of_uid += conn->peer.uid == uid;
	return of_uid < server->limits.per_uid;
}

/* At most once a minute: a client that is turned away tries again. */
static void
log_full(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;
	int64_t now = jw_clock_monotonic_s();

	if (server->full_logged_at != 0 &&
	    now - server->full_logged_at < FULL_LINE_S)
		return;
	server->full_logged_at = now;
	jw_log(JW_LOG_WARNING,
	    "uid %u: no place for another connection (%d of %d, %d of one "
	    "uid)",
	    (unsigned)conn->peer.uid, server->nconns,
	    server->limits.connections, server->limits.per_uid);
}

static void
start_waiting(struct serve_conn *conn, enum serve_place place)
{
	int ms = conn->server->limits.park_ms;
	const struct timeval wait = jw_timeval_ms(ms);

	conn->place = place;
	event_add(conn->timer, &wait);
}

/* How many wait in such a place (uid NULL: of all uids), and the one that has
 * waited longest. */
static int
count_waiting(const struct serve_server *server, enum serve_place place,
    const uid_t *uid, struct serve_conn **ret_first)
{
	struct serve_conn *conn = TAILQ_FIRST(&server->waiting);
	int n = 0;

	for (; conn != NULL; conn = TAILQ_NEXT(conn, link)) {
		if (conn->place != place ||
		    (uid != NULL && conn->peer.uid != *uid))
			continue;
		if (n++ == 0)
			*ret_first = conn;
	}
	return n;
}

/* Where too many wait, the one that has waited longest is ended now. */
static void
bound_waiting(struct serve_server *server, enum serve_place place,
    const uid_t *uid, void (*end)(struct serve_conn *conn))
{
	struct serve_conn *first = NULL;

	if (count_waiting(server, place, uid, &first) >= WAITING_OF_UID ||
	    count_waiting(server, place, NULL, &first) >= WAITING_MAX)
		end(first);
}

/* Read its first call, to refuse it. */
static void
turn_away(struct serve_conn *conn)
{
	log_full(conn);
	bound_waiting(
	    conn->server, PLACE_TURNED_AWAY, &conn->peer.uid, serve_conn_free);
	start_waiting(conn, PLACE_TURNED_AWAY);
	event_add(conn->readable, NULL);
}

static void
park(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;

	bound_waiting(server, PLACE_PARKED, &conn->peer.uid, turn_away);
	TAILQ_INSERT_TAIL(&server->waiting, conn, link);
	start_waiting(conn, PLACE_PARKED);
}

static void
start_serving(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;

	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->nconns++;
	conn->place = PLACE_SERVED;
	event_del(conn->timer);
	event_add(conn->readable, NULL);
}

/* The client has closed it, and all that it sent has been dealt with. */
static bool
is_left(const struct serve_conn *conn)
{
	char octet;

	return conn->in.len == 0 && conn->out.len == 0 && conn->ncalls == 0 &&
	       recv(conn->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Free the connections that clients of the uid have closed. */
static void
reap(struct serve_server *server, uid_t uid)
{
	struct serve_conn *conn, *next;

	for (conn = TAILQ_FIRST(&server->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->peer.uid == uid && is_left(conn))
			serve_conn_free(conn);
	}
}

void
serve_end_waiting(struct serve_conn *conn)
{
	if (conn->place == PLACE_TURNED_AWAY) {
		serve_conn_free(conn);
		return;
	}
	reap(conn->server, conn->peer.uid);
	if (conn->place == PLACE_PARKED)
		turn_away(conn);
}

/* A parked connection of the uid takes the place. */
static void
admit_waiting(struct serve_server *server, uid_t uid)
{
	struct serve_conn *conn = NULL;

	if (count_waiting(server, PLACE_PARKED, &uid, &conn) == 0 ||
	    !has_place(server, uid) ||
	    server->nconns >= server->limits.connections)
		return;
	TAILQ_REMOVE(&server->waiting, conn, link);
	start_serving(conn);
}

void
serve_leave_place(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;

	if (conn->place != PLACE_SERVED) {
		TAILQ_REMOVE(&server->waiting, conn, link);
		return;
	}
	assert(server->nconns > 0);
	TAILQ_REMOVE(&server->conns, conn, link);
	server->nconns--;
	admit_waiting(server, conn->peer.uid);
	serve_place_is_free(server);
}

void
serve_admit(struct serve_conn *conn)
{
	struct serve_server *server = conn->server;
	uid_t uid = conn->peer.uid;

	if (!has_place(server, uid))
		reap(server, uid);
	if (has_place(server, uid))
		start_serving(conn);
	else
		park(conn);
}
