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

struct serve_limits;
struct jw_config;
struct daemon_sockets;

enum { SOCKETS_GROUP_SIZE = 64 };

enum daemon_socket_slot {
	SOCKET_CONTROL, /* org.jwksd.keys */
	SOCKET_PUBLISH, /* org.jwksd.publish */
	SOCKET_SIGN,    /* org.jwksd.sign */
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
/* Remove the files of those that we bound: they are found no more. */
void daemon_sockets_unlink(struct daemon_sockets *sockets);
void daemon_sockets_free(struct daemon_sockets *sockets);

/* A service manager holds at least one of the three. */
bool daemon_sockets_were_handed(const struct daemon_sockets *sockets);
/* The publishing socket was handed over: a service manager runs the front. */
bool daemon_sockets_are_managed(const struct daemon_sockets *sockets);

/*
 * A listening descriptor, the caller's: of the socket handed over, else of one
 * that is bound now in config's runtime directory.  With why: JW_IO,
 * JW_NO_SPACE, JW_LOCKED.
 */
enum jw_err daemon_sockets_open(struct daemon_sockets *sockets,
    enum daemon_socket_slot slot, const struct jw_config *config, int *ret_fd,
    struct jw_why *why);

/* That one was handed over, and is what it has to be. */
bool daemon_sockets_is_usable(
    const struct daemon_sockets *sockets, enum daemon_socket_slot slot);
/* A client has connected to one of them and waits to be accepted. */
bool daemon_sockets_have_clients(const struct daemon_sockets *sockets);
/* The group that the file of the one handed over has; NULL: none is known. */
const char *daemon_sockets_own_group(const struct daemon_sockets *sockets,
    enum daemon_socket_slot slot, char buf[SOCKETS_GROUP_SIZE]);
/* The directory of the first that was handed over and has a path, or "". */
void daemon_sockets_directory(
    const struct daemon_sockets *sockets, char *buf, size_t size);
/* For an execve(2) of this program: it finds what this start was handed. */
enum jw_err daemon_sockets_pass_on(const struct daemon_sockets *sockets);

/* Whose members may call; never NULL. */
const char *daemon_sockets_group(
    enum daemon_socket_slot slot, const struct jw_config *config);

/* What one client, and all together, may take, where the process may have
 * most_files descriptors. */
void daemon_sockets_limits(enum daemon_socket_slot slot, int most_files,
    struct serve_limits *ret_limits);

#endif
