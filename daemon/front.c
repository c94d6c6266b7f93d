/*
 * Supervision of the front.  The listening sockets stay open here, so that
 * clients wait in the backlog while a front that has died is replaced.
 *
 * Must never accept from those sockets, nor give the child a descriptor or an
 * environment variable that it does not need.
 */
#include "daemon/front.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/timeval.h"
#include "common/config/config.h"
#include "common/system/listen.h"
#include "daemon/keeper/open.h"

enum {
	FIRST_FD = 3,    /* where sd_listen_fds(3) finds the listeners */
	YOUNG_MS = 5000, /* a front that ends earlier is started later */
	DELAY_MIN_MS = 50,
	DELAY_MAX_MS = 5000,
	STOP_WAIT_MS = 3000,
	STOP_LOOK_MS = 5,
};

struct daemon_front {
	struct event_base *base;
	const char *config_file;
	struct sys_listeners listeners;
	char program[PATH_MAX];
	struct event *child_event;
	struct event *restart;
	pid_t pid;     /* 0: not running */
	bool replaces; /* the next child replaces one that has ended */
	int64_t started_ms;
	int delay_ms;
};

/* ---- starting the child ---- */

/* What execve(2) needs, made before fork(2): another thread may hold a lock of
 * malloc(3), for which the child would wait for ever. */
struct launch {
	char names[32 + LISTENERS_MAX * sizeof(":http")];
	char count[32];
	char journal[128];
	char pid[32];
	char *env[8];
	char *argv[4];
	int fds[LISTENERS_MAX];
	int nfds;
	pid_t keeper;
};

static void
prepare_fds(struct launch *launch, const struct daemon_front *front)
{
	char *at =
	    launch->names + snprintf(launch->names, sizeof(launch->names),
				"LISTEN_FDNAMES=http");

	assert(front->listeners.count > 0);
	for (size_t i = 0; i < front->listeners.count; i++) {
		launch->fds[launch->nfds++] = front->listeners.fds[i];
		if (i > 0)
			at = stpcpy(at, ":http");
	}
}

static void
prepare_launch(struct launch *launch, struct daemon_front *front)
{
	const char *journal = getenv("JOURNAL_STREAM");
	static char option[] = "--config", replaces[] = "JWKSD_REPLACES=1";
	size_t n = 0;

	memset(launch, 0, sizeof(*launch));
	prepare_fds(launch, front);
	launch->keeper = getpid();
	snprintf(launch->count, sizeof(launch->count), "LISTEN_FDS=%d",
	    launch->nfds);
	snprintf(launch->pid, sizeof(launch->pid), "LISTEN_PID=");
	launch->env[n++] = launch->names;
	launch->env[n++] = launch->count;
	launch->env[n++] = launch->pid;
	if (front->replaces)
		launch->env[n++] = replaces;
	if (journal != NULL) {
		snprintf(launch->journal, sizeof(launch->journal),
		    "JOURNAL_STREAM=%s", journal);
		launch->env[n++] = launch->journal;
	}
	launch->argv[0] = front->program;
	if (front->config_file != NULL) {
		launch->argv[1] = option;
		/* The type of argv has no const; execve(2) does not write. */
		memcpy(&launch->argv[2], &front->config_file, sizeof(char *));
	}
}

/* In the child, where LISTEN_PID is known, and snprintf(3) is not safe. */
static void
append_pid(char *text)
{
	char digits[24];
	int n = 0;
	pid_t pid = getpid();

	do {
		digits[n++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid > 0);
	text += strlen(text);
	while (n > 0)
		*text++ = digits[--n];
	*text = '\0';
}

/* In the child: only what signal-safety(7) allows. */
static void
become_front(struct launch *launch)
{
	const struct sigaction fallback = {.sa_handler = SIG_DFL};
	sigset_t none;
	int fd;

	/* A front without its keeper would hold the addresses that the next
	 * keeper binds.  SIGKILL, as its own workers get when it ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != launch->keeper)
		_exit(0);
	for (int i = 0; i < launch->nfds; i++)
		launch->fds[i] =
		    fcntl(launch->fds[i], F_DUPFD, FIRST_FD + launch->nfds);
	for (int i = 0; i < launch->nfds; i++)
		if (launch->fds[i] < 0 ||
		    dup2(launch->fds[i], FIRST_FD + i) < 0)
			_exit(71);
	close_range((unsigned)(FIRST_FD + launch->nfds), ~0U, 0);
	fd = open("/dev/null", O_RDWR);
	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
	if (fd > FIRST_FD + launch->nfds - 1)
		close(fd);
	/* A handler of the keeper would take a signal that is for the front. */
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &fallback, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ctrl-C reaches the keeper alone, which then ends its front. */
	setpgid(0, 0);
	append_pid(launch->pid);
	execve(launch->argv[0], launch->argv, launch->env);
	_exit(72);
}

static void
start_later(struct daemon_front *front)
{
	struct timeval wait = jw_timeval_ms(front->delay_ms);

	evtimer_add(front->restart, &wait);
	front->delay_ms =
	    front->delay_ms == 0 ? DELAY_MIN_MS : front->delay_ms * 2;
	if (front->delay_ms > DELAY_MAX_MS)
		front->delay_ms = DELAY_MAX_MS;
}

static void
start_now(struct daemon_front *front)
{
	struct launch launch;
	sigset_t all, old;

	assert(front->pid == 0);
	prepare_launch(&launch, front);
	front->started_ms = jw_clock_monotonic_ms();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	front->pid = fork();
	if (front->pid == 0)
		become_front(&launch);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (front->pid > 0)
		return;
	jw_log(JW_LOG_ERROR, "the front does not start: %s", strerror(errno));
	front->pid = 0;
	start_later(front);
}

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_now(arg);
}

