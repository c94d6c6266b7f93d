/*
 * Servers that answer everything with why there is no keeper.
 *
 * Must never open the database or read a key, and never log more than once
 * why: clients come again and again.
 */
#include "daemon/degraded.h"

#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/timeval.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/system/notify.h"
#include "common/system/refusal.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "daemon/process.h"
#include "daemon/settings/mistakes.h"
#include "daemon/settings/settings.h"
#include "daemon/sockets.h"

enum { RETRY_SECONDS = 5, REASON_SIZE = 512, MOMENTS = 4 };

struct offer {
	struct varlink_interface *interface;
	struct varlink_verb *verbs; /* one for each method */
	struct varlink_service *service;
	struct serve_server *server;
};

struct daemon_degraded {
	const struct daemon_degraded_options *options;
	struct event_base *base;
	int most_files;
	struct event *moments[MOMENTS];
	struct offer offers[SOCKETS];
	enum jw_err err;    /* BadConfig or StoreFailed */
	json_t *parameters; /* of that error */
	char reason[REASON_SIZE];
	enum daemon_degraded_end end;
	int reload_fd;
};

/* ---- the reason ---- */

static enum jw_err
take_reason(struct daemon_degraded *degraded)
{
	const struct daemon_degraded_options *options = degraded->options;
	const struct jw_config_errors *mistakes = options->mistakes;
	bool config = mistakes->count > 0 || options->err == JW_BAD_CONFIG ||
		      options->err == JW_USAGE;

	json_decref(degraded->parameters);
	degraded->err = config ? JW_BAD_CONFIG : JW_STORE_FAILED;
	if (mistakes->count > 0) {
		settings_mistakes_format(&mistakes->rows[0], degraded->reason,
		    sizeof(degraded->reason));
		degraded->parameters = settings_mistakes_json(mistakes);
	} else {
		(void)snprintf(degraded->reason, sizeof(degraded->reason), "%s",
		    options->text);
		degraded->parameters = json_pack(
		    "{s:o}", "message", settings_mistakes_text(options->text));
		if (config &&
		    json_object_update_new(degraded->parameters,
			json_pack("{s:s, s:i}", "file", "", "line", 0)) != 0)
			return JW_NO_MEMORY;
	}
	return degraded->parameters != NULL ? JW_OK : JW_NO_MEMORY;
}

static void
say_reason(struct daemon_degraded *degraded)
{
	char status[REASON_SIZE + 16];

	(void)snprintf(
	    status, sizeof(status), "degraded: %s", degraded->reason);
	sys_notify_ready(status);
	if (!sys_refusal_note(degraded->options->refusal, degraded->reason))
		return;
	jw_log_event(JW_LOG_ERROR,
	    &(const struct jw_log_about){.event = JW_EVENT_DEGRADED},
	    "every call is answered with this, until a reload or a restart "
	    "finds it mended: %s",
	    degraded->reason);
}

/* ---- verbs ---- */

static void
daemon_refuse(struct serve_call *call, const void *request, void *context)
{
	const struct daemon_degraded *degraded = context;

	(void)request;
	serve_fail(call, degraded->err, json_incref(degraded->parameters));
}

static void
start_again(struct daemon_degraded *degraded)
{
	degraded->end = DEGRADED_AGAIN;
	event_base_loopbreak(degraded->base);
}

static void
daemon_try_again(struct serve_call *call, const void *request, void *context)
{
	struct daemon_degraded *degraded = context;
	struct jw_config_errors *mistakes = degraded->options->mistakes;
	struct jw_config_errors found = {NULL, 0};
	struct jw_config *config = NULL;
	enum jw_err err =
	    settings_read(degraded->options->config_file, &config, &found);

	jw_config_free(config);
	if (err == JW_OK) {
		degraded->reload_fd = serve_keep_open(call);
		start_again(degraded);
		return;
	}
	if (found.count > 0) {
		jw_config_errors_done(mistakes);
		*mistakes = found;
		if (take_reason(degraded) == JW_OK)
			say_reason(degraded);
	}
	daemon_refuse(call, request, degraded);
}

static const char *const interfaces[SOCKETS] = {
    [SOCKET_CONTROL] = "org.jwksd.keys",
    [SOCKET_PUBLISH] = "org.jwksd.publish",
    [SOCKET_SIGN] = "org.jwksd.sign",
};

static enum jw_err
make_verbs(struct offer *offer, size_t *ret_count)
{
	const struct varlink_method *method;
	size_t count = 0;

	while (varlink_interface_method_at(offer->interface, count) != NULL)
		count++;
	offer->verbs = calloc(count + 1, sizeof(*offer->verbs));
	if (offer->verbs == NULL)
		return JW_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		method = varlink_interface_method_at(offer->interface, i);
		offer->verbs[i].method = varlink_method_name(method);
		offer->verbs[i].run =
		    strcmp(offer->verbs[i].method, "Reload") == 0
			? daemon_try_again
			: daemon_refuse;
	}
	*ret_count = count;
	return JW_OK;
}

static enum jw_err
offer_interface(struct offer *offer, const char *name, struct jw_why *why)
{
	const char *text = varlink_text(name);
	size_t count = 0;
	enum jw_err err = varlink_interface_parse(text, &offer->interface, why);

	if (err == JW_OK)
		err = make_verbs(offer, &count);
	if (err != JW_OK)
		return err;
	offer->service = varlink_service_new(
	    "jwksd", "jwksd", JWKSD_VERSION, "https://jwksd.example/");
	if (offer->service == NULL)
		return JW_NO_MEMORY;
	return varlink_service_add(
	    offer->service, text, offer->verbs, count, why);
}

