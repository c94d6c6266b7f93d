/*
 * The watchdog's timer.  Must never ping for a loop that does not run: so it
 * is a timer of that loop.
 */
#include "daemon/watchdog.h"

#include <event2/event.h>

#include "common/base/timeval.h"
#include "common/system/notify.h"
#include "daemon/keeper/look_up.h"

static void
on_ping_due(evutil_socket_t fd, short what, void *arg)
{
	const struct keeper *keeper = arg;

	(void)fd;
	(void)what;
	/* A disk that fails is no reason to end: no restart would repair it. */
	if (keeper == NULL || keeper_store_answers(keeper))
		sys_notify_watchdog();
}

struct event *
daemon_watchdog_start(struct event_base *base, struct keeper *keeper)
{
	uint64_t usec = sys_notify_watchdog_interval();
	const struct timeval interval = jw_timeval_ms((int64_t)(usec / 1000));
	struct event *timer;

	if (usec == 0)
		return NULL;
	/* An execve(2) of the program anew has lengthened it. */
	sys_notify_watchdog_within(0);
	timer = event_new(base, -1, EV_PERSIST, on_ping_due, keeper);
	event_add(timer, &interval);
	return timer;
}
