/*
 * execve(2) of this program by itself.
 */
#include "daemon/reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/system/notify.h"
#include "common/wire/varlink.h"
#include "daemon/sockets.h"

/* The environment variable that says to the next program that it is one, and
 * which descriptor its Reload has. */
static const char variable[] = "JWKSD_RELOAD_FD";

enum { OPENING_SECONDS = 600 };

void
daemon_reexec_take(struct daemon_reexec *ret_reexec)
{
	const char *text = getenv(variable);

	*ret_reexec = (struct daemon_reexec){.reload_fd = -1};
	if (text == NULL)
		return;
	ret_reexec->is_again = true;
	ret_reexec->reload_fd = (int)strtol(text, NULL, 10);
	if (ret_reexec->reload_fd >= 0)
		fcntl(ret_reexec->reload_fd, F_SETFD, FD_CLOEXEC);
	unsetenv(variable);
}

enum jw_err
daemon_reexec_run(const struct daemon_sockets *sockets, char **argv,
    int reload_fd, struct jw_why *why)
{
	char text[16];

	/* A large database is checked without a ping of the watchdog. */
	sys_notify_watchdog_within(OPENING_SECONDS);
	snprintf(text, sizeof(text), "%d", reload_fd);
	if (setenv(variable, text, 1) == 0 &&
	    daemon_sockets_pass_on(sockets) == JW_OK)
		execv("/proc/self/exe", argv);
	return jw_fail(JW_IO, why, "/proc/self/exe: %s", strerror(errno));
}

void
daemon_reexec_answer(
    struct daemon_reexec *reexec, enum jw_err err, const json_t *parameters)
{
	json_t *started = json_pack("{s:[], s:[]}", "changed", "restart");
	size_t len = 0;
	char *text;

	if (reexec->reload_fd >= 0) {
		text =
		    varlink_reply_format(err == JW_OK ? NULL : jw_err_wire(err),
			err == JW_OK ? started : parameters, false, &len);
		/* The socket is empty, and takes one reply. */
		if (text != NULL)
			send(reexec->reload_fd, text, len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		free(text);
		close(reexec->reload_fd);
		reexec->reload_fd = -1;
	}
	json_decref(started);
}
