/*
 * jwksd, the keeper: owns private keys, keeps their schedule, answers on
 * Unix sockets.  This file shows the order in which it starts; it does
 * nothing else.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/begin.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"
#include "common/config/config.h"
#include "common/serve/server.h"
#include "common/serve/turns.h"
#include "common/system/notify.h"
#include "common/system/refusal.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "daemon/crypto/keys.h"
#include "daemon/degraded.h"
#include "daemon/front.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/keeper/news.h"
#include "daemon/keeper/open.h"
#include "daemon/process.h"
#include "daemon/publish/publish.h"
#include "daemon/settings/settings.h"
#include "daemon/sockets.h"
#include "daemon/verbs/refused.h"
#include "daemon/verbs/rights.h"
#include "daemon/verbs/sign.h"
#include "daemon/verbs/verbs.h"

enum {
	SECURE_HEAP = 4 * 1024 * 1024, /* 8 KiB for each key that is open */
	OPENING_SECONDS = 600,
	DRAIN_SECONDS = 5, /* for clients to read their last replies */
};

struct program {
	const char *config_file;
	bool check_only;
	bool new_database; /* whatever database there was */
	struct jw_config *config;
	struct event_base *base;
	struct serve_turns *turns; /* of all servers */
	struct jw_config_errors mistakes;
	struct daemon_sockets *sockets;
	struct sys_refusal refusal;
	bool again;    /* executed by a degraded one of itself */
	int reload_fd; /* of a Reload that waits for this daemon_start; or -1 */
	int most_files;
	struct daemon_front *front;
	struct keeper *keeper;
	struct keeper_observer observer;
	struct publish *publish;
	struct verbs_refused *refused;
	struct verbs_rights *rights;
	struct verbs verbs;
	struct verbs_sign *signing;
	struct settings reload;
	struct varlink_service *services[SOCKETS];
	struct serve_server *servers[SOCKETS];
	struct event *signals[3];
	struct event *pulse; /* for a watchdog; NULL: none is there */
	bool told_ready;
	bool asked_to_stop;
	struct event *drain_end;
	int draining; /* servers whose last calls are being answered */
	bool started;
};

/* ---- arguments and configuration ---- */

static enum jw_err
parse_arguments(
    int argc, char **argv, struct program *program, struct jw_why *why)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'},
	    {"new-database", no_argument, NULL, 'n'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'V') {
			puts("jwksd " JWKSD_VERSION);
			exit(0);
		}
		if (c == 'c')
			program->config_file = optarg;
		else if (c == 'k')
			program->check_only = true;
		else if (c == 'n')
			program->new_database = true;
		else
			goto usage;
	}
	if (optind == argc)
		return JW_OK;
usage:
	fputs("usage: jwksd [--config FILE] [--check] [--new-database] "
	      "[--version]\n",
	    stderr);
	jw_why_set(why, "wrong usage: jwksd [--config FILE] [--check] "
			"[--new-database] [--version]");
	return JW_USAGE;
}

/* As compilers do, so that editors can jump there. */
static void
print_mistake(const struct jw_config_error *error)
{
	if (jw_log_is_journal())
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){.event = JW_EVENT_BAD_CONFIG},
		    "%s:%d: %s", error->file, error->line, error->message);
	else if (error->line == 0 && error->file[0] == '\0')
		fprintf(stderr, "jwksd: %s\n", error->message);
	else
		fprintf(stderr, "%s:%d: %s\n", error->file, error->line,
		    error->message);
}

static enum jw_err
load_config(struct program *program, struct jw_why *why)
{
	enum jw_err err = settings_read(
	    program->config_file, &program->config, &program->mistakes);

	if (err != JW_OK)
		return err;
	jw_log_set_level(program->config->log_level);
	return verbs_rights_new(
	    program->config->sign_rules, &program->rights, why);
}

/* ---- the process ---- */

