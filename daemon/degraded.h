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
	 * err and text.  Reload puts other mistakes in their place. */
	struct jw_config_errors *mistakes;
	enum jw_err err;
	const char *text;
};

/* Find the mark that an earlier refused start has left behind the same
 * sockets; without any sockets refusal stays empty. */
void daemon_degraded_init(
    struct sys_refusal *refusal, const struct daemon_sockets *sockets);

/* Is this refused start to stay up?  When not, the mark has been left. */
bool daemon_degraded_stays_up(const struct daemon_degraded_options *options);

/*
 * Serve until SIGTERM or SIGINT, which remove the mark, or until another start
 * may succeed, and execute that; then this does not return.  JW_NO_MEMORY;
 * JW_BUG, JW_IO with why.
 */
enum jw_err daemon_degraded_run(
    const struct daemon_degraded_options *options, struct jw_why *why);

#endif
