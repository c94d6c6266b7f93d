/*
 * Requests to the daemon.
 *
 * Must never repeat a request that may have reached the daemon, but under its
 * own request id.
 */
#include "ctl/call/request.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/wire/client.h"
#include "common/wire/varlink.h"
#include "ctl/call/access.h"
#include "ctl/call/context.h"
#include "ctl/call/error_texts.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

enum { TRIES_MAX = 8, FIRST_PAUSE_MS = 50 };

static int64_t
patience(void)
{
	return jw_clock_monotonic_ms() + CLIENT_PATIENCE_MS;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- one reply ---- */

enum jw_err
call_explain(
    struct ctl *ctl, const char *method, const struct varlink_reply *reply)
{
	char group[ACCESS_SIZE];

	if (jw_err_from_wire(reply->error) == JW_PERMISSION_DENIED)
		json_object_set_new(reply->parameters, "group",
		    json_string(call_access_group(ctl->socket, group)));
	return call_explain_error(
	    &ctl->text, method, reply->error, reply->parameters, &ctl->why);
}

enum jw_err
call_report(
    struct ctl *ctl, const char *method, const struct varlink_reply *reply)
{
	json_t *object;
	enum jw_err err;

	if (!ctl->json)
		return call_explain(ctl, method, reply);
	object = json_pack("{s:s, s:O}", "error", reply->error, "parameters",
	    reply->parameters);
	err = call_print_json(ctl, object);
	json_decref(object);
	return err == JW_OK ? call_explain(ctl, method, reply) : err;
}

/* Connect to the daemon, and hint at what would let the caller do so. */
static enum jw_err
open_client(
    struct ctl *ctl, int64_t deadline, struct varlink_client **ret_client)
{
	enum jw_err err =
	    varlink_client_open(ctl->socket, deadline, ret_client, &ctl->why);

	if (err == JW_PERMISSION_DENIED)
		call_access_hint(ctl->socket, &ctl->why);
	return err;
}

/* A reply is kept; an error is reported. */
static enum jw_err
take_reply(struct ctl *ctl, const char *method,
    const struct varlink_reply *reply, struct json_t **ret_reply)
{
	/* Else what the daemon has just done would come "in 1s". */
	ctl->text.now = jw_clock_wall_s();
	if (reply->error != NULL)
		return call_report(ctl, method, reply);
	*ret_reply = json_incref(reply->parameters);
	return JW_OK;
}

/*
 * One exchange on a connection of its own.  *ret_sent: the daemon may have the
 * request.  Release the reply when it is JW_OK.
 */
static enum jw_err
exchange(struct ctl *ctl, const char *method, const json_t *parameters,
    int64_t deadline, bool *ret_sent, struct varlink_reply *ret_reply)
{
	struct varlink_client *client = NULL;
	enum jw_err err;

	err = open_client(ctl, sooner(deadline, patience()), &client);
	if (err != JW_OK)
		return err;
	*ret_sent = true;
	err = varlink_client_send(client, method, parameters, false,
	    sooner(deadline, patience()), &ctl->why);
	if (err == JW_OK)
		err = varlink_client_receive(
		    client, sooner(deadline, patience()), ret_reply, &ctl->why);
	varlink_client_close(client);
	if (err == JW_OK && ret_reply->continues) {
		jw_why_set(&ctl->why, "the daemon sent a stream unasked");
		varlink_reply_done(ret_reply);
		return JW_PROTOCOL;
	}
	return err;
}

static bool
is_outcome_known(enum jw_err err, bool sent, const struct varlink_reply *reply)
{
	if (err == JW_UNREACHABLE)
		return !sent;
	return err != JW_OK || reply->error == NULL ||
	       jw_err_from_wire(reply->error) != JW_OUTCOME_UNKNOWN;
}

/* Repeated until the outcome is known, but for `tries` or the deadline. */
static enum jw_err
call_with_tries(struct ctl *ctl, const char *method, const json_t *parameters,
    int tries, struct json_t **ret_reply)
{
	int64_t pause = FIRST_PAUSE_MS, deadline = CLIENT_FOREVER;
	struct varlink_reply reply = {0};
	bool sent = false, is_repeatable = tries > 1;
	enum jw_err err;

	for (;; pause *= 2) {
		err =
		    exchange(ctl, method, parameters, deadline, &sent, &reply);
		if (is_outcome_known(err, sent, &reply) || --tries == 0)
			break;
		deadline = sooner(deadline, patience());
		if (jw_clock_monotonic_ms() + pause >= deadline)
			break;
		varlink_reply_done(&reply);
		memset(&reply, 0, sizeof(reply));
		jw_clock_nap_ms(pause);
	}
	if (err == JW_OK) {
		err = take_reply(ctl, method, &reply, ret_reply);
		varlink_reply_done(&reply);
	} else if (err == JW_UNREACHABLE && sent && is_repeatable) {
		jw_why_set(&ctl->why,
		    "the connection broke before the answer: it is not known "
		    "yet whether it was done");
		err = JW_OUTCOME_UNKNOWN;
	}
	return err;
}

enum jw_err
call_method(struct ctl *ctl, const char *method,
    const struct json_t *parameters, struct json_t **ret_reply)
{
	return call_with_tries(ctl, method, parameters, 1, ret_reply);
}

enum jw_err
call_method_surely(struct ctl *ctl, const char *method,
    const struct json_t *parameters, struct json_t **ret_reply)
{
	return call_with_tries(ctl, method, parameters, TRIES_MAX, ret_reply);
}

/* ---- streams ---- */

/* SIGINT and SIGTERM make a descriptor readable instead of ending us. */
static enum jw_err
open_signals(struct ctl *ctl, int *ret_fd)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		jw_why_set(&ctl->why, "signalfd: %s", strerror(errno));
		return JW_IO;
	}
	*ret_fd = fd;
	return JW_OK;
}