static enum jw_err
prepare_process(struct program *program, struct jw_why *why)
{
	int locked = 0;
	enum jw_err err;

	err = daemon_process_directories(program->config, why);
	if (err == JW_OK)
		err = crypto_init(SECURE_HEAP, &locked);
	if (err == JW_OK && !locked)
		jw_log(JW_LOG_WARNING, "private keys could be swapped out: "
				       "the memory cannot be locked");
	program->most_files = daemon_process_raise_files();
	program->base = event_base_new();
	if (err == JW_OK && program->base == NULL)
		err = JW_NO_MEMORY;
	if (err == JW_OK)
		err = serve_turns_new(program->base, &program->turns);
	return err;
}

/* ---- sockets and the front ---- */

static enum jw_err
check_sockets(struct program *program, struct jw_why *why)
{
	enum jw_err err = daemon_sockets_check(program->sockets, why);

	if (err != JW_OK)
		return err;
	if (daemon_sockets_are_managed(program->sockets)) {
		/* As process 1 the keeper inherits processes that it did not
		 * start: the kernel then keeps nothing of those that end. */
		(void)signal(SIGCHLD, SIG_IGN);
		return JW_OK;
	}
	/* Without processes another supervisor runs the front. */
	if (program->config->processes == 0)
		return JW_OK;
	/* With the same configuration the other daemon has the addresses as
	 * well, but the database is the reason that helps. */
	err = keeper_check_lock(program->config, why);
	if (err != JW_OK)
		return err;
	return daemon_front_new(program->base, program->config,
	    program->config_file, &program->front, why);
}

/* ---- the keeper ---- */

static enum jw_err
open_keeper(struct program *program, struct jw_why *why)
{
	/* A check of a large database, a copy of it and its migration may take
	 * longer than a start is usually given. */
	sys_notify_extend_timeout(OPENING_SECONDS);
	sys_notify_status("opening the database");
	return keeper_open(program->config, program->new_database,
	    program->base, &program->keeper, why);
}

/* ---- the servers ---- */

static enum jw_err
daemon_main_serve(struct program *program, enum daemon_socket_slot slot,
    void *context, struct jw_why *why)
{
	struct serve_limits limits;
	struct serve_options options = {
	    .base = program->base,
	    .service = program->services[slot],
	    .context = context,
	    .group = daemon_sockets_group(slot, program->config),
	    .limits = &limits,
	    .turns = program->turns,
	    .quick = slot == SOCKET_SIGN ? verbs_sign_quick : NULL,
	};
	enum jw_err err = daemon_sockets_open(
	    program->sockets, slot, program->config, &options.take_fd, why);

	if (err != JW_OK)
		return err;
	daemon_sockets_limits(slot, program->most_files, &limits);
	err = serve_server_new(&options, &program->servers[slot]);
	if (err == JW_OK)
		serve_watch_refused(program->servers[slot], verbs_refused_note,
		    program->refused);
	return err;
}

static enum jw_err
offer_services(struct program *program, struct jw_why *why)
{
	for (size_t i = 0; i < SOCKETS; i++) {
		program->services[i] = varlink_service_new(
		    "jwksd", "jwksd", JWKSD_VERSION, "https://jwksd.example/");
		if (program->services[i] == NULL)
			return JW_NO_MEMORY;
	}
	if (verbs_offer(program->services[SOCKET_CONTROL], why) != JW_OK ||
	    verbs_sign_offer(program->services[SOCKET_SIGN], why) != JW_OK)
		return JW_BUG;
	return publish_offer(program->services[SOCKET_PUBLISH], why);
}

static enum jw_err
start_signing(struct program *program, struct jw_why *why)
{
	struct verbs_rights *rights = program->rights;
	enum jw_err err;

	program->rights = NULL;
	err = verbs_sign_new(
	    program->base, &program->verbs, rights, &program->signing, why);
	if (err != JW_OK)
		return err;
	program->verbs.signing = program->signing;
	return daemon_main_serve(program, SOCKET_SIGN, program->signing, why);
}

