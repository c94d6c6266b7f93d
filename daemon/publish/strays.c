/*
 * A table of processes.  Each has a pidfd, so that another process which gets
 * the same number later is not taken for it.
 */
#include "daemon/publish/strays.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/base/log.h"

static int
open_process(int64_t pid)
{
	return pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

static void
drop(struct publish_strays *strays, int i)
{
	if (strays->list[i].pidfd >= 0)
		close(strays->list[i].pidfd);
	strays->list[i] = strays->list[--strays->count];
	if (strays->count == 0)
		strays->overflown = false;
}

void
publish_strays_add(struct publish_strays *strays, int64_t pid, int64_t now_ms)
{
	publish_strays_remove(strays, pid);
	if (strays->count == STRAYS_MAX) {
		strays->overflown = true;
		return;
	}
	strays->list[strays->count++] = (struct publish_stray){
	    .pid = pid,
	    .pidfd = open_process(pid),
	    .since_ms = now_ms,
	};
}

void
publish_strays_remove(struct publish_strays *strays, int64_t pid)
{
	for (int i = 0; i < strays->count && pid > 0; i++)
		if (strays->list[i].pid == pid) {
			drop(strays, i);
			return;
		}
}

/* A pidfd can be read once its process has ended. */
static bool
is_over(const struct publish_stray *stray, int64_t now_ms)
{
	struct pollfd look = {.fd = stray->pidfd, .events = POLLIN};

	if (stray->pidfd < 0)
		return now_ms - stray->since_ms >= STRAYS_WAIT_MS;
	return poll(&look, 1, 0) > 0;
}

static void
publish_warn(struct publish_stray *stray, int64_t now_ms)
{
	if (stray->is_logged || now_ms - stray->since_ms < STRAYS_WARN_MS)
		return;
	stray->is_logged = true;
	jw_log(JW_LOG_WARNING,
	    "a front (pid %lld) has left and lives: keys that are published "
	    "wait until it is back, or has ended",
	    (long long)stray->pid);
}

bool
publish_strays_any(struct publish_strays *strays, int64_t now_ms)
{
	for (int i = strays->count - 1; i >= 0; i--)
		if (is_over(&strays->list[i], now_ms))
			drop(strays, i);
		else
			publish_warn(&strays->list[i], now_ms);
	return strays->count > 0 || strays->overflown;
}

void
publish_strays_done(struct publish_strays *strays)
{
	while (strays->count > 0)
		drop(strays, 0);
}
