/*
 * Supervises the workers with poll() and a signalfd, nothing else.
 *
 * Must never read from or write to a client's socket, never use libevent (a
 * fault there must not reach this process), and never leave a worker behind.
 */
#include "daemon/http/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	YOUNG_MS = 1000, /* a worker that ends earlier is started later */
	DELAY_MIN_MS = 20,
	DELAY_MAX_MS = 1000,
	GRACE_MS = 500, /* beyond stop_ms, for workers to end by themselves */
};

struct supervisor_worker {
	pid_t pid; /* 0: none */
	int64_t started;
	int64_t delay;
	int64_t due; /* when to start it again */
};

struct supervisor {
	const struct http_supervisor_options *options;
	struct supervisor_worker workers[UPTIME_SLOTS];
	bool stopping;
	int64_t deadline; /* of stopping: then workers are killed */
	int signals;
	sigset_t worker_mask;
};

int64_t
http_supervisor_delay(int64_t last_delay_ms, int64_t lived_ms)
{
	if (lived_ms >= YOUNG_MS)
		return 0;
	return http_limits_backoff(last_delay_ms, DELAY_MIN_MS, DELAY_MAX_MS);
}

/* In the new process. */
static void
become_worker(struct supervisor *supervisor, size_t slot, pid_t parent)
{
	/* Not SIGTERM: a worker that hangs must end as well. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	prctl(PR_SET_NAME, "jwksd-http-work");
	close(supervisor->signals);
	signal(SIGTERM, SIG_DFL);
	/* Ctrl-C goes to the whole process group; the supervisor then sends
	 * SIGTERM. */
	signal(SIGINT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &supervisor->worker_mask, NULL);
	supervisor->options->work(slot, supervisor->options->arg);
	exit(EXIT_SUCCESS);
}

static void
start_worker(struct supervisor *supervisor, size_t slot, int64_t now)
{
	struct supervisor_worker *worker = &supervisor->workers[slot];
	pid_t parent = getpid(), pid = fork();

	assert(worker->pid == 0);
	if (pid == 0)
		become_worker(supervisor, slot, parent);
	worker->started = now;
	if (pid > 0) {
		worker->pid = pid;
		return;
	}
	jw_log(JW_LOG_ERROR, "cannot start a worker: %s", strerror(errno));
	worker->delay = http_supervisor_delay(worker->delay, 0);
	worker->due = now + worker->delay;
}

static void
start_due(struct supervisor *supervisor, int64_t now)
{
	struct supervisor_worker *worker;

	if (supervisor->stopping)
		return;
	for (size_t i = 0; i < supervisor->options->processes; i++) {
		worker = &supervisor->workers[i];
		if (worker->pid == 0 && worker->due <= now)
			start_worker(supervisor, i, now);
	}
}

static void
signal_workers(const struct supervisor *supervisor, int signo)
{
	for (size_t i = 0; i < supervisor->options->processes; i++) {
		if (supervisor->workers[i].pid != 0)
			kill(supervisor->workers[i].pid, signo);
	}
}

static void
begin_stop(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	supervisor->deadline = jw_clock_monotonic_ms() +
			       supervisor->options->limits->stop_ms + GRACE_MS;
	signal_workers(supervisor, SIGTERM);
}

static void
worker_ended(struct supervisor *supervisor, size_t slot, int status)
{
	struct supervisor_worker *worker = &supervisor->workers[slot];
	int64_t now = jw_clock_monotonic_ms();

	worker->pid = 0;
	http_uptime_end(supervisor->options->uptime, slot, now);
	if (supervisor->stopping)
		return;
	worker->delay =
	    http_supervisor_delay(worker->delay, now - worker->started);
	worker->due = now + worker->delay;
	if (WIFSIGNALED(status))
		jw_log(JW_LOG_WARNING,
		    "a worker was killed by signal %d; starting another",
		    WTERMSIG(status));
	else
		jw_log(JW_LOG_WARNING,
		    "a worker ended with status %d; starting another",
		    WEXITSTATUS(status));
}

static void
reap_workers(struct supervisor *supervisor, int flags)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, flags)) > 0) {
		for (size_t i = 0; i < supervisor->options->processes; i++) {
			if (supervisor->workers[i].pid == pid)
				worker_ended(supervisor, i, status);
		}
	}
}

static void
take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap_workers(supervisor, WNOHANG);
		else
			begin_stop(supervisor);
	}
}

static int
time_left(int64_t until, int64_t now)
{
	return until > now ? (int)(until - now) : 0;
}

/* Until a worker or the end of stopping is due; -1: neither is. */
static int
wait_ms(const struct supervisor *supervisor, int64_t now)
{
	const struct supervisor_worker *worker;
	int least = -1, left;

	if (supervisor->stopping)
		return time_left(supervisor->deadline, now);
	for (size_t i = 0; i < supervisor->options->processes; i++) {
		worker = &supervisor->workers[i];
		left = time_left(worker->due, now);
		if (worker->pid == 0 && (least < 0 || left < least))
			least = left;
	}
	return least;
}

static void
wait_for_signal(struct supervisor *supervisor)
{
	struct pollfd pfd = {.fd = supervisor->signals, .events = POLLIN};

	if (poll(&pfd, 1, wait_ms(supervisor, jw_clock_monotonic_ms())) > 0)
		take_signals(supervisor);
}

static bool
any_worker(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->options->processes; i++) {
		if (supervisor->workers[i].pid != 0)
			return true;
	}
	return false;
}

static bool
is_over(const struct supervisor *supervisor)
{
	return supervisor->stopping &&
	       (!any_worker(supervisor) ||
		   jw_clock_monotonic_ms() >= supervisor->deadline);
}

static enum jw_err
watch_signals(struct supervisor *supervisor)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, &supervisor->worker_mask);
	/* A parent may have blocked it; a worker ends by it. */
	sigdelset(&supervisor->worker_mask, SIGTERM);
	/* A terminal that is closed does not end the front. */
	signal(SIGHUP, SIG_IGN);
	supervisor->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signals >= 0)
		return JW_OK;
	jw_log(JW_LOG_ERROR, "signals cannot be waited for: signalfd: %s",
	    strerror(errno));
	return jw_err_errno(errno);
}

enum jw_err
http_supervisor_run(const struct http_supervisor_options *options)
{
	struct supervisor supervisor = {.options = options};
	enum jw_err err = watch_signals(&supervisor);

	if (err != JW_OK)
		return err;
	assert(options->processes > 0 && options->processes <= UPTIME_SLOTS);
	while (!is_over(&supervisor)) {
		start_due(&supervisor, jw_clock_monotonic_ms());
		wait_for_signal(&supervisor);
	}
	signal_workers(&supervisor, SIGKILL);
	reap_workers(&supervisor, 0);
	close(supervisor.signals);
	return JW_OK;
}
