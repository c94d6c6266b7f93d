/*
 * Signals of the daemon, whether it serves or is degraded.
 */
#include "daemon/signals.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"

enum { SIGNALS = 3 };

struct daemon_signals {
	struct event_base *base;
	void (*on_stop)(void *arg);
	void *arg;
	struct event *events[SIGNALS];
	bool stopping;
};

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon_signals *signals = arg;

	(void)what;
	if (signals->stopping) {
		event_base_loopbreak(signals->base);
		return;
	}
	jw_log_event(JW_LOG_NOTICE,
	    &(const struct jw_log_about){.event = JW_EVENT_STOPPING},
	    "%s: stopping", strsignal(sig));
	signals->stopping = true;
	signals->on_stop(signals->arg);
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

struct daemon_signals *
daemon_signals_new(
    struct event_base *base, void (*on_stop)(void *arg), void *arg)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} rows[SIGNALS] = {
	    {SIGTERM, on_stop_signal},
	    {SIGINT, on_stop_signal},
	    {SIGHUP, on_hangup},
	};
	struct daemon_signals *signals = jw_zalloc(sizeof(*signals));
	sigset_t none;

	signals->base = base;
	signals->on_stop = on_stop;
	signals->arg = arg;
	for (size_t i = 0; i < SIGNALS; i++) {
		signals->events[i] =
		    evsignal_new(base, rows[i].sig, rows[i].fn, signals);
		event_add(signals->events[i], NULL);
	}
	/* A start that was refused has blocked them. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return signals;
}

bool
daemon_signals_stopping(const struct daemon_signals *signals)
{
	return signals != NULL && signals->stopping;
}

void
daemon_signals_free(struct daemon_signals *signals)
{
	sigset_t all;

	if (signals == NULL)
		return;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (size_t i = 0; i < SIGNALS; i++)
		event_free(signals->events[i]);
	free(signals);
}
