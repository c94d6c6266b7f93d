/*
 * A keeper that cannot start, behind sockets that a service manager holds:
 * it stays up, and every call is answered with the reason.  Otherwise each
 * connection would start it again (common/system/refusal.h).
 *
 * org.varlink.service is answered as always.  Reload reads the configuration
 * again; when it is sound, the program is to be executed anew with the sockets,
 * and the answer to Reload is what came of that start.  Where the reason may go
 * away by itself the program is executed anew every few seconds.
 */
#ifndef JWKSD_DAEMON_DEGRADED_H
#define JWKSD_DAEMON_DEGRADED_H

#include <stdbool.h>

#include "common/base/err.h"

struct jw_config_errors;
struct sys_refusal;
struct daemon_sockets;

struct daemon_degraded_options {
	struct daemon_sockets *sockets;
	struct sys_refusal *refusal;
	const char *config_file;
	/* Why: mistakes of the configuration where there are any, else the
	 * rest.  Reload puts others in their place. */
	struct jw_config_errors *mistakes;
	enum jw_err err;
	const char *text;
	bool passing;  /* try again after a while */
	int reload_fd; /* of a Reload that waits for the answer; -1: none */
};

enum daemon_degraded_end { DEGRADED_STOPPED, DEGRADED_AGAIN };

/*
 * Serve until SIGTERM or SIGINT (the mark goes), or until another start is
 * worth it.  ret_reload_fd: the connection that waits for what comes of it, the
 * caller's, inherited by execve(2); or -1.  JW_NO_MEMORY; JW_BUG with why.
 */
enum jw_err daemon_degraded_run(const struct daemon_degraded_options *options,
    enum daemon_degraded_end *ret_end, int *ret_reload_fd, struct jw_why *why);

/* Answer a Reload that waited for a start, which has been good; closes fd. */
void daemon_degraded_started(int fd);

#endif
