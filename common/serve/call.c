/*
 * Calls, and the answers that verbs give.  Answers leave in the order of their
 * calls: one that is finished early waits in its call.
 */
#include "common/serve/call.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/serve/internal.h"
#include "common/wire/varlink_service.h"

struct serve_call *
serve_call_new(struct serve_conn *conn)
{
	struct serve_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->conn = conn;
	TAILQ_INSERT_TAIL(&conn->calls, call, link);
	conn->ncalls++;
	return call;
}

void
serve_call_drop(struct serve_call *call)
{
	assert(call->conn->ncalls > 0);
	TAILQ_REMOVE(&call->conn->calls, call, link);
	call->conn->ncalls--;
	varlink_call_done(&call->request);
	jw_buffer_free(&call->out);
	free(call);
}

/* ---- questions ---- */

const struct json_t *
serve_parameters(const struct serve_call *call)
{
	return call->request.parameters;
}

char *
serve_canonical(const struct serve_call *call, const char *without)
{
	json_t *copy = json_copy(call->request.parameters), *asked;
	char *text;

	json_object_del(copy, without);
	asked = json_pack(
	    "{s:s, s:o}", "method", call->request.method, "parameters", copy);
	text = json_dumps(asked, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(asked);
	return text;
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
	bool first = !call->conn->refusal_logged;

	call->conn->refusal_logged = true;
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

/* ---- answers ---- */

static void
no_memory_for(struct serve_call *call)
{
	jw_log(JW_LOG_ERROR, "no memory for a reply");
	/* The answer to the next call would take its place. */
	call->conn->broken = true;
	serve_conn_soon(call->conn);
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
	struct serve_conn *conn = call->conn;

	assert(!call->ended);
	call->ended = true;
	call->closed = NULL;
	call->drained = NULL;
	serve_conn_flush(conn);
	serve_conn_count(conn);
	serve_conn_soon(conn);
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

/* Earlier calls are answered, and its own output is in the connection's. */
static bool
is_next(const struct serve_call *call)
{
	return call == TAILQ_FIRST(&call->conn->calls) && call->out.len == 0;
}

char *
serve_room(struct serve_call *call, size_t room)
{
	if (is_next(call))
		return serve_conn_room(call->conn, room);
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
	struct serve_conn *conn = call->conn;

	if (call->out.len + conn->out.len > conn->server->limits.queued) {
		json_decref(take_parameters);
		return false;
	}
	emit(call, NULL, take_parameters, true);
	serve_conn_flush(conn);
	serve_conn_soon(conn);
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
	const struct serve_conn *conn = call->conn;
	int in_kernel = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &in_kernel) != 0)
		in_kernel = 0;
	return (size_t)in_kernel + call->out.len + conn->out.len;
}
