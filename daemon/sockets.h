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

struct control_limits;
struct jw_config;
struct sockets;

enum { SOCKETS_GROUP_SIZE = 64 };

enum socket_slot {
	SOCKET_CONTROL, /* org.jwksd.keys */
	SOCKET_PUBLISH, /* org.jwksd.publish */
	SOCKET_SIGN,    /* org.jwksd.sign */
	SOCKETS
};

/*
 * Take those that were handed over, once, at start.  Errors with why.  The
 * result may hold none.
 */
enum jw_err sockets_take(struct sockets **ret_sockets, struct jw_why *why);
/*
 * Is each that was handed over a listening Unix socket?  JW_BAD_CONFIG with
 * why, which names the first that is not; that one is never served.  Names
 * that are unknown, and sockets that are missing beside others, are logged.
 */
enum jw_err sockets_check(struct sockets *sockets, struct jw_why *why);
/* Remove the files of those that we bound: they are found no more. */
void sockets_unlink(struct sockets *sockets);
void sockets_free(struct sockets *sockets);

/* A service manager holds at least one of the three. */
bool sockets_were_handed(const struct sockets *sockets);
/* The publishing socket was handed over: a service manager runs the front. */
bool sockets_are_managed(const struct sockets *sockets);

/*
 * A listening descriptor, the caller's: of the socket handed over, else of one
 * that is bound now in config's runtime directory.  With why: JW_IO,
 * JW_NO_SPACE, JW_LOCKED.
 */
enum jw_err sockets_open(struct sockets *sockets, enum socket_slot slot,
    const struct jw_config *config, int *ret_fd, struct jw_why *why);

/* That one was handed over, and is what it has to be. */
bool sockets_is_usable(const struct sockets *sockets, enum socket_slot slot);
/* A client has connected to one of them and waits to be accepted. */
bool sockets_have_clients(const struct sockets *sockets);
/* The group that the file of the one handed over has; NULL: none is known. */
const char *sockets_own_group(const struct sockets *sockets,
    enum socket_slot slot, char buf[SOCKETS_GROUP_SIZE]);
/* The directory of the first that was handed over and has a path, or "". */
void sockets_directory(const struct sockets *sockets, char *buf, size_t size);
/* For an execve(2) of this program: it finds what this start was handed. */
enum jw_err sockets_pass_on(const struct sockets *sockets);

/* Whose members may call; never NULL. */
const char *sockets_group(
    enum socket_slot slot, const struct jw_config *config);

/* What one client, and all together, may take, where the process may have
 * most_files descriptors. */
void sockets_limits(
    enum socket_slot slot, int most_files, struct control_limits *ret_limits);

#endif
