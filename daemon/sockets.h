/*
 * The keeper's three Unix sockets: which there are, who may use each, what
 * one client may take of it.  Handed over by a service manager, or bound in
 * the runtime directory.
 */
#ifndef JWKSD_DAEMON_SOCKETS_H
#define JWKSD_DAEMON_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct daemon_sockets;
struct jw_config;
struct serve_options;
struct serve_server;

enum daemon_socket_slot {
	SOCKET_CONTROL,
	SOCKET_PUBLISH,
	SOCKET_SIGN,
	SOCKETS
};

/*
 * Take those that were handed over, once, at start.  Errors with why.  The
 * result may hold none.
 */
enum jw_err daemon_sockets_take(
    struct daemon_sockets **ret_sockets, struct jw_why *why);
/*
 * Is each that was handed over a listening Unix socket?  JW_BAD_CONFIG with
 * why, which names the first that is not; that one is never served.  Names
 * that are unknown, and sockets that are missing beside others, are logged.
 */
enum jw_err daemon_sockets_check(
    struct daemon_sockets *sockets, struct jw_why *why);
/* Remove the files of those that we bound.  sockets may be NULL. */
void daemon_sockets_unlink(struct daemon_sockets *sockets);
void daemon_sockets_free(struct daemon_sockets *sockets);

/* A service manager holds at least one of the three. */
bool daemon_sockets_were_handed(const struct daemon_sockets *sockets);
/* The publishing socket was handed over: a service manager runs the front. */
bool daemon_sockets_are_managed(const struct daemon_sockets *sockets);
/* That one was handed over, and is what it has to be. */
bool daemon_sockets_is_usable(
    const struct daemon_sockets *sockets, enum daemon_socket_slot slot);
/* A client has connected to one of them and waits to be accepted. */
bool daemon_sockets_have_clients(const struct daemon_sockets *sockets);
/* The directory of the first that was handed over and has a path, or "". */
void daemon_sockets_directory(
    const struct daemon_sockets *sockets, char *buf, size_t size);

/*
 * Start a server at the socket that was handed over, else at one that is bound
 * now in config's runtime directory.  config NULL: only for a usable one, and
 * for the group that its file has.  options: all but take_fd, group and
 * limits, which come from here.  With why: JW_IO, JW_NO_SPACE, JW_LOCKED;
 * JW_NO_MEMORY.
 */
enum jw_err daemon_sockets_serve(struct daemon_sockets *sockets,
    enum daemon_socket_slot slot, const struct jw_config *config,
    const struct serve_options *options, struct serve_server **ret_server,
    struct jw_why *why);

/* For an execve(2) of this program: it finds what this start was handed. */
enum jw_err daemon_sockets_pass_on(const struct daemon_sockets *sockets);

#endif
