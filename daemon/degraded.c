/*
 * Servers that answer every method with the reason why the keeper did not
 * start.
 *
 * Must never open the database or read a key, and never log the same reason
 * twice: clients connect again and again.
 */
#include "daemon/degraded.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/base/log.h"
#include "common/base/timeval.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/system/notify.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "daemon/process.h"
#include "daemon/reexec.h"
#include "daemon/report.h"
#include "daemon/settings/mistakes.h"
#include "daemon/settings/settings.h"
#include "daemon/signals.h"
#include "daemon/sockets.h"
#include "daemon/watchdog.h"

enum { RETRY_SECONDS = 5, REASON_SIZE = 512 };

struct degraded {
	struct daemon_degraded_options options;
	struct event_base *base;
	struct daemon_signals *signals;
	struct event *watchdog;
	struct event *retry;
	struct serve_server *servers[SOCKETS];
	enum jw_err err;    /* BadConfig or StoreFailed */
	json_t *parameters; /* of that error */
	char reason[REASON_SIZE];
	bool is_again; /* the program is to be executed anew */
	int reload_fd; /* for that: the connection of a Reload; or -1 */
};

/* ---- which starts stay up ---- */

void
daemon_degraded_init(
    struct sys_refusal *refusal, const struct daemon_sockets *sockets)
{
	char directory[256] = "";

	daemon_sockets_directory(sockets, directory, sizeof(directory));
	if (daemon_sockets_were_handed(sockets))
		sys_refusal_init(
		    refusal, "jwksd", directory[0] != '\0' ? directory : NULL);
}

/* Statuses of refusals that another start may repeat at once. */
static bool
is_refusal(int status)
{
	static const int statuses[] = {EX_USAGE, EX_DATAERR, EX_NOINPUT,
	    EX_OSFILE, EX_CANTCREAT, EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL,
	    EX_NOPERM, EX_CONFIG};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i] == status)
			return true;
	return false;
}

static bool
stays_up(const struct daemon_degraded_options *options)
{
	int status = daemon_report_status(options->err);

	return options->sockets != NULL &&
	       daemon_sockets_were_handed(options->sockets) &&
	       is_refusal(status) &&
	       (options->reexec->is_again ||
		   sys_refusal_stays(options->refusal, status,
		       daemon_sockets_have_clients(options->sockets)));
}

/* ---- the reason ---- */

static void
take_reason(struct degraded *degraded)
{
	const struct daemon_degraded_options *options = &degraded->options;
	const struct jw_config_errors *mistakes = options->mistakes;
	bool config = mistakes->count > 0 || options->err == JW_BAD_CONFIG ||
		      options->err == JW_USAGE;
	const char *text;

	json_decref(degraded->parameters);
	degraded->err = config ? JW_BAD_CONFIG : JW_STORE_FAILED;
	if (mistakes->count > 0) {
		settings_mistakes_format(&mistakes->rows[0], degraded->reason,
		    sizeof(degraded->reason));
		degraded->parameters = settings_mistakes_json(mistakes);
		return;
	}
	text = options->why->text[0] != '\0' ? options->why->text
					     : jw_err_text(options->err);
	snprintf(degraded->reason, sizeof(degraded->reason), "%s", text);
	degraded->parameters =
	    json_pack("{s:o}", "message", settings_mistakes_text(text));
	if (config)
		json_object_update_new(degraded->parameters,
		    json_pack("{s:s, s:i}", "file", "", "line", 0));
}

static void
say_reason(struct degraded *degraded)
{
	char status[REASON_SIZE + 16];

	snprintf(status, sizeof(status), "degraded: %s", degraded->reason);
	sys_notify_ready(status);
	if (!sys_refusal_note(degraded->options.refusal, degraded->reason))
		return;
	jw_log_event(JW_LOG_ERROR,
	    &(const struct jw_log_about){.event = JW_EVENT_DEGRADED},
	    "every call is answered with this, until a reload or a restart "
	    "finds it mended: %s",
	    degraded->reason);
}

/* ---- verbs ---- */

static void
refuse_call(struct serve_call *call, const void *request, void *context)
{
	const struct degraded *degraded = context;

	(void)request;
	serve_fail(call, degraded->err, json_incref(degraded->parameters));
}

static void
start_again(struct degraded *degraded)
{
	degraded->is_again = true;
	event_base_loopbreak(degraded->base);
}

