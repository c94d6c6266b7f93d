/*
 * jwksd, the keeper: owns private keys, keeps their schedule, answers on
 * Unix sockets.  This file shows the order in which it starts; it does
 * nothing else.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "common/base/begin.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config.h"
#include "common/system/notify.h"
#include "common/wire/varlink.h"
#include "daemon/arguments.h"
#include "daemon/crypto/keys.h"
#include "daemon/degraded.h"
#include "daemon/front.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/open.h"
#include "daemon/process.h"
#include "daemon/ready.h"
#include "daemon/reexec.h"
#include "daemon/report.h"
#include "daemon/servers.h"
#include "daemon/settings/settings.h"
#include "daemon/signals.h"
#include "daemon/sockets.h"
#include "daemon/verbs/rights.h"
#include "daemon/watchdog.h"

enum { OPENING_SECONDS = 600 };

struct program {
	struct daemon_arguments arguments;
	struct daemon_reexec reexec;
	struct sys_refusal refusal;
	struct jw_config *config;
	struct jw_config_errors mistakes;
	struct event_base *base;
	struct daemon_sockets *sockets;
	struct daemon_front *front;
	struct keeper *keeper;
	struct daemon_servers *servers;
	struct daemon_signals *signals;
	struct event *watchdog;
	struct daemon_ready ready;
	bool started;
};

static enum jw_err
read_config(struct program *program, struct verbs_rights **ret_rights,
    struct jw_why *why)
{
	enum jw_err err = settings_read(program->arguments.config_file,
	    &program->config, &program->mistakes);

	if (err != JW_OK)
		return err;
	jw_log_set_level(program->config->log_level);
	return verbs_rights_new(program->config->sign_rules, ret_rights, why);
}

static enum jw_err
open_keeper(struct program *program, struct jw_why *why)
{
	/* A check of a large database, a copy of it and its migration may take
	 * longer than a start is usually given. */
	sys_notify_extend_timeout(OPENING_SECONDS);
	sys_notify_status("opening the database");
	return keeper_open(program->config, program->arguments.new_database,
	    program->base, &program->keeper, why);
}

static enum jw_err
start_servers(struct program *program, struct verbs_rights *take_rights,
    struct jw_why *why)
{
	const struct daemon_servers_options options = {
	    .base = program->base,
	    .sockets = program->sockets,
	    .config = program->config,
	    .config_file = program->arguments.config_file,
	    .keeper = program->keeper,
	    .take_rights = take_rights,
	    .listener_stays = program->front != NULL ||
			      daemon_sockets_are_managed(program->sockets),
	};

	return daemon_servers_start(&options, &program->servers, why);
}

static void
on_stop(void *arg)
{
	struct program *program = arg;

	sys_notify_stopping();
	daemon_servers_drain(program->servers);
}

static enum jw_err
start_work(struct program *program, struct jw_why *why)
{
	enum jw_err err = JW_OK;

	program->signals = daemon_signals_new(program->base, on_stop, program);
	program->watchdog =
	    daemon_watchdog_start(program->base, program->keeper);
	if (program->front != NULL)
		err = daemon_front_start(program->front, why);
	if (err != JW_OK)
		return err;
	keeper_start(program->keeper);
	daemon_ready_watch(&program->ready, program->keeper);
	program->started = true;
	sys_refusal_clear(&program->refusal);
	daemon_reexec_answer(&program->reexec, JW_OK, NULL);
	return JW_OK;
}

static enum jw_err
run(struct program *program, struct verbs_rights **rights, struct jw_why *why)
{
	enum jw_err err = daemon_process_prepare(program->config, why);

	program->base = event_base_new();
	if (err == JW_OK)
		err = daemon_sockets_check(program->sockets, why);
	if (err == JW_OK && !daemon_sockets_are_managed(program->sockets))
		err = daemon_front_new(program->base, program->config,
		    program->arguments.config_file, &program->front, why);
	if (err == JW_OK)
		err = open_keeper(program, why);
	if (err == JW_OK) {
		err = start_servers(program, *rights, why);
		*rights = NULL;
	}
	if (err == JW_OK)
		err = start_work(program, why);
	if (err == JW_OK)
		event_base_dispatch(program->base);
	/* The store could not be opened again: another start may be able to. */
	if (err == JW_OK && !daemon_signals_stopping(program->signals))
		err = JW_OUTCOME_UNKNOWN;
	return err;
}

static void
stop(struct program *program)
{
	if (program->started && !daemon_signals_stopping(program->signals))
		sys_notify_stopping();
	/* The front first: it is connected to a server until it has answered
	 * its last client. */
	daemon_front_free(program->front);
	daemon_sockets_unlink(program->sockets);
	daemon_servers_free(program->servers);
	keeper_free(program->keeper);
	daemon_signals_free(program->signals);
	if (program->watchdog != NULL)
		event_free(program->watchdog);
	if (program->base != NULL)
		event_base_free(program->base);
	crypto_done();
	jw_config_free(program->config);
}

int
main(int argc, char **argv)
{
	struct program program = {.reexec = {.reload_fd = -1}};
	struct verbs_rights *rights = NULL;
	struct jw_why why = {"", ""};
	enum jw_err err, taken = JW_OK;
	int status;

	jw_begin_process();
	jw_log_init("jwksd");
	varlink_json_init();
	event_set_mem_functions(jw_alloc, jw_realloc, free);
	sys_notify_journal();
	err = daemon_arguments_parse(argc, argv, &program.arguments, &why);
	/* Before anything else is opened: a number that is free would be taken
	 * for a socket that was handed over. */
	if (!program.arguments.check_only) {
		daemon_reexec_take(&program.reexec);
		taken = daemon_sockets_take(&program.sockets, &why);
		if (taken == JW_OK)
			daemon_degraded_init(&program.refusal, program.sockets);
	}
	if (err == JW_OK)
		err = taken;
	if (err == JW_OK)
		err = read_config(&program, &rights, &why);
	if (err == JW_OK && !program.arguments.check_only)
		err = run(&program, &rights, &why);
	stop(&program);
	if (program.started)
		status = daemon_report(&program.mistakes, err, &why);
	else
		status = daemon_degraded_or_report(
		    &(const struct daemon_degraded_options){
			.sockets = program.sockets,
			.refusal = &program.refusal,
			.reexec = &program.reexec,
			.config_file = program.arguments.config_file,
			.argv = argv,
			.mistakes = &program.mistakes,
			.err = err,
			.why = &why,
		    });
	verbs_rights_free(rights);
	daemon_sockets_free(program.sockets);
	jw_config_errors_done(&program.mistakes);
	return status;
}