static enum jw_err
degraded_serve(struct daemon_degraded *degraded, enum daemon_socket_slot slot,
    struct jw_why *why)
{
	struct daemon_sockets *sockets = degraded->options->sockets;
	struct offer *offer = &degraded->offers[slot];
	char group[SOCKETS_GROUP_SIZE];
	struct serve_limits limits;
	struct serve_options options = {
	    .base = degraded->base,
	    .context = degraded,
	    .group = daemon_sockets_own_group(sockets, slot, group),
	    .limits = &limits,
	};
	enum jw_err err = offer_interface(offer, interfaces[slot], why);

	if (err == JW_OK)
		err = daemon_sockets_open(
		    sockets, slot, NULL, &options.take_fd, why);
	if (err != JW_OK)
		return err;
	options.service = offer->service;
	daemon_sockets_limits(slot, degraded->most_files, &limits);
	return serve_server_new(&options, &offer->server);
}

/* ---- moments ---- */

static void
degraded_on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct daemon_degraded *degraded = arg;

	(void)what;
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){.event = JW_EVENT_STOPPING},
	    "%s: stopping", strsignal(sig));
	degraded->end = DEGRADED_STOPPED;
	event_base_loopbreak(degraded->base);
}

static void
degraded_on_pulse(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sys_notify_watchdog();
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_again(arg);
}

static bool
add_moment(struct daemon_degraded *degraded, size_t i, int sig,
    event_callback_fn fn, int64_t ms)
{
	const struct timeval wait = jw_timeval_ms(ms);

	degraded->moments[i] = event_new(degraded->base, sig,
	    (short)(EV_PERSIST | (sig >= 0 ? EV_SIGNAL : 0)), fn, degraded);
	return degraded->moments[i] != NULL &&
	       event_add(degraded->moments[i], ms != 0 ? &wait : NULL) == 0;
}

static enum jw_err
add_moments(struct daemon_degraded *degraded)
{
	uint64_t pulse = sys_notify_watchdog_interval();
	sigset_t none;

	if (!add_moment(degraded, 0, SIGTERM, degraded_on_stop, 0) ||
	    !add_moment(degraded, 1, SIGINT, degraded_on_stop, 0) ||
	    (pulse != 0 && !add_moment(degraded, 2, -1, degraded_on_pulse,
			       (int64_t)(pulse / 1000))) ||
	    (degraded->options->passing &&
		!add_moment(
		    degraded, 3, -1, on_retry, (int64_t)RETRY_SECONDS * 1000)))
		return JW_NO_MEMORY;
	(void)signal(SIGHUP, SIG_IGN);
	/* The attempt to start may have blocked them when it failed. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return JW_OK;
}

/* ---- a Reload that waits ---- */

static void
daemon_answer(int fd, const char *error, const json_t *parameters)
{
	size_t len = 0;
	char *text = varlink_reply_format(error, parameters, false, &len);

	/* The socket is empty, and takes one reply. */
	if (text != NULL)
		(void)send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	(void)close(fd);
}

void
daemon_degraded_started(int fd)
{
	json_t *parameters = json_pack("{s:[], s:[]}", "changed", "restart");

	daemon_answer(fd, NULL, parameters);
	json_decref(parameters);
}

/* ---- all of it ---- */

static void
degraded_done(struct daemon_degraded *degraded)
{
	for (size_t i = 0; i < SOCKETS; i++) {
		struct offer *offer = &degraded->offers[i];

		serve_server_free(offer->server);
		varlink_service_free(offer->service);
		varlink_interface_free(offer->interface);
		free(offer->verbs);
	}
	for (size_t i = 0; i < MOMENTS; i++)
		if (degraded->moments[i] != NULL)
			event_free(degraded->moments[i]);
	if (degraded->base != NULL)
		event_base_free(degraded->base);
	json_decref(degraded->parameters);
}

static enum jw_err
daemon_begin(struct daemon_degraded *degraded, struct jw_why *why)
{
	const struct daemon_degraded_options *options = degraded->options;
	enum jw_err err = take_reason(degraded);

	degraded->most_files = daemon_process_raise_files();
	degraded->base = event_base_new();
	if (err == JW_OK && degraded->base == NULL)
		err = JW_NO_MEMORY;
	for (enum daemon_socket_slot slot = 0; slot < SOCKETS && err == JW_OK;
	     slot++)
		if (daemon_sockets_is_usable(options->sockets, slot))
			err = degraded_serve(degraded, slot, why);
	if (err == JW_OK)
		err = add_moments(degraded);
	return err;
}

enum jw_err
daemon_degraded_run(const struct daemon_degraded_options *options,
    enum daemon_degraded_end *ret_end, int *ret_reload_fd, struct jw_why *why)
{
	struct daemon_degraded degraded = {.options = options, .reload_fd = -1};
	enum jw_err err = daemon_begin(&degraded, why);

	if (err == JW_OK) {
		say_reason(&degraded);
		if (options->reload_fd >= 0)
			daemon_answer(options->reload_fd,
			    jw_err_wire(degraded.err), degraded.parameters);
		event_base_dispatch(degraded.base);
		*ret_end = degraded.end;
		*ret_reload_fd = degraded.reload_fd;
		if (degraded.end == DEGRADED_STOPPED)
			sys_refusal_clear(options->refusal);
	}
	degraded_done(&degraded);
	return err;
}