static void
reload_call(struct serve_call *call, const void *request, void *context)
{
	struct degraded *degraded = context;
	struct jw_config_errors *mistakes = degraded->options.mistakes;
	struct jw_config_errors found = {NULL, 0};
	struct jw_config *config = NULL;
	enum jw_err err =
	    settings_read(degraded->options.config_file, &config, &found);

	jw_config_free(config);
	if (err == JW_OK) {
		degraded->reload_fd = serve_keep_open(call);
		start_again(degraded);
		return;
	}
	if (found.count > 0) {
		jw_config_errors_done(mistakes);
		*mistakes = found;
		take_reason(degraded);
		say_reason(degraded);
	}
	refuse_call(call, request, degraded);
}

static const struct varlink_verb refused[] = {{.run = refuse_call}};

static const struct varlink_verb refused_but_reload[] = {
    {"Reload", 0, reload_call, NULL, NULL},
    {.run = refuse_call},
};

static enum jw_err
serve_refusals(
    struct degraded *degraded, enum daemon_socket_slot slot, struct jw_why *why)
{
	static const struct varlink_service services[SOCKETS] = {
	    [SOCKET_CONTROL] = {&varlink_org_jwksd_keys, refused_but_reload},
	    [SOCKET_PUBLISH] = {&varlink_org_jwksd_publish, refused},
	    [SOCKET_SIGN] = {&varlink_org_jwksd_sign, refused},
	};
	struct serve_options options = {
	    .base = degraded->base,
	    .service = &services[slot],
	    .context = degraded,
	};

	return daemon_sockets_serve(degraded->options.sockets, slot, NULL,
	    &options, &degraded->servers[slot], why);
}

/* ---- the loop ---- */

static void
on_stop(void *arg)
{
	struct degraded *degraded = arg;

	event_base_loopbreak(degraded->base);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_again(arg);
}

static void
retry_later(struct degraded *degraded)
{
	const struct timeval wait = {RETRY_SECONDS, 0};
	int status = daemon_report_status(degraded->options.err);

	if (!sys_refusal_is_passing(status))
		return;
	degraded->retry = evtimer_new(degraded->base, on_retry, degraded);
	event_add(degraded->retry, &wait);
}

static enum jw_err
begin(struct degraded *degraded, struct jw_why *why)
{
	enum jw_err err = JW_OK;

	take_reason(degraded);
	daemon_process_raise_files();
	degraded->base = event_base_new();
	for (enum daemon_socket_slot slot = 0; slot < SOCKETS && err == JW_OK;
	     slot++)
		if (daemon_sockets_is_usable(degraded->options.sockets, slot))
			err = serve_refusals(degraded, slot, why);
	degraded->signals =
	    daemon_signals_new(degraded->base, on_stop, degraded);
	degraded->watchdog = daemon_watchdog_start(degraded->base, NULL);
	retry_later(degraded);
	return err;
}

static void
done(struct degraded *degraded)
{
	for (size_t i = 0; i < SOCKETS; i++)
		serve_server_free(degraded->servers[i]);
	daemon_signals_free(degraded->signals);
	if (degraded->watchdog != NULL)
		event_free(degraded->watchdog);
	if (degraded->retry != NULL)
		event_free(degraded->retry);
	event_base_free(degraded->base);
	json_decref(degraded->parameters);
}

/* Only returns when the program is not executed anew. */
static enum jw_err
run(const struct daemon_degraded_options *options, struct jw_why *why)
{
	struct degraded degraded = {.options = *options, .reload_fd = -1};
	enum jw_err err = begin(&degraded, why);

	if (err == JW_OK) {
		say_reason(&degraded);
		daemon_reexec_answer(
		    options->reexec, degraded.err, degraded.parameters);
		event_base_dispatch(degraded.base);
		if (!degraded.is_again)
			sys_refusal_clear(options->refusal);
	}
	done(&degraded);
	if (err == JW_OK && degraded.is_again)
		err = daemon_reexec_run(
		    options->sockets, options->argv, degraded.reload_fd, why);
	return err;
}

int
daemon_degraded_or_report(const struct daemon_degraded_options *options)
{
	struct jw_why why = {"", ""};
	enum jw_err err;

	if (!stays_up(options))
		return daemon_report(
		    options->mistakes, options->err, options->why);
	err = run(options, &why);
	jw_config_errors_done(options->mistakes);
	return daemon_report(options->mistakes, err, &why);
}
