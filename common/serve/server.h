/*
 * Varlink servers on Unix sockets: accept, peer identity, framing, order of
 * replies, limits.  What a verb does is somebody else's.
 *
 * The server owns connections and calls; a handler gets a call, answers it
 * now or later, and never frees it.  Nothing that a client sends can stop,
 * block or end the daemon: a client that breaks the rules loses its
 * connection.
 */
#ifndef JWKSD_COMMON_SERVE_SERVER_H
#define JWKSD_COMMON_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"

struct serve_call;
struct serve_server;
struct event_base;
struct json_t;
struct serve_turns;
struct varlink_fault;
struct varlink_verb;
struct varlink_service;

/* Who is at the other end, as the kernel says. */
struct serve_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

struct serve_limits {
	int connections;     /* in all; further clients wait to be accepted */
	int per_uid;         /* of one uid */
	int calls;           /* of one connection under way */
	size_t queued;       /* octets of output, of one connection */
	size_t held;         /* octets of input and output, in all */
	int half_message_ms; /* for the rest of a message */
	/* How long a connection beyond its uid's share waits, unread, for one
	 * of that uid to end.  Then its first call is answered Overloaded. */
	int park_ms;
};

/* 64 connections, 16 a uid, one call at a time, 1 MiB, 64 MiB, 10 s,
 * 1 s. */
extern const struct serve_limits serve_default_limits;

struct serve_options {
	struct event_base *base;
	const struct varlink_service *service;
	void *context;     /* for the verbs */
	int take_fd;       /* a listening socket */
	const char *group; /* whose members may call; NULL: nobody else */
	const struct serve_limits *limits;
	struct serve_turns
	    *turns; /* which all servers share; NULL: one of its own */
	/*
	 * Tried first with each call of a peer that may call, which has a text
	 * and no parameters yet.  True: the call is taken, like by a verb;
	 * false: nothing has been done.  NULL: there is none.
	 */
	bool (*quick)(struct serve_call *call, void *context);
};

/*
 * Bind a Unix socket at path: mode 0660 and the group's (NULL, or a group
 * that does not exist: mode 0600).  Made under a temporary name and moved
 * into place when it listens.  With why: JW_LOCKED when a living daemon
 * answers there, JW_IO, JW_NO_SPACE.
 */
enum jw_err serve_bind(
    const char *path, const char *group, int *ret_fd, struct jw_why *why);

/* Owns take_fd from here on. */
enum jw_err serve_server_new(
    const struct serve_options *options, struct serve_server **ret_server);
void serve_server_free(struct serve_server *server);

/*
 * Answer what clients have sent until now and nothing later; new clients wait
 * in the kernel's queue.  `done`, maybe before this returns, when no connection
 * is left; it must not free the server.
 */
void serve_server_drain(
    struct serve_server *server, void (*done)(void *arg), void *arg);

/* ---- for verbs ---- */

const struct json_t *serve_parameters(const struct serve_call *call);
/* Why the parameters are empty, for VARLINK_FAULTS verbs. */
const struct varlink_fault *serve_fault(const struct serve_call *call);
const char *serve_method(const struct serve_call *call);
/* Its row in the service's table. */
const struct varlink_verb *serve_verb(const struct serve_call *call);
const struct serve_peer *serve_peer(const struct serve_call *call);
/* Is the peer in a group?  root and the daemon's own user are in each. */
bool serve_is_member(const struct serve_call *call, gid_t group);
/* The message as it came; until the verb's function returns. */
const char *serve_text(const struct serve_call *call, size_t *ret_len);
/* Is this the first refusal of its connection?  One line in the log does. */
bool serve_first_refusal(struct serve_call *call);
bool serve_wants_more(const struct serve_call *call);

/* Answer, and end the call.  Takes the parameters (NULL: none). */
void serve_reply(struct serve_call *call, struct json_t *take_parameters);
/* The same with parameters that are JSON text. */
void serve_reply_text(struct serve_call *call, const char *parameters);
/*
 * The same for who answers many thousand calls a second: room for so many
 * octets, to write a whole message into, its NUL with it.  NULL: no memory.
 * To be put at once; until then nothing has been said.  Not for oneway calls:
 * those are ended with serve_reply().
 */
char *serve_room(struct serve_call *call, size_t room);
void serve_put(struct serve_call *call, size_t len);
bool serve_is_oneway(const struct serve_call *call);
/* err without a name on the wire is reported as StoreFailed. */
void serve_fail(
    struct serve_call *call, enum jw_err err, struct json_t *take_parameters);

/* One of several replies of a call with `more`.  False: too much output is
 * queued; nothing was sent, and serve_reply() is to end the call. */
bool serve_continue(struct serve_call *call, struct json_t *take_parameters);

/* Another descriptor of the connection, which execve(2) inherits; -1: none. */
int serve_keep_open(const struct serve_call *call);

/* Before serve_reply(): close when the output is read, or after 10 s. */
void serve_hang_up(struct serve_call *call);

/* Octets sent and not read by the client, those in the kernel included. */
size_t serve_unread(const struct serve_call *call);

/* Follow a call that lives on: `closed` when its connection is gone (and the
 * call too), `drained` (or NULL) when all its output has been read. */
void serve_follow(struct serve_call *call,
    void (*closed)(struct serve_call *call, void *arg),
    void (*drained)(struct serve_call *call, void *arg), void *arg);

/* For a call that is answered in a moment: the client may say more meanwhile.
 */
void serve_wait(struct serve_call *call,
    void (*closed)(struct serve_call *call, void *arg), void *arg);

#endif
