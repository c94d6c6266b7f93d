/*
 * The program executed anew by its own process, for another try to start: the
 * sockets that were handed over stay, and so does a Reload that waits for what
 * comes of that try.
 */
#ifndef JWKSD_DAEMON_REEXEC_H
#define JWKSD_DAEMON_REEXEC_H

#include <stdbool.h>

#include "common/base/err.h"

struct daemon_sockets;
struct json_t;

struct daemon_reexec {
	bool is_again; /* this program was executed by itself */
	int reload_fd; /* connection whose Reload waits; -1: none */
};

/* What the program before said.  Once, before anything else is opened. */
void daemon_reexec_take(struct daemon_reexec *ret_reexec);

/* Execute the program, with argv; reload_fd, or -1, is for the next one.  Only
 * returns when that failed: JW_IO, JW_NO_MEMORY with why. */
enum jw_err daemon_reexec_run(const struct daemon_sockets *sockets, char **argv,
    int reload_fd, struct jw_why *why);

/* Answer the Reload that waits, if there is one: JW_OK, or the error.  Closes
 * its connection. */
void daemon_reexec_answer(struct daemon_reexec *reexec, enum jw_err err,
    const struct json_t *parameters);

#endif
