/*
 * jwksd-http, the front of jwksd: serves finished key sets over HTTP.
 *
 * Must never hold a private key or open a database: it knows only the
 * documents that the keeper publishes.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/begin.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/system/listen.h"
#include "common/system/notify.h"
#include "common/system/refusal.h"
#include "daemon/http/server.h"
#include "daemon/http/supervisor.h"

struct front {
	struct jw_config *config;
	struct sys_notify_fds *handed;
	struct sys_listeners listeners;
	struct http_uptime *uptime;
	char *publish_path;
	struct sys_refusal refusal;
	bool is_degraded; /* no configuration: no documents */
};

static enum jw_err
parse_arguments(int argc, char **argv, const char **ret_file)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'V') {
			puts("jwksd-http " JWKSD_VERSION);
			exit(0);
		}
		if (c != 'c')
			goto usage;
		*ret_file = optarg;
	}
	if (optind == argc)
		return JW_OK;
usage:
	fputs("usage: jwksd-http [--config FILE] [--version]\n", stderr);
	return JW_USAGE;
}

static enum jw_err
load_config(const char *file, struct front *front)
{
	struct jw_config_errors errors = {0};
	enum jw_err err = jw_config_load(file, &front->config, &errors);

	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s:%d: %s\n", errors.rows[i].file,
		    errors.rows[i].line, errors.rows[i].message);
	jw_config_errors_done(&errors);
	if (err == JW_OK)
		jw_log_set_level(front->config->log_level);
	return err;
}

static enum jw_err
open_sockets(struct front *front, struct jw_why *why)
{
	const char *name;
	enum jw_err err;

	err = sys_listeners_open(
	    front->handed, front->config, &front->listeners, why);
	for (size_t i = 0;
	     (name = sys_notify_fds_left(front->handed, i)) != NULL; i++)
		jw_log(JW_LOG_WARNING,
		    "a socket named \"%s\" was handed over and is not used: "
		    "FileDescriptorName= is to be http",
		    name);
	return err;
}

/*
 * A mistake in the configuration, behind sockets that a service manager holds:
 * after the first such start, which exits, the front stays up without a
 * configuration and without a keeper, and answers 500 until it is restarted.
 */
static enum jw_err
stay_up(struct front *front, enum jw_err err)
{
	if (sys_notify_fds_left(front->handed, 0) == NULL)
		return err;
	sys_refusal_init(&front->refusal, "jwksd-http", NULL);
	/* Without a place for the mark the keeper has started this front, and
	 * starts it again, later each time. */
	if (front->refusal.path[0] == '\0' ||
	    !sys_refusal_stays(&front->refusal, jw_err_exit(err), true))
		return err;
	front->config = jw_config_default();
	front->is_degraded = true;
	return JW_OK;
}

static int
http_report(enum jw_err err, const struct jw_why *why)
{
	if (why->text[0] != '\0')
		jw_log(JW_LOG_ERROR, "%s", why->text);
	if (why->hint[0] != '\0')
		jw_log(JW_LOG_ERROR, "hint: %s", why->hint);
	return jw_err_exit(err);
}

static void
work(size_t slot, void *arg)
{
	struct front *front = arg;
	const struct http_server_options options = {
	    .limits = &http_limits_default,
	    .domain = front->config->domain,
	    .max_connections = (size_t)front->config->max_connections,
	    .publish_path = front->is_degraded ? NULL : front->publish_path,
	    .fds = front->listeners.fds,
	    .nfds = front->listeners.count,
	    .uptime = front->uptime,
	};

	http_server_run(&options, slot);
}

static enum jw_err
supervise(struct front *front)
{
	/* From a keeper whose front has ended, and which starts it again. */
	bool replaces = getenv("JWKSD_REPLACES") != NULL;
	const struct http_supervisor_options options = {
	    .processes = front->config->processes > 0
			     ? (size_t)front->config->processes
			     : 1,
	    .limits = &http_limits_default,
	    .uptime = http_uptime_new(replaces, jw_clock_monotonic_ms()),
	    .work = work,
	    .arg = front,
	};

	front->uptime = options.uptime;
	front->publish_path =
	    jw_asprintf("%s/publish.sock", front->config->runtime_directory);
	sys_notify_ready(
	    front->is_degraded
		? "degraded: the configuration has mistakes; every "
		  "request is answered 500"
		: "serving");
	return http_supervisor_run(&options);
}

static void
front_done(struct front *front)
{
	sys_listeners_close(&front->listeners);
	sys_notify_fds_free(front->handed);
	http_uptime_free(front->uptime);
	free(front->publish_path);
	jw_config_free(front->config);
}

int
main(int argc, char **argv)
{
	struct front front = {0};
	const char *file = NULL;
	struct jw_why why = {"", ""};
	enum jw_err err;

	jw_begin_process();
	jw_log_init("jwksd-http");
	varlink_json_init();
	sys_notify_journal();
	err = parse_arguments(argc, argv, &file);
	/* Before anything else is opened: a number that is free would be taken
	 * for a socket that was handed over. */
	if (err == JW_OK)
		err = sys_notify_fds_take(&front.handed, &why);
	if (err == JW_OK)
		err = load_config(file, &front);
	if (err == JW_BAD_CONFIG)
		err = stay_up(&front, err);
	if (err == JW_OK)
		err = open_sockets(&front, &why);
	if (err == JW_OK && !front.is_degraded) {
		sys_refusal_init(&front.refusal, "jwksd-http", NULL);
		sys_refusal_clear(&front.refusal);
	}
	if (err == JW_OK)
		err = supervise(&front);
	if (front.is_degraded && err == JW_OK)
		sys_refusal_clear(&front.refusal);
	front_done(&front);
	return http_report(err, &why);
}
