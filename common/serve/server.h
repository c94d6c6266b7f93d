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

struct control_call;
struct control_server;
struct event_base;
struct json_t;
struct turns;
struct varlink_fault;
struct varlink_service;

/* Who is at the other end, as the kernel says. */
struct control_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* A verb: the `tag` of its row in the service's table (varlink.h). */
struct control_verb {
	void (*run)(struct control_call *call, void *context);
};

struct control_limits {
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
extern const struct control_limits control_default_limits;

struct control_options {
	struct event_base *base;
	const struct varlink_service *service;
	void *context;     /* for the verbs */
	int take_fd;       /* a listening socket */
	const char *group; /* whose members may call; NULL: nobody else */
	const struct control_limits *limits;
	struct turns *turns; /* which all servers share; NULL: one of its own */
	/*
	 * Tried first with each call of a peer that may call, which has a text
	 * and no parameters yet.  True: the call is taken, like by a verb;
	 * false: nothing has been done.  NULL: there is none.
	 */
	bool (*quick)(struct control_call *call, void *context);
};

/*
 * Bind a Unix socket at path: mode 0660 and the group's (NULL, or a group
 * that does not exist: mode 0600).  Made under a temporary name and moved
 * into place when it listens.  With why: JW_LOCKED when a living daemon
 * answers there, JW_IO, JW_NO_SPACE.
 */
enum jw_err control_bind(
    const char *path, const char *group, int *ret_fd, struct jw_why *why);

/* Owns take_fd from here on. */
enum jw_err control_server_new(
    const struct control_options *options, struct control_server **ret_server);
void control_server_free(struct control_server *server);

/*
 * Answer what clients have sent until now and nothing later; new clients wait
 * in the kernel's queue.  `done`, maybe before this returns, when no connection
 * is left; it must not free the server.
 */
void control_server_drain(
    struct control_server *server, void (*done)(void *arg), void *arg);

/* ---- for verbs ---- */

const struct json_t *control_parameters(const struct control_call *call);
/* Why the parameters are empty, for VARLINK_FAULTS verbs. */
const struct varlink_fault *control_fault(const struct control_call *call);
const char *control_method(const struct control_call *call);
const struct control_peer *control_peer(const struct control_call *call);
/* Is the peer in a group?  root and the daemon's own user are in each. */
bool control_is_member(const struct control_call *call, gid_t group);
/* The message as it came; until the verb's function returns. */
const char *control_text(const struct control_call *call, size_t *ret_len);
/* Is this the first refusal of its connection?  One line in the log does. */
bool control_first_refusal(struct control_call *call);
bool control_wants_more(const struct control_call *call);

/* Answer, and end the call.  Takes the parameters (NULL: none). */
void control_reply(struct control_call *call, struct json_t *take_parameters);
/*
 * The same for who answers many thousand calls a second: room for so many
 * octets, to write a whole message into, its NUL with it.  NULL: no memory.
 * To be put at once; until then nothing has been said.  Not for oneway calls:
 * those are ended with control_reply().
 */
char *control_room(struct control_call *call, size_t room);
void control_put(struct control_call *call, size_t len);
bool control_is_oneway(const struct control_call *call);
/* err without a name on the wire is reported as StoreFailed. */
void control_fail(
    struct control_call *call, enum jw_err err, struct json_t *take_parameters);

/* One of several replies of a call with `more`.  False: too much output is
 * queued; nothing was sent, and control_reply() is to end the call. */
bool control_continue(
    struct control_call *call, struct json_t *take_parameters);

/* Another descriptor of the connection, which execve(2) inherits; -1: none. */
int control_keep_open(const struct control_call *call);

/* Before control_reply(): close when the output is read, or after 10 s. */
void control_hang_up(struct control_call *call);

/* Octets sent and not read by the client, those in the kernel included. */
size_t control_unread(const struct control_call *call);

/* Follow a call that lives on: `closed` when its connection is gone (and the
 * call too), `drained` (or NULL) when all its output has been read. */
void control_follow(struct control_call *call,
    void (*closed)(struct control_call *call, void *arg),
    void (*drained)(struct control_call *call, void *arg), void *arg);

/* For a call that is answered in a moment: the client may say more meanwhile.
 */
void control_wait(struct control_call *call,
    void (*closed)(struct control_call *call, void *arg), void *arg);

#endif