static enum jw_err
start_servers(struct program *program, struct jw_why *why)
{
	enum jw_err err = offer_services(program, why);

	if (err == JW_OK)
		err = publish_new(program->base, program->keeper,
		    program->front != NULL ||
			daemon_sockets_are_managed(program->sockets),
		    &program->publish);
	if (err == JW_OK)
		err = verbs_refused_new(
		    program->base, program->keeper, &program->refused);
	if (err != JW_OK)
		return err;
	program->reload = (struct settings){
	    .file = program->config_file,
	    .config = program->config,
	};
	program->verbs = (struct verbs){
	    .keeper = program->keeper,
	    .publish = program->publish,
	    .started = keeper_now(program->keeper),
	    .policy = program->config->policy,
	    .reload = &program->reload,
	};
	err = daemon_main_serve(program, SOCKET_CONTROL, &program->verbs, why);
	if (err == JW_OK)
		err = daemon_main_serve(
		    program, SOCKET_PUBLISH, program->publish, why);
	return err == JW_OK ? start_signing(program, why) : err;
}

/* ---- signals and readiness ---- */

static void
leave_loop(evutil_socket_t fd, short what, void *arg)
{
	struct program *program = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(program->base);
}

static void
daemon_on_drained(void *arg)
{
	struct program *program = arg;

	if (--program->draining == 0)
		event_base_loopbreak(program->base);
}

/*
 * Calls that clients have sent are answered, as clients cannot know what became
 * of them otherwise.  Not those of the front: it follows until it is told.
 */
static void
drain(struct program *program)
{
	static const enum daemon_socket_slot slots[] = {
	    SOCKET_SIGN, SOCKET_CONTROL};
	const struct timeval limit = {DRAIN_SECONDS, 0};

	sys_notify_stopping();
	program->drain_end = evtimer_new(program->base, leave_loop, program);
	if (program->drain_end == NULL ||
	    event_add(program->drain_end, &limit) != 0) {
		event_base_loopbreak(program->base);
		return;
	}
	program->draining = sizeof(slots) / sizeof(*slots);
	for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++)
		serve_server_drain(
		    program->servers[slots[i]], daemon_on_drained, program);
}

/* A second one does not wait. */
static void
daemon_main_on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct program *program = arg;

	(void)what;
	if (program->asked_to_stop) {
		event_base_loopbreak(program->base);
		return;
	}
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){.event = JW_EVENT_STOPPING},
	    "%s: stopping", strsignal(sig));
	program->asked_to_stop = true;
	drain(program);
}

static void
on_hangup(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	jw_log(JW_LOG_NOTICE, "SIGHUP is ignored: it says neither stop nor "
			      "what to read again");
}

/*
 * A signal that comes again while the process ends must not kill it: from here
 * on they wait, and end with it.
 */
static void
free_signals(struct program *program)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (size_t i = 0; i < 3; i++)
		if (program->signals[i] != NULL)
			event_free(program->signals[i]);
}

static enum jw_err
watch_signals(struct program *program)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} rows[] = {
	    {SIGTERM, daemon_main_on_stop},
	    {SIGINT, daemon_main_on_stop},
	    {SIGHUP, on_hangup},
	};

	for (size_t i = 0; i < 3; i++) {
		program->signals[i] = evsignal_new(
		    program->base, rows[i].sig, rows[i].fn, program);
		if (program->signals[i] == NULL ||
		    event_add(program->signals[i], NULL) != 0)
			return JW_NO_MEMORY;
	}
	return JW_OK;
}

static void
daemon_main_on_pulse(evutil_socket_t fd, short what, void *arg)
{
	struct program *program = arg;

	(void)fd;
	(void)what;
	/* A disk that fails is no reason to end: no restart would repair it. */
	if (keeper_store_answers(program->keeper))
		sys_notify_watchdog();
}

/* A loop that hangs, or a store that does not answer, ends in a restart. */
static enum jw_err
start_pulse(struct program *program)
{
	uint64_t usec = sys_notify_watchdog_interval();
	const struct timeval interval = jw_timeval_ms((int64_t)(usec / 1000));

	if (usec == 0)
		return JW_OK;
	if (program->again)
		sys_notify_watchdog_within(0);
	program->pulse = event_new(
	    program->base, -1, EV_PERSIST, daemon_main_on_pulse, program);
	if (program->pulse == NULL || event_add(program->pulse, &interval) != 0)
		return JW_NO_MEMORY;
	return JW_OK;
}