struct stream {
	const char *method;
	struct varlink_client *client;
	bool is_endless;
	bool continues;
};

static enum jw_err
next_reply(struct ctl *ctl, struct stream *stream, call_reply_fn *fn, void *arg)
{
	struct varlink_reply reply = {0};
	json_t *parameters = NULL;
	enum jw_err err = varlink_client_receive(stream->client,
	    stream->is_endless ? CLIENT_FOREVER : patience(), &reply,
	    &ctl->why);

	if (err != JW_OK)
		return err;
	stream->continues = reply.continues;
	err = take_reply(ctl, stream->method, &reply, &parameters);
	if (err == JW_OK)
		err = fn(ctl, parameters, arg);
	json_decref(parameters);
	varlink_reply_done(&reply);
	return err;
}

static enum jw_err
read_stream(struct ctl *ctl, struct stream *stream,
    const struct json_t *parameters, call_reply_fn *fn, void *arg)
{
	int signals = -1;
	enum jw_err err = open_client(ctl, patience(), &stream->client);

	if (err != JW_OK)
		return err;
	if (stream->is_endless)
		err = open_signals(ctl, &signals);
	if (signals >= 0)
		varlink_client_stop_on(stream->client, signals, STDOUT_FILENO);
	if (err == JW_OK)
		err = varlink_client_send(stream->client, stream->method,
		    parameters, true, patience(), &ctl->why);
	stream->continues = true;
	while (err == JW_OK && stream->continues)
		err = next_reply(ctl, stream, fn, arg);
	if (err == JW_UNREACHABLE && varlink_client_stopped(stream->client))
		err = JW_OK;
	if (signals >= 0)
		close(signals);
	varlink_client_close(stream->client);
	return err;
}

enum jw_err
call_method_stream(struct ctl *ctl, const char *method,
    const struct json_t *parameters, call_reply_fn *fn, void *arg)
{
	struct stream stream = {.method = method, .is_endless = true};

	return read_stream(ctl, &stream, parameters, fn, arg);
}

enum jw_err
call_method_each(struct ctl *ctl, const char *method,
    const struct json_t *parameters, call_reply_fn *fn, void *arg)
{
	struct stream stream = {.method = method};

	return read_stream(ctl, &stream, parameters, fn, arg);
}

/* ---- lists in several replies ---- */

struct joined {
	const char *list;
	json_t *reply; /* NULL before the first */
};

static enum jw_err
join(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	struct joined *joined = arg;
	const json_t *more;
	enum jw_err err;

	/* A single reply is passed on as it came, whatever it holds. */
	if (joined->reply == NULL) {
		joined->reply = json_incref((json_t *)(uintptr_t)reply);
		return JW_OK;
	}
	err = reply_array(reply, joined->list, &more, &ctl->why);
	if (err == JW_OK &&
	    json_array_extend(json_object_get(joined->reply, joined->list),
		(json_t *)(uintptr_t)more) != 0) {
		jw_why_set(&ctl->why, "the daemon's replies do not belong "
				      "together");
		err = JW_PROTOCOL;
	}
	return err;
}

enum jw_err
call_method_all(struct ctl *ctl, const char *method,
    const struct json_t *parameters, const char *list,
    struct json_t **ret_reply)
{
	struct joined joined = {.list = list};
	enum jw_err err =
	    call_method_each(ctl, method, parameters, join, &joined);

	if (err == JW_OK)
		*ret_reply = joined.reply;
	else
		json_decref(joined.reply);
	return err;
}

/* ---- replies for people ---- */

enum jw_err
call_print(struct ctl *ctl, const struct json_t *reply, call_print_fn *print)
{
	json_t *shown;
	enum jw_err err;

	if (ctl->json)
		return call_print_json(ctl, reply);
	shown = out_visible(&ctl->text, reply);
	err = print(ctl, shown);
	json_decref(shown);
	return err == JW_OK ? call_flush(ctl) : err;
}

enum jw_err
call_query(struct ctl *ctl, const char *method, struct json_t *take_parameters,
    const char *list, call_print_fn *print)
{
	json_t *reply = NULL;
	enum jw_err err;

	if (take_parameters == NULL)
		return call_not_utf8(ctl);
	err = list != NULL
		  ? call_method_all(ctl, method, take_parameters, list, &reply)
		  : call_method(ctl, method, take_parameters, &reply);
	if (err == JW_OK)
		err = call_print(ctl, reply, print);
	json_decref(reply);
	json_decref(take_parameters);
	return err;
}
