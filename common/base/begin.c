/*
 * Standard descriptors and signals at the start of a program.
 *
 * Must come before anything that opens a descriptor.
 */
#include "common/base/begin.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void
open_standard_descriptors(void)
{
	int fd;

	/* open(2) takes the lowest number that is free. */
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void
reset_signals(void)
{
	static const struct {
		int sig;
		void (*action)(int sig);
	} rows[] = {
	    {SIGPIPE, SIG_IGN},
	    {SIGXFSZ, SIG_IGN},
	    {SIGCHLD, SIG_DFL},
	};
	sigset_t none;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		signal(rows[i].sig, rows[i].action);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void
jw_begin_process(void)
{
	open_standard_descriptors();
	reset_signals();
}
