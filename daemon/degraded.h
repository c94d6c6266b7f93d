/*
 * A keeper that cannot start, behind sockets that a service manager holds:
 * it stays up, and every call is answered with the reason.  Otherwise each
 * connection would start it again (common/system/refusal.h).
 *
 * org.varlink.service is answered as always.  Reload reads the configuration
 * again; when it is sound, the program is executed anew with the sockets, and
 * the answer to Reload is what comes of that start.  Where the reason may go
 * away by itself the program is executed anew every few seconds.
 */
#ifndef JWKSD_DAEMON_DEGRADED_H
#define JWKSD_DAEMON_DEGRADED_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/system/refusal.h"

struct daemon_reexec;
struct daemon_sockets;
struct jw_config_errors;

struct daemon_degraded_options {
	struct daemon_sockets *sockets; /* NULL: they could not be taken */
	struct sys_refusal *refusal;
	struct daemon_reexec *reexec;
	const char *config_file;
	char **argv;
	/* The reason: mistakes of the configuration where there are any, else
	 * err and why.  Reload puts other mistakes in their place. */
	struct jw_config_errors *mistakes;
	enum jw_err err;
	const struct jw_why *why;
};

/* Find the mark that an earlier refused start has left behind the same
 * sockets; without any sockets refusal stays empty. */
void daemon_degraded_init(
    struct sys_refusal *refusal, const struct daemon_sockets *sockets);

/*
 * End a start that was refused, or --check: returns the exit status, after a
 * report of the reason, which leaves the mark behind sockets that were handed
 * over.  With the mark there already it serves the reason instead, until
 * SIGTERM or SIGINT, which remove the mark, or until another start may succeed:
 * then the program is executed anew, and this does not return.
 */
int daemon_degraded_or_report(const struct daemon_degraded_options *options);

#endif
