/*
 * Connections and their calls, for the files of this folder alone.
 */
#ifndef JWKSD_COMMON_SERVE_CONNECTION_H
#define JWKSD_COMMON_SERVE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "common/base/buffer.h"
#include "common/serve/call.h"
#include "common/serve/turns.h"
#include "common/wire/varlink.h"

struct event;
struct serve_conn;
struct serve_server;

struct serve_call {
	TAILQ_ENTRY(serve_call) link;
	struct serve_conn *conn;
	struct varlink_call request;
	const struct varlink_verb *verb;
	struct jw_buffer out; /* until earlier calls have been answered */
	bool ended;
	bool busy; /* not followed: the answer is being made */
	void (*closed)(struct serve_call *call, void *arg);
	void (*drained)(struct serve_call *call, void *arg);
	void *arg;
};

TAILQ_HEAD(serve_call_list, serve_call);

enum serve_place {
	PLACE_SERVED,
	PLACE_PARKED,      /* nothing is read until its uid has a place */
	PLACE_TURNED_AWAY, /* its first call is answered with Overloaded */
};

struct serve_conn {
	TAILQ_ENTRY(serve_conn) link;
	struct serve_server *server;
	int fd;
	struct event *readable, *writable;
	/* Runs out when the rest of a message is late or, for a connection that
	 * is not served, when it has waited long enough. */
	struct event *timer;
	enum serve_place place;
	struct serve_turn turn;
	struct jw_buffer in, out;
	size_t behind;   /* octets of answers that wait for earlier ones */
	size_t held;     /* octets of all three, as the server counts them */
	size_t searched; /* octets of `in` without a NUL */
	struct serve_peer peer;
	struct serve_call_list calls;
	int ncalls;
	const char *text; /* of the call that is being started, else NULL */
	size_t text_len;
	bool allowed;   /* the peer may call the verbs */
	bool has_input; /* the kernel may have more */
	bool has_end;   /* and the end of the stream behind it */
	bool at_end;    /* the end of the stream was read */
	bool closing;   /* to be closed when the output is sent */
	bool broken;    /* to be freed at the end of its turn */
	bool filled;    /* output was added since all of it had been sent */
	bool refusal_logged; /* only a connection's first refusal is logged */
};

TAILQ_HEAD(serve_conn_list, serve_conn);

/* ---- peer.c ---- */

/* False: the client is gone. */
bool serve_identify(struct serve_conn *conn);

/* ---- call.c ---- */

/* A new call at the end of the connection's; NULL: no memory. */
struct serve_call *serve_call_new(struct serve_conn *conn);
/* Takes it off the connection, whose client gets no answer. */
void serve_call_drop(struct serve_call *call);

/* ---- messages.c ---- */

/*
 * Start the call of the next whole message.  JW_IO: there is none yet;
 * JW_PROTOCOL, logged: it is not a call, nor is anything behind it.
 */
enum jw_err serve_next_message(struct serve_conn *conn);

/* ---- connection.c ---- */

/* NULL: no memory, or the client is gone; take_fd is closed then. */
struct serve_conn *serve_conn_new(struct serve_server *server, int take_fd);
void serve_conn_free(struct serve_conn *conn);
/* Give it a turn; within its own turn nothing needs to be done. */
void serve_conn_soon(struct serve_conn *conn);
/* After a change of the octets that it holds. */
void serve_conn_count(struct serve_conn *conn);
/* Move finished answers to the output, in the order of the calls. */
void serve_conn_flush(struct serve_conn *conn);
/* Room in the output; NULL: no memory. */
char *serve_conn_room(struct serve_conn *conn, size_t n);

#endif
