/*
 * Cuts the input of a connection into messages, and starts the verb of each
 * call.  Must never look at a verb before the peer may call it.
 */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "common/base/log.h"
#include "common/serve/internal.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"

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
run_verb(struct serve_conn *conn, struct serve_call *call)
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
	if (err != JW_OK)
		serve_fail(call, err, parameters);
	else if (verb == NULL)
		serve_reply(call, parameters);
	else
		run_decoded(call, verb);
}

/* Why this uid loses its connection. */
static void
log_no_call(const struct serve_conn *conn, const char *what)
{
	jw_log(JW_LOG_INFO,
	    "uid %u: not a call: %s; nothing more is read from this connection",
	    (unsigned)conn->peer.uid, what);
}

/* JW_PROTOCOL, JW_NO_MEMORY: it was no call, and has not been taken. */
static enum jw_err
run_call(struct serve_conn *conn, struct serve_call *call)
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
	serve_call_drop(call);
	return err;
}

static enum jw_err
start_call(struct serve_conn *conn)
{
	struct serve_call *call = serve_call_new(conn);

	return call == NULL ? JW_NO_MEMORY : run_call(conn, call);
}

/* The next whole message; JW_IO when there is none yet. */
enum jw_err
serve_next_message(struct serve_conn *conn)
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
