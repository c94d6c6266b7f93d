/*
 * Supervises the workers with poll() and a signalfd, nothing else.
 *
 * Must never read from or write to a client's socket, never use libevent (a
 * fault there must not reach this process), and never leave a worker behind.
 */
#include "daemon/http/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/system/handover.h"

enum {
	PEERS = 4,       /* keepers that ask for the sockets at a time */
	YOUNG_MS = 1000, /* a worker that dies younger has to wait */
	DELAY_MIN_MS = 20,
	DELAY_MAX_MS = 1000,
	GRACE_MS = 500, /* for workers that miss their own deadline */
};

struct worker {
	pid_t pid; /* 0: none */
	int64_t started;
	int64_t delay;
	int64_t due; /* when to start it again */
};

enum phase { RUNNING, DRAINING, STOPPING };

struct master {
	const struct http_supervisor_options *options;
	struct worker workers[SERVING_SLOTS];
	enum phase phase;
	int64_t deadline; /* of draining or stopping */
	int signals;
	int peers[PEERS]; /* -1: free */
	bool handed;      /* a peer told us to end */
	sigset_t old_mask;
};

int64_t
http_supervisor_delay(int64_t last_delay_ms, int64_t lived_ms)
{
	if (lived_ms >= YOUNG_MS)
		return 0;
	return http_limits_backoff(last_delay_ms, DELAY_MIN_MS, DELAY_MAX_MS);
}

/* The new process: nothing of the master's may stay with it. */
static void
become_worker(struct master *master, size_t slot, pid_t parent)
{
	struct sigaction fallback = {.sa_handler = SIG_DFL};
	size_t i;

	/* Not SIGTERM: a worker that hangs must go as well. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	prctl(PR_SET_NAME, "jwksd-http-work");
	for (i = 0; i < PEERS; i++) {
		if (master->peers[i] >= 0)
			close(master->peers[i]);
	}
	close(master->signals);
	if (master->options->front_fd >= 0)
		close(master->options->front_fd);
	sigaction(SIGTERM, &fallback, NULL);
	sigaction(SIGUSR1, &fallback, NULL);
	/* Ctrl-C goes to the whole group; the master tells us. */
	signal(SIGINT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &master->old_mask, NULL);
	exit(master->options->work(slot, master->options->arg));
}

