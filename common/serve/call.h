/*
 * Calls of Varlink methods, for the verbs that answer them.
 *
 * A call belongs to its connection: a handler answers it, now or later, and
 * never frees it.
 */
#ifndef JWKSD_COMMON_SERVE_CALL_H
#define JWKSD_COMMON_SERVE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/err.h"

struct json_t;
struct serve_call;
struct varlink_fault;
struct varlink_verb;

/* The client at the other end, as the kernel identifies it. */
struct serve_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* ---- questions ---- */

const struct json_t *serve_parameters(const struct serve_call *call);
/*
 * Method and parameters but for one member, as the same text for every order
 * of members: two calls are the same request when it is.  The caller frees.
 */
char *serve_canonical(const struct serve_call *call, const char *without);
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
/* Does its method change something?  False for one that is not known. */
bool serve_changes(const struct serve_call *call);

/* ---- answers ---- */

/* Answer, and end the call.  Takes the parameters (NULL: none). */
void serve_reply(struct serve_call *call, struct json_t *take_parameters);
/* The same with parameters that are JSON text. */
void serve_reply_text(struct serve_call *call, const char *parameters);
/*
 * The same for a verb that answers many thousand calls a second: room for so
 * many octets, to write a whole message into, with its NUL.  NULL: no memory.
 * To be put at once; until then nothing has been answered.  Not for oneway
 * calls: those are ended with serve_reply().
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

/* For a call that is answered in a moment: the client may send more calls
 * meanwhile. */
void serve_wait(struct serve_call *call,
    void (*closed)(struct serve_call *call, void *arg), void *arg);

#endif