static void
daemon_on_news(const struct keeper_news *news, void *arg)
{
	struct program *program = arg;

	(void)news;
	if (program->told_ready || !keeper_is_ready(program->keeper))
		return;
	program->told_ready = true;
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){.event = JW_EVENT_READY},
	    "ready: %zu key set%s", keeper_count(program->keeper),
	    keeper_count(program->keeper) == 1 ? "" : "s");
	sys_notify_ready("every key set has an active key");
}

static enum jw_err
daemon_start(struct program *program, struct jw_why *why)
{
	enum jw_err err = watch_signals(program);

	if (err == JW_OK)
		err = start_pulse(program);
	if (err != JW_OK)
		return err;
	program->observer.fn = daemon_on_news;
	program->observer.arg = program;
	keeper_observe(program->keeper, &program->observer);
	if (program->front != NULL)
		err = daemon_front_start(program->front, why);
	if (err != JW_OK)
		return err;
	keeper_start(program->keeper);
	daemon_on_news(NULL, program);
	program->started = true;
	sys_refusal_clear(&program->refusal);
	if (program->reload_fd >= 0)
		daemon_degraded_started(program->reload_fd);
	return JW_OK;
}

static void
stop(struct program *program)
{
	if (program->started && !program->asked_to_stop)
		sys_notify_stopping();
	/* The front first: it answers to the last, and knows where to ask. */
	if (program->publish != NULL)
		publish_stop(program->publish,
		    daemon_sockets_are_managed(program->sockets));
	daemon_front_free(program->front);
	daemon_sockets_unlink(program->sockets);
	for (size_t i = 0; i < SOCKETS; i++)
		serve_server_free(program->servers[i]);
	verbs_refused_free(program->refused);
	verbs_sign_free(program->signing);
	verbs_rights_free(program->rights);
	publish_free(program->publish);
	keeper_free(program->keeper);
	for (size_t i = 0; i < SOCKETS; i++)
		varlink_service_free(program->services[i]);
	free_signals(program);
	if (program->pulse != NULL)
		event_free(program->pulse);
	if (program->drain_end != NULL)
		event_free(program->drain_end);
	serve_turns_free(program->turns);
	if (program->base != NULL)
		event_base_free(program->base);
	crypto_done();
	jw_config_free(program->config);
}

/* A full disk at start has a status of its own: what a request is refused
 * with says try again, which here another daemon's lock does. */
static int
exit_status(enum jw_err err)
{
	return err == JW_NO_SPACE ? EX_CANTCREAT : jw_err_exit(err);
}

static int
daemon_report(
    struct program *program, enum jw_err err, const struct jw_why *why)
{
	for (size_t i = 0; i < program->mistakes.count; i++)
		print_mistake(&program->mistakes.rows[i]);
	if (err == JW_OK || err == JW_USAGE)
		return jw_err_exit(err);
	/* Every mistake has been named already. */
	if (err != JW_BAD_CONFIG || why->text[0] != '\0')
		jw_log_event(JW_LOG_ERROR,
		    &(const struct jw_log_about){
			.event = JW_EVENT_REFUSED_TO_START},
		    "%s", why->text[0] != '\0' ? why->text : jw_err_text(err));
	if (why->hint[0] != '\0')
		jw_log(JW_LOG_ERROR, "hint: %s", why->hint);
	return exit_status(err);
}

/* ---- a start that is refused behind sockets ---- */

/* What a degraded one of this program says to the next; see execute_anew(). */
static const char again_variable[] = "JWKSD_RELOAD_FD";