static void
start_worker(struct master *master, size_t slot, int64_t now)
{
	struct worker *worker = &master->workers[slot];
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become_worker(master, slot, parent);
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
start_due(struct master *master, int64_t now)
{
	struct worker *worker;
	size_t i;

	if (master->phase != RUNNING)
		return;
	for (i = 0; i < master->options->processes; i++) {
		worker = &master->workers[i];
		if (worker->pid == 0 && worker->due <= now)
			start_worker(master, i, now);
	}
}

static void
tell_workers(const struct master *master, int signo)
{
	size_t i;

	for (i = 0; i < master->options->processes; i++) {
		if (master->workers[i].pid != 0)
			kill(master->workers[i].pid, signo);
	}
}

static void
supervisor_begin_end(struct master *master, enum phase phase, int64_t within_ms)
{
	if (phase <= master->phase)
		return;
	master->phase = phase;
	master->deadline = jw_clock_monotonic_ms() + within_ms + GRACE_MS;
	tell_workers(master, phase == DRAINING ? SIGUSR1 : SIGTERM);
}

static void
worker_ended(struct master *master, size_t slot, int status)
{
	struct worker *worker = &master->workers[slot];
	int64_t now = jw_clock_monotonic_ms();

	worker->pid = 0;
	http_uptime_end(master->options->serving, slot, now);
	if (master->phase != RUNNING)
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
http_reap(struct master *master, int flags)
{
	pid_t pid;
	size_t i;
	int status;

	while ((pid = waitpid(-1, &status, flags)) > 0) {
		for (i = 0; i < master->options->processes; i++) {
			if (master->workers[i].pid == pid)
				worker_ended(master, i, status);
		}
	}
}

static void
take_signals(struct master *master)
{
	struct signalfd_siginfo info;

	while (read(master->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			http_reap(master, WNOHANG);
		else
			supervisor_begin_end(
			    master, STOPPING, master->options->limits->stop_ms);
	}
}

static bool
is_friend(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static enum jw_err
offer_sockets(const struct master *master, int fd)
{
	const struct http_supervisor_options *options = master->options;
	struct sys_handover_offer offer = {
	    .serving_since =
		http_uptime_since(options->serving, jw_clock_monotonic_ms()),
	    .pid = getpid(),
	    .nfds = options->nfds,
	};

	memcpy(offer.fds, options->fds, options->nfds * sizeof(int));
	return sys_handover_send(fd, &offer);
}

static void
accept_peer(struct master *master)
{
	size_t i;
	int fd;

	fd = accept4(master->options->front_fd, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (i = 0; i < PEERS && master->peers[i] >= 0; i++)
		;
	if (i == PEERS || master->phase != RUNNING || !is_friend(fd) ||
	    offer_sockets(master, fd) != JW_OK) {
		close(fd);
		return;
	}
	master->peers[i] = fd;
	jw_log(JW_LOG_INFO, "another keeper asked for the sockets");
}

static bool
obey(struct master *master, char octet)
{
	const struct http_limits *limits = master->options->limits;

	if (octet != HANDOVER_DRAIN && octet != HANDOVER_STOP)
		return false;
	if (!master->handed)
		jw_log(JW_LOG_INFO, "another front takes over");
	master->handed = true;
	if (octet == HANDOVER_DRAIN)
		supervisor_begin_end(master, DRAINING, limits->drain_ms);
	else
		supervisor_begin_end(master, STOPPING, limits->stop_ms);
	return true;
}

/* An end without a word changes nothing: its keeper was killed. */
static void
take_peer(struct master *master, size_t i)
{
	int fd = master->peers[i];
	char octet = 0;
	ssize_t n = recv(fd, &octet, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && obey(master, octet))
		return;
	close(fd);
	master->peers[i] = -1;
}

static int
time_left(int64_t until, int64_t now)
{
	return until > now ? (int)(until - now) : 0;
}

/* Until something is due; -1: nothing is. */
static int
patience(const struct master *master, int64_t now)
{
	const struct worker *worker;
	int least = -1, left;
	size_t i;

	if (master->phase != RUNNING)
		return time_left(master->deadline, now);
	for (i = 0; i < master->options->processes; i++) {
		worker = &master->workers[i];
		left = time_left(worker->due, now);
		if (worker->pid == 0 && (least < 0 || left < least))
			least = left;
	}
	return least;
}

static void
wait_for_something(struct master *master)
{
	struct pollfd pfds[2 + PEERS] = {
	    {.fd = master->signals, .events = POLLIN},
	    {.fd = master->options->front_fd, .events = POLLIN},
	};
	size_t i;

	for (i = 0; i < PEERS; i++) {
		pfds[2 + i].fd = master->peers[i];
		pfds[2 + i].events = POLLIN;
	}
	if (poll(pfds, 2 + PEERS, patience(master, jw_clock_monotonic_ms())) <=
	    0)
		return;
	if (pfds[0].revents != 0)
		take_signals(master);
	for (i = 0; i < PEERS; i++) {
		if (pfds[2 + i].revents != 0)
			take_peer(master, i);
	}
	if (pfds[1].revents != 0)
		accept_peer(master);
}

static bool
any_worker(const struct master *master)
{
	size_t i;

	for (i = 0; i < master->options->processes; i++) {
		if (master->workers[i].pid != 0)
			return true;
	}
	return false;
}

static bool
is_over(const struct master *master)
{
	return master->phase != RUNNING &&
	       (!any_worker(master) ||
		   jw_clock_monotonic_ms() >= master->deadline);
}

static enum jw_err
begin(struct master *master, const struct http_supervisor_options *options)
{
	sigset_t mask;
	size_t i;

	memset(master, 0, sizeof(*master));
	master->options = options;
	for (i = 0; i < PEERS; i++)
		master->peers[i] = -1;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, &master->old_mask);
	/* A parent may have had them blocked; a worker needs its own. */
	sigdelset(&master->old_mask, SIGTERM);
	sigdelset(&master->old_mask, SIGUSR1);
	/* A terminal's end is no reason to end. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	master->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (master->signals >= 0)
		return JW_OK;
	jw_log(JW_LOG_ERROR, "signals cannot be waited for: signalfd: %s",
	    strerror(errno));
	return jw_err_errno(errno);
}

enum jw_err
http_supervisor_run(
    const struct http_supervisor_options *options, bool *ret_handed)
{
	struct master master;
	enum jw_err err = begin(&master, options);
	size_t i;

	if (err != JW_OK)
		return err;
	while (!is_over(&master)) {
		start_due(&master, jw_clock_monotonic_ms());
		wait_for_something(&master);
	}
	tell_workers(&master, SIGKILL);
	http_reap(&master, 0);
	for (i = 0; i < PEERS; i++) {
		if (master.peers[i] >= 0)
			close(master.peers[i]);
	}
	close(master.signals);
	*ret_handed = master.handed;
	return JW_OK;
}