static void
describe_death(int status)
{
	if (WIFSIGNALED(status))
		jw_log(JW_LOG_WARNING,
		    "the front was killed by signal %d: "
		    "it is started again",
		    WTERMSIG(status));
	else
		jw_log(JW_LOG_WARNING,
		    "the front ended with status %d: it is "
		    "started again",
		    WEXITSTATUS(status));
}

static void
child_ended(struct daemon_front *front, int status)
{
	front->pid = 0;
	front->replaces = true;
	describe_death(status);
	if (jw_clock_monotonic_ms() - front->started_ms >= YOUNG_MS)
		front->delay_ms = 0;
	start_later(front);
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	struct daemon_front *front = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	/* As process 1 of a container the keeper is also the parent of every
	 * process whose own parent has ended. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == front->pid)
			child_ended(front, status);
	}
}

/* ---- creating, starting, ending ---- */

/* jwksd-http is installed beside jwksd. */
static bool
find_program(struct daemon_front *front)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	errno = ENAMETOOLONG;
	return snprintf(front->program, sizeof(front->program), "%s/jwksd-http",
		   dirname(self)) < (int)sizeof(front->program);
}

enum jw_err
daemon_front_new(struct event_base *base, const struct jw_config *config,
    const char *config_file, struct daemon_front **ret_front,
    struct jw_why *why)
{
	struct daemon_front *front;
	enum jw_err err;

	if (config->processes == 0)
		return JW_OK;
	/* With the same configuration another daemon has the addresses as
	 * well, but the database is the reason that helps. */
	err = keeper_check_lock(config, why);
	if (err != JW_OK)
		return err;
	front = jw_zalloc(sizeof(*front));
	front->base = base;
	front->config_file = config_file;
	if (find_program(front))
		err = sys_listeners_bind(config, &front->listeners, why);
	else
		err = jw_fail(JW_IO, why,
		    "/proc/self/exe, where jwksd-http is looked for: %s",
		    strerror(errno));
	if (err != JW_OK)
		daemon_front_free(front);
	else
		*ret_front = front;
	return err;
}

enum jw_err
daemon_front_start(struct daemon_front *front, struct jw_why *why)
{
	if (access(front->program, X_OK) != 0) {
		jw_why_hint(why, "jwksd-http belongs beside jwksd");
		return jw_fail(
		    JW_IO, why, "%s: %s", front->program, strerror(errno));
	}
	front->child_event =
	    evsignal_new(front->base, SIGCHLD, on_child, front);
	front->restart = evtimer_new(front->base, on_restart, front);
	event_add(front->child_event, NULL);
	start_now(front);
	return JW_OK;
}

static void
stop_child(struct daemon_front *front)
{
	int64_t until = jw_clock_monotonic_ms() + STOP_WAIT_MS;

	if (front->pid == 0)
		return;
	kill(front->pid, SIGTERM);
	while (waitpid(front->pid, NULL, WNOHANG) == 0) {
		if (jw_clock_monotonic_ms() >= until) {
			kill(front->pid, SIGKILL);
			waitpid(front->pid, NULL, 0);
			break;
		}
		jw_clock_nap_ms(STOP_LOOK_MS);
	}
	front->pid = 0;
}

void
daemon_front_free(struct daemon_front *front)
{
	if (front == NULL)
		return;
	if (front->child_event != NULL)
		event_free(front->child_event);
	if (front->restart != NULL)
		event_free(front->restart);
	stop_child(front);
	sys_listeners_close(&front->listeners);
	free(front);
}