static enum jw_err
take_sockets(struct program *program, struct jw_why *why)
{
	const char *again = getenv(again_variable);
	char directory[256] = "";
	enum jw_err err;

	if (again != NULL) {
		program->again = true;
		program->reload_fd = (int)strtol(again, NULL, 10);
		unsetenv(again_variable);
	}
	if (program->reload_fd >= 0)
		fcntl(program->reload_fd, F_SETFD, FD_CLOEXEC);
	err = daemon_sockets_take(&program->sockets, why);
	if (err != JW_OK)
		return err;
	daemon_sockets_directory(
	    program->sockets, directory, sizeof(directory));
	if (daemon_sockets_were_handed(program->sockets))
		sys_refusal_init(&program->refusal, "jwksd",
		    directory[0] != '\0' ? directory : NULL);
	return JW_OK;
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
stays_up(struct program *program, enum jw_err err)
{
	int status = exit_status(err);

	if (program->started || program->sockets == NULL ||
	    !daemon_sockets_were_handed(program->sockets) ||
	    !is_refusal(status))
		return false;
	return program->again ||
	       sys_refusal_stays(&program->refusal, status,
		   daemon_sockets_have_clients(program->sockets));
}

/* This program from its beginning, with what it was handed; on success it
 * does not return. */
static enum jw_err
execute_anew(struct program *program, char **argv, int reload_fd)
{
	char text[16];

	/* A large database is checked without a ping. */
	sys_notify_watchdog_within(OPENING_SECONDS);
	snprintf(text, sizeof(text), "%d", reload_fd);
	if (setenv(again_variable, text, 1) == 0 &&
	    daemon_sockets_pass_on(program->sockets) == JW_OK)
		execv("/proc/self/exe", argv);
	return JW_IO;
}

static int
stay_up(
    struct program *program, char **argv, enum jw_err err, struct jw_why *why)
{
	const struct daemon_degraded_options options = {
	    .sockets = program->sockets,
	    .refusal = &program->refusal,
	    .config_file = program->config_file,
	    .mistakes = &program->mistakes,
	    .err = err,
	    .text = why->text[0] != '\0' ? why->text : jw_err_text(err),
	    .passing = sys_refusal_is_passing(exit_status(err)),
	    .reload_fd = program->reload_fd,
	};
	struct jw_why trouble = {"", ""};
	enum daemon_degraded_end end = DEGRADED_STOPPED;
	int reload_fd = -1;

	err = daemon_degraded_run(&options, &end, &reload_fd, &trouble);
	if (err == JW_OK && end == DEGRADED_AGAIN) {
		err = execute_anew(program, argv, reload_fd);
		jw_why_set(&trouble, "/proc/self/exe: %s", strerror(errno));
	}
	if (err == JW_OK)
		return EXIT_SUCCESS;
	jw_config_errors_done(&program->mistakes);
	return daemon_report(program, err, &trouble);
}

int
main(int argc, char **argv)
{
	struct program program = {.reload_fd = -1};
	struct jw_why why = {"", ""};
	enum jw_err err;
	int status;

	jw_begin_process();
	jw_log_init("jwksd");
	varlink_json_init();
	event_set_mem_functions(jw_alloc, jw_realloc, free);
	sys_notify_journal();
	err = parse_arguments(argc, argv, &program, &why);
	/* Before anything else is opened: a number that is free would be taken
	 * for a socket that was handed over. */
	if (!program.check_only) {
		enum jw_err taken = take_sockets(&program, &why);

		err = err == JW_OK ? taken : err;
	}
	if (err == JW_OK)
		err = load_config(&program, &why);
	if (err == JW_OK && !program.check_only) {
		err = prepare_process(&program, &why);
		if (err == JW_OK)
			err = check_sockets(&program, &why);
		if (err == JW_OK)
			err = open_keeper(&program, &why);
		if (err == JW_OK)
			err = start_servers(&program, &why);
		if (err == JW_OK)
			err = daemon_start(&program, &why);
		if (err == JW_OK)
			event_base_dispatch(program.base);
		/* The store could not be opened again: another start may. */
		if (err == JW_OK && !program.asked_to_stop)
			err = JW_OUTCOME_UNKNOWN;
	}
	stop(&program);
	status = stays_up(&program, err) ? stay_up(&program, argv, err, &why)
					 : daemon_report(&program, err, &why);
	daemon_sockets_free(program.sockets);
	jw_config_errors_done(&program.mistakes);
	return status;
}
